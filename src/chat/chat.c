/* SPDX-License-Identifier: MIT */
/* The door of the room: making a chat, outlets in and out, changes that come
 * over HTTP, and the way down at shutdown. */
#include "chat/chat.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "chat/attach.h"
#include "chat/exchange.h"
#include "chat/frames.h"
#include "chat/router.h"
#include "chat/session.h"
#include "chat/turn_parts.h"
#include "chat/upstream_stop.h"
#include "chat/user.h"
#include "chat/voice.h"
#include "loop/shard.h"

/* help_request: 3 per session in 5 minutes (protocol.md 2.4). */
#define HELP_COUNT 3
#define HELP_WINDOW_MS (5 * 60 * 1000)

static struct str
user_key(const struct map_node *node)
{
    return user_id(CONTAINER_OF(node, struct user, node));
}

static struct str
session_key(const struct map_node *node)
{
    return session_id(CONTAINER_OF(node, struct session, node));
}

/* --- housekeeping ------------------------------------------------------- */

static void
purge(struct limit *limit, const char *name)
{
    size_t removed = limit_purge(limit, clock_mono_us());

    metric_set_at(METRIC_RATELIMIT_KEYS,
                  metrics_slot(METRIC_RATELIMIT_KEYS, name),
                  (int64_t)limit_count(limit));
    if (removed > 0) {
        log_info(EVENT_LIMITER_CLEANUP, "keys left the limiter",
                 log_cstr("limiter", name),
                 log_int("removed", (int64_t)removed),
                 log_int("left", (int64_t)limit_count(limit)));
    }
}

static void
on_purge(struct timer *timer)
{
    struct chat *c = CONTAINER_OF(timer, struct chat, purge);

    purge(c->messages, "message");
    purge(c->help, "help");
    timer_start(&c->shard->timers, timer,
                c->settings->limit_cleanup_interval_ms);
}

static void
on_sweep(struct timer *timer)
{
    struct chat *c = CONTAINER_OF(timer, struct chat, sweep);

    (void)session_sweep(c, shard_now_ms(c->shard));
    timer_start(&c->shard->timers, timer, c->settings->cleanup_interval_ms);
}

static void
start_timers(struct chat *c)
{
    timer_start(&c->shard->timers, &c->sweep, c->settings->cleanup_interval_ms);
    timer_start(&c->shard->timers, &c->purge,
                c->settings->limit_cleanup_interval_ms);
}

/* --- life --------------------------------------------------------------- */

void
chat_settings_unref(struct chat_settings *settings)
{
    if (atomic_fetch_sub(&settings->refs, 1) == 1 &&
        settings->destroy != NULL) {
        settings->destroy(settings);
    }
}

static void
take_terms(struct chat *c, struct chat_settings *settings)
{
    struct terms *old = c->terms;

    c->terms = terms_new(c, settings);
    c->settings = settings;
    terms_release(old);
}

enum err
chat_init(struct shard *s, struct chat_settings *settings, struct store *store)
{
    struct chat *c = xcalloc(1, sizeof(*c));

    c->shard = s;
    take_terms(c, settings);
    c->store = store;
    map_init(&c->users, user_key);
    map_init(&c->sessions, session_key);
    list_init(&c->idle);
    list_init(&c->dirty);
    list_init(&c->upstreams);
    list_init(&c->exchanges);
    list_init(&c->stops);
    list_init(&c->voices);
    buf_init(&c->frame, SIZE_MAX / 2);
    c->messages =
        limit_new(settings->message_limit, settings->message_window_ms,
                  settings->limit_max_keys);
    c->help = limit_new(HELP_COUNT, HELP_WINDOW_MS, settings->limit_max_keys);
    c->budgets = budget_open(c);
    timer_init(&c->sweep, on_sweep);
    timer_init(&c->purge, on_purge);
    start_timers(c);
    shard_at_phase(s, SHARD_PHASE_CHAT, turn_show_dirty, c);
    s->chat = c;
    return ERR_OK;
}

static void
free_session(struct map_node *node, void *arg)
{
    struct session *s = CONTAINER_OF(node, struct session, node);

    (void)arg;
    turn_free_all(s);
    session_free(s);
}

/* One that somebody still held when the shard had to end. */
static void
free_user(struct map_node *node, void *arg)
{
    struct user *u = CONTAINER_OF(node, struct user, node);

    (void)arg;
    map_remove(&u->chat->users, node);
    xfree(u);
}

void
chat_fini(struct shard *s)
{
    struct chat *c = s->chat;

    if (c == NULL) {
        return;
    }
    c->over = true;
    shard_at_phase(s, SHARD_PHASE_CHAT, NULL, NULL);
    timer_cancel(&s->timers, &c->sweep);
    timer_cancel(&s->timers, &c->purge);
    voice_fini_all(c);
    map_each(&c->sessions, free_session, NULL);
    map_each(&c->users, free_user, NULL);
    budget_close(c->budgets);
    upstream_fini_all(c);
    upstream_stop_fini_all(c);
    map_fini(&c->sessions);
    map_fini(&c->users);
    limit_free(c->messages);
    limit_free(c->help);
    buf_fini(&c->frame);
    terms_release(c->terms);
    xfree(c);
    s->chat = NULL;
}

/* --- new settings ------------------------------------------------------- */

struct settings_letter {
    struct letter letter;
    struct chat_settings *settings;
};

static void
destroy_settings(struct letter *l)
{
    struct settings_letter *p = CONTAINER_OF(l, struct settings_letter, letter);

    if (p->settings != NULL) {
        chat_settings_unref(p->settings);
    }
    xfree(p);
}

/* Models are indices of the settings: arg, the terms so far, says of which. */
static void
renew_model(struct map_node *node, void *arg)
{
    struct session *s = CONTAINER_OF(node, struct session, node);
    const struct chat_settings *set = s->user->chat->settings;
    const struct terms *old = arg;
    const char *id = old->settings->providers[s->model].id;
    int model = chat_model_find(set, str_from(id));

    if (model >= 0) {
        s->model = (uint16_t)model;
    } else {
        session_set_model(s, (uint16_t)set->default_provider);
    }
}

static void
deliver_settings(struct shard *here, struct letter *l)
{
    struct settings_letter *p = CONTAINER_OF(l, struct settings_letter, letter);
    struct chat *c = here->chat;

    if (c != NULL) {
        const struct chat_settings *set = p->settings;
        struct terms *old = terms_hold(c->terms);

        take_terms(c, p->settings);
        p->settings = NULL;
        limit_set(c->messages, set->message_limit, set->message_window_ms,
                  set->limit_max_keys, clock_mono_us());
        limit_set(c->help, HELP_COUNT, HELP_WINDOW_MS, set->limit_max_keys,
                  clock_mono_us());
        map_each(&c->sessions, renew_model, old);
        terms_release(old);
        /* Now: a reload within every interval would put both off for ever. */
        on_sweep(&c->sweep);
        on_purge(&c->purge);
    }
    destroy_settings(l);
}

void
chat_set_settings(struct shard *s, struct chat_settings *settings)
{
    struct settings_letter *p = xcalloc(1, sizeof(*p));

    p->letter.deliver = deliver_settings;
    p->letter.destroy = destroy_settings;
    p->settings = settings;
    shard_post(s, &p->letter);
}

const struct chat_settings *
chat_settings_of(const struct shard *s)
{
    return s->chat->settings;
}

/* --- outlets ------------------------------------------------------------ */

void
chat_attach(struct chat *c, struct outlet *o,
            const struct attach_request *request)
{
    o->user = user_get(c, request->user_id);
    o->aside = request->aside;
    user_count(o);
    o->user->holds++;
    list_push_back(&o->user->outlets, &o->in_user);
    o->roles = NULL;
    chat_roles_set(o, request->admin, request->roles);
    o->device_id =
        request->device_id.n > 0 ? str_dup(request->device_id) : NULL;
    attach_start(o, request);
}

void
chat_detach(struct outlet *o)
{
    struct user *u = o->user;

    if (o->state != OUTLET_GONE) {
        user_uncount(o);
    }
    if (o->state == OUTLET_LIVE) {
        session_leave(o->session, o);
    } else if (o->state == OUTLET_ATTACHING) {
        attach_forget(o);
    }
    list_remove(&o->in_user);
    xfree(o->device_id);
    xfree(o->roles);
    o->device_id = o->roles = NULL;
    o->session = NULL;
    o->user = NULL;
    o->state = OUTLET_GONE;
    u->holds--;
    user_release(u);
}

void
chat_on_frame(struct outlet *o, struct str text)
{
    if (o->state == OUTLET_LIVE) {
        router_on_frame(o, text);
    }
}

void
chat_on_drain(struct outlet *o)
{
    if (o->state == OUTLET_LIVE && o->session->running != NULL) {
        turn_show_later(o->session);
    }
}

void
chat_tell_error(struct outlet *o, enum err e)
{
    struct proto_error what = {.err = e, .retry_after_ms = -1};

    if (o->state == OUTLET_LIVE) {
        router_tell(o, &what, (struct str){NULL, 0}, (struct str){NULL, 0});
    }
}

/* --- sessions in memory -------------------------------------------------- */

struct str
chat_session_owner(const struct chat *c, struct str id)
{
    const struct session *s = session_find(c, id);

    return s != NULL && !s->gone ? user_id(s->user) : (struct str){NULL, 0};
}

bool
chat_watches(const struct outlet *o)
{
    return o->session != NULL && o->session->user != o->user;
}

uint32_t
chat_session_connections(const struct chat *c, struct str id)
{
    const struct session *s = session_find(c, id);
    uint32_t count = 0;

    if (s == NULL) {
        return 0;
    }
    LIST_FOREACH (it, &s->outlets) {
        count++;
    }
    return count;
}

void
chat_notify_refused(struct chat *c, struct str id)
{
    struct user *u = user_find(c, id);

    if (u == NULL) {
        return;
    }
    LIST_FOREACH (it, &u->outlets) {
        struct outlet *o = CONTAINER_OF(it, struct outlet, in_user);

        if (o->state == OUTLET_LIVE) {
            router_send(o, frame_notification(
                               c, session_id(o->session), "connection_limit",
                               "Another connection was refused: there "
                               "are too many already."));
        }
    }
}

/* --- changes over HTTP -------------------------------------------------- */

/* What the asker wanted to hear, put aside while the session hears it. */
struct write {
    struct session *session;
    void (*done)(struct store_job *job);
    void *cookie;
    enum store_op op;
    unsigned patch;
    bool ends; /* that is what the patch asks for */
};

static void
tell_ended(struct session *s)
{
    struct frame_status status = {.content = "Session ended",
                                  .event = "session_ended"};

    metric_count(METRIC_SESSIONS_ENDED);
    session_broadcast(s, NULL, frame_status(s, &status));
}

static void
tell_model(struct session *s, const struct session_record *r)
{
    int model = chat_model_find(s->user->chat->settings, str_from(r->model_id));

    if (model >= 0 && s->model != model) {
        session_set_model(s, (uint16_t)model);
    }
}

static void
take_write(const struct write *w, const struct store_job *job)
{
    struct session *s = w->session;

    if (job->op == STORE_SESSION_DELETE) {
        session_kill(s, 4410, "session deleted");
        return;
    }
    session_update(s, &job->session);
    if (w->ends && s->ended && !job->duplicate) {
        tell_ended(s);
    }
    if ((w->patch & STORE_PATCH_MODEL) != 0) {
        tell_model(s, &job->session);
    }
}

static void
on_written(struct store_job *job)
{
    struct write *w = job->cookie;
    struct session *s = w->session;

    if (job->result == ERR_OK && !s->gone) {
        take_write(w, job);
    }
    job->done = w->done;
    job->cookie = w->cookie;
    xfree(w);
    session_job_end(s);
    job->done(job);
}

/* A session that is not in memory has nobody to tell. */
static void
on_written_alone(struct store_job *job)
{
    struct write *w = job->cookie;

    if (job->result == ERR_OK && job->op == STORE_SESSION_PUT) {
        metric_count(METRIC_SESSIONS_CREATED);
    } else if (job->result == ERR_OK && w->ends && !job->duplicate) {
        metric_count(METRIC_SESSIONS_ENDED);
    }
    job->done = w->done;
    job->cookie = w->cookie;
    xfree(w);
    job->done(job);
}

void
chat_session_write(struct chat *c, struct store_job *job)
{
    struct session *s = session_find(c, str_from(job->session.sid));
    struct write *w = xcalloc(1, sizeof(*w));

    *w = (struct write){.done = job->done,
                        .cookie = job->cookie,
                        .op = job->op,
                        .patch = job->patch,
                        .ends = (job->patch & STORE_PATCH_END) != 0 &&
                                job->session.end_ms != 0};
    job->cookie = w;
    job->done = on_written_alone;
    if (s != NULL && str_is(user_id(s->user), job->user_id)) {
        w->session = s;
        job->done = on_written;
        session_job_begin(s);
    }
    store_submit(c->store, job);
}

int
chat_model_find(const struct chat_settings *settings, struct str model_id)
{
    for (size_t i = 0; i < settings->provider_count; i++) {
        if (str_is(model_id, settings->providers[i].id)) {
            return (int)i;
        }
    }
    return -1;
}

/* --- shutdown ----------------------------------------------------------- */

static void
hurry(struct map_node *node, void *arg)
{
    struct session *s = CONTAINER_OF(node, struct session, node);

    (void)arg;
    turn_refuse_waiting(s, TURN_END_SHUTDOWN);
    turn_late_hurry(s);
}

void
chat_drain(struct chat *c, void (*on_idle)(void *cookie), void *cookie)
{
    c->draining = true;
    c->on_idle = NULL;
    map_each(&c->sessions, hurry, NULL);
    voice_drain(c);
    if (c->turns == 0) {
        on_idle(cookie);
        return;
    }
    c->on_idle = on_idle;
    c->on_idle_cookie = cookie;
}

static void
cut(struct map_node *node, void *arg)
{
    struct session *s = CONTAINER_OF(node, struct session, node);

    (void)arg;
    turn_refuse_waiting(s, TURN_END_SHUTDOWN);
    if (s->running != NULL) {
        turn_end(s->running, TURN_END_SHUTDOWN);
    }
}

void
chat_cut(struct chat *c)
{
    c->draining = true;
    map_each(&c->sessions, cut, NULL);
    exchange_cut_all(c);
    voice_cut(c);
}

void
chat_turn_begun(struct chat *c)
{
    c->turns++;
}

void
chat_turn_over(struct chat *c)
{
    void (*on_idle)(void *) = c->on_idle;

    c->turns--;
    if (c->turns == 0 && c->draining && on_idle != NULL) {
        c->on_idle = NULL;
        on_idle(c->on_idle_cookie);
    }
}

size_t
chat_turns(const struct chat *c)
{
    return c->turns;
}
