/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CODEC_WS_HANDSHAKE_H
#define CHATBOX_CODEC_WS_HANDSHAKE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "codec/http1_head.h"

#include <stddef.h>

#define WS_HANDSHAKE_ACCEPT_SIZE 29 /* 28 characters and a NUL */
#define WS_HANDSHAKE_PROTOCOLS_MAX 16

/* What a client's opening handshake says. The strs point into the head. */
struct ws_handshake {
    struct str key;
    size_t protocol_count; /* in the client's order of preference */
    struct str protocols[WS_HANDSHAKE_PROTOCOLS_MAX];
};

/* RFC 6455 section 4.2.1: GET, HTTP/1.1, Connection and Upgrade, one version,
 * one key of 16 bytes, no body, subprotocols that are different tokens.
 * ERR_UPGRADE_REQUIRED for a well-formed version other than 13 (answer it
 * with "Sec-WebSocket-Version: 13"), ERR_BAD_REQUEST for the rest. */
enum err ws_handshake_parse(const struct http1_head *head,
                            struct ws_handshake *out) MUST_CHECK;

/* The Sec-WebSocket-Accept for a key (section 4.2.2), NUL-terminated.
 * ERR_SERVICE_UNAVAILABLE: OpenSSL had no memory for the digest. */
enum err
ws_handshake_accept(struct str key,
                    char out[static WS_HANDSHAKE_ACCEPT_SIZE]) MUST_CHECK;

/* Writes "101 Switching Protocols" with its three headers and, when it is not
 * empty, the chosen subprotocol; no empty line, so that the caller can add
 * headers and then http1_write_end. Fails, having written nothing, as
 * ws_handshake_accept does. */
enum err ws_handshake_write(struct buf *b, struct str key,
                            struct str protocol) MUST_CHECK;

#endif
