/* SPDX-License-Identifier: MIT */
/* The sessions of one shard for test_life.py: a chat whose loop never turns,
 * so that its clock stands where the test puts it and nothing happens but what
 * the test does. */
#include "life.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "chat/turn_parts.h"
#include "chat/user.h"
#include "upload/upload.h"

#include <stdlib.h>
#include <string.h>

static const struct provider_ops nobody_ops = {.type = "nobody"};
static const struct provider_config nobody = {
    .ops = &nobody_ops, .id = "nobody", .name = "Nobody"};

static const struct upload no_uploads = {.prefix = "/"};

struct life *
life_open(const char *dir)
{
    struct life *l = xcalloc(1, sizeof(*l));
    struct store_settings store = {
        .data_dir = dir, .queue_max = 10, .readers = 1};
    char why[256];

    log_set_level(LOG_ERROR);
    metrics_thread_init();
    l->settings = (struct chat_settings){
        .population = &l->population,
        .cleanup_interval_ms = 1000,
        .warn_count = 1000000,
        .message_limit = 1,
        .message_window_ms = 1000,
        .limit_max_keys = 10,
        .limit_cleanup_interval_ms = 1000,
        .upload = &no_uploads,
        .providers = &nobody,
        .provider_count = 1,
        .system_prompt = "",
    };
    CHECK(store_open(&store, &l->store, why, sizeof(why)) == ERR_OK);
    CHECK(shard_init(&l->shard, 0) == ERR_OK);
    CHECK(chat_init(&l->shard, &l->settings, l->store) == ERR_OK);
    return l;
}

void
life_close(struct life *l)
{
    store_close(l->store);
    for (int i = 0; i < 20; i++) {
        (void)uv_run(&l->shard.loop, UV_RUN_NOWAIT);
    }
    chat_fini(&l->shard);
    shard_fini(&l->shard);
    metrics_fini();
    xfree(l);
}

void
life_set_ttl(struct life *l, uint64_t ms)
{
    l->settings.session_ttl_ms = ms;
}

void
life_set_clock(struct life *l, uint64_t ms)
{
    l->shard.loop.time = ms;
}

struct session *
life_begin(struct life *l, const char *user, char *id_out)
{
    struct session *s = session_new(user_get(l->shard.chat, str_from(user)));

    session_settle(s);
    memcpy(id_out, s->id, sizeof(s->id));
    return s;
}

size_t
life_sweep(struct life *l, uint64_t now_ms)
{
    return session_sweep(l->shard.chat, now_ms);
}

/* The session is ended, or used again. */
void
life_end(struct session *s, bool ended)
{
    struct session_record r = {.end_ms = ended ? 1 : 0};

    session_update(s, &r);
}

static void
never_send(struct outlet *o, struct str frame)
{
    (void)o;
    (void)frame;
}

static void
never_close(struct outlet *o, int code, const char *reason)
{
    (void)o;
    (void)code;
    (void)reason;
}

static const struct outlet_ops deaf = {.send = never_send,
                                       .close = never_close};

struct outlet *
life_join(struct session *s)
{
    struct outlet *o = xcalloc(1, sizeof(*o));

    o->ops = &deaf;
    o->user = s->user;
    o->user->connections++;
    list_init(&o->link);
    session_join(s, o);
    return o;
}

/* Also of a session that is gone. */
void
life_leave(struct outlet *o)
{
    if (o->session != NULL) {
        o->user->connections--;
        session_leave(o->session, o);
    }
    xfree(o);
}

struct turn *
life_turn_begin(struct session *s)
{
    struct turn *t = xcalloc(1, sizeof(*t));

    list_init(&t->link);
    list_push_back(&s->turns, &t->link);
    session_settle(s);
    return t;
}

void
life_turn_end(struct session *s, struct turn *t)
{
    list_remove(&t->link);
    xfree(t);
    session_settle(s);
}

void
life_kill(struct session *s)
{
    session_kill(s, 4410, "session deleted");
}

bool
life_holds(const struct life *l, const char *id)
{
    return session_find(l->shard.chat, str_from(id)) != NULL;
}

/* What is told of how many sessions there are: in the table, in all tables,
 * and by the three gauges; then how many users. */
void
life_counts(const struct life *l, int64_t counts_out[6])
{
    counts_out[0] = (int64_t)l->shard.chat->sessions.count;
    counts_out[1] = (int64_t)atomic_load(&l->population.sessions);
    counts_out[2] = metric_value(METRIC_SESSIONS_IN_MEMORY, 0);
    counts_out[3] = metric_value(METRIC_ACTIVE_SESSIONS, 0);
    counts_out[4] = metric_value(METRIC_INACTIVE_SESSIONS, 0);
    counts_out[5] = (int64_t)l->shard.chat->users.count;
}
