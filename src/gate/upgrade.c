/* SPDX-License-Identifier: MIT */
/* The WebSocket upgrade. Everything that can be refused without the user's
 * state is refused on the accepting shard; then the connection moves to its
 * owner, where the user's connections are counted and the 101 is written. */
#include "gate/upgrade.h"

#include "base/log.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "codec/http1_write.h"
#include "codec/utf8.h"
#include "codec/ws_handshake.h"
#include "gate/admission.h"
#include "gate/gate_state.h"
#include "gate/http.h"
#include "gate/reply.h"
#include "gate/socket.h"
#include "gate/watch.h"
#include "loop/shard.h"
#include "net/conn.h"

#define PROTOCOL "chatbox.v1"
#define BEARER "bearer."

#define SESSION_ID_MAX 128
#define DEVICE_ID_MAX 64

/* What to tell who is refused for too many connections. */
#define LIMIT_RETRY_MS 1000

/* The 101 waits so long for the first frame, which the user's session decides:
 * mostly they leave in one packet. */
#define FIRST_FRAME_WAIT_MS 20

/* What the query says. */
struct wishes {
    struct str session_id;
    struct str device_id;
    struct str epoch;
    int64_t last_seq;
    bool strict;
    bool desk;
    struct buf text; /* what the strs point into */
};

static void
log_refused(const struct request *r, enum err e)
{
    metric_count_at(METRIC_UPGRADES_REFUSED,
                    metrics_slot(METRIC_UPGRADES_REFUSED, err_info(e)->code));
    log_info(EVENT_UPGRADE_REFUSED, "a WebSocket was refused",
             log_cstr("request_id", r->id), log_cstr("client", r->client_text),
             log_cstr("code", err_info(e)->code));
}

static bool
refuse(struct request *r, enum err e, const char *field)
{
    log_refused(r, e);
    r->last = true;
    reply_error(r, e, field);
    return false;
}

static bool
refuse_limit(struct request *r)
{
    log_refused(r, ERR_CONNECTION_LIMIT_EXCEEDED);
    log_warn(EVENT_CONNECTION_LIMIT, "too many connections",
             log_cstr("request_id", r->id),
             log_cstr("user_id", r->identity->user_id));
    r->last = true;
    reply_limited(r, ERR_CONNECTION_LIMIT_EXCEEDED, LIMIT_RETRY_MS);
    return false;
}

/* --- the token ---------------------------------------------------------- */

static struct str
token_of_protocols(const struct ws_handshake *hs)
{
    for (size_t i = 0; i < hs->protocol_count; i++) {
        if (str_starts(hs->protocols[i], STR(BEARER))) {
            return str_from_at(hs->protocols[i], sizeof(BEARER) - 1);
        }
    }
    return (struct str){NULL, 0};
}

/* "Authorization", then the subprotocols, then the query. */
static bool
check_token(struct request *r, const struct ws_handshake *hs)
{
    struct str token, found;
    struct buf text;
    bool ok;

    if (!admission_bearer(r, &token)) {
        return false;
    }
    if (token.p == NULL) {
        token = token_of_protocols(hs);
    }
    buf_init(&text, HTTP1_LINE_MAX);
    if (token.p == NULL && r->gate->settings->token_in_query &&
        http1_target_query(r->head.target.query, "token", &text, &found) ==
            ERR_OK &&
        found.n > 0) {
        token = found;
    }
    r->last = true; /* should it be refused */
    ok = admission_token(r, token, upgrade_handle);
    xwipe(text.p, text.n);
    buf_fini(&text);
    return ok;
}

static bool
check_origin(struct request *r)
{
    struct str origin;
    enum err e = http1_head_single(&r->head, "Origin", &origin);

    if (e == ERR_NOT_FOUND) {
        return true;
    }
    if (e == ERR_OK && origin_allowed(r->gate->policy->ws_origins, origin,
                                      r->scheme, r->head.host)) {
        return true;
    }
    return refuse(r, ERR_FORBIDDEN, NULL);
}

/* --- the query ---------------------------------------------------------- */

static bool
printable(struct str s, size_t max)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < 0x20 || s.p[i] > 0x7e) {
            return false;
        }
    }
    return s.n <= max;
}

/* An id of the client's own making: text in one line. */
static bool
plain_text(struct str s, size_t max)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f) {
            return false;
        }
    }
    return s.n <= max && utf8_valid(s);
}

static bool
to_flag(struct str s, bool *out)
{
    *out = str_eq(s, STR("1"));
    return *out || str_eq(s, STR("0")) || s.n == 0;
}

static bool
to_seq(struct str s, int64_t *out)
{
    uint64_t value;

    if (s.n == 0 || !str_to_u64(s, INT64_MAX, &value)) {
        return false;
    }
    *out = (int64_t)value;
    return true;
}

/* A member of the query into *to; the text behind it is kept in w->text. */
static bool
take_pair(struct wishes *w, const struct http1_pair *pair)
{
    struct str v = pair->value;

    if (str_is(pair->key, "session_id")) {
        w->session_id = v;
        return plain_text(v, SESSION_ID_MAX);
    }
    if (str_is(pair->key, "device_id")) {
        w->device_id = v;
        return printable(v, DEVICE_ID_MAX);
    }
    if (str_is(pair->key, "epoch")) {
        w->epoch = v;
        return plain_text(v, HTTP1_LINE_MAX);
    }
    if (str_is(pair->key, "last_seq")) {
        return to_seq(v, &w->last_seq);
    }
    if (str_is(pair->key, "strict")) {
        return to_flag(v, &w->strict);
    }
    return !str_is(pair->key, "desk") || to_flag(v, &w->desk);
}

/* The members' names, so that a refusal can name one without quoting input. */
static const char *const names[] = {"session_id", "device_id", "epoch",
                                    "last_seq",   "strict",    "desk"};

/* Index of a name, or COUNT_OF(names). */
static unsigned
known_name(struct str key)
{
    unsigned i = 0;

    while (i < COUNT_OF(names) && !str_is(key, names[i])) {
        i++;
    }
    return i;
}

/* Each member once at most, and with a good value. */
static bool
take_pairs(struct request *r, struct wishes *w)
{
    struct str query = r->head.target.query;
    struct http1_pair pair;
    unsigned seen = 0;
    enum err e;

    while ((e = http1_target_next_pair(&query, &w->text, &pair)) == ERR_OK) {
        unsigned i = known_name(pair.key);

        if (i == COUNT_OF(names)) {
            continue;
        }
        if ((seen & (1u << i)) != 0 || !take_pair(w, &pair)) {
            return refuse(r, ERR_BAD_REQUEST, names[i]);
        }
        seen |= 1u << i;
    }
    return e == ERR_NOT_FOUND || refuse(r, ERR_BAD_REQUEST, NULL);
}

static bool
read_query(struct request *r, struct wishes *w)
{
    w->last_seq = -1;
    buf_init(&w->text, 2 * HTTP1_LINE_MAX);
    /* so that strs stay valid */
    (void)buf_reserve(&w->text, r->head.target.query.n + 1);
    if (!take_pairs(r, w)) {
        return false;
    }
    if (w->desk && !r->identity->admin) {
        return refuse(r, ERR_FORBIDDEN, NULL);
    }
    if (w->desk && w->session_id.n > 0) {
        return refuse(r, ERR_BAD_REQUEST, "session_id");
    }
    return !w->desk || refuse(r, ERR_SERVICE_UNAVAILABLE, NULL);
}

/* --- at the owner ------------------------------------------------------- */

static bool
within_user_limit(const struct request *r, const struct wishes *w)
{
    return chat_user_connections(r->gate->shard->chat,
                                 str_from(r->identity->user_id), w->session_id,
                                 w->device_id) <
           r->gate->policy->connections_per_user;
}

static bool
refuse_one_more(struct request *r)
{
    const char *who = r->identity->user_id;

    chat_notify_refused(r->gate->shard->chat, str_from(who));
    if (r->identity->admin) {
        watch_tell_refused(r->gate, who);
    }
    return refuse_limit(r);
}

/* Counts this one, unless the process is full. One that this one replaces is
 * still counted, and will be gone at once. */
static bool
within_process_limit(struct request *r, const struct wishes *w)
{
    const struct gate_settings *set = r->gate->settings;
    struct chat *chat = r->gate->shard->chat;
    struct str user = str_from(r->identity->user_id);
    size_t most = r->gate->policy->max_connections +
                  chat_user_replaced(chat, user, w->session_id, w->device_id);

    if (atomic_fetch_add(set->websockets, 1) < most) {
        return true;
    }
    atomic_fetch_sub(set->websockets, 1);
    return refuse_one_more(r);
}

static struct str
chosen_protocol(const struct ws_handshake *hs)
{
    for (size_t i = 0; i < hs->protocol_count; i++) {
        if (str_eq(hs->protocols[i], STR(PROTOCOL))) {
            return hs->protocols[i];
        }
    }
    return (struct str){NULL, 0};
}

static bool
write_101(struct request *r, const struct ws_handshake *hs)
{
    struct buf head;
    enum err e;

    buf_init(&head, 4096);
    e = ws_handshake_write(&head, hs->key, chosen_protocol(hs));
    if (e == ERR_OK) {
        reply_common_headers(r, &head);
        http1_write_end(&head);
        e = http_write(r->http, buf_str(&head));
    }
    buf_fini(&head);
    return e == ERR_OK;
}

static void
become_socket(struct request *r, const struct ws_handshake *hs,
              const struct wishes *w)
{
    struct gate *g = r->gate;
    struct identity identity = *r->identity;
    struct attach_request attach = {
        .user_id = str_from(identity.user_id),
        .admin = identity.admin,
        .roles = token_roles(&identity),
        .strict = w->strict,
        .session_id = w->session_id,
        .last_seq = w->last_seq,
        .epoch = w->epoch,
        .device_id = w->device_id,
        .owner = watch_owner(r->watch),
    };
    struct watch *watch = r->watch;
    struct conn *conn;

    if (!write_101(r, hs)) {
        atomic_fetch_sub(g->settings->websockets, 1);
        r->last = true;
        http_answered(r);
        return;
    }
    watch_begin(watch, g->shard);
    r->watch = NULL;
    conn = http_take_conn(r);
    conn_gather(conn, FIRST_FRAME_WAIT_MS);
    socket_start(g, conn, watch, &identity, &attach);
}

/* The handshake and the query are read again, on each shard that the head
 * comes to: cheaper than carrying their pieces. */
static bool
read_again(struct request *r, struct ws_handshake *hs, struct wishes *w)
{
    CHECK(ws_handshake_parse(&r->head, hs) == ERR_OK);
    if (atomic_load(r->gate->settings->closing)) {
        return refuse(r, ERR_SERVICE_UNAVAILABLE, NULL);
    }
    return read_query(r, w);
}

/* On the shard of the session that an operator asked for. */
static void
enter(struct request *r)
{
    struct ws_handshake hs;
    struct wishes w = {.last_seq = -1};

    if (watch_refused(r->watch)) {
        (void)refuse_one_more(r);
        return;
    }
    if (read_again(r, &hs, &w) && within_process_limit(r, &w)) {
        become_socket(r, &hs, &w);
    }
    buf_fini(&w.text);
}

/* An operator may ask for anybody's session, and what the newcomer replaces
 * there is not known here. */
static void
watch_or_enter(struct request *r, const struct ws_handshake *hs,
               const struct wishes *w)
{
    struct watch_wish wish = {.session_id = w->session_id,
                              .device_id = w->device_id,
                              .full = !within_user_limit(r, w)};

    if (r->identity->admin && w->session_id.n == RAND_ID_CHARS) {
        watch_start(r, &wish, enter);
    } else if (wish.full) {
        (void)refuse_one_more(r);
    } else if (within_process_limit(r, w)) {
        become_socket(r, hs, w);
    }
}

/* On the owner's shard. */
static void
arrive(struct request *r)
{
    struct ws_handshake hs;
    struct wishes w = {.last_seq = -1};

    if (read_again(r, &hs, &w)) {
        watch_or_enter(r, &hs, &w);
    }
    buf_fini(&w.text);
}

void
upgrade_handle(struct request *r)
{
    const struct gate_settings *set = r->gate->settings;
    struct ws_handshake hs;
    enum err e;

    if (atomic_load(set->closing)) {
        (void)refuse(r, ERR_SERVICE_UNAVAILABLE, NULL);
        return;
    }
    e = ws_handshake_parse(&r->head, &hs);
    if (e != ERR_OK) {
        (void)refuse(r, e, NULL);
        return;
    }
    if (check_token(r, &hs) && check_origin(r)) {
        http_move(r, admission_owner(set, str_from(r->identity->user_id)),
                  arrive);
    }
}
