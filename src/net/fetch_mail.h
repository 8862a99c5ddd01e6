/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_NET_FETCH_MAIL_H
#define CHATBOX_NET_FETCH_MAIL_H

#include "net/fetch.h"

/* Mail as a request to the outside: libcurl connects, speaks TLS and logs in,
 * the rest is said by ourselves (codec/smtp.h), as libcurl 7.88 waits for the
 * answer to a message, and to its farewell, inside of one call
 * (docs/decisions/0057). A proxy of the environment that is for all protocols
 * is honoured. */
/* In the order of the setting's words. */
enum fetch_mail_tls {
    FETCH_MAIL_STARTTLS, /* without it nothing is sent */
    FETCH_MAIL_TLS,      /* from the first byte */
    FETCH_MAIL_NONE
};

struct fetch_mail_request {
    const char *host; /* a name or an address, an IPv6 one bare */
    uint16_t port;
    enum fetch_mail_tls tls; /* verified, as for HTTP */
    const char *user;        /* NULL: no login */
    const char *password;
    const char *from; /* addresses, bare, ASCII, without line ends */
    const char *to;
    struct str message;          /* lines that end with CRLF */
    uint64_t connect_timeout_ms; /* until the login is done */
    uint64_t answer_timeout_ms;  /* of each reply after that */
    uint64_t total_timeout_ms;
};

/* As fetch_start. on_head tells the server's decisive reply: 250 when it has
 * taken the message, else with what it refused the greeting, the login or a
 * step; on_end is FETCH_DONE then. There is no data, and nothing to pause. */
struct fetch *fetch_mail_start(struct shard *s,
                               const struct fetch_mail_request *request,
                               const struct fetch_events *events, void *cookie);

#endif
