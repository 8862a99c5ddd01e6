/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_TESTS_GATE_HTTP_CLIENT_H
#define CHATBOX_TESTS_GATE_HTTP_CLIENT_H

/* Clients at the other end of socket pairs, who ask and read answers apart. */
#include "house.h"
#include "net/conn.h"

#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* --- clients ------------------------------------------------------------ */

struct client {
    struct house *house;
    int fd;
    struct buf got;
    bool eof; /* the server has closed its side */
};

static inline void
client_open_from(struct house *h, struct client *c, const char *address)
{
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(999)};
    struct conn *conn;
    int fds[2];

    assert_int_equal(inet_pton(AF_INET, address, &peer.sin_addr), 1);
    *c = (struct client){.house = h};
    buf_init(&c->got, (size_t)256 << 20);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds),
                     0);
    assert_int_equal(
        conn_open(&h->shard, fds[0], (struct sockaddr *)&peer, &conn), ERR_OK);
    gate_on_accept(&h->shard, conn, NULL);
    c->fd = fds[1];
}

static inline void
client_open(struct house *h, struct client *c)
{
    client_open_from(h, c, "127.0.0.1");
}

static inline void
client_close(struct client *c)
{
    (void)close(c->fd);
    buf_fini(&c->got);
}

/* Takes what has come. */
static inline void
client_read(struct client *c)
{
    char room[65536];
    ssize_t n = recv(c->fd, room, sizeof(room), 0);

    if (n > 0) {
        buf_put(&c->got, room, (size_t)n);
    } else if (n == 0 || errno != EAGAIN) {
        c->eof = true;
    }
}

/* Sends all, reading meanwhile. A server that has closed is fine. */
static inline void
client_send_n(struct client *c, const char *p, size_t n)
{
    while (n > 0 && !c->eof) {
        ssize_t sent = send(c->fd, p, n, MSG_NOSIGNAL);

        if (sent < 0 && errno != EAGAIN) {
            return;
        }
        if (sent > 0) {
            p += sent;
            n -= (size_t)sent;
        }
        house_turn(c->house);
        client_read(c);
    }
}

static inline void
client_send(struct client *c, const char *text)
{
    client_send_n(c, text, strlen(text));
}

static inline bool
client_eof(struct client *c)
{
    client_read(c);
    return c->eof;
}

/* --- answers ------------------------------------------------------------ */

struct answer {
    int status;
    char *head; /* with a CRLF behind each line, status line included */
    char *body;
    size_t body_n;
    json_t *json; /* of the body, or NULL */
};

static inline void
answer_fini(struct answer *a)
{
    xfree(a->head);
    xfree(a->body);
    json_decref(a->json);
    *a = (struct answer){0};
}

/* The value of a header, cut off by the caller's room; "" without one. name
 * as we write it. */
static inline const char *
header_of(const struct answer *a, const char *name)
{
    static char value[1024];
    char want[128];
    const char *at, *end;

    snprintf(want, sizeof(want), "\r\n%s: ", name);
    at = strstr(a->head, want);
    if (at == NULL) {
        return "";
    }
    at += strlen(want);
    end = strstr(at, "\r\n");
    snprintf(value, sizeof(value), "%.*s", (int)(end - at), at);
    return value;
}

static inline bool
has_header(const struct answer *a, const char *name)
{
    char want[128];

    snprintf(want, sizeof(want), "\r\n%s: ", name);
    return strstr(a->head, want) != NULL;
}

static inline const char *
text_at(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? text : "";
}

static inline int64_t
int_at(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

/* The chunks behind the head into a; how many bytes they took, 0 while the
 * last one is not there. */
static inline size_t
take_chunks(const struct client *c, size_t from, struct answer *a)
{
    struct buf body;
    size_t at = from, n = 1;

    buf_init(&body, (size_t)256 << 20);
    while (n > 0) {
        const char *line = c->got.p + at, *end;
        size_t left = c->got.n - at;

        end = line != NULL && left > 0 ? memmem(line, left, "\r\n", 2) : NULL;
        n = end != NULL ? strtoul(line, NULL, 16) : 0;
        if (end == NULL || (size_t)(end - line) + n + 4 > left) {
            buf_fini(&body);
            return 0;
        }
        buf_put(&body, end + 2, n);
        at += (size_t)(end - line) + n + 4;
    }
    a->body_n = body.n;
    a->body = buf_give(&body);
    return at - from;
}

/* The body behind the head, as long as its head says; how many bytes it took.
 * a->body stays NULL while it is not whole. */
static inline size_t
take_body(const struct client *c, size_t from, struct answer *a)
{
    if (has_header(a, "Transfer-Encoding")) {
        return take_chunks(c, from, a);
    }
    a->body_n = (size_t)strtoul(header_of(a, "Content-Length"), NULL, 10);
    if (c->got.n - from < a->body_n) {
        return 0;
    }
    a->body = str_dup((struct str){c->got.p + from, a->body_n});
    return a->body_n;
}

/* One answer off the front of what came; false while it is not whole. */
static inline bool
take_answer(struct client *c, bool head_only, struct answer *a)
{
    char *end;
    size_t head_n, taken = 0;

    client_read(c);
    end = c->got.n > 0 ? memmem(c->got.p, c->got.n, "\r\n\r\n", 4) : NULL;
    if (end == NULL) {
        return false;
    }
    head_n = (size_t)(end - c->got.p) + 4;
    *a = (struct answer){0};
    a->head = str_dup((struct str){c->got.p, head_n});
    assert_memory_equal(a->head, "HTTP/1.1 ", 9);
    a->status = (int)strtol(a->head + 9, NULL, 10);
    if (!head_only && a->status >= 200) {
        taken = take_body(c, head_n, a);
    } else {
        a->body = xstrdup("");
    }
    if (a->body == NULL) {
        answer_fini(a);
        return false;
    }
    a->json = json_loadb(a->body, a->body_n, 0, NULL);
    buf_consume(&c->got, head_n + taken);
    return true;
}

static inline void
client_answer(struct client *c, struct answer *a)
{
    WAIT_FOR(c->house, take_answer(c, false, a));
}

static inline void
client_head(struct client *c, struct answer *a)
{
    WAIT_FOR(c->house, take_answer(c, true, a));
}

/* "METHOD /path", further header lines, body (may be NULL). */
static inline void
client_ask(struct client *c, const char *line, const char *headers,
           const char *body)
{
    struct buf b;

    buf_init(&b, 8 << 20);
    buf_puts(&b, line);
    buf_puts(&b, " HTTP/1.1\r\nHost: chat.example\r\n");
    buf_puts(&b, headers);
    if (body != NULL) {
        buf_printf(&b, "Content-Length: %zu\r\n", strlen(body));
    }
    buf_puts(&b, "\r\n");
    buf_puts(&b, body != NULL ? body : "");
    assert_int_equal(buf_err(&b), ERR_OK);
    client_send_n(c, b.p, b.n);
    buf_fini(&b);
}

/* A request on a connection of its own. The caller finis. */
static inline void
ask(struct house *h, const char *line, const char *headers, const char *body,
    struct answer *a)
{
    struct client c;

    client_open(h, &c);
    client_ask(&c, line, headers, body);
    if (strncmp(line, "HEAD ", 5) == 0) {
        client_head(&c, a);
        assert_int_equal(c.got.n, 0);
    } else {
        client_answer(&c, a);
    }
    client_close(&c);
}

/* The same by a user, with a token of theirs. */
static inline void
ask_as(struct house *h, const char *user, const char *line, const char *body,
       struct answer *a)
{
    char headers[1024];
    char *token = token_of(user);

    snprintf(headers, sizeof(headers), "Authorization: Bearer %s\r\n", token);
    xfree(token);
    ask(h, line, headers, body, a);
}

/* The same by an operator. */
static inline void
ask_operator(struct house *h, const char *user, const char *line,
             struct answer *a)
{
    char headers[1024];
    char *token = make_token(user, "admin", (int64_t)time(NULL) + 3600);

    snprintf(headers, sizeof(headers), "Authorization: Bearer %s\r\n", token);
    xfree(token);
    ask(h, line, headers, NULL, a);
}

/* A new session of user; its id goes into id. */
static inline void
make_session(struct house *h, const char *user, char id[64])
{
    struct answer a;

    ask_as(h, user, "POST /chatbox/sessions", "", &a);
    assert_int_equal(a.status, 201);
    snprintf(id, 64, "%s", text_at(a.json, "id"));
    answer_fini(&a);
}

static inline void
assert_common_headers(const struct answer *a)
{
    assert_string_equal(header_of(a, "X-Content-Type-Options"), "nosniff");
    assert_string_equal(header_of(a, "X-Frame-Options"), "DENY");
    assert_string_equal(header_of(a, "Referrer-Policy"),
                        "strict-origin-when-cross-origin");
    assert_int_equal(strlen(header_of(a, "X-Request-Id")), 32);
    assert_true(has_header(a, "Content-Security-Policy"));
}

/* The error body of protocol.md section 1. field: NULL for none. */
static inline void
assert_error(const struct answer *a, int status, const char *code,
             const char *field)
{
    if (a->status != status) {
        fail_msg("%d, not %d: %s", a->status, status, a->body);
    }
    assert_common_headers(a);
    assert_string_equal(header_of(a, "Content-Type"),
                        "application/json; charset=utf-8");
    assert_string_equal(text_at(a->json, "code"), code);
    assert_true(strlen(text_at(a->json, "error")) > 0);
    assert_true(strlen(text_at(a->json, "message")) > 0);
    assert_string_equal(text_at(a->json, "request_id"),
                        header_of(a, "X-Request-Id"));
    if (field != NULL) {
        assert_string_equal(text_at(a->json, "field"), field);
    } else {
        assert_null(json_object_get(a->json, "field"));
    }
}

/* Asks and expects an error. */
static inline void
assert_refused(struct house *h, const char *line, const char *headers,
               int status, const char *code, const char *field)
{
    struct answer a;

    ask(h, line, headers, NULL, &a);
    assert_error(&a, status, code, field);
    answer_fini(&a);
}

#endif
