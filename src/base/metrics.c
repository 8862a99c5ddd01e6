/* SPDX-License-Identifier: MIT */
/* Rows of words, one per counting thread, linked in a lock-free list that
 * only grows. Slots (label combinations) live in one fixed table whose
 * entries are published by an atomic state, so any thread may make one.
 *
 * A slot number is an index into that table; a metric without labels uses its
 * own cell. Cells of a row: one per metric, then one per slot. Histograms
 * keep their buckets in blocks beside the cells. */
#include "base/metrics.h"

#include "base/check.h"
#include "base/xalloc.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum kind { COUNTER, GAUGE, HISTOGRAM };

/* Upper bounds in seconds: from a local answer to the longest stream. */
static const double bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                0.1,   0.25,   0.5,   1,    2.5,   5,
                                10,    30,     60,    120,  300};

#define BUCKETS (COUNT_OF(bounds) + 1)
#define VALUES_BYTES 96
#define CELLS (METRIC_COUNT + METRICS_SLOTS)

struct histogram {
    _Atomic int64_t bucket[BUCKETS];
    _Atomic int64_t sum_us;
};

struct row {
    struct row *next;
    _Atomic int64_t cell[CELLS];
    _Atomic(struct histogram *) histogram[CELLS];
};

struct slot {
    atomic_int state; /* 0 free, 1 being written, 2 published */
    enum metric metric;
    char values[VALUES_BYTES];
};

static const struct {
    enum kind kind;
    const char *name;
    const char *labels;
    const char *help;
} infos[METRIC_COUNT] = {
#define METRIC(ID, kind, name, labels, help) {kind, name, labels, help},
#include "base/metrics.def"
#undef METRIC
};

static _Atomic(struct row *) rows;
static struct slot slots[METRICS_SLOTS];
static _Thread_local struct row *my_row;

void
metrics_thread_init(void)
{
    struct row *row = xcalloc(1, sizeof(*row));

    row->next = atomic_load(&rows);
    while (!atomic_compare_exchange_weak(&rows, &row->next, row)) {
    }
    my_row = row;
}

static bool
slot_matches(const struct slot *s, enum metric m, const char *values)
{
    return s->metric == m && strcmp(s->values, values) == 0;
}

/* Whether slot i is (or has just become) the one for m and values. A writer
 * holds state 1 for a few instructions only. */
static bool
slot_claim(struct slot *s, enum metric m, const char *values)
{
    int state = 0;

    if (atomic_compare_exchange_strong(&s->state, &state, 1)) {
        s->metric = m;
        snprintf(s->values, sizeof(s->values), "%s", values);
        atomic_store(&s->state, 2);
        return true;
    }
    while (atomic_load(&s->state) == 1) {
    }
    return slot_matches(s, m, values);
}

unsigned
metrics_slot(enum metric m, const char *values)
{
    char cut[VALUES_BYTES];

    snprintf(cut, sizeof(cut), "%s", values);
    for (unsigned i = 0; i + METRIC_COUNT < METRICS_SLOTS; i++) {
        if (slot_claim(&slots[i], m, cut)) {
            return i + 1;
        }
    }
    /* The last METRIC_COUNT entries are each metric's "other". */
    (void)slot_claim(&slots[METRICS_SLOTS - METRIC_COUNT + m], m, "other");
    return METRICS_SLOTS - METRIC_COUNT + m + 1;
}

/* Slot numbers begin at 1; 0 is the metric without labels. */
static unsigned
cell_of(enum metric m, unsigned slot)
{
    CHECK(slot <= METRICS_SLOTS);
    return slot == 0 ? (unsigned)m : METRIC_COUNT + slot - 1;
}

static void
bump(_Atomic int64_t *word, int64_t n)
{
    int64_t now = atomic_load_explicit(word, memory_order_relaxed);

    atomic_store_explicit(word, now + n, memory_order_relaxed);
}

void
metric_add_at(enum metric m, unsigned slot, int64_t n)
{
    if (my_row != NULL) {
        bump(&my_row->cell[cell_of(m, slot)], n);
    }
}

void
metric_set_at(enum metric m, unsigned slot, int64_t n)
{
    if (my_row != NULL) {
        atomic_store_explicit(&my_row->cell[cell_of(m, slot)], n,
                              memory_order_relaxed);
    }
}

static struct histogram *
my_histogram(unsigned cell)
{
    struct histogram *h = atomic_load(&my_row->histogram[cell]);

    if (h == NULL) {
        h = xcalloc(1, sizeof(*h));
        atomic_store(&my_row->histogram[cell], h);
    }
    return h;
}

void
metric_observe_at(enum metric m, unsigned slot, double seconds)
{
    unsigned bucket = 0;
    struct histogram *h;

    if (my_row == NULL) {
        return;
    }
    h = my_histogram(cell_of(m, slot));
    while (bucket < COUNT_OF(bounds) && seconds > bounds[bucket]) {
        bucket++;
    }
    bump(&h->bucket[bucket], 1);
    bump(&h->sum_us, (int64_t)(seconds * 1e6));
}

int64_t
metric_value(enum metric m, unsigned slot)
{
    unsigned cell = cell_of(m, slot);
    int64_t sum = 0;

    for (struct row *r = atomic_load(&rows); r != NULL; r = r->next) {
        sum += atomic_load_explicit(&r->cell[cell], memory_order_relaxed);
    }
    return sum;
}

static int64_t
bucket_value(unsigned cell, unsigned bucket)
{
    int64_t sum = 0;

    for (struct row *r = atomic_load(&rows); r != NULL; r = r->next) {
        struct histogram *h = atomic_load(&r->histogram[cell]);

        if (h != NULL) {
            sum += atomic_load_explicit(bucket == BUCKETS ? &h->sum_us
                                                          : &h->bucket[bucket],
                                        memory_order_relaxed);
        }
    }
    return sum;
}

static void
put_label_value(struct buf *out, struct str value)
{
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] == '"' || value.p[i] == '\\') {
            buf_putc(out, '\\');
        }
        buf_putc(out, value.p[i] == '\n' ? ' ' : value.p[i]);
    }
}

/* {name="value",…,extra}; nothing when there is nothing. */
static void
put_labels(struct buf *out, enum metric m, const char *values,
           const char *extra)
{
    struct str names = str_from(infos[m].labels), given = str_from(values);
    struct str name, value;
    const char *open = "{";

    while (values != NULL && str_split(&names, ',', &name)) {
        if (!str_split(&given, ',', &value)) {
            value = STR("other");
        }
        buf_printf(out, "%s%.*s=\"", open, STR_ARG(name));
        put_label_value(out, value);
        buf_putc(out, '"');
        open = ",";
    }
    if (extra != NULL) {
        buf_printf(out, "%s%s", open, extra);
        open = ",";
    }
    if (open[0] == ',') {
        buf_putc(out, '}');
    }
}

static void
render_histogram(struct buf *out, enum metric m, unsigned cell,
                 const char *values)
{
    int64_t total = 0;
    char le[40];

    for (unsigned i = 0; i < BUCKETS; i++) {
        total += bucket_value(cell, i);
        if (i < COUNT_OF(bounds)) {
            snprintf(le, sizeof(le), "le=\"%g\"", bounds[i]);
        } else {
            snprintf(le, sizeof(le), "le=\"+Inf\"");
        }
        buf_printf(out, "%s_bucket", infos[m].name);
        put_labels(out, m, values, le);
        buf_printf(out, " %lld\n", (long long)total);
    }
    buf_printf(out, "%s_sum", infos[m].name);
    put_labels(out, m, values, NULL);
    buf_printf(out, " %.6f\n", (double)bucket_value(cell, BUCKETS) / 1e6);
    buf_printf(out, "%s_count", infos[m].name);
    put_labels(out, m, values, NULL);
    buf_printf(out, " %lld\n", (long long)total);
}

static void
render_one(struct buf *out, enum metric m, unsigned slot, const char *values)
{
    if (infos[m].kind == HISTOGRAM) {
        render_histogram(out, m, cell_of(m, slot), values);
        return;
    }
    buf_puts(out, infos[m].name);
    put_labels(out, m, values, NULL);
    buf_printf(out, " %lld\n", (long long)metric_value(m, slot));
}

static void
render_metric(struct buf *out, enum metric m)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};

    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", infos[m].name,
               infos[m].help, infos[m].name, kinds[infos[m].kind]);
    if (infos[m].labels[0] == '\0') {
        render_one(out, m, 0, NULL);
        return;
    }
    for (unsigned i = 0; i < METRICS_SLOTS; i++) {
        if (atomic_load(&slots[i].state) == 2 && slots[i].metric == m) {
            render_one(out, m, i + 1, slots[i].values);
        }
    }
}

void
metrics_render(struct buf *out)
{
    for (unsigned m = 0; m < METRIC_COUNT; m++) {
        render_metric(out, (enum metric)m);
    }
}

static void
free_row(struct row *r)
{
    for (unsigned i = 0; i < CELLS; i++) {
        xfree(atomic_load(&r->histogram[i]));
    }
    xfree(r);
}

void
metrics_fini(void)
{
    struct row *r = atomic_exchange(&rows, NULL);

    while (r != NULL) {
        struct row *next = r->next;

        free_row(r);
        r = next;
    }
    memset(slots, 0, sizeof(slots));
    my_row = NULL;
}
