/* SPDX-License-Identifier: MIT */
/* The clean-up of one shard's limiter of messages for test_purge.py: its loop
 * turns, and a millisecond after its use a key is full again. */
#include "chat/state.h"
#include "guard/limit.h"
#include "life.h"

#define GIVE_UP_MS 10000
#define FULL_MS 2 /* after this a key is full in any case */

static uint64_t
now_ms(void)
{
    return uv_hrtime() / 1000000;
}

void
purge_begin(struct life *l, uint64_t interval_ms)
{
    chat_fini(&l->shard);
    l->settings.message_window_ms = 1;
    l->settings.limit_max_keys = 1000;
    l->settings.limit_cleanup_interval_ms = interval_ms;
    CHECK(chat_init(&l->shard, &l->settings, l->store) == ERR_OK);
}

/* How many timers are armed that the chat had. */
size_t
purge_end(struct life *l)
{
    chat_fini(&l->shard);
    return l->shard.timers.count;
}

void
purge_use(struct life *l, const char *key, size_t n)
{
    struct limit *limit = l->shard.chat->messages;

    (void)limit_check(limit, (struct str){key, n}, uv_hrtime() / 1000, NULL);
}

size_t
purge_keys(const struct life *l)
{
    return limit_count(l->shard.chat->messages);
}

/* In how many milliseconds the next one comes. */
int64_t
purge_planned_ms(const struct life *l)
{
    return (int64_t)(l->shard.chat->purge.at_ms - now_ms());
}

/* Whether a key that is used now may not yet be full when the next one comes:
 * whoever runs this test may have been held up. */
bool
purge_is_near(const struct life *l)
{
    return purge_planned_ms(l) <= FULL_MS;
}

/* Turns the loop until one has come: after *before_ms, and before the time that
 * it says; -1: none came. */
int64_t
purge_await(struct life *l, int64_t *before_ms)
{
    const struct timer *timer = &l->shard.chat->purge;
    uint64_t planned_ms = timer->at_ms;
    uint64_t until_ms = now_ms() + GIVE_UP_MS;

    do {
        *before_ms = (int64_t)now_ms();
        (void)uv_run(&l->shard.loop, UV_RUN_NOWAIT);
    } while (timer->at_ms == planned_ms && now_ms() < until_ms);
    return timer->at_ms == planned_ms ? -1 : (int64_t)now_ms();
}
