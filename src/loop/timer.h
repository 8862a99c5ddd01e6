/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_LOOP_TIMER_H
#define CHATBOX_LOOP_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* Timers as members of objects: 24 bytes each, a binary heap per shard over
 * one uv_timer, so that arming costs O(log n) and no allocation beyond the
 * heap's growth. Monotonic milliseconds. One shard's thread only. Of many that
 * are due together those fire that begin within a slice of TIMERS_SLICE_US or
 * of half the time that the rest of the loop took since the slice before; then
 * sockets are polled without waiting, then the next slice. So thousands of
 * peers whose time is up at once keep nobody waiting, and a loop that is busy
 * with sockets still has a third of its time for timers. */
#define TIMERS_SLICE_US 20
struct timer {
    void (*fire)(struct timer *);
    uint64_t at_ms;
    uint32_t slot; /* 1-based place in the heap; 0: not armed */
};

struct timers {
    struct timer **heap; /* heap[1..count] */
    size_t count;
    size_t room;      /* elements allocated */
    uint64_t wake_ms; /* when the uv_timer fires; UINT64_MAX: it is stopped */
    uv_timer_t wake;
    uv_idle_t due;     /* active while timers are due */
    uint64_t slice_ns; /* when the last slice ended */
    uint32_t spread;   /* a fraction of 2^32, another one each time */
    uv_loop_t *loop;
};

void timers_init(struct timers *ts, uv_loop_t *loop);
void timers_close(struct timers *ts); /* before the loop closes */
void timers_fini(struct timers *ts);

void timer_init(struct timer *t, void (*fire)(struct timer *));

/* Arms or moves; fires once, not before delay_ms have passed since this call,
 * never inside it. Inside fire the timer is no longer armed and may be
 * started again. */
void timer_start(struct timers *ts, struct timer *t, uint64_t delay_ms);

/* The same, up to spread_ms later: what many began together does not end
 * together. However many there are, their ends are spread evenly: the fractions
 * of successive multiples of the golden ratio (Knuth, TAOCP 3, 6.4). */
void timer_start_spread(struct timers *ts, struct timer *t, uint64_t delay_ms,
                        uint32_t spread_ms);

/* A timer that is not armed is fine. After it fire does not run. */
void timer_cancel(struct timers *ts, struct timer *t);

bool timer_armed(const struct timer *t);

#endif
