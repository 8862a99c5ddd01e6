/* SPDX-License-Identifier: MIT */
/* Sessions in memory. What is here is only what a running conversation needs;
 * the log itself is in the store and is read by range. An idle session waits
 * in a list ordered by the moment it became idle, so cleaning costs what
 * expires, not what exists. */
#include "chat/session.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "chat/errand.h"
#include "chat/frames.h"
#include "chat/turn_parts.h"
#include "chat/user.h"
#include "chat/voice.h"
#include "loop/shard.h"

#include <stdio.h>
#include <string.h>

struct session *
session_find(const struct chat *c, struct str id)
{
    struct map_node *node = map_find(&c->sessions, id);

    return node != NULL ? CONTAINER_OF(node, struct session, node) : NULL;
}

static void
count_active(const struct session *s, int64_t n)
{
    metric_add(s->ended ? METRIC_INACTIVE_SESSIONS : METRIC_ACTIVE_SESSIONS, n);
}

/* One warning for all shards when their sum passes the limit, and another one
 * only after it has fallen by a tenth, or the limit has been raised above. */
static void
judge_count(const struct chat_settings *set, size_t now)
{
    struct chat_population *p = set->population;

    if (now <= set->warn_count - set->warn_count / 10) {
        if (atomic_load(&p->warned)) {
            atomic_store(&p->warned, false);
        }
    } else if (now > set->warn_count && !atomic_exchange(&p->warned, true)) {
        log_warn(EVENT_SESSION_WARN_COUNT, "many sessions in memory",
                 log_int("sessions", (int64_t)now),
                 log_int("active", metric_value(METRIC_ACTIVE_SESSIONS, 0)),
                 log_int("inactive", metric_value(METRIC_INACTIVE_SESSIONS, 0)),
                 log_int("limit", (int64_t)set->warn_count));
    }
}

static void
count_up(const struct chat_settings *set)
{
    judge_count(set, atomic_fetch_add(&set->population->sessions, 1) + 1);
}

static void
count_down(const struct chat_settings *set)
{
    judge_count(set, atomic_fetch_sub(&set->population->sessions, 1) - 1);
}

/* Puts a zeroed session with an id into the house. */
static void
enter(struct user *u, struct session *s)
{
    s->user = u;
    list_init(&s->outlets);
    list_init(&s->turns);
    list_init(&s->idle);
    list_init(&s->dirty);
    list_init(&s->in_user);
    list_push_back(&u->sessions, &s->in_user);
    map_add(&u->chat->sessions, &s->node);
    metric_add(METRIC_SESSIONS_IN_MEMORY, 1);
    count_active(s, 1);
    count_up(u->chat->settings);
}

struct session *
session_new(struct user *u)
{
    struct session *s = xcalloc(1, sizeof(*s));
    char random[RAND_ID_CHARS + 1];

    rand_id(s->id);
    rand_id(random);
    memcpy(s->epoch, random, RECORD_EPOCH_CHARS);
    s->model = (uint16_t)u->chat->settings->default_provider;
    s->last_ms = clock_wall_ms();
    enter(u, s);
    return s;
}

void
session_update(struct session *s, const struct session_record *r)
{
    count_active(s, -1);
    s->stored = true;
    s->ended = r->end_ms != 0;
    s->archived = r->archived;
    count_active(s, 1);
    s->seq = r->seq > s->seq ? r->seq : s->seq;
    s->last_ms = r->last_ms > s->last_ms ? r->last_ms : s->last_ms;
}

void
session_saved(struct session *s, const struct session_record *r)
{
    if (!s->stored) {
        metric_count(METRIC_SESSIONS_CREATED);
    }
    session_update(s, r);
}

void
session_remember(struct session *s, const struct message_record *m)
{
    struct chat *c = s->user->chat;

    if (store_is_far(c->store)) {
        recall_note(&s->recall, &c->recalls, m);
    }
}

void
session_set_model(struct session *s, uint16_t model)
{
    struct frame_status status = {.content = NULL};
    char text[160];

    s->model = model;
    snprintf(text, sizeof(text), "Model changed to %.128s",
             session_provider(s)->name);
    status.content = text;
    session_broadcast(s, NULL, frame_status(s, &status));
}

/* What memory is the authority on once the session is in it. */
static void
take_choices(struct session *s, const struct session_record *r)
{
    int model = chat_model_find(s->user->chat->settings, str_from(r->model_id));

    s->model = model >= 0 ? (uint16_t)model : s->model;
    s->help_requested = r->help_requested;
    s->admin_assisted = r->admin_assisted;
    if (r->assisting_admin_name != NULL) {
        s->admin_name = xstrdup(r->assisting_admin_name);
    }
}

struct session *
session_load(struct user *u, const struct session_record *r)
{
    struct session *s = session_find(u->chat, str_from(r->sid));

    if (s != NULL) {
        return s;
    }
    s = xcalloc(1, sizeof(*s));
    memcpy(s->id, r->sid, sizeof(s->id));
    memcpy(s->epoch, r->epoch, sizeof(s->epoch));
    s->model = (uint16_t)u->chat->settings->default_provider;
    enter(u, s);
    session_update(s, r);
    take_choices(s, r);
    return s;
}

void
session_to_record(const struct session *s, struct session_record *out)
{
    *out = (struct session_record){
        .user_id = str_dup(user_id(s->user)),
        .model_id = xstrdup(session_provider(s)->id),
        .start_ms = s->last_ms,
        .last_ms = s->last_ms,
        .seq = s->seq,
        .help_requested = s->help_requested,
    };
    memcpy(out->sid, s->id, sizeof(out->sid));
    memcpy(out->epoch, s->epoch, sizeof(out->epoch));
}

void
session_join(struct session *s, struct outlet *o)
{
    o->session = s;
    o->state = OUTLET_LIVE;
    o->sent = 0;
    o->chunk = 0;
    list_remove(&o->link);
    list_push_back(&s->outlets, &o->link);
    session_settle(s);
}

void
session_leave(struct session *s, struct outlet *o)
{
    list_remove(&o->link);
    turn_forget_outlet(s, o);
    errand_forget(o);
    o->session = NULL;
    if (s->running != NULL) {
        turn_show_later(s); /* the provider may have been waiting for it */
    }
    session_settle(s);
}

void
session_broadcast(struct session *s, const struct outlet *except,
                  struct str frame)
{
    LIST_FOREACH (it, &s->outlets) {
        struct outlet *o = CONTAINER_OF(it, struct outlet, link);

        if (o != except) {
            o->ops->send(o, frame);
            metric_count(METRIC_MESSAGES_SENT);
        }
    }
}

static bool
in_use(const struct session *s)
{
    return !list_empty(&s->outlets) || !list_empty(&s->turns) || s->jobs > 0;
}

void
session_settle(struct session *s)
{
    struct chat *c = s->user->chat;

    if (in_use(s)) {
        list_remove(&s->idle);
        return;
    }
    if (s->gone) {
        session_free(s);
        return;
    }
    list_remove(&s->idle);
    s->idle_since_ms = shard_now_ms(c->shard);
    list_push_back(&c->idle, &s->idle);
}

void
session_job_begin(struct session *s)
{
    s->jobs++;
    list_remove(&s->idle);
}

void
session_job_end(struct session *s)
{
    CHECK(s->jobs > 0);
    s->jobs--;
    session_settle(s);
}

void
session_kill(struct session *s, int code, const char *reason)
{
    s->gone = true;
    s->jobs++; /* stays until everything below is done */
    turn_drop_all(s);
    voice_drop(s);
    LIST_FOREACH (it, &s->outlets) {
        struct outlet *o = CONTAINER_OF(it, struct outlet, link);

        list_remove(&o->link);
        turn_forget_outlet(s, o);
        errand_forget(o);
        o->session = NULL;
        o->state = OUTLET_GONE;
        user_uncount(o);
        o->ops->close(o, code, reason);
    }
    session_job_end(s);
}

size_t
session_sweep(struct chat *c, uint64_t now_ms)
{
    size_t removed = 0;

    while (!list_empty(&c->idle)) {
        struct session *s = CONTAINER_OF(c->idle.next, struct session, idle);

        if (s->idle_since_ms + c->settings->session_ttl_ms > now_ms) {
            break;
        }
        session_free(s);
        removed++;
    }
    if (removed > 0) {
        log_info(EVENT_SESSION_CLEANUP, "idle sessions left memory",
                 log_int("removed", (int64_t)removed),
                 log_int("left", (int64_t)c->sessions.count));
    }
    return removed;
}

void
session_free(struct session *s)
{
    struct user *u = s->user;

    metric_add(METRIC_SESSIONS_IN_MEMORY, -1);
    count_active(s, -1);
    list_remove(&s->idle);
    list_remove(&s->dirty);
    list_remove(&s->in_user);
    map_remove(&u->chat->sessions, &s->node);
    count_down(u->chat->settings);
    recall_forget(&s->recall, &u->chat->recalls);
    xfree(s->admin_name);
    xfree(s);
    user_release(u);
}
