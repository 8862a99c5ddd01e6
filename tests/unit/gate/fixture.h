/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_TESTS_GATE_FIXTURE_H
#define CHATBOX_TESTS_GATE_FIXTURE_H

/* What the tests of the gate share: a shard whose loop the test turns itself,
 * with net, a real store, chat and the gate on it, and clients at the other
 * end of socket pairs that read answers apart. */
#include "base/log.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "chat/chat.h"
#include "codec/ws_frame.h"
#include "gate/gate.h"
#include "gate/gate_state.h"
#include "guard/token.h"
#include "loop/shard.h"
#include "net/conn.h"
#include "net/net.h"
#include "store/store.h"
#include "upload/upload.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* Nobody has a file. */
static const struct upload no_uploads = {.shelf = {.folder = "/nowhere"},
                                         .key = {"0123456789abcdef", 16},
                                         .prefix = "/chatbox/files/"};

#define SECRET "k3V9xQ2mZ7bT4nW8rY1cL6hJ5gF0dSzP"

/* --- the provider: one word, again and again ---------------------------- */

struct saying {
    size_t left;
};

static size_t words_to_say = 2;

static void *
echo_begin(const struct provider_config *config,
           const struct provider_turn *turn)
{
    struct saying *s = xcalloc(1, sizeof(*s));

    (void)config;
    (void)turn;
    s->left = words_to_say + 1;
    return s;
}

static void
echo_next(void *state, struct provider_event *event, uint64_t *delay_ms)
{
    struct saying *s = state;

    *delay_ms = 0;
    *event = (struct provider_event){.kind = PROVIDER_DONE};
    if (s->left > 1) {
        event->kind = PROVIDER_DELTA;
        event->text = STR("word ");
    } else if (s->left == 1) {
        event->kind = PROVIDER_FINISH;
    }
    s->left -= s->left > 0;
}

static void
echo_close(void *state)
{
    xfree(state);
}

static const struct provider_ops echo_ops = {.type = "demo",
                                             .begin = echo_begin,
                                             .next = echo_next,
                                             .close = echo_close};

static const struct provider_config providers[] = {
    {.ops = &echo_ops, .id = "m1", .name = "Model One", .model = "m1"},
    {.ops = &echo_ops, .id = "m2", .name = "Model Two", .model = "m2"},
};

/* --- the house ---------------------------------------------------------- */

struct house {
    struct shard shard;
    struct net_settings net;
    struct store *store;
    struct chat_settings chat;
    struct chat_population population;
    struct gate_policy *policy; /* the first; borrowed from the gate */
    struct gate_settings gate;
    struct gate_network proxies[2];
    struct gate_network networks[2];
    struct token_rules rules;
    struct gate_limit limit; /* of every bucket */
    uint64_t limit_cleanup_interval_ms;
    size_t connections_per_user;
    size_t max_connections;
    atomic_size_t websockets;
    atomic_bool draining;
    atomic_bool closing;
    const char *ws_origins[4];
    const char *cors_origins[4];
    char dir[64];
};

static const char *const admin_roles[] = {"admin", NULL};

static inline struct origin_list *
make_origins(const char *const *items)
{
    struct str list[4];
    size_t n = 0;

    while (n < 4 && items[n] != NULL) {
        list[n] = str_from(items[n]);
        n++;
    }
    return origin_list_new(list, n);
}

static inline struct gate_policy *
make_policy(const struct house *h)
{
    struct gate_policy *p = xcalloc(1, sizeof(*p));

    atomic_init(&p->refs, 1);
    p->ws_origins = make_origins(h->ws_origins);
    p->cors_origins = make_origins(h->cors_origins);
    p->connections_per_user = h->connections_per_user;
    p->max_connections = h->max_connections;
    p->public_limit = p->user_limit = p->admin_limit = p->failure_limit =
        h->limit;
    p->limit_max_keys = 1000;
    p->limit_cleanup_interval_ms = h->limit_cleanup_interval_ms;
    gate_policy_fill(p, NULL);
    return p;
}

/* An IPv4 network as settings give it. */
static inline struct gate_network
make_network(const char *address, unsigned bits)
{
    struct gate_network n = {.bits = 96 + bits};

    n.address[10] = n.address[11] = 0xff;
    assert_int_equal(inet_pton(AF_INET, address, n.address + 12), 1);
    return n;
}

/* Settings that a test may change before house_start. */
static inline void
house_prepare(struct house *h)
{
    memset(h, 0, sizeof(*h));
    words_to_say = 2;
    h->limit = (struct gate_limit){100000, 60000};
    h->limit_cleanup_interval_ms = 60000;
    h->connections_per_user = 10;
    h->max_connections = 1000;
    h->rules = (struct token_rules){
        .require_exp = true, .leeway_ms = 30000, .admin_roles = admin_roles};
    h->networks[0] = make_network("127.0.0.0", 8);
    h->chat = (struct chat_settings){
        .population = &h->population,
        .max_content_chars = 1000,
        .reconnect_timeout_ms = 60000,
        .session_ttl_ms = 60000,
        .cleanup_interval_ms = 1000,
        .warn_count = 1000,
        .resume_max_events = 100,
        .message_limit = 1000,
        .message_window_ms = 1000,
        .limit_max_keys = 1000,
        .limit_cleanup_interval_ms = 1000,
        .upload = &no_uploads,
        .providers = providers,
        .provider_count = 2,
        .system_prompt = "",
        .context_tokens = 1000,
        .stream_timeout_ms = 10000,
        .retry_attempts = 1,
        .retry_delay_ms = 10,
        .retry_max_delay_ms = 10,
        .max_answer_bytes = 1 << 20,
    };
    h->gate = (struct gate_settings){
        .path_prefix = "/chatbox",
        .trusted_proxies = h->proxies,
        .metrics_networks = h->networks,
        .metrics_network_count = 1,
        .token_rules = &h->rules,
        .admin_roles = admin_roles,
        .token_in_query = true,
        .max_message_bytes = 1 << 20,
        .upload = &no_uploads,
        .output_limit_bytes = 1 << 20,
        .ping_period_ms = 54000,
        .pong_wait_ms = 60000,
        .shard_count = 1,
    };
}

static inline void
house_open_store(struct house *h)
{
    struct store_settings settings = {
        .data_dir = h->dir, .queue_max = 10000, .readers = 1};
    char why[512];

    snprintf(h->dir, sizeof(h->dir), "/tmp/chatbox-gate-XXXXXX");
    assert_non_null(mkdtemp(h->dir));
    if (store_open(&settings, &h->store, why, sizeof(why)) != ERR_OK) {
        fail_msg("%s", why);
    }
}

static inline void
house_start(struct house *h)
{
    struct gate_settings *g = &h->gate;

    log_set_level(LOG_ERROR);
    metrics_thread_init();
    house_open_store(h);
    g->keys = token_keys_secret(STR(SECRET));
    g->store = h->store;
    g->shards = &h->shard;
    g->websockets = &h->websockets;
    g->draining = &h->draining;
    g->closing = &h->closing;
    h->net.output_limit_bytes = 1 << 20;
    assert_int_equal(shard_init(&h->shard, 0), ERR_OK);
    assert_int_equal(net_init(&h->shard, &h->net), ERR_OK);
    assert_int_equal(chat_init(&h->shard, &h->chat, h->store), ERR_OK);
    h->policy = make_policy(h);
    assert_int_equal(gate_init(&h->shard, g, h->policy), ERR_OK);
}

static inline void
house_open(struct house *h)
{
    house_prepare(h);
    house_start(h);
}

static inline void
house_turn(struct house *h)
{
    (void)uv_run(&h->shard.loop, UV_RUN_NOWAIT);
}

/* Turns the loop until it is so; a minute at the most. */
#define WAIT_FOR(h, what)                                                      \
    do {                                                                       \
        time_t give_up_ = time(NULL) + 60;                                     \
                                                                               \
        while (!(what)) {                                                      \
            house_turn(h);                                                     \
            if (time(NULL) > give_up_) {                                       \
                fail_msg("never came true: %s", #what);                        \
            }                                                                  \
        }                                                                      \
    } while (0)

static void
on_skipped(struct timer *t)
{
    (void)t;
}

/* For the timers of this shard ms pass at once. */
static inline void
house_skip(struct house *h, uint64_t ms)
{
    struct timers *ts = &h->shard.timers;
    struct timer now;

    uv_update_time(&h->shard.loop);
    for (size_t i = 1; i <= ts->count; i++) {
        uint64_t at = ts->heap[i]->at_ms;

        ts->heap[i]->at_ms = at > ms ? at - ms : 0;
    }
    timer_init(&now, on_skipped);
    timer_start(ts, &now, 0);
    WAIT_FOR(h, !timer_armed(&now));
}

static inline void
house_remove(const struct house *h)
{
    static const char *const names[] = {"/chatbox.db", "/chatbox.db-wal",
                                        "/chatbox.db-shm"};
    char path[128];

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(path, sizeof(path), "%s%s", h->dir, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(h->dir);
}

/* Everything must have been let go by now, but for connections and what was
 * begun. */
static inline void
house_close(struct house *h)
{
    (void)gate_abort_all(&h->shard);
    WAIT_FOR(h, net_conn_count(&h->shard) == 0 &&
                    list_empty(&h->shard.gate->requests) &&
                    chat_turns(h->shard.chat) == 0);
    assert_int_equal(atomic_load(&h->websockets), 0);
    store_close(h->store);
    for (int i = 0; i < 20; i++) {
        house_turn(h);
    }
    gate_fini(&h->shard);
    chat_fini(&h->shard);
    net_fini(&h->shard);
    shard_fini(&h->shard);
    token_keys_free(h->gate.keys);
    house_remove(h);
    metrics_fini();
}

/* --- tokens ------------------------------------------------------------- */

/* Gives. */
static inline char *
make_token(const char *user, const char *role, int64_t expires_s)
{
    const char *roles[] = {role, NULL};
    struct token_claims claims = {.user_id = user,
                                  .roles = roles,
                                  .issued_s = (int64_t)time(NULL) - 100,
                                  .expires_s = expires_s};
    struct buf b;

    buf_init(&b, 8192);
    token_sign_hs256(STR(SECRET), &claims, &b);
    return buf_give(&b);
}

static inline char *
token_of(const char *user)
{
    return make_token(user, NULL, (int64_t)time(NULL) + 3600);
}

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

/* --- WebSockets --------------------------------------------------------- */

#define HANDSHAKE                                                              \
    "Upgrade: websocket\r\nConnection: Upgrade\r\n"                            \
    "Sec-WebSocket-Version: 13\r\n"                                            \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

/* Asks for an upgrade with a token and a query ("?…" or ""); the answer is
 * the caller's to fini. */
static inline void
client_upgrade(struct client *c, const char *token, const char *query,
               struct answer *a)
{
    char line[1024], headers[2048];

    snprintf(line, sizeof(line), "GET /chatbox/ws%s", query);
    snprintf(headers, sizeof(headers), HANDSHAKE "Authorization: Bearer %s\r\n",
             token);
    client_ask(c, line, headers, NULL);
    client_answer(c, a);
}

/* A frame of a client, masked with zeros. */
static inline void
client_frame(struct client *c, unsigned opcode, struct str payload)
{
    char head[8] = {(char)(0x80 | opcode)};
    size_t n = 6;

    assert_true(payload.n < 65536);
    if (payload.n < 126) {
        head[1] = (char)(0x80 | payload.n);
    } else {
        head[1] = (char)(0x80 | 126);
        head[2] = (char)(payload.n >> 8);
        head[3] = (char)payload.n;
        n = 8;
    }
    client_send_n(c, head, n);
    client_send_n(c, payload.p, payload.n);
}

static inline void
client_say(struct client *c, const char *json)
{
    client_frame(c, WS_TEXT, str_from(json));
}

/* One frame of the server off the front; false while it is not whole. */
static inline bool
take_frame(struct client *c, unsigned *opcode, struct buf *payload)
{
    const unsigned char *p = (const unsigned char *)c->got.p;
    size_t n = 0, head = 2;

    client_read(c);
    p = (const unsigned char *)c->got.p;
    if (c->got.n < 2) {
        return false;
    }
    n = p[1];
    if (n == 126) {
        head = 4;
        n = c->got.n >= 4 ? (size_t)p[2] << 8 | p[3] : SIZE_MAX / 2;
    } else if (n == 127) {
        head = 10;
        n = SIZE_MAX / 2;
        for (size_t i = 2; c->got.n >= 10 && i < 10; i++) {
            n = i == 2 ? p[2] : n << 8 | p[i];
        }
    }
    if (c->got.n < head + n) {
        return false;
    }
    *opcode = p[0] & 15;
    buf_put(payload, c->got.p + head, n);
    buf_consume(&c->got, head + n);
    return true;
}

/* The next text frame as JSON; pings between are passed over. Gives. */
static inline json_t *
client_json(struct client *c)
{
    unsigned opcode = 0;
    json_t *json = NULL;

    while (json == NULL) {
        struct buf payload;

        buf_init(&payload, 16 << 20);
        WAIT_FOR(c->house, take_frame(c, &opcode, &payload));
        assert_true(opcode == WS_TEXT || opcode == WS_PING);
        if (opcode == WS_TEXT) {
            json = json_loadb(payload.p, payload.n, 0, NULL);
            assert_non_null(json);
        }
        buf_fini(&payload);
    }
    return json;
}

/* The next frame of that type; what stands before it is dropped. Gives. */
static inline json_t *
client_until(struct client *c, const char *type)
{
    while (true) {
        json_t *json = client_json(c);

        if (strcmp(text_at(json, "type"), type) == 0) {
            return json;
        }
        json_decref(json);
    }
}

/* Reads to the close frame; its code, or 0 when it has none. */
static inline int
client_close_code(struct client *c)
{
    while (true) {
        unsigned opcode = 0;
        struct buf payload;
        int code;

        buf_init(&payload, 16 << 20);
        WAIT_FOR(c->house, take_frame(c, &opcode, &payload));
        code = payload.n >= 2 ? (unsigned char)payload.p[0] << 8 |
                                    (unsigned char)payload.p[1]
                              : 0;
        buf_fini(&payload);
        if (opcode == WS_CLOSE) {
            return code;
        }
    }
}

/* A WebSocket that has had its first frame. */
static inline void
client_join(struct house *h, struct client *c, const char *user)
{
    char *token = token_of(user);
    struct answer a;

    client_open(h, c);
    client_upgrade(c, token, "", &a);
    assert_int_equal(a.status, 101);
    answer_fini(&a);
    xfree(token);
    json_decref(client_until(c, "connection_status"));
}

#endif
