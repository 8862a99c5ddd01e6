/* SPDX-License-Identifier: MIT */
/* Client addresses. X-Forwarded-For can be forged by whoever is not a trusted
 * proxy, so it is read from the right and only as far as the trust reaches. */
#include "gate/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static const unsigned char mapped[12] = {0, 0, 0, 0, 0,    0,
                                         0, 0, 0, 0, 0xff, 0xff};

static void
set_v4(struct client_address *out, const void *four)
{
    memcpy(out->bytes, mapped, sizeof(mapped));
    memcpy(out->bytes + 12, four, 4);
}

static bool
is_v4(const struct client_address *a)
{
    return memcmp(a->bytes, mapped, sizeof(mapped)) == 0;
}

bool
client_from_peer(const struct sockaddr *peer, struct client_address *out)
{
    memset(out, 0, sizeof(*out));
    if (peer->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, peer, sizeof(in));
        set_v4(out, &in.sin_addr);
        return true;
    }
    if (peer->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, peer, sizeof(in6));
        memcpy(out->bytes, &in6.sin6_addr, 16);
        return true;
    }
    return false;
}

/* Without a port, and without the brackets of an IPv6 address. */
static struct str
bare(struct str text)
{
    const char *colon;

    text = str_trim(text);
    if (text.n > 0 && text.p[0] == '[') {
        const char *end = memchr(text.p, ']', text.n);
        bool whole =
            end != NULL && (end + 1 == text.p + text.n || end[1] == ':');

        return whole ? (struct str){text.p + 1, (size_t)(end - text.p) - 1}
                     : text;
    }
    colon = text.n > 0 ? memchr(text.p, ':', text.n) : NULL;
    if (colon != NULL &&
        memchr(colon + 1, ':', text.n - (size_t)(colon + 1 - text.p)) == NULL) {
        text.n = (size_t)(colon - text.p);
    }
    return text;
}

bool
client_parse(struct str text, struct client_address *out)
{
    char room[CLIENT_TEXT_SIZE];
    unsigned char v4[4];

    text = bare(text);
    memset(out, 0, sizeof(*out));
    if (text.n == 0 || text.n >= sizeof(room) ||
        memchr(text.p, '\0', text.n) != NULL) {
        return false;
    }
    memcpy(room, text.p, text.n);
    room[text.n] = '\0';
    if (inet_pton(AF_INET, room, v4) == 1) {
        set_v4(out, v4);
        return true;
    }
    return inet_pton(AF_INET6, room, out->bytes) == 1;
}

void
client_format(const struct client_address *a, char out[static CLIENT_TEXT_SIZE])
{
    const void *bytes = is_v4(a) ? a->bytes + 12 : a->bytes;

    if (inet_ntop(is_v4(a) ? AF_INET : AF_INET6, bytes, out,
                  CLIENT_TEXT_SIZE) == NULL) {
        out[0] = '\0';
    }
}

static bool
in_one(const struct client_address *a, const struct gate_network *n)
{
    unsigned whole = n->bits / 8, rest = n->bits % 8;
    unsigned char mask = (unsigned char)(0xff00u >> rest);

    return memcmp(a->bytes, n->address, whole) == 0 &&
           (rest == 0 || ((a->bytes[whole] ^ n->address[whole]) & mask) == 0);
}

bool
client_in(const struct client_address *a, const struct gate_network *networks,
          size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (in_one(a, &networks[i])) {
            return true;
        }
    }
    return false;
}

/* Takes the last item off the list. */
static struct str
last_item(struct str *list)
{
    size_t at = list->n;
    struct str item;

    while (at > 0 && list->p[at - 1] != ',') {
        at--;
    }
    item = str_from_at(*list, at);
    list->n = at > 0 ? at - 1 : 0;
    return item;
}

void
client_forward(struct client_address *a, struct str forwarded,
               const struct gate_network *trusted, size_t count)
{
    while (forwarded.n > 0 && client_in(a, trusted, count)) {
        struct client_address before;

        if (!client_parse(last_item(&forwarded), &before)) {
            return;
        }
        *a = before;
    }
}

/* All values of X-Forwarded-For, joined. */
static void
join_forwarded(const struct http1_head *head, struct buf *out)
{
    const struct http1_header *header;
    size_t at = 0;

    while ((header = http1_head_next(head, "X-Forwarded-For", &at)) != NULL) {
        if (out->n > 0) {
            buf_putc(out, ',');
        }
        buf_put_str(out, header->value);
    }
}

void
client_follow(struct client_address *a, const struct http1_head *head,
              const struct gate_network *trusted, size_t count)
{
    struct buf forwarded;

    buf_init(&forwarded, HTTP1_HEADER_BYTES_MAX);
    join_forwarded(head, &forwarded);
    client_forward(a, buf_str(&forwarded), trusted, count);
    buf_fini(&forwarded);
}

struct str
client_key(const struct client_address *a)
{
    const char *p = (const char *)a->bytes;

    return is_v4(a) ? (struct str){p + 12, 4} : (struct str){p, 8};
}
