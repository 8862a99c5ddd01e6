/* SPDX-License-Identifier: MIT */
/* ws-echo PORT [HOST]: the loop, the net and the codec of the server without
 * anything above them. It echoes text and binary messages of up to 16 MiB to
 * whoever connects (127.0.0.1 unless HOST says otherwise; port 0 chooses one).
 * Conformance suites and the echo benchmark talk to it. */
#include "base/buf.h"
#include "base/xalloc.h"
#include "codec/http1_head.h"
#include "codec/http1_write.h"
#include "codec/ws.h"
#include "codec/ws_handshake.h"
#include "loop/shard.h"
#include "net/conn.h"
#include "net/listener.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define MESSAGE_MAX (16 << 20)
#define ANSWER_MAX 1024
#define LINGER_MS 2000

/* While a reader is slow we do not read on, so what waits for it is at most
 * what was below the high-water mark, one whole message, and the frames that
 * one read can hold. */
#define OUTPUT_MAX (MESSAGE_MAX + 4 * CONN_HIGH_WATER)

struct echo {
    struct conn *conn;
    struct ws ws;
    struct http1_scan scan;
    bool upgraded;
};

static void
send_frame(struct echo *e, enum ws_opcode op, struct str payload)
{
    char header[WS_FRAME_HEADER_MAX];
    size_t size = ws_frame_header(header, op, payload.n);
    char *room = conn_reserve(e->conn, size + payload.n);

    if (room == NULL) {
        conn_abort(e->conn);
        return;
    }
    memcpy(room, header, size);
    if (payload.n > 0) {
        memcpy(room + size, payload.p, payload.n);
    }
    if (conn_queued(e->conn) > CONN_HIGH_WATER) {
        conn_pause(e->conn);
    }
}

static void
send_close(struct echo *e, int code)
{
    char bytes[WS_FRAME_CONTROL_MAX + 2];
    struct buf b;

    buf_init(&b, sizeof(bytes));
    ws_frame_put_close(&b, code, STR(""));
    if (conn_write(e->conn, b.p, b.n) != ERR_OK) {
        conn_abort(e->conn);
    }
    buf_fini(&b);
    conn_finish(e->conn, LINGER_MS);
}

static void
on_message(void *user, enum ws_opcode type, struct str message)
{
    send_frame(user, type, message);
}

static void
on_ping(void *user, struct str payload)
{
    send_frame(user, WS_PONG, payload);
}

static void
on_pong(void *user, struct str payload)
{
    (void)user;
    (void)payload;
}

static void
on_close(void *user, int code, struct str reason)
{
    (void)reason;
    send_close(user, code == WS_NO_CODE ? 0 : code);
}

static void
on_error(void *user, int code, const char *why)
{
    (void)why;
    send_close(user, code);
}

static const struct ws_events ws_events = {
    .on_message = on_message,
    .on_ping = on_ping,
    .on_pong = on_pong,
    .on_close = on_close,
    .on_error = on_error,
};

static const struct ws_rules rules = {
    .events = &ws_events,
    .max_message_bytes = MESSAGE_MAX,
    .max_fragments = UINT16_MAX,
};

static void
answer(struct echo *e, struct buf *b)
{
    http1_write_end(b);
    if (buf_err(b) != ERR_OK || conn_write(e->conn, b->p, b->n) != ERR_OK) {
        conn_abort(e->conn);
    }
    buf_fini(b);
}

static void
refuse(struct echo *e, enum err why)
{
    struct buf b;

    buf_init(&b, ANSWER_MAX);
    http1_write_status(&b, err_info(why)->http);
    if (why == ERR_UPGRADE_REQUIRED) {
        http1_write_header(&b, "Sec-WebSocket-Version", STR("13"));
    }
    http1_write_header(&b, "Content-Length", STR("0"));
    http1_write_connection(&b, false, 1);
    answer(e, &b);
    conn_finish(e->conn, LINGER_MS);
}

/* The opening handshake; returns how many bytes it took. */
static size_t
upgrade(struct echo *e, struct str bytes)
{
    struct http1_head head;
    struct ws_handshake handshake;
    struct buf b;
    size_t used = 0;
    enum err why = http1_head_parse(&head, &e->scan, bytes, &used);

    if (why == ERR_AGAIN) {
        return 0;
    }
    if (why == ERR_OK) {
        why = ws_handshake_parse(&head, &handshake);
    }
    if (why != ERR_OK) {
        refuse(e, why);
        return bytes.n;
    }
    buf_init(&b, ANSWER_MAX);
    why = ws_handshake_write(&b, handshake.key, STR(""));
    if (why != ERR_OK) {
        buf_fini(&b);
        refuse(e, why);
        return bytes.n;
    }
    answer(e, &b);
    e->upgraded = true;
    return used;
}

static size_t
on_bytes(void *user, char *bytes, size_t n)
{
    struct echo *e = user;
    size_t used = 0;

    if (!e->upgraded) {
        used = upgrade(e, (struct str){bytes, n});
    }
    if (!e->upgraded) {
        return used;
    }
    ws_feed(&e->ws, e, bytes + used, n - used);
    return n;
}

static void
on_drain(void *user)
{
    struct echo *e = user;

    conn_resume(e->conn);
}

static void
on_eof(void *user)
{
    struct echo *e = user;

    conn_finish(e->conn, LINGER_MS);
}

static void
on_closed(void *user, enum conn_end why)
{
    struct echo *e = user;

    (void)why;
    ws_fini(&e->ws);
    xfree(e);
}

static const struct conn_events conn_events = {
    .on_bytes = on_bytes,
    .on_drain = on_drain,
    .on_eof = on_eof,
    .on_closed = on_closed,
};

static void
on_accept(struct shard *s, struct conn *c, void *cookie)
{
    struct echo *e = xcalloc(1, sizeof(*e));

    (void)s;
    (void)cookie;
    e->conn = c;
    ws_init(&e->ws, &rules);
    conn_attach(c, &conn_events, e);
}

static void
on_signal(uv_signal_t *signal, int number)
{
    (void)number;
    shard_stop(signal->data);
}

static void
stop_on(struct shard *s, uv_signal_t *handle, int number)
{
    CHECK(uv_signal_init(&s->loop, handle) == 0);
    handle->data = s;
    CHECK(uv_signal_start(handle, on_signal, number) == 0);
}

static int
serve(int fd, uint16_t port, const char *host)
{
    static const struct net_settings settings = {.output_limit_bytes =
                                                     OUTPUT_MAX};
    struct shard s;
    struct listener *listener;
    uv_signal_t term;
    uv_signal_t interrupt;

    if (shard_init(&s, 0) != ERR_OK || net_init(&s, &settings) != ERR_OK) {
        (void)fprintf(stderr, "ws-echo: cannot start the event loop\n");
        return 1;
    }
    stop_on(&s, &term, SIGTERM);
    stop_on(&s, &interrupt, SIGINT);
    listener = listener_start(&s, fd, on_accept, NULL);
    if (listener == NULL) {
        (void)fprintf(stderr, "ws-echo: cannot listen\n");
        return 1;
    }
    (void)printf("listening on %s:%u\n", host, port);
    (void)fflush(stdout);
    shard_run(&s);
    listener_stop(listener);
    net_fini(&s);
    shard_fini(&s);
    return 0;
}

int
main(int argc, char **argv)
{
    const char *host = argc > 2 ? argv[2] : "127.0.0.1";
    uint64_t wanted;
    uint16_t port;
    char why[256];
    int fd;

    if (argc < 2 || argc > 3 ||
        !str_to_u64(str_from(argv[1]), UINT16_MAX, &wanted)) {
        (void)fprintf(stderr, "usage: ws-echo PORT [HOST]\n");
        return 2;
    }
    port = (uint16_t)wanted;
    if ((port != 0 && listener_probe(host, port, why, sizeof(why)) != ERR_OK) ||
        listener_bind(host, &port, &fd, why, sizeof(why)) != ERR_OK) {
        (void)fprintf(stderr, "ws-echo: %s\n", why);
        return 1;
    }
    return serve(fd, port, host);
}
