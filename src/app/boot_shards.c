/* SPDX-License-Identifier: MIT */
/* The per-shard part of every room: made on the shard's own thread, in the
 * order in which the line passes them, and taken down the other way round. */
#include "app/boot_shards.h"

#include "app/boot_doors.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "net/fetch.h"
#include "net/net.h"

#include <unistd.h>

/* --- start -------------------------------------------------------------- */

static enum err
make_rooms(struct boot *b, struct shard *s)
{
    enum err e = net_init(s, &b->rooms.net);

    if (e == ERR_OK) {
        fetch_pool_init(s);
        notify_init(s, &b->rooms.notify);
        e = chat_init(s, b->chat, b->store);
    }
    if (e == ERR_OK) {
        e = gate_init(s, &b->rooms.gate, b->policy);
    }
    return e;
}

static void
on_start(struct shard *s)
{
    struct boot *b = boot_state_of(s);

    if (make_rooms(b, s) != ERR_OK || !boot_doors_open(b, s)) {
        atomic_fetch_add(&b->start_failures, 1);
    } else if (s->index == 0) {
        boot_alert_start(&b->alert, s, b->store);
    }
    boot_state_tell(b, &b->started);
}

unsigned
boot_shards_start(struct boot *b)
{
    for (unsigned i = 0; i < b->shard_count; i++) {
        if (shard_start(&b->shards[i], on_start) != ERR_OK) {
            return i;
        }
    }
    return b->shard_count;
}

/* --- letters ------------------------------------------------------------ */

struct step {
    struct letter letter;
    void (*run)(struct boot *b, struct shard *s);
};

static void
destroy_step(struct letter *l)
{
    xfree(CONTAINER_OF(l, struct step, letter));
}

static void
deliver_step(struct shard *here, struct letter *l)
{
    CONTAINER_OF(l, struct step, letter)->run(boot_state_of(here), here);
    destroy_step(l);
}

static void
post(struct boot *b, unsigned i, void (*run)(struct boot *b, struct shard *s))
{
    struct step *step = xcalloc(1, sizeof(*step));

    step->letter.deliver = deliver_step;
    step->letter.destroy = destroy_step;
    step->run = run;
    shard_post(&b->shards[i], &step->letter);
}

void
boot_shards_post(struct boot *b, void (*step)(struct boot *b, struct shard *s))
{
    for (unsigned i = 0; i < b->shard_count; i++) {
        post(b, i, step);
    }
}

/* --- end ---------------------------------------------------------------- */

/* For answers of the store that nobody waits for any more: whoever asked has
 * gone, but what it left is freed when they come. */
#define AWAITED_MS 1000

/* Connections that were handed over while others were being closed may still
 * arrive, and so may answers of the store; this looks again each turn until
 * there is none. */
struct ending {
    struct timer timer;
    struct shard *shard;
    uint64_t deadline_ms;
};

static void
fini_rooms(struct shard *s)
{
    if (s->index == 0) {
        boot_alert_stop(&boot_state_of(s)->alert);
    }
    gate_fini(s);
    chat_fini(s);
    notify_fini(s);
    fetch_pool_fini(s);
    net_fini(s);
}

static void
on_ending(struct timer *timer)
{
    struct ending *e = CONTAINER_OF(timer, struct ending, timer);
    struct shard *s = e->shard;
    size_t conns = s->net != NULL ? net_conn_count(s) : 0;

    if (conns > 0) {
        (void)gate_abort_all(s);
    }
    if (conns > 0 ||
        (atomic_load(&s->awaited) > 0 && shard_now_ms(s) < e->deadline_ms)) {
        timer_start(&s->timers, timer, 1);
        return;
    }
    xfree(e);
    fini_rooms(s);
    shard_stop(s);
}

static void
step_end(struct boot *b, struct shard *s)
{
    struct ending *e = xcalloc(1, sizeof(*e));

    boot_doors_close(b, s);
    e->shard = s;
    e->deadline_ms = shard_now_ms(s) + AWAITED_MS;
    timer_init(&e->timer, on_ending);
    timer_start(&s->timers, &e->timer, 0);
}

void
boot_shards_end(struct boot *b, unsigned running)
{
    for (unsigned i = 0; i < running; i++) {
        post(b, i, step_end);
    }
    for (unsigned i = 0; i < running; i++) {
        shard_join(&b->shards[i]);
    }
}
