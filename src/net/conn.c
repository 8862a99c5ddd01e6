/* SPDX-License-Identifier: MIT */
/* The life of a connection: opened by the listener, watched with uv_poll,
 * ended for one reason, closed and freed at the end of a turn of the loop.
 * Reading is in conn_in.c, the output queue in conn_out.c, TLS in conn_tls.c,
 * the way to another shard in conn_move.c. */
#include "net/conn.h"

#include "base/log.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "net/conn_internal.h"

#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>

void
conn_due(struct conn *c)
{
    if (list_empty(&c->pending)) {
        list_push_back(&c->shard->net->pending, &c->pending);
    }
}

static int
wanted_events(const struct conn *c)
{
    int want = 0;

    if (c->ended || c->move != NULL) {
        return 0;
    }
    if (conn_in_open(c) || c->handshaking || c->write_wants_read) {
        want |= UV_READABLE;
    }
    if (c->blocked || c->read_wants_write) {
        want |= UV_WRITABLE;
    }
    return want;
}

static bool
is_brief(const struct conn *c)
{
    return !c->ended && (c->paused || c->move != NULL);
}

static void on_ready(uv_poll_t *poll, int status, int events);

static void
watch(struct conn *c, int want)
{
    if (want == c->armed || c->shard->ended) {
        return;
    }
    c->armed = (int8_t)want;
    if (want == 0) {
        CHECK(uv_poll_stop(&c->poll) == 0);
    } else {
        CHECK(uv_poll_start(&c->poll, want, on_ready) == 0);
    }
}

static void
on_ready(uv_poll_t *poll, int status, int events)
{
    struct conn *c = CONTAINER_OF(poll, struct conn, poll);
    bool was_brief = is_brief(c);

    if (status < 0) {
        /* The socket has failed and libuv has stopped watching. What it still
         * holds is read first; the failure shows then. */
        c->armed = 0;
        events = UV_READABLE;
        if (!conn_in_open(c) || c->handshaking) {
            conn_end(c, CONN_END_ERROR);
            return;
        }
    }
    if (c->handshaking) {
        conn_tls_handshake(c);
    } else {
        if ((events & UV_WRITABLE) != 0 || c->write_wants_read) {
            c->blocked = c->write_wants_read = false;
            conn_due(c);
        }
        if ((events & UV_READABLE) != 0 || c->read_wants_write) {
            conn_in_ready(c);
        }
    }
    if (was_brief) {
        watch(c, wanted_events(c));
    } else {
        conn_watch(c);
    }
}

/* Most pauses end before the peer says anything, and a change of what is
 * watched costs system calls: a paused socket is left alone until it is
 * readable once more, when on_ready stops it for good. */
void
conn_watch(struct conn *c)
{
    int want = wanted_events(c);

    if (!is_brief(c) || (want | UV_READABLE) != c->armed) {
        watch(c, want);
    }
}

static void
on_time_up(struct timer *t)
{
    struct conn *c = CONTAINER_OF(t, struct conn, timer);

    if (c->gathering) {
        c->gathering = false;
        conn_due(c);
        return;
    }
    if (c->handshaking) {
        metric_count(METRIC_TLS_HANDSHAKE_ERRORS);
        log_debug(EVENT_TLS_ERROR, "the handshake took too long",
                  log_int("conn", (int64_t)c->id));
    }
    conn_end(c, c->fin_sent ? CONN_END_LOCAL : CONN_END_ERROR);
}

enum err
conn_settle_in(struct conn *c, struct shard *here)
{
    c->shard = here;
    list_push_back(&here->net->conns, &c->all);
    here->net->count++;
    c->polled = uv_poll_init(&here->loop, &c->poll, c->fd) == 0;
    return c->polled ? ERR_OK : ERR_IO;
}

static void
keep_peer(struct conn *c, const struct sockaddr *peer)
{
    if (peer != NULL && peer->sa_family == AF_INET) {
        memcpy(&c->peer.v4, peer, sizeof(c->peer.v4));
    } else if (peer != NULL && peer->sa_family == AF_INET6) {
        memcpy(&c->peer.v6, peer, sizeof(c->peer.v6));
    }
}

static void
leave_shard(struct conn *c)
{
    list_remove(&c->pending);
    list_remove(&c->all);
    c->shard->net->count--;
}

enum err
conn_open(struct shard *s, int fd, const struct sockaddr *peer,
          struct conn **conn_out)
{
    struct net *net = s->net;
    struct conn *c = xcalloc(1, sizeof(*c));

    c->fd = fd;
    /* Shards have room for 2^54 connections each before ids meet. */
    c->id = (++net->last_id << 10) | (s->index & 1023);
    c->out.limit = (uint32_t)net->settings->output_limit_bytes;
    list_init(&c->pending);
    timer_init(&c->timer, on_time_up);
    keep_peer(c, peer);
    if (conn_settle_in(c, s) != ERR_OK) {
        leave_shard(c);
        (void)close(fd);
        xfree(c);
        return ERR_IO;
    }
    conn_watch(c);
    *conn_out = c;
    return ERR_OK;
}

void
conn_attach(struct conn *c, const struct conn_events *events, void *user)
{
    c->events = events;
    c->user = user;
}

void
conn_end(struct conn *c, enum conn_end why)
{
    if (c->ended) {
        return;
    }
    c->ended = true;
    c->why = (int8_t)why;
    timer_cancel(&c->shard->timers, &c->timer);
    if (c->polled) {
        conn_watch(c);
    }
    conn_due(c);
}

/* A peer that was cut off must not mistake what it has for the whole. */
static void
choose_reset(struct conn *c)
{
    if (c->why == CONN_END_ABORT && (c->out.n > 0 || c->resets)) {
        struct linger reset = {.l_onoff = 1, .l_linger = 0};

        (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    }
}

static void
on_poll_closed(uv_handle_t *handle)
{
    xfree(CONTAINER_OF((uv_poll_t *)handle, struct conn, poll));
}

void
conn_close(struct conn *c)
{
    int fd = c->fd;

    CHECK(c->events != NULL && c->ended);
    leave_shard(c);
    c->events->on_closed(c->user, (enum conn_end)c->why);
    choose_reset(c);
    SSL_free(c->ssl);
    conn_out_fini(c);
    xfree(c->unread);
    conn_move_free(c->move);
    if (c->polled) {
        shard_close_handle(c->shard, (uv_handle_t *)&c->poll, on_poll_closed);
    } else {
        xfree(c);
    }
    /* Last: libuv names the descriptor to epoll when it closes its handle, and
     * another shard may be given the same number at once. */
    (void)close(fd);
}

static void
send_fin(struct conn *c)
{
    if (c->ssl != NULL && !conn_tls_shutdown(c)) {
        c->blocked = true;
        return;
    }
    c->fin_sent = true;
    if (c->eof) {
        conn_end(c, CONN_END_PEER);
        return;
    }
    (void)shutdown(c->fd, SHUT_WR);
    timer_cancel(&c->shard->timers, &c->timer);
    if (c->linger_ms == 0) {
        conn_end(c, CONN_END_LOCAL);
    }
}

/* The rest of conn_finish, once per turn until FIN has been sent. */
static void
settle_finish(struct conn *c, bool moved)
{
    if (c->out.n == 0 && !c->handshaking && !c->blocked) {
        send_fin(c);
    }
    if (!c->ended && (moved || !timer_armed(&c->timer))) {
        timer_start(&c->shard->timers, &c->timer, c->linger_ms);
    }
}

/* The queue's end of turn: write, and what follows from having written. */
static void
settle_output(struct conn *c)
{
    uint32_t before = c->out.n;

    if (!c->blocked && !c->handshaking && !c->gathering) {
        conn_out_flush(c);
    }
    if (c->ended) {
        return;
    }
    if (c->half_due && c->out.n == 0) {
        c->half_due = false;
        (void)shutdown(c->fd, SHUT_WR);
    }
    if (c->finishing && !c->fin_sent) {
        settle_finish(c, c->out.n < before);
    } else if (c->above_high && c->out.n <= CONN_LOW_WATER) {
        c->above_high = false;
        c->events->on_drain(c->user);
    }
}

void
conn_settle(struct conn *c)
{
    if (c->present_due) {
        conn_in_present(c);
    }
    if (c->read_due) {
        conn_in_ready(c);
    }
    list_remove(&c->pending); /* what was just queued leaves now */
    if (c->move != NULL && !c->ended) {
        conn_move_depart(c);
        return;
    }
    settle_output(c);
    if (c->ended) {
        conn_close(c);
        return;
    }
    if (c->present_due || c->read_due) {
        conn_due(c);
    }
    conn_watch(c);
}

static bool
takes_output(const struct conn *c)
{
    return !c->ended && !c->finishing && !c->no_output;
}

enum err
conn_write(struct conn *c, const void *bytes, size_t n)
{
    char *room = conn_reserve(c, n);

    if (room == NULL) {
        return takes_output(c) ? ERR_TOO_BIG : ERR_IO;
    }
    memcpy(room, bytes, n);
    return ERR_OK;
}

static void
stop_gathering(struct conn *c)
{
    if (c->gathering) {
        c->gathering = false;
        timer_cancel(&c->shard->timers, &c->timer);
    }
}

char *
conn_reserve(struct conn *c, size_t n)
{
    if (!takes_output(c)) {
        return NULL;
    }
    stop_gathering(c);
    return conn_out_reserve(c, n);
}

void
conn_gather(struct conn *c, uint64_t wait_ms)
{
    CHECK(!c->finishing && !c->handshaking);
    if (c->ended) {
        return;
    }
    c->gathering = true;
    timer_start(&c->shard->timers, &c->timer, wait_ms);
}

void
conn_set_limit(struct conn *c, size_t limit_bytes)
{
    CHECK(limit_bytes <= (size_t)1 << 30);
    c->out.limit = (uint32_t)limit_bytes;
}

size_t
conn_queued(const struct conn *c)
{
    return c->out.n;
}

/* Watching goes on until there is something to read, so that pausing for a
 * moment costs no system call. */
void
conn_pause(struct conn *c)
{
    c->paused = true;
}

void
conn_resume(struct conn *c)
{
    if (!c->paused) {
        return;
    }
    c->paused = false;
    if (c->unread != NULL) {
        c->present_due = true;
    }
    if (c->ssl != NULL) {
        c->read_due = true;
    }
    conn_due(c);
}

void
conn_finish(struct conn *c, uint64_t linger_ms)
{
    if (c->ended || c->finishing) {
        return;
    }
    CHECK(c->move == NULL);
    stop_gathering(c);
    c->finishing = true;
    c->linger_ms = linger_ms < UINT32_MAX ? (uint32_t)linger_ms : UINT32_MAX;
    xfree(c->unread);
    c->unread = NULL;
    conn_due(c); /* the wait begins after what is queued was offered once */
}

void
conn_end_output(struct conn *c)
{
    CHECK(c->ssl == NULL && c->move == NULL);
    if (takes_output(c)) {
        stop_gathering(c);
        c->no_output = c->half_due = true;
        conn_due(c);
    }
}

void
conn_abort(struct conn *c)
{
    conn_end(c, CONN_END_ABORT);
}

void
conn_reset(struct conn *c)
{
    c->resets = true;
    conn_abort(c);
}

void
conn_handover(struct conn *c, struct shard *to,
              void (*on_arrive)(struct shard *, void *))
{
    CHECK(c->paused && c->move == NULL);
    if (c->ended) {
        return; /* on_closed is on its way, here */
    }
    CHECK(!c->finishing);
    stop_gathering(c);
    conn_move_start(c, to, on_arrive);
}

struct shard *
conn_shard(const struct conn *c)
{
    return c->shard;
}

void *
conn_user(const struct conn *c)
{
    return c->user;
}

bool
conn_is_tls(const struct conn *c)
{
    return c->ssl != NULL;
}

uint64_t
conn_id(const struct conn *c)
{
    return c->id;
}

void
conn_peer(const struct conn *c, char *out, size_t size)
{
    const struct in6_addr *v6 = &c->peer.v6.sin6_addr;
    const char *text = NULL;

    if (c->peer.any.sa_family == AF_INET) {
        text = inet_ntop(AF_INET, &c->peer.v4.sin_addr, out, (socklen_t)size);
    } else if (c->peer.any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(v6)) {
        text = inet_ntop(AF_INET, &v6->s6_addr[12], out, (socklen_t)size);
    } else if (c->peer.any.sa_family == AF_INET6) {
        text = inet_ntop(AF_INET6, v6, out, (socklen_t)size);
    }
    if (text == NULL && size > 0) {
        out[0] = '\0';
    }
}

const struct sockaddr *
conn_peer_addr(const struct conn *c)
{
    return &c->peer.any;
}
