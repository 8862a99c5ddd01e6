/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_BASE_METRICS_H
#define CHATBOX_BASE_METRICS_H

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

/* Counters without sharing: every thread that counts has its own row of plain
 * words which it alone writes (relaxed atomics); a scrape adds the rows up. */
enum metric {
#define METRIC(ID, kind, name, labels, help) METRIC_##ID,
#include "base/metrics.def"
#undef METRIC
    METRIC_COUNT
};

/* Most label combinations of all metrics together; beyond it what is new
 * counts as the label value "other". */
#define METRICS_SLOTS 512

/* A new row for the calling thread; once per thread, before it counts. Rows
 * live until metrics_fini. Threads without a row count nothing. */
void metrics_thread_init(void);

/* The slot of a label combination, made at first use; any thread. values are
 * comma separated in the order of the label names. Borrows. */
unsigned metrics_slot(enum metric m, const char *values);

/* The calling thread's row. slot: 0 for a metric without labels. set is for
 * gauges: this thread's share of the sum. */
void metric_add_at(enum metric m, unsigned slot, int64_t n);
void metric_set_at(enum metric m, unsigned slot, int64_t n);
void metric_observe_at(enum metric m, unsigned slot, double seconds);

static inline void
metric_add(enum metric m, int64_t n)
{
    metric_add_at(m, 0, n);
}

static inline void
metric_count(enum metric m)
{
    metric_add_at(m, 0, 1);
}

static inline void
metric_count_at(enum metric m, unsigned slot)
{
    metric_add_at(m, slot, 1);
}

/* The sum over all rows; any thread. */
int64_t metric_value(enum metric m, unsigned slot);

/* Appends everything in Prometheus' text format 0.0.4. */
void metrics_render(struct buf *out);

/* Forgets rows and slots; only when no other thread counts any more. */
void metrics_fini(void);

#endif
