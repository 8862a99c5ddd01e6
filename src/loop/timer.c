/* SPDX-License-Identifier: MIT */
/* A binary heap ordered by time (Williams, 1964), in which every timer knows
 * its own place: cancelling needs no search. libuv sees one timer only, which
 * is moved when the earliest time becomes earlier; when it becomes later the
 * shard wakes once for nothing, which is cheaper than moving it each time. */
#include "loop/timer.h"

#include "base/check.h"
#include "base/xalloc.h"

#define GOLDEN 2654435769u /* 2^32 divided by the golden ratio, odd */

static void
place(struct timers *ts, size_t slot, struct timer *t)
{
    ts->heap[slot] = t;
    t->slot = (uint32_t)slot;
}

static void
sift_up(struct timers *ts, size_t slot, struct timer *t)
{
    while (slot > 1 && ts->heap[slot / 2]->at_ms > t->at_ms) {
        place(ts, slot, ts->heap[slot / 2]);
        slot /= 2;
    }
    place(ts, slot, t);
}

static void
sift_down(struct timers *ts, size_t slot, struct timer *t)
{
    for (;;) {
        size_t child = slot * 2;

        if (child > ts->count) {
            break;
        }
        if (child < ts->count &&
            ts->heap[child + 1]->at_ms < ts->heap[child]->at_ms) {
            child++;
        }
        if (ts->heap[child]->at_ms >= t->at_ms) {
            break;
        }
        place(ts, slot, ts->heap[child]);
        slot = child;
    }
    place(ts, slot, t);
}

static void
settle(struct timers *ts, size_t slot, struct timer *t)
{
    if (slot > 1 && ts->heap[slot / 2]->at_ms > t->at_ms) {
        sift_up(ts, slot, t);
    } else {
        sift_down(ts, slot, t);
    }
}

static void
take_out(struct timers *ts, struct timer *t)
{
    size_t slot = t->slot;
    struct timer *last = ts->heap[ts->count--];

    t->slot = 0;
    if (last != t) {
        settle(ts, slot, last);
    }
}

static void on_wake(uv_timer_t *wake);

static void
arm_wake(struct timers *ts)
{
    uint64_t now_ms = uv_now(ts->loop);
    uint64_t at_ms;

    if (ts->count == 0 || ts->heap[1]->at_ms >= ts->wake_ms) {
        return;
    }
    at_ms = ts->heap[1]->at_ms;
    ts->wake_ms = at_ms;
    CHECK(uv_timer_start(&ts->wake, on_wake,
                         at_ms > now_ms ? at_ms - now_ms : 0, 0) == 0);
}

static bool
any_due(const struct timers *ts)
{
    return ts->count > 0 && ts->heap[1]->at_ms <= uv_now(ts->loop);
}

static void
fire_first(struct timers *ts)
{
    struct timer *t = ts->heap[1];

    take_out(ts, t);
    t->fire(t);
}

static uint64_t
slice_end_ns(const struct timers *ts)
{
    uint64_t now_ns = uv_hrtime();
    uint64_t half_ns = (now_ns - ts->slice_ns) / 2;
    uint64_t least_ns = TIMERS_SLICE_US * 1000;

    return now_ns + (half_ns > least_ns ? half_ns : least_ns);
}

/* Before each poll. */
static void
on_due(uv_idle_t *due)
{
    struct timers *ts = due->data;
    uint64_t end_ns = slice_end_ns(ts);

    while (any_due(ts)) {
        fire_first(ts);
        ts->slice_ns = uv_hrtime();
        if (ts->slice_ns >= end_ns) {
            return; /* an active idle handle makes the poll not wait */
        }
    }
    (void)uv_idle_stop(due);
    arm_wake(ts);
}

static void
on_wake(uv_timer_t *wake)
{
    struct timers *ts = wake->data;

    ts->wake_ms = UINT64_MAX;
    if (!uv_is_active((uv_handle_t *)&ts->due)) {
        ts->slice_ns = uv_hrtime();
    }
    CHECK(uv_idle_start(&ts->due, on_due) == 0);
}

void
timers_init(struct timers *ts, uv_loop_t *loop)
{
    *ts = (struct timers){.loop = loop, .wake_ms = UINT64_MAX};
    CHECK(uv_timer_init(loop, &ts->wake) == 0);
    CHECK(uv_idle_init(loop, &ts->due) == 0);
    ts->wake.data = ts->due.data = ts;
}

void
timers_close(struct timers *ts)
{
    uv_close((uv_handle_t *)&ts->wake, NULL);
    uv_close((uv_handle_t *)&ts->due, NULL);
    ts->wake_ms = 0; /* arming is a matter of the heap alone from now on */
}

void
timers_fini(struct timers *ts)
{
    xfree(ts->heap);
    ts->heap = NULL;
    ts->count = ts->room = 0;
}

void
timer_init(struct timer *t, void (*fire)(struct timer *))
{
    *t = (struct timer){.fire = fire};
}

static void
make_room(struct timers *ts)
{
    if (ts->count + 1 < ts->room) {
        return;
    }
    ts->room = ts->room == 0 ? 64 : ts->room * 2;
    CHECK(ts->room <= UINT32_MAX);
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
    ts->heap = xrealloc(ts->heap, ts->room * sizeof(*ts->heap));
}

void
timer_start(struct timers *ts, struct timer *t, uint64_t delay_ms)
{
    /* Not uv_now(), which is as old as this turn of the loop; and one more,
     * because both ends of the wait are cut to whole milliseconds. It also
     * keeps a timer that starts itself from firing twice in one pass. */
    uint64_t now_ms = uv_hrtime() / 1000000;

    CHECK(delay_ms < UINT64_MAX / 2);
    t->at_ms = now_ms + delay_ms + 1;
    if (t->slot != 0) {
        settle(ts, t->slot, t);
    } else {
        make_room(ts);
        ts->count++;
        sift_up(ts, ts->count, t);
    }
    arm_wake(ts);
}

void
timer_start_spread(struct timers *ts, struct timer *t, uint64_t delay_ms,
                   uint32_t spread_ms)
{
    ts->spread += GOLDEN;
    timer_start(ts, t, delay_ms + ((uint64_t)ts->spread * spread_ms >> 32));
}

void
timer_cancel(struct timers *ts, struct timer *t)
{
    if (t->slot != 0) {
        take_out(ts, t);
    }
}

bool
timer_armed(const struct timer *t)
{
    return t->slot != 0;
}
