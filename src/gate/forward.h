/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_FORWARD_H
#define CHATBOX_GATE_FORWARD_H

#include "base/buf.h"
#include "base/err.h"
#include "codec/http1_head.h"

#include <stdbool.h>

/* A request's head as a server passes it on to the one that answers it: what a
 * reverse proxy changes in it (RFC 9110, 7.6), and nothing else. Pure. */

/* Whose request it is. Borrowed during the call. */
struct forward_peer {
    const char *address; /* the direct peer's, as text; "" when it has none */
    bool trusted;        /* it is one of the trusted proxies */
    bool tls;            /* the connection speaks TLS */
};

/* Appends the head to out, its empty line included; what follows the head may
 * be sent behind it as it comes.
 *
 * - The request line stays, with its version: the answer comes back as it is,
 *   and must suit the client.
 * - Headers that are for one connection stay behind: Connection and what it
 *   names, Keep-Alive, Proxy-Connection, Proxy-Authorization, TE. What says
 *   where the request ends, whose it is and where it came from stays whatever
 *   Connection names.
 * - Upgrade stays when Connection names it.
 * - X-Forwarded-For: the peer is one more line, the last one. X-Forwarded-Proto
 *   stays when a trusted proxy sent one, and is ours in any other case.
 * - Via has one more line.
 * - Connection says "close" always: behind this request whoever reads it takes
 *   nothing, so that no second one arrives without an X-Forwarded-For of its
 *   own.
 *
 * ERR_HEADERS_TOO_LARGE: with these lines it would be more than a head may
 * have, or than out takes; what out holds is void then. A buffer of
 * FORWARD_HEAD_MAX takes every one. */
enum err forward_head(const struct http1_head *head,
                      const struct forward_peer *peer,
                      struct buf *out) MUST_CHECK;

#define FORWARD_HEAD_MAX HTTP1_HEAD_MAX

/* The client asks for another protocol behind the answer. */
bool forward_upgrades(const struct http1_head *head);

#endif
