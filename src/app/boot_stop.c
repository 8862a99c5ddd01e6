/* SPDX-License-Identifier: MIT */
/* Shutdown as a sequence of steps, each of which every shard takes before the
 * next one begins. */
#include "app/boot_stop.h"

#include "app/boot_doors.h"
#include "app/boot_shards.h"
#include "base/clock.h"
#include "base/log.h"

#define GOING_AWAY 1001

/* For what has to be done after the deadline, or after a second signal:
 * storing the cut answers, and passing on the last bytes. */
#define STORE_MS 5000
#define FLUSH_MS 1000

struct stop {
    struct boot *boot;
    uint64_t deadline_ms;
    bool hurry; /* a second signal, the deadline, or no database */
};

/* --- steps, on the shards ----------------------------------------------- */

static void
on_idle(void *cookie)
{
    struct boot *b = cookie;

    boot_state_tell(b, &b->idle);
}

static void
step_drain(struct boot *b, struct shard *s)
{
    boot_doors_close(b, s);
    gate_drain(s);
    chat_drain(s->chat, on_idle, b);
}

static void
step_cut(struct boot *b, struct shard *s)
{
    atomic_fetch_add(&b->cut, chat_turns(s->chat));
    chat_cut(s->chat);
}

static void
on_empty(void *cookie)
{
    struct boot *b = cookie;

    boot_state_tell(b, &b->empty);
}

static void
step_close(struct boot *b, struct shard *s)
{
    gate_close_all(s, GOING_AWAY, "the server stops", on_empty, b);
}

static void
step_abort(struct boot *b, struct shard *s)
{
    atomic_fetch_add(&b->cut, gate_abort_all(s));
}

static void
on_told(void *cookie)
{
    struct boot *b = cookie;

    boot_state_tell(b, &b->told);
}

static void
step_notify(struct boot *b, struct shard *s)
{
    notify_drain(s, on_told, b);
}

static void
step_hush(struct boot *b, struct shard *s)
{
    atomic_fetch_add(&b->cut, notify_pending(s));
    (void)notify_cut(s);
}

/* --- the sequence, on main ---------------------------------------------- */

/* Waits unless there is no more time for it. */
static bool
wait_for(struct stop *stop, atomic_uint *counter, uint64_t deadline_ms)
{
    struct boot *b = stop->boot;
    enum boot_wait end = BOOT_WAIT_DEADLINE;

    if (!stop->hurry) {
        end = boot_state_wait(b, counter, b->shard_count, deadline_ms);
    }
    if (end == BOOT_WAIT_SIGNAL) {
        log_warn(EVENT_SHUTDOWN, "a second signal: nothing is waited for");
        stop->hurry = true;
    }
    return end == BOOT_WAIT_DONE;
}

/* Waits a short time even in a hurry; a third signal changes nothing. */
static bool
wait_short(struct boot *b, atomic_uint *counter, uint64_t ms)
{
    uint64_t deadline_ms = clock_mono_ms() + ms;
    enum boot_wait end;

    do {
        end = boot_state_wait(b, counter, b->shard_count, deadline_ms);
    } while (end == BOOT_WAIT_SIGNAL);
    return end == BOOT_WAIT_DONE;
}

static void
end_turns(struct stop *stop)
{
    struct boot *b = stop->boot;

    boot_shards_post(b, step_drain);
    if (!wait_for(stop, &b->idle, stop->deadline_ms)) {
        stop->hurry = true;
        boot_shards_post(b, step_cut);
        (void)wait_short(b, &b->idle, STORE_MS);
    }
}

static void
end_connections(struct stop *stop)
{
    struct boot *b = stop->boot;

    boot_shards_post(b, step_close);
    if (!wait_for(stop, &b->empty, stop->deadline_ms) &&
        !wait_short(b, &b->empty, FLUSH_MS)) {
        boot_shards_post(b, step_abort);
        (void)wait_short(b, &b->empty, FLUSH_MS);
    }
}

/* Last: operators may have to be told of what the others waited for. */
static void
end_notifications(struct stop *stop)
{
    struct boot *b = stop->boot;

    boot_shards_post(b, step_notify);
    if (!wait_for(stop, &b->told, stop->deadline_ms)) {
        boot_shards_post(b, step_hush);
        (void)wait_short(b, &b->told, FLUSH_MS);
    }
}

bool
boot_stop(struct boot *b)
{
    const struct config *c = b->config;
    /* Who has lost the database can store nothing that it would wait for. */
    struct stop stop = {.boot = b, .hurry = atomic_load(&b->lost) > 0};
    size_t cut;

    atomic_store(&b->rooms.draining, true);
    log_info(EVENT_SHUTDOWN, "not ready any more; draining");
    (void)wait_for(&stop, NULL, clock_mono_ms() + c->server_drain_delay_ms);
    atomic_store(&b->rooms.closing, true);
    stop.deadline_ms = clock_mono_ms() + c->server_shutdown_timeout_ms;
    end_turns(&stop);
    end_connections(&stop);
    atomic_store(&b->rooms.uploads_end, true); /* nobody waits any more */
    end_notifications(&stop);
    cut = atomic_load(&b->cut);
    if (cut > 0) {
        log_warn(EVENT_SHUTDOWN_FORCED,
                 "answers, connections or notifications were cut",
                 log_int("cut", (int64_t)cut));
    }
    return cut > 0;
}
