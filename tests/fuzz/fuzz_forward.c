/* SPDX-License-Identifier: MIT */
/* A request's head as it is passed on. The first byte says whose it is. What is
 * written must be read by the same rules as the same request, with the peer
 * named last, and behind it nothing is read. */
#include "gate/forward.h"

#include "base/check.h"
#include "codec/ws_handshake.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ADDRESS "203.0.113.7"

static void
check_framing(const struct http1_head *was, const struct http1_head *is)
{
    CHECK(was->method == is->method && was->minor == is->minor);
    CHECK(str_eq(was->method_text, is->method_text));
    CHECK(str_eq(was->target.raw, is->target.raw));
    CHECK(str_eq(was->host, is->host));
    CHECK(was->framing == is->framing);
    CHECK(was->content_length == is->content_length);
    CHECK(was->expect_continue == is->expect_continue);
    CHECK(!is->keep_alive);
}

/* The last header of that name. */
static struct str
last_of(const struct http1_head *head, const char *name)
{
    const struct http1_header *header;
    struct str value = {NULL, 0};
    size_t at = 0;

    while ((header = http1_head_next(head, name, &at)) != NULL) {
        value = header->value;
    }
    return value;
}

static void
check_way(const struct http1_head *was, const struct http1_head *is,
          const struct forward_peer *peer)
{
    struct str said, says;

    CHECK(str_is(last_of(is, "X-Forwarded-For"), ADDRESS));
    CHECK(http1_head_single(is, "X-Forwarded-Proto", &says) == ERR_OK);
    if (peer->trusted &&
        http1_head_single(was, "X-Forwarded-Proto", &said) == ERR_OK) {
        CHECK(str_eq(said, says));
    } else {
        CHECK(str_is(says, peer->tls ? "https" : "http"));
    }
}

/* What is left is not of one connection, and is an upgrade only when it was. */
static void
check_hops(const struct http1_head *was, const struct http1_head *is)
{
    static const char *const none[] = {"TE", "Keep-Alive", "Proxy-Connection",
                                       "Proxy-Authorization"};
    struct ws_handshake handshake;
    struct str only;
    size_t at;

    for (size_t i = 0; i < COUNT_OF(none); i++) {
        at = 0;
        CHECK(http1_head_next(is, none[i], &at) == NULL);
    }
    CHECK(http1_head_single(is, "Connection", &only) == ERR_OK);
    CHECK(forward_upgrades(was) == forward_upgrades(is));
    at = 0;
    CHECK(forward_upgrades(is) || http1_head_next(is, "Upgrade", &at) == NULL);
    if (ws_handshake_parse(is, &handshake) == ERR_OK) {
        CHECK(ws_handshake_parse(was, &handshake) == ERR_OK);
    }
}

static void
check_again(const struct http1_head *head, const struct forward_peer *peer,
            struct str written)
{
    struct http1_scan scan = {0};
    struct http1_head again;
    size_t consumed;

    CHECK(http1_head_parse(&again, &scan, written, &consumed) == ERR_OK);
    CHECK(consumed == written.n);
    check_framing(head, &again);
    check_way(head, &again, peer);
    check_hops(head, &again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = str_from_at((struct str){(const char *)data, size}, 1);
    struct forward_peer peer = {.address = ADDRESS,
                                .trusted = size > 0 && (data[0] & 1) != 0,
                                .tls = size > 0 && (data[0] & 2) != 0};
    struct http1_scan scan = {0};
    struct http1_head head;
    struct buf out;
    size_t consumed;
    enum err e;

    if (http1_head_parse(&head, &scan, in, &consumed) != ERR_OK) {
        return 0;
    }
    buf_init(&out, FORWARD_HEAD_MAX);
    e = forward_head(&head, &peer, &out);
    CHECK(e == ERR_OK || e == ERR_HEADERS_TOO_LARGE);
    if (e == ERR_OK) {
        check_again(&head, &peer, buf_str(&out));
    }
    buf_fini(&out);
    return 0;
}
