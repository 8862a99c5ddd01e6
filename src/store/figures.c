/* SPDX-License-Identifier: MIT */
/* How many sessions there were at once: they come by their start, so the ends
 * of those that are alive are all that has to be remembered. */
#include "store/figures.h"

#include "base/check.h"
#include "base/xalloc.h"

void
figures_begin(struct figures_sum *sum, int64_t from_ms, int64_t to_ms)
{
    CHECK(from_ms <= to_ms);
    *sum = (struct figures_sum){.from_ms = from_ms, .to_ms = to_ms};
}

/* --- the ends of those alive, as a binary heap -------------------------- */

static void
push_end(struct figures_sum *sum, int64_t end_ms)
{
    size_t i = sum->alive;

    if (sum->alive == sum->room) {
        sum->room = sum->room > 0 ? 2 * sum->room : 64;
        sum->ends = xrealloc(sum->ends, sum->room * sizeof(*sum->ends));
    }
    sum->alive++;
    for (; i > 0 && sum->ends[(i - 1) / 2] > end_ms; i = (i - 1) / 2) {
        sum->ends[i] = sum->ends[(i - 1) / 2];
    }
    sum->ends[i] = end_ms;
}

/* Takes the earliest end out. */
static void
pop_end(struct figures_sum *sum)
{
    int64_t last = sum->ends[--sum->alive];
    size_t i = 0, child;

    while ((child = 2 * i + 1) < sum->alive) {
        child +=
            child + 1 < sum->alive && sum->ends[child + 1] < sum->ends[child];
        if (sum->ends[child] >= last) {
            break;
        }
        sum->ends[i] = sum->ends[child];
        i = child;
    }
    sum->ends[i] = last;
}

static void
count_alive(struct figures_sum *sum, int64_t start_ms, int64_t end_ms)
{
    while (sum->alive > 0 && sum->ends[0] < start_ms) {
        pop_end(sum);
    }
    push_end(sum, end_ms);
    if ((int64_t)sum->alive > sum->figures.max_at_once) {
        sum->figures.max_at_once = (int64_t)sum->alive;
    }
}

/* --- sums ---------------------------------------------------------------- */

void
figures_add(struct figures_sum *sum, const struct figures_session *s)
{
    struct figures *f = &sum->figures;
    int64_t start = s->start_ms > sum->from_ms ? s->start_ms : sum->from_ms;
    int64_t until = s->until_ms > s->start_ms ? s->until_ms : s->start_ms;

    until = until < sum->to_ms ? until : sum->to_ms;
    if (until < start) {
        return;
    }
    f->total++;
    f->active += s->active;
    f->assisted += s->assisted;
    f->tokens += s->tokens;
    f->max_ms = s->max_ms > f->max_ms ? s->max_ms : f->max_ms;
    sum->answers += s->answers;
    sum->answers_ms += s->avg_ms * (double)s->answers;
    sum->lived_ms += (double)(until - start);
    count_alive(sum, start, until);
}

struct figures
figures_end(struct figures_sum *sum)
{
    struct figures f = sum->figures;
    double span_ms = (double)sum->to_ms - (double)sum->from_ms;

    if (sum->answers > 0) {
        f.avg_ms = sum->answers_ms / (double)sum->answers;
    }
    /* Between a moment and itself there are all of its sessions. */
    f.avg_at_once =
        span_ms > 0 ? sum->lived_ms / span_ms : (double)f.max_at_once;
    xfree(sum->ends);
    sum->ends = NULL;
    return f;
}
