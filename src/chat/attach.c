/* SPDX-License-Identifier: MIT */
/* Attaching. Between the first frame and the moment of joining, events may be
 * added to the log; so a replay reads on until it has caught up with the
 * session's last number and joins in the same breath: no event is missed,
 * none comes twice. */
#include "chat/attach.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "chat/frames.h"
#include "chat/router.h"
#include "chat/session.h"
#include "chat/turn_parts.h"
#include "chat/user.h"
#include "loop/shard.h"

#include <string.h>

#define REPLAY_PAGE 200

#define CLOSE_FORBIDDEN 4403
#define CLOSE_REPLACED 4409
#define CLOSE_DELETED 4410
#define CLOSE_TRY_LATER 1013

/* What an outlet asked for; it lives until the outlet has joined or gone, and
 * as long as a store job of it is under way. */
struct attach {
    struct chat *chat;
    struct outlet *outlet; /* NULL: gone meanwhile */
    struct user *user;     /* whose session: the outlet's, or who is watched */
    struct session *session; /* pinned by a job count once it is known */
    char *wanted;            /* session id, or NULL */
    char *epoch;             /* or NULL */
    int64_t last_seq;        /* -1: not given */
    int64_t replayed;        /* last number that was sent */
    bool strict;
};

static void
attach_free(struct attach *a)
{
    if (a->outlet != NULL) {
        a->outlet->attach = NULL;
    }
    xfree(a->wanted);
    xfree(a->epoch);
    xfree(a);
}

/* Ends the attempt: the outlet is told and closed. */
static void
refuse(struct attach *a, enum err e, int code)
{
    struct outlet *o = a->outlet;
    struct proto_error what = {
        .err = e, .retry_after_ms = e == ERR_DATABASE_ERROR ? 1000 : -1};

    attach_free(a);
    list_remove(&o->link);
    o->state = OUTLET_GONE;
    user_uncount(o);
    router_tell(o, &what, (struct str){NULL, 0}, (struct str){NULL, 0});
    o->ops->close(o, code, err_info(e)->code);
}

/* --- replacing ---------------------------------------------------------- */

/* Whether a newcomer of u from device (may be empty) takes the place of o,
 * which is in the same session. */
static bool
replaces(const struct outlet *o, const struct user *u, struct str device)
{
    bool same =
        device.n > 0 && o->device_id != NULL && str_is(device, o->device_id);

    return o->user == u && !o->aside &&
           (same || u->chat->settings->one_connection);
}

/* o is on its way into s: the replay is being read. */
static bool
arrives_in(const struct outlet *o, const struct session *s)
{
    return o->attach != NULL && o->attach->session == s;
}

/* Everything of the old one is let go of here and now; what is left is the
 * closing of a socket. */
static void
replace(struct outlet *old, struct session *s)
{
    log_info(EVENT_CONNECTION_REPLACED, "a newer connection took its place",
             log_str("session_id", session_id(s)),
             log_str("user_id", user_id(old->user)), log_cstr("code", "4409"));
    if (old->state == OUTLET_LIVE) {
        session_leave(s, old);
    } else {
        attach_forget(old);
    }
    old->session = NULL;
    old->state = OUTLET_GONE;
    user_uncount(old);
    old->ops->close(old, CLOSE_REPLACED, "replaced by a newer connection");
}

static void
replace_others(struct session *s, const struct outlet *newcomer)
{
    struct str device = str_from(newcomer->device_id);

    if (newcomer->aside) {
        return;
    }
    LIST_FOREACH (it, &s->outlets) {
        struct outlet *o = CONTAINER_OF(it, struct outlet, link);

        if (replaces(o, newcomer->user, device)) {
            replace(o, s);
        }
    }
    LIST_FOREACH (it, &newcomer->user->arrivals) {
        struct outlet *o = CONTAINER_OF(it, struct outlet, link);

        if (o != newcomer && arrives_in(o, s) &&
            replaces(o, newcomer->user, device)) {
            replace(o, s);
        }
    }
}

/* --- joining ------------------------------------------------------------ */

static void
join(struct attach *a)
{
    struct outlet *o = a->outlet;
    struct session *s = a->session;

    attach_free(a);
    session_join(s, o);
    turn_show(s, o);
    session_job_end(s);
    o->ops->hold(o, false);
}

static void read_replay(struct attach *a);

static void
send_replay(struct attach *a, const struct message_record *m)
{
    router_send(a->outlet, m->sender == SENDER_AI
                               ? frame_answer(a->session, m)
                               : frame_message(a->session, m, true));
    a->replayed = m->seq;
}

/* The session was deleted, or the outlet has gone, while the store read. */
static bool
stopped(struct attach *a)
{
    struct session *s = a->session;

    if (a->outlet != NULL && !s->gone) {
        return false;
    }
    if (a->outlet != NULL) {
        refuse(a, ERR_NOT_FOUND, CLOSE_DELETED);
    } else {
        attach_free(a);
    }
    session_job_end(s);
    return true;
}

static void
on_replay(struct store_job *job)
{
    struct attach *a = job->cookie;
    struct session *s = a->session;

    if (!stopped(a)) {
        if (job->result != ERR_OK) {
            refuse(a, ERR_DATABASE_ERROR, CLOSE_TRY_LATER);
            session_job_end(s);
        } else {
            for (size_t i = 0; i < job->count; i++) {
                send_replay(a, &job->messages[i]);
            }
            if (job->count > 0 && a->replayed < s->seq) {
                read_replay(a);
            } else {
                join(a);
            }
        }
    }
    store_job_free(job);
}

static void
read_replay(struct attach *a)
{
    struct store_job *job =
        store_job_new(STORE_MESSAGES, a->chat->shard, on_replay, a);

    job->user_id = str_dup(user_id(a->user));
    memcpy(job->session.sid, a->session->id, sizeof(job->session.sid));
    job->after_seq = a->replayed;
    job->limit = REPLAY_PAGE;
    store_submit(a->chat->store, job);
}

/* --- the first frame ---------------------------------------------------- */

static bool
is_wanted(const struct attach *a, const struct session *s)
{
    return a->wanted == NULL || str_is(session_id(s), a->wanted);
}

/* Whether everything after last_seq can follow exactly. */
static bool
resumable(const struct attach *a, const struct session *s)
{
    size_t most = a->chat->settings->resume_max_events;

    if (!is_wanted(a, s) || a->last_seq < 0 || a->last_seq > s->seq ||
        (a->epoch != NULL && strcmp(a->epoch, s->epoch) != 0)) {
        return false;
    }
    return (uint64_t)(s->seq - a->last_seq) <= most;
}

/* a->user's session is s. From here a counts as a job of s. */
static void
attach_to(struct attach *a, struct session *s)
{
    struct outlet *o = a->outlet;
    struct frame_status status = {.first = true, .resumed = resumable(a, s)};

    a->session = s;
    session_job_begin(s);
    replace_others(s, o);
    if (!is_wanted(a, s)) {
        status.requested = str_from(a->wanted);
    }
    o->session = s; /* for the frame's sake; it joins later */
    router_send(o, frame_status(s, &status));
    a->replayed = a->last_seq;
    if (status.resumed && a->last_seq < s->seq) {
        read_replay(a);
    } else {
        join(a);
    }
}

/* --- finding ------------------------------------------------------------ */

static bool
is_candidate(const struct session *s)
{
    return !s->ended && !s->archived && !s->gone;
}

/* The session of the user in memory with the latest activity among those that
 * STORE_SESSION_LATEST would look at; NULL when there is none. */
static struct session *
latest_in_memory(const struct user *u, int64_t since_ms)
{
    struct session *best = NULL;

    LIST_FOREACH (it, &u->sessions) {
        struct session *s = CONTAINER_OF(it, struct session, in_user);

        if (is_candidate(s) && s->last_ms >= since_ms &&
            (best == NULL || s->last_ms > best->last_ms)) {
            best = s;
        }
    }
    return best;
}

static int64_t
since_ms(const struct chat *c)
{
    return clock_wall_ms() - (int64_t)c->settings->reconnect_timeout_ms;
}

/* Somebody else's, too: u may be an operator who watches it. */
static struct session *
wanted_in_memory(const struct user *u, struct str id)
{
    struct session *s;

    if (id.n == 0) {
        return latest_in_memory(u, since_ms(u->chat));
    }
    s = session_find(u->chat, id);
    return s != NULL && !s->gone ? s : NULL;
}

size_t
attach_replaced(const struct user *u, struct str session, struct str device)
{
    struct session *s = wanted_in_memory(u, session);
    size_t count = 0;

    if (s == NULL) {
        return 0;
    }
    LIST_FOREACH (it, &s->outlets) {
        count += replaces(CONTAINER_OF(it, struct outlet, link), u, device);
    }
    LIST_FOREACH (it, &u->arrivals) {
        struct outlet *o = CONTAINER_OF(it, struct outlet, link);

        count += arrives_in(o, s) && replaces(o, u, device);
    }
    return count;
}

/* The store's candidate (or none) against those in memory. */
static void
choose_latest(struct attach *a, const struct session_record *stored)
{
    struct session *s = latest_in_memory(a->user, since_ms(a->chat));

    if (stored != NULL && (s == NULL || stored->last_ms > s->last_ms)) {
        struct session *loaded = session_load(a->user, stored);

        s = is_candidate(loaded) ? loaded : s;
    }
    attach_to(a, s != NULL ? s : session_new(a->user));
}

static void
not_found(struct attach *a)
{
    if (a->wanted == NULL) {
        choose_latest(a, NULL);
    } else if (a->strict) {
        struct user *u = a->user;

        refuse(a, ERR_NOT_FOUND, CLOSE_FORBIDDEN);
        user_release(u); /* who is watched may be nobody here */
    } else {
        attach_to(a, session_new(a->user));
    }
}

static void
found(struct attach *a, const struct session_record *r)
{
    struct session *s;

    if (a->wanted == NULL) {
        choose_latest(a, r);
        return;
    }
    s = session_load(a->user, r);
    if (s->gone) {
        not_found(a);
    } else {
        attach_to(a, s);
    }
}

static void
on_looked_up(struct store_job *job)
{
    struct attach *a = job->cookie;

    a->user->holds--;
    if (a->outlet == NULL) {
        struct user *u = a->user;

        attach_free(a);
        user_release(u);
    } else if (job->result == ERR_OK) {
        found(a, &job->session);
    } else if (job->result == ERR_NOT_FOUND) {
        not_found(a);
    } else {
        struct user *u = a->user;

        refuse(a, ERR_DATABASE_ERROR, CLOSE_TRY_LATER);
        user_release(u);
    }
    store_job_free(job);
}

static void
look_up(struct attach *a)
{
    struct store_job *job = store_job_new(
        a->wanted != NULL ? STORE_SESSION_GET : STORE_SESSION_LATEST,
        a->chat->shard, on_looked_up, a);

    a->user->holds++;
    job->user_id = str_dup(user_id(a->user));
    job->since_ms = since_ms(a->chat);
    if (a->wanted != NULL) {
        memcpy(job->session.sid, a->wanted, RAND_ID_CHARS);
    }
    store_submit(a->chat->store, job);
}

/* Ids are 32 lower-case hexadecimal digits; nothing else can be in the store.
 */
static bool
is_id(struct str s)
{
    if (s.n != RAND_ID_CHARS) {
        return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false;
        }
    }
    return true;
}

static void
find(struct attach *a)
{
    struct session *s;

    if (a->wanted != NULL && !is_id(str_from(a->wanted))) {
        not_found(a);
        return;
    }
    s = a->wanted != NULL ? session_find(a->chat, str_from(a->wanted)) : NULL;
    if (s == NULL) {
        look_up(a);
    } else if (s->user != a->user || s->gone) {
        not_found(a);
    } else {
        attach_to(a, s);
    }
}

void
attach_start(struct outlet *o, const struct attach_request *request)
{
    struct attach *a = xcalloc(1, sizeof(*a));

    a->chat = o->user->chat;
    a->outlet = o;
    a->user =
        request->owner.n > 0 ? user_get(a->chat, request->owner) : o->user;
    a->wanted = request->session_id.n > 0 ? str_dup(request->session_id) : NULL;
    a->epoch = request->epoch.n > 0 ? str_dup(request->epoch) : NULL;
    a->last_seq = request->last_seq;
    a->strict = request->strict || request->owner.n > 0;
    o->attach = a;
    o->state = OUTLET_ATTACHING;
    list_push_back(&o->user->arrivals, &o->link);
    find(a);
}

void
attach_forget(struct outlet *o)
{
    list_remove(&o->link);
    if (o->attach != NULL) {
        o->attach->outlet = NULL; /* its job comes back and frees it */
        o->attach = NULL;
    }
}
