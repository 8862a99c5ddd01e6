/* SPDX-License-Identifier: MIT */
/* One thread, one libuv loop, one mailbox. The end of a turn hangs on
 * libuv's prepare step, which comes after polling and timers and right before
 * the loop waits: whatever was read, received or timed out in one turn has
 * been answered once before the shard sleeps. */
#include "loop/shard.h"

#include "base/log.h"
#include "base/metrics.h"

/* Rounds of phases in one turn before sockets are polled again. */
#define ROUNDS_MAX 4

static void
run_phases(struct shard *s)
{
    for (int i = 0; i < SHARD_PHASES; i++) {
        if (s->phases[i].fn != NULL) {
            s->phases[i].fn(s->phases[i].cookie);
        }
    }
}

static void
run_deferred(struct shard *s)
{
    struct list now;
    struct list *link;

    if (list_empty(&s->deferred)) {
        return;
    }
    list_init(&now);
    list_splice_back(&now, &s->deferred);
    while ((link = list_pop_front(&now)) != NULL) {
        struct deferred *d = CONTAINER_OF(link, struct deferred, link);

        d->run(d);
    }
    s->again = true;
}

static void
on_idle(uv_idle_t *idle)
{
    CHECK(uv_idle_stop(idle) == 0);
}

static void
end_turn(struct shard *s)
{
    for (int round = 0; round < ROUNDS_MAX; round++) {
        s->again = false;
        run_phases(s);
        run_deferred(s);
        if (!s->again) {
            return;
        }
    }
    /* An active idle handle makes the loop poll without waiting. */
    CHECK(uv_idle_start(&s->idle, on_idle) == 0);
}

static void
on_prepare(uv_prepare_t *prepare)
{
    end_turn(prepare->data);
}

enum err
shard_init(struct shard *s, unsigned index)
{
    *s = (struct shard){.index = index};
    list_init(&s->deferred);
    if (uv_loop_init(&s->loop) != 0) {
        return ERR_IO;
    }
    s->loop.data = s;
    if (mailbox_init(&s->mailbox, &s->loop, s) != ERR_OK) {
        CHECK(uv_loop_close(&s->loop) == 0);
        return ERR_IO;
    }
    timers_init(&s->timers, &s->loop);
    CHECK(uv_prepare_init(&s->loop, &s->prepare) == 0);
    CHECK(uv_idle_init(&s->loop, &s->idle) == 0);
    s->prepare.data = s;
    CHECK(uv_prepare_start(&s->prepare, on_prepare) == 0);
    return ERR_OK;
}

static void
close_open(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

static void
close_loop(struct shard *s)
{
    if (s->ended) {
        return;
    }
    mailbox_close(&s->mailbox);
    timers_close(&s->timers);
    uv_walk(&s->loop, close_open, NULL);
    while (uv_loop_alive(&s->loop)) {
        (void)uv_run(&s->loop, UV_RUN_DEFAULT);
    }
    s->ended = true;
}

void
shard_fini(struct shard *s)
{
    close_loop(s); /* for one that never ran */
    mailbox_fini(&s->mailbox);
    timers_fini(&s->timers);
    CHECK(uv_loop_close(&s->loop) == 0);
}

void
shard_run(struct shard *s)
{
    (void)uv_run(&s->loop, UV_RUN_DEFAULT);
    end_turn(s);
    close_loop(s);
}

static void *
thread_main(void *arg)
{
    struct shard *s = arg;

    metrics_thread_init();
    log_set_shard((int)s->index);
    if (s->on_start != NULL) {
        s->on_start(s);
    }
    shard_run(s);
    return NULL;
}

enum err
shard_start(struct shard *s, void (*on_start)(struct shard *))
{
    s->on_start = on_start;
    return pthread_create(&s->thread, NULL, thread_main, s) == 0 ? ERR_OK
                                                                 : ERR_IO;
}

void
shard_stop(struct shard *s)
{
    /* The loop polls once more in this turn. Whoever stops it may have taken
     * the rooms down already, so nothing may be delivered to them. */
    s->stopped = true;
    mailbox_close(&s->mailbox);
    uv_stop(&s->loop);
}

void
shard_join(struct shard *s)
{
    CHECK(pthread_join(s->thread, NULL) == 0);
}

void
shard_post(struct shard *to, struct letter *l)
{
    mailbox_post(&to->mailbox, l);
}

void
shard_at_phase(struct shard *s, enum shard_phase phase, void (*fn)(void *),
               void *cookie)
{
    s->phases[phase].fn = fn;
    s->phases[phase].cookie = cookie;
}

void
shard_defer(struct shard *s, struct deferred *d)
{
    list_push_back(&s->deferred, &d->link);
}

void
shard_undefer(struct deferred *d)
{
    list_remove(&d->link);
}

void
shard_again(struct shard *s)
{
    s->again = true;
}

void
shard_close_handle(struct shard *s, uv_handle_t *handle,
                   void (*closed)(uv_handle_t *))
{
    if (!s->ended) {
        uv_close(handle, closed);
    } else if (closed != NULL) {
        closed(handle);
    }
}

uint64_t
shard_now_ms(const struct shard *s)
{
    return uv_now(&s->loop);
}
