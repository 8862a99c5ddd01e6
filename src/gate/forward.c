/* SPDX-License-Identifier: MIT */
/* From one head to another. What http1_head.c has let in is strict enough to be
 * written again as it is; the question here is only which lines go on. */
#include "gate/forward.h"

#include "codec/http1_write.h"

/* Of one connection, and not for the next one. Nobody here asked for
 * Proxy-Authorization, so it is not ours to pass on. */
static const char *const own[] = {
    "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "TE",
};

/* What nobody can take away by naming it in Connection: where the request ends,
 * where it goes, whose it is, which way it came. */
static const char *const needed[] = {
    "Content-Length",  "Transfer-Encoding", "Expect", "Host", "Authorization",
    "X-Forwarded-For", "X-Forwarded-Proto", "Origin", "Via",
};

static bool
is_one_of(struct str name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_is_nocase(name, names[i])) {
            return true;
        }
    }
    return false;
}

/* Connection names this header. */
static bool
is_named(const struct http1_head *head, struct str name)
{
    const struct http1_header *header;
    size_t at = 0;

    while ((header = http1_head_next(head, "Connection", &at)) != NULL) {
        struct str rest = header->value, item;

        while (http1_head_next_item(&rest, &item)) {
            if (str_eq_nocase(item, name)) {
                return true;
            }
        }
    }
    return false;
}

bool
forward_upgrades(const struct http1_head *head)
{
    return http1_head_lists(head, "Connection", "Upgrade");
}

/* The one word that a trusted proxy says of the client's connection. */
static bool
keeps_proto(const struct http1_head *head, const struct forward_peer *peer)
{
    struct str proto;

    return peer->trusted &&
           http1_head_single(head, "X-Forwarded-Proto", &proto) == ERR_OK;
}

static bool
goes_on(const struct http1_head *head, const struct forward_peer *peer,
        struct str name)
{
    if (str_is_nocase(name, "Upgrade")) {
        return forward_upgrades(head);
    }
    if (str_is_nocase(name, "X-Forwarded-Proto")) {
        return keeps_proto(head, peer);
    }
    return !is_one_of(name, own, COUNT_OF(own)) &&
           (is_one_of(name, needed, COUNT_OF(needed)) || !is_named(head, name));
}

static void
put_request_line(const struct http1_head *head, struct buf *out)
{
    buf_put_str(out, head->method_text);
    buf_putc(out, ' ');
    buf_put_str(out, head->target.raw);
    buf_puts(out, head->minor == 0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
}

/* Returns how many lines. */
static size_t
put_received(const struct http1_head *head, const struct forward_peer *peer,
             struct buf *out)
{
    size_t lines = 0;

    for (size_t i = 0; i < head->header_count; i++) {
        const struct http1_header *header = &head->headers[i];

        if (goes_on(head, peer, header->name)) {
            buf_put_str(out, header->name);
            buf_puts(out, ": ");
            buf_put_str(out, header->value);
            buf_puts(out, "\r\n");
            lines++;
        }
    }
    return lines;
}

/* Returns how many lines. */
static size_t
put_own(const struct http1_head *head, const struct forward_peer *peer,
        struct buf *out)
{
    bool proto = keeps_proto(head, peer);
    bool known = peer->address[0] != '\0';

    http1_write_header(out, "X-Forwarded-For",
                       known ? str_from(peer->address) : STR("unknown"));
    if (!proto) {
        http1_write_header(out, "X-Forwarded-Proto",
                           peer->tls ? STR("https") : STR("http"));
    }
    http1_write_header(
        out, "Via", head->minor == 0 ? STR("1.0 chatbox") : STR("1.1 chatbox"));
    http1_write_header(out, "Connection",
                       forward_upgrades(head) ? STR("Upgrade, close")
                                              : STR("close"));
    return proto ? 3 : 4;
}

enum err
forward_head(const struct http1_head *head, const struct forward_peer *peer,
             struct buf *out)
{
    size_t lines, begin;

    put_request_line(head, out);
    begin = out->n;
    lines = put_received(head, peer, out);
    lines += put_own(head, peer, out);
    if (lines > HTTP1_HEADERS_MAX || out->n - begin > HTTP1_HEADER_BYTES_MAX) {
        return ERR_HEADERS_TOO_LARGE;
    }
    http1_write_end(out);
    return out->failed ? ERR_HEADERS_TOO_LARGE : ERR_OK;
}
