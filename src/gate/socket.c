/* SPDX-License-Identifier: MIT */
/* The WebSocket side of a connection. It is what an idle user costs, so it is
 * small: one timer serves pings, silence, the token's expiry and the moment of
 * leaving chat after a close. */
#include "gate/socket.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "codec/ws_frame.h"
#include "gate/watch.h"
#include "loop/shard.h"
#include "net/conn.h"

#include <string.h>

/* How long a peer may take to read its close frame and close, too. */
#define CLOSE_LINGER_MS 5000

/* A close frame is not larger. */
#define CLOSE_ROOM 256

/* What the connection itself would take. The limit is ours: once more than
 * ws.output_limit waits, the next frame closes. A single frame may be larger
 * than that (a long answer that is replayed), or it could never be sent. */
#define QUEUE_BYTES ((size_t)1 << 30)

/* protocol.md section 3: from EXPIRED_TOKEN to 4401. */
#define EXPIRY_GRACE_MS 60000

enum { CLOSE_TOO_SLOW = 4408, CLOSE_EXPIRED = 4401 };

enum expiry { NEVER, EXPIRES, TOLD };

struct socket {
    struct outlet outlet;
    struct list link; /* gate->sockets */
    struct gate *gate;
    struct conn *conn;
    struct ws ws;
    struct timer timer;
    uint64_t opened_ms;
    uint64_t heard_ms;  /* the peer's last byte */
    uint64_t pinged_ms; /* our last ping */
    int64_t exp_ms;     /* wall clock: the token's end, with the leeway */
    uint64_t expiry_ms; /* monotonic: what EXPIRES or TOLD wait for */
    enum expiry expiry;
    struct watch *watch;     /* an operator's in somebody's session, or NULL */
    struct backlog *backlog; /* messages that wait while it is held */
    bool held;               /* chat wants no message now */
    bool again;              /* chat shall have the message once more */
    bool closing;            /* our close frame is queued; chat hears no more */
    bool attached;
    bool counted; /* in settings->websockets */
};

static struct socket *
socket_of(const struct outlet *o)
{
    return CONTAINER_OF(o, struct socket, outlet);
}

static struct timers *
timers_of(struct socket *k)
{
    return &k->gate->shard->timers;
}

static uint64_t
now_ms(const struct socket *k)
{
    return shard_now_ms(k->gate->shard);
}

/* --- closing ------------------------------------------------------------ */

/* At once when it closes: who takes its place may be asking for it already. */
static void
uncount(struct socket *k)
{
    if (k->counted) {
        k->counted = false;
        atomic_fetch_sub(k->gate->settings->websockets, 1);
        metric_add(METRIC_WS_CONNECTIONS, -1);
    }
}

static void
detach(struct socket *k)
{
    uncount(k);
    if (k->attached) {
        k->attached = false;
        chat_detach(&k->outlet);
        watch_end(k->watch);
        k->watch = NULL;
    }
}

/* Queues the close frame and lets the connection end behind it. chat may be
 * the caller, so it is left by the timer, not here. */
static void
close_with(struct socket *k, int code, struct str reason)
{
    struct buf frame;

    uncount(k);
    if (k->closing) {
        return;
    }
    k->closing = true;
    ws_stop(&k->ws);
    buf_init(&frame, CLOSE_ROOM);
    ws_frame_put_close(&frame, code, reason);
    if (conn_write(k->conn, frame.p, frame.n) != ERR_OK) {
        conn_abort(k->conn);
    }
    buf_fini(&frame);
    conn_finish(k->conn, CLOSE_LINGER_MS);
    timer_start(timers_of(k), &k->timer, 0);
    log_debug(EVENT_CONNECTION_CLOSED, "closing a WebSocket",
              log_int("conn", (int64_t)conn_id(k->conn)), log_int("code", code),
              log_str("reason", reason));
}

/* --- messages that came in one read with one that chat still has -------- */

/* A pause stops the reading, not what has been read already; so there is at
 * most one read's worth of them. */
struct waiting {
    struct list link;
    size_t n;
    char bytes[];
};

struct backlog {
    struct socket *socket; /* NULL: it has gone */
    struct list messages;
    struct keys_waiter waiter;
    bool awaits_keys; /* the first message does */
    struct deferred later;
};

static void
free_backlog(struct backlog *b)
{
    struct list *link;

    while ((link = list_pop_front(&b->messages)) != NULL) {
        xfree(CONTAINER_OF(link, struct waiting, link));
    }
    xfree(b);
}

static void on_later(struct deferred *d);
static void on_keys(struct keys_waiter *waiter);

static struct backlog *
backlog_of(struct socket *k)
{
    if (k->backlog == NULL) {
        k->backlog = xcalloc(1, sizeof(*k->backlog));
        k->backlog->socket = k;
        k->backlog->later.run = on_later;
        k->backlog->waiter.wake = on_keys;
        list_init(&k->backlog->messages);
    }
    return k->backlog;
}

/* behind: the end of the messages, or the first of them. */
static void
put_before(struct list *behind, struct str message)
{
    struct waiting *w = xmalloc(sizeof(*w) + message.n);

    w->n = message.n;
    memcpy(w->bytes, message.p, message.n);
    list_push_back(behind, &w->link);
}

static bool
must_wait(const struct socket *k)
{
    return k->held || (k->backlog != NULL && k->backlog->awaits_keys);
}

/* An `auth` frame whose key may be in a newer set stays the first. */
static void
deliver(struct socket *k, struct str message)
{
    struct backlog *b;

    chat_on_frame(&k->outlet, message);
    if (!k->again) {
        return;
    }
    k->again = false;
    b = backlog_of(k);
    put_before(b->messages.next, message);
    b->awaits_keys = true;
    conn_pause(k->conn);
    keys_wait(k->gate, &b->waiter);
}

static void
on_keys(struct keys_waiter *waiter)
{
    struct backlog *b = CONTAINER_OF(waiter, struct backlog, waiter);

    b->awaits_keys = false;
    if (!b->socket->held && list_empty(&b->later.link)) {
        shard_defer(b->socket->gate->shard, &b->later);
    }
}

static void
keep_waiting_no_more(struct socket *k)
{
    if (k->backlog->awaits_keys) {
        k->backlog->awaits_keys = false;
        keys_unwait(k->gate, &k->backlog->waiter);
    }
}

/* At the end of a turn of the loop: goes on until chat has enough again. */
static void
on_later(struct deferred *d)
{
    struct backlog *b = CONTAINER_OF(d, struct backlog, later);
    struct socket *k = b->socket;

    while (k != NULL && !k->closing && !must_wait(k) &&
           !list_empty(&b->messages)) {
        struct waiting *w =
            CONTAINER_OF(list_pop_front(&b->messages), struct waiting, link);

        deliver(k, (struct str){w->bytes, w->n});
        xfree(w);
    }
    if (k != NULL && !k->closing && must_wait(k)) {
        return;
    }
    if (k != NULL) {
        keep_waiting_no_more(k);
        k->backlog = NULL;
        conn_resume(k->conn);
    }
    free_backlog(b);
}

static void
drop_backlog(struct socket *k)
{
    struct backlog *b = k->backlog;

    if (b == NULL) {
        return;
    }
    keep_waiting_no_more(k);
    b->socket = NULL;
    if (list_empty(&b->later.link)) {
        free_backlog(b);
    }
}

/* --- the outlet --------------------------------------------------------- */

static void
put_frame(struct socket *k, enum ws_opcode op, struct str payload)
{
    size_t header = ws_frame_header_size(payload.n);
    char *at;

    if (k->closing) {
        return;
    }
    if (conn_queued(k->conn) > k->gate->settings->output_limit_bytes) {
        metric_count(METRIC_OUTPUT_OVERFLOW);
        close_with(k, CLOSE_TOO_SLOW, STR("too slow; resume"));
        return;
    }
    at = conn_reserve(k->conn, header + payload.n);
    if (at == NULL) {
        conn_abort(k->conn); /* it has failed: on_closed will tell */
        return;
    }
    (void)ws_frame_header_before(at + header, op, payload.n);
    if (payload.n > 0) {
        memcpy(at + header, payload.p, payload.n);
    }
}

static void
outlet_send(struct outlet *o, struct str frame)
{
    put_frame(socket_of(o), WS_TEXT, frame);
}

static size_t
outlet_queued(const struct outlet *o)
{
    return conn_queued(socket_of(o)->conn);
}

/* What takes an operator's place here may be on its way home at once, so the
 * end of this one goes there first. */
static void
outlet_close(struct outlet *o, int code, const char *reason)
{
    struct socket *k = socket_of(o);

    watch_end(k->watch);
    k->watch = NULL;
    close_with(k, code, str_from(reason));
}

static void
outlet_hold(struct outlet *o, bool stopped)
{
    struct socket *k = socket_of(o);

    k->held = stopped;
    if (k->closing) {
        return;
    }
    if (stopped) {
        conn_pause(k->conn);
    } else if (k->backlog == NULL) {
        conn_resume(k->conn);
    } else if (!must_wait(k) && list_empty(&k->backlog->later.link)) {
        shard_defer(k->gate->shard, &k->backlog->later);
    }
}

static void set_expiry(struct socket *k, int64_t exp_ms);
static void plan(struct socket *k);

static enum err
outlet_auth(struct outlet *o, struct str token)
{
    struct socket *k = socket_of(o);
    struct identity identity;
    enum err e = keys_verify(k->gate, token, &identity);

    if (e == ERR_OK && (!chat_user_is(o, str_from(identity.user_id)) ||
                        (chat_watches(o) && !identity.admin))) {
        e = ERR_INSUFFICIENT_PERMISSIONS;
    }
    if (e == ERR_OK) {
        chat_roles_set(o, identity.admin, token_roles(&identity));
        set_expiry(k, identity.exp_ms);
        plan(k);
    }
    k->again = e == ERR_AGAIN;
    xwipe(&identity, sizeof(identity));
    return e;
}

static const struct outlet_ops outlet_ops = {
    .send = outlet_send,
    .queued = outlet_queued,
    .close = outlet_close,
    .auth = outlet_auth,
    .hold = outlet_hold,
};

/* --- frames of the peer ------------------------------------------------- */

static void
on_message(void *user, enum ws_opcode type, struct str message)
{
    struct socket *k = user;

    (void)type; /* binary is refused by the rules */
    metric_count(METRIC_MESSAGES_RECEIVED);
    if (must_wait(k)) {
        put_before(&backlog_of(k)->messages, message);
    } else {
        deliver(k, message);
    }
}

static void
on_ping(void *user, struct str payload)
{
    put_frame(user, WS_PONG, payload);
}

static void
on_pong(void *user, struct str payload)
{
    (void)user; /* any byte counts as a sign of life */
    (void)payload;
}

static void
on_peer_close(void *user, int code, struct str reason)
{
    (void)reason;
    close_with(user, code == WS_NO_CODE ? 0 : code, (struct str){NULL, 0});
}

static void
on_peer_error(void *user, int code, const char *why)
{
    metric_count(METRIC_MESSAGE_ERRORS);
    close_with(user, code, str_from(why));
}

const struct ws_events *
socket_events(void)
{
    static const struct ws_events events = {on_message, on_ping, on_pong,
                                            on_peer_close, on_peer_error};

    return &events;
}

/* --- time --------------------------------------------------------------- */

/* A token ends by the wall clock, which may be set; the timer comes by at least
 * once in a ping period. */
static void
renew_expiry(struct socket *k)
{
    int64_t left = k->exp_ms - clock_wall_ms();

    if (k->expiry == EXPIRES) {
        k->expiry_ms = now_ms(k) + (left > 0 ? (uint64_t)left : 0);
    }
}

static void
set_expiry(struct socket *k, int64_t exp_ms)
{
    k->expiry = exp_ms > 0 ? EXPIRES : NEVER;
    k->exp_ms = exp_ms + k->gate->settings->token_rules->leeway_ms;
    renew_expiry(k);
}

/* Arms the timer for whatever comes first. */
static void
plan(struct socket *k)
{
    const struct gate_settings *set = k->gate->settings;
    uint64_t now = now_ms(k);
    uint64_t ping_ms = k->pinged_ms + set->ping_period_ms;
    uint64_t next = k->heard_ms + set->pong_wait_ms;

    if (k->closing) {
        return;
    }
    next = ping_ms < next ? ping_ms : next;
    if (k->expiry != NEVER && k->expiry_ms < next) {
        next = k->expiry_ms;
    }
    timer_start(timers_of(k), &k->timer, next > now ? next - now : 0);
}

static void
check_expiry(struct socket *k, uint64_t now)
{
    if (k->expiry == NEVER || now < k->expiry_ms) {
        return;
    }
    if (k->expiry == TOLD) {
        close_with(k, CLOSE_EXPIRED, STR("token expired"));
        return;
    }
    k->expiry = TOLD;
    k->expiry_ms = now + EXPIRY_GRACE_MS;
    chat_tell_error(&k->outlet, ERR_EXPIRED_TOKEN);
}

static void
drop_silent(struct socket *k)
{
    metric_count(METRIC_PEERS_SILENT);
    log_debug(EVENT_CONNECTION_CLOSED, "dropping a silent peer",
              log_int("conn", (int64_t)conn_id(k->conn)));
    conn_abort(k->conn);
}

static void
on_timer(struct timer *timer)
{
    struct socket *k = CONTAINER_OF(timer, struct socket, timer);
    uint64_t now = now_ms(k);

    if (k->closing) {
        detach(k);
        return;
    }
    if (must_wait(k)) {
        k->heard_ms = now; /* it is we who do not listen */
    }
    if (now >= k->heard_ms + k->gate->settings->pong_wait_ms) {
        drop_silent(k);
        return;
    }
    if (now >= k->pinged_ms + k->gate->settings->ping_period_ms) {
        k->pinged_ms = now;
        put_frame(k, WS_PING, (struct str){NULL, 0});
    }
    renew_expiry(k);
    check_expiry(k, now);
    plan(k);
}

/* --- the connection ----------------------------------------------------- */

static size_t
on_bytes(void *user, char *bytes, size_t n)
{
    struct socket *k = user;

    k->heard_ms = now_ms(k);
    ws_feed(&k->ws, k, bytes, n);
    return n;
}

static void
on_drain(void *user)
{
    struct socket *k = user;

    if (k->attached && !k->closing) {
        chat_on_drain(&k->outlet);
    }
}

static void
on_eof(void *user)
{
    struct socket *k = user;

    k->closing = true;
    ws_stop(&k->ws);
    conn_finish(k->conn, CLOSE_LINGER_MS);
    timer_start(timers_of(k), &k->timer, 0);
}

static void
on_closed(void *user, enum conn_end why)
{
    struct socket *k = user;
    struct gate *g = k->gate;

    (void)why;
    detach(k);
    metric_observe_at(METRIC_WS_DURATION, 0,
                      (double)(now_ms(k) - k->opened_ms) / 1000);
    timer_cancel(timers_of(k), &k->timer);
    ws_fini(&k->ws);
    drop_backlog(k);
    list_remove(&k->link);
    xfree(k);
    gate_check_empty(g);
}

static const struct conn_events conn_events = {on_bytes, on_drain, on_eof,
                                               on_closed};

void
socket_start(struct gate *g, struct conn *conn, struct watch *watch,
             const struct identity *identity,
             const struct attach_request *attach)
{
    struct socket *k = xcalloc(1, sizeof(*k));

    k->gate = g;
    k->conn = conn;
    k->watch = watch;
    k->outlet.ops = &outlet_ops;
    k->opened_ms = k->heard_ms = k->pinged_ms = now_ms(k);
    k->attached = k->counted = k->held = true; /* by chat, until it begins */
    ws_init(&k->ws, &g->ws_rules);
    list_push_back(&g->sockets, &k->link);
    timer_init(&k->timer, on_timer);
    set_expiry(k, identity->exp_ms);
    conn_attach(conn, &conn_events, k);
    conn_set_limit(conn, QUEUE_BYTES);
    metric_add(METRIC_WS_CONNECTIONS, 1);
    plan(k);
    log_debug(EVENT_CONNECTION_OPEN, "a WebSocket is open",
              log_int("conn", (int64_t)conn_id(conn)),
              log_cstr("user_id", identity->user_id));
    chat_attach(g->shard->chat, &k->outlet, attach);
}

void
socket_close_all(struct gate *g, int code, const char *reason)
{
    LIST_FOREACH (it, &g->sockets) {
        close_with(CONTAINER_OF(it, struct socket, link), code,
                   str_from(reason));
    }
}
