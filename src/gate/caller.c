/* SPDX-License-Identifier: MIT */
/* The life of one connection at a standby: a head, as http.c reads one, then
 * an answer of our own or a pipe to the holder. While the holder is being
 * connected to, or waited for, nothing is read: what the client has sent behind
 * its head waits in its connection. */
#include "gate/caller.h"

#include "base/log.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "codec/http1_write.h"
#include "codec/json.h"
#include "gate/answer.h"
#include "gate/forward.h"
#include "gate/health.h"
#include "gate/http.h"
#include "gate/pipe.h"
#include "gate/routes.h"
#include "gate/standby_state.h"
#include "loop/shard.h"
#include "net/conn.h"
#include "net/dial.h"

/* As long as a holder that lives, and is near, may take to accept. */
#define DIAL_MS 3000

/* A holder is looked for as long as one that has stopped may need to be
 * followed by the next one, which looks for the database twice a second. */
#define PATIENCE_MS 3000
#define AGAIN_MS 100
#define AGAIN_SPREAD_MS 50

/* What to tell who cannot be passed on: a holder is found again soon. */
#define RETRY_MS 1000

/* Of our own answers; the metrics page is the largest. */
#define HEAD_BYTES 4096
#define OUTPUT_BYTES (HEALTH_PAGE_BYTES + HEAD_BYTES)

static struct timers *
timers_of(const struct caller *c)
{
    return &c->standby->shard->timers;
}

/* --- answers of our own ------------------------------------------------- */

static void
finish(struct caller *c)
{
    timer_cancel(timers_of(c), &c->timer);
    c->state = CALLER_GONE;
    conn_finish(c->conn, HTTP_LINGER_MS);
}

/* One answer, and the connection ends behind it. */
struct said {
    int status;
    const char *type;
    struct str body;
    int64_t wait_ms; /* -1: none */
};

static void
say(struct caller *c, const struct said *what)
{
    struct answer_head head = {.status = what->status,
                               .type = what->type,
                               .cache = "no-store",
                               .id = c->request_id,
                               .framing = ANSWER_BY_LENGTH,
                               .length = what->body.n};
    struct buf out;

    buf_init(&out, OUTPUT_BYTES);
    answer_put_head(&out, &head);
    if (what->wait_ms >= 0) {
        answer_put_retry_after(&out, (uint64_t)what->wait_ms);
    }
    http1_write_connection(&out, false, 1);
    http1_write_end(&out);
    if (!c->silent) {
        buf_put_str(&out, what->body);
    }
    CHECK(!out.failed);
    if (conn_write(c->conn, out.p, out.n) == ERR_OK) {
        finish(c);
    } /* else it has failed already: on_closed comes */
    buf_fini(&out);
}

static void
refuse(struct caller *c, enum err e, int64_t wait_ms)
{
    struct answer_error error = {
        .err = e, .wait_ms = wait_ms, .id = c->request_id, .openai = c->openai};
    struct said what = {
        .status = err_info(e)->http, .type = ANSWER_JSON, .wait_ms = wait_ms};
    struct buf body;

    buf_init(&body, HEAD_BYTES);
    answer_put_error(&body, &error);
    what.body = buf_str(&body);
    answer_count_refused(what.status);
    say(c, &what);
    buf_fini(&body);
}

/* As http.c does, with the same line in the log. */
static void
refuse_malformed(struct caller *c, enum err e)
{
    log_info(EVENT_HTTP_REFUSED, "a malformed request",
             log_int("conn", (int64_t)c->id),
             log_cstr("request_id", c->request_id),
             log_cstr("client", c->client_text),
             log_int("status", err_info(e)->http));
    refuse(c, e, -1);
}

static void
refuse_for_now(struct caller *c, const char *reason, const char *why)
{
    standby_failed(c->standby, reason, why);
    refuse(c, ERR_SERVICE_ERROR, RETRY_MS);
}

static void
say_live(struct caller *c, struct buf *body, struct said *what)
{
    (void)c;
    health_put_live(body);
    what->type = ANSWER_JSON;
}

static void
say_ready(struct caller *c, struct buf *body, struct said *what)
{
    bool holder = standby_has_holder(c->standby);
    bool ready = holder && c->standby->ready;

    buf_putc(body, '{');
    health_put_status(body, ready);
    json_put_key(body, "checks");
    buf_puts(body, "{\"holder\":{");
    json_put_member(body, "status", holder ? STR("ready") : STR("not ready"));
    buf_puts(body, "}}");
    json_put_member_bool(body, "standby", true);
    buf_putc(body, '}');
    what->type = ANSWER_JSON;
    what->status = ready ? 200 : 503;
}

static void
say_metrics(struct caller *c, struct buf *body, struct said *what)
{
    (void)c;
    metrics_render(body);
    what->type = HEALTH_PAGE_TYPE;
}

static void
answer(struct caller *c,
       void (*fill)(struct caller *c, struct buf *body, struct said *what))
{
    struct said what = {.status = 200, .wait_ms = -1};
    struct buf body;

    buf_init(&body, HEALTH_PAGE_BYTES);
    fill(c, &body, &what);
    what.body = buf_str(&body);
    say(c, &what);
    buf_fini(&body);
}

/* As admission.c does. */
static void
answer_network(struct caller *c, const struct http1_head *head)
{
    const struct gate_settings *set = c->standby->settings;
    struct client_address client = c->client;
    char text[CLIENT_TEXT_SIZE];

    client_follow(&client, head, set->trusted_proxies,
                  set->trusted_proxy_count);
    if (client_in(&client, set->metrics_networks, set->metrics_network_count)) {
        answer(c, say_metrics);
        return;
    }
    client_format(&client, text);
    log_info(EVENT_HTTP_REFUSED, "outside metrics.allowed_networks",
             log_cstr("request_id", c->request_id), log_cstr("client", text));
    refuse(c, ERR_FORBIDDEN, -1);
}

/* The route of a path that is ours; NULL: whatever it is, the holder knows. */
static const struct route *
find_route(struct caller *c, const struct http1_head *head)
{
    const struct route *route = NULL;
    struct str path, param;
    struct buf decoded;

    buf_init(&decoded, HTTP1_LINE_MAX);
    if (http1_target_decode_path(head->target.path, &decoded) == ERR_OK &&
        routes_strip(buf_str(&decoded), c->standby->settings->path_prefix,
                     &path)) {
        c->openai = str_starts(path, STR("/v1/"));
        if (routes_find(head->method, path, &route, &param) != ERR_OK) {
            route = NULL;
        }
    }
    buf_fini(&decoded);
    return route;
}

/* What is about this process; false: the request is the holder's. */
static bool
answers_here(struct caller *c, const struct http1_head *head)
{
    const struct route *route = find_route(c, head);

    if (route != NULL && route->handle == health_live) {
        answer(c, say_live);
    } else if (route != NULL && route->handle == health_ready) {
        answer(c, say_ready);
    } else if (route != NULL && route->handle == health_metrics) {
        answer_network(c, head);
    } else {
        return false;
    }
    return true;
}

/* --- passing on --------------------------------------------------------- */

static void
caller_free(struct caller *c)
{
    struct standby *standby = c->standby;

    dial_cancel(c->dial);
    timer_cancel(timers_of(c), &c->timer);
    list_remove(&c->link);
    buf_fini(&c->head);
    xfree(c);
    standby_check_empty(standby);
}

static void
on_pipe_end(void *user, enum pipe_end why)
{
    static const char *const words[] = {[PIPE_DONE] = "done",
                                        [PIPE_CLIENT_LOST] = "client lost",
                                        [PIPE_SERVER_LOST] = "holder lost",
                                        [PIPE_CLOSED] = "closed"};
    struct caller *c = user;

    metric_add(METRIC_STANDBY_PIPES, -1);
    if (why == PIPE_SERVER_LOST) {
        standby_failed(c->standby, "lost", "the holder's connection broke");
    }
    log_debug(EVENT_FORWARD, "a connection that was passed on has ended",
              log_int("conn", (int64_t)c->id), log_cstr("end", words[why]));
    caller_free(c);
}

/* The head is the first that is queued for the holder: joining presents nothing
 * before this turn's end. */
static void
join(struct caller *c, struct conn *server)
{
    c->pipe = pipe_join(c->conn, server, on_pipe_end, c);
    c->conn = NULL;
    c->state = CALLER_PIPE;
    metric_add(METRIC_STANDBY_PIPES, 1);
    metric_count(METRIC_STANDBY_FORWARDED);
    log_debug(EVENT_FORWARD, "a connection is passed on",
              log_int("conn", (int64_t)c->id),
              log_cstr("client", c->client_text));
    if (conn_write(server, c->head.p, c->head.n) != ERR_OK) {
        pipe_abort(c->pipe);
    }
    buf_fini(&c->head);
}

/* The database changes hands: the next look may find who has it now. */
static void
again_or_refuse(struct caller *c, const char *reason, const char *why)
{
    if (shard_now_ms(c->standby->shard) + AGAIN_MS > c->until_ms) {
        refuse_for_now(c, reason, why);
        return;
    }
    if (!c->waited) {
        c->waited = true;
        log_debug(EVENT_FORWARD, "a connection waits to be passed on",
                  log_int("conn", (int64_t)c->id), log_cstr("reason", reason));
    }
    c->state = CALLER_WAITS;
    timer_start_spread(timers_of(c), &c->timer, AGAIN_MS, AGAIN_SPREAD_MS);
}

static void
on_dialed(void *user, struct conn *server, const char *why)
{
    struct caller *c = user;

    c->dial = NULL;
    if (server != NULL) {
        join(c, server);
    } else {
        again_or_refuse(c, "dial", why);
    }
}

static void
connect_to_holder(struct caller *c)
{
    struct standby *standby = c->standby;

    if (!standby_has_holder(standby)) {
        again_or_refuse(c, "none", "no server is known to have the database");
        return;
    }
    c->state = CALLER_DIAL;
    c->dial =
        dial_start(standby->shard, (const struct sockaddr *)&standby->holder,
                   DIAL_MS, on_dialed, c);
}

static void
pass_on(struct caller *c, const struct http1_head *head)
{
    const struct gate_settings *set = c->standby->settings;
    struct forward_peer peer = {.address = c->client_text,
                                .trusted =
                                    client_in(&c->client, set->trusted_proxies,
                                              set->trusted_proxy_count),
                                .tls = set->tls};
    enum err e = forward_head(head, &peer, &c->head);

    c->upgrades = forward_upgrades(head);
    if (e != ERR_OK) {
        refuse_malformed(c, e);
        return;
    }
    conn_pause(c->conn); /* the pipe goes on */
    c->until_ms = shard_now_ms(c->standby->shard) + PATIENCE_MS;
    connect_to_holder(c);
}

/* --- bytes -------------------------------------------------------------- */

static void
begin(struct caller *c)
{
    if (!c->begun) {
        c->begun = true;
        timer_start_spread(timers_of(c), &c->timer, HTTP_HEAD_MS,
                           HTTP_SPREAD_MS);
    }
}

static size_t
on_bytes(void *user, char *bytes, size_t n)
{
    struct caller *c = user;
    struct http1_head head;
    size_t consumed = 0;
    enum err e;

    begin(c);
    e = http1_head_parse(&head, &c->scan, (struct str){bytes, n}, &consumed);
    if (e == ERR_AGAIN) {
        return 0;
    }
    timer_cancel(timers_of(c), &c->timer);
    if (e != ERR_OK) {
        refuse_malformed(c, e);
        return n;
    }
    c->silent = head.method == HTTP1_HEAD;
    if (!answers_here(c, &head)) {
        pass_on(c, &head);
    }
    return consumed;
}

/* --- ends --------------------------------------------------------------- */

/* Nobody is in the middle of anything: there is nothing to wait for. */
static void
let_go(struct caller *c)
{
    if (conn_is_tls(c->conn)) {
        finish(c);
        return;
    }
    c->state = CALLER_GONE;
    conn_abort(c->conn);
}

static void
on_timeout(struct timer *timer)
{
    struct caller *c = CONTAINER_OF(timer, struct caller, timer);

    if (c->state == CALLER_WAITS) {
        connect_to_holder(c);
    } else if (c->begun) {
        refuse_malformed(c, ERR_REQUEST_TIMEOUT);
    } else {
        let_go(c);
    }
}

static void
on_eof(void *user)
{
    struct caller *c = user;

    if (c->begun) {
        refuse_malformed(c, ERR_BAD_REQUEST);
    } else {
        finish(c);
    }
}

static void
on_drain(void *user)
{
    (void)user; /* nothing is read behind an answer */
}

static void
on_closed(void *user, enum conn_end why)
{
    (void)why;
    caller_free(user);
}

static const struct conn_events events = {on_bytes, on_drain, on_eof,
                                          on_closed};

/* --- life --------------------------------------------------------------- */

static void
take_peer(struct caller *c)
{
    c->id = conn_id(c->conn);
    rand_id(c->request_id);
    if (client_from_peer(conn_peer_addr(c->conn), &c->client)) {
        client_format(&c->client, c->client_text);
    }
}

void
caller_start(struct standby *standby, struct conn *conn)
{
    struct caller *c = xcalloc(1, sizeof(*c));

    c->standby = standby;
    c->conn = conn;
    list_push_back(&standby->callers, &c->link);
    buf_init(&c->head, FORWARD_HEAD_MAX);
    timer_init(&c->timer, on_timeout);
    timer_start_spread(timers_of(c), &c->timer, HTTP_HEAD_MS, HTTP_SPREAD_MS);
    take_peer(c);
    conn_set_limit(conn, OUTPUT_BYTES);
    conn_attach(conn, &events, c);
    if (standby->draining) {
        refuse(c, ERR_SERVICE_UNAVAILABLE, RETRY_MS);
    }
}

static bool
is_trying(const struct caller *c)
{
    return c->state == CALLER_DIAL || c->state == CALLER_WAITS;
}

static void
stop_trying(struct caller *c)
{
    timer_cancel(timers_of(c), &c->timer);
    dial_cancel(c->dial);
    c->dial = NULL;
}

void
caller_change(struct caller *c)
{
    if (c->state == CALLER_PIPE) {
        pipe_abort(c->pipe);
    } else if (is_trying(c)) {
        stop_trying(c);
        connect_to_holder(c);
    }
}

void
caller_drain(struct caller *c)
{
    if (c->state == CALLER_HEAD && !c->begun) {
        let_go(c);
    } else if (c->state == CALLER_HEAD || (is_trying(c) && c->upgrades)) {
        stop_trying(c);
        refuse(c, ERR_SERVICE_UNAVAILABLE, RETRY_MS);
    } else if (c->state == CALLER_PIPE && c->upgrades) {
        pipe_close(c->pipe);
    }
}

bool
caller_abort(struct caller *c)
{
    bool unsent;

    if (c->state == CALLER_PIPE) {
        unsent = pipe_holds_bytes(c->pipe);
        pipe_abort(c->pipe);
        return unsent;
    }
    stop_trying(c);
    unsent = conn_queued(c->conn) > 0;
    conn_abort(c->conn);
    return unsent;
}
