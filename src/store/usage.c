/* SPDX-License-Identifier: MIT */
/* Sums of usage, the same for every database: see usage.h. */
#include "store/usage.h"

#include "base/xalloc.h"
#include "codec/json.h"

#include <string.h>
#include <time.h>

struct usage_entry
usage_entry_of(const struct session_record *s, const struct message_record *m)
{
    struct usage_entry e = {.user_id = s->user_id,
                            .model_id = m->model_id,
                            .at_ms = m->at_ms,
                            .usage = m->usage,
                            .budget_roles = m->budget_roles};

    memcpy(e.id, m->id, sizeof(e.id));
    return e;
}

void
usage_so_far(struct usage *u, int64_t completion_tokens, int64_t cost)
{
    if (u->present) {
        u->completion_tokens = completion_tokens;
        u->total_tokens = u->prompt_tokens + completion_tokens;
        u->cost_nanos = cost;
    }
}

bool
usage_has_role(const char *budget_roles, const char *role)
{
    size_t n = strlen(role);

    for (const char *p = budget_roles; p != NULL; p = strchr(p + 1, '\n')) {
        if (strncmp(p + 1, role, n) == 0 && p[n + 1] == '\n') {
            return true;
        }
    }
    return false;
}

/* The day's sums lie at the end. */
static struct usage_sum *
find(struct usage_list *l, int64_t day_ms, const char *model)
{
    for (size_t i = l->count; i > 0 && l->sums[i - 1].day_ms == day_ms; i--) {
        if (strcmp(l->sums[i - 1].model_id, model) == 0) {
            return &l->sums[i - 1];
        }
    }
    return NULL;
}

static struct usage_sum *
begin(struct usage_list *l, int64_t day_ms, const char *model)
{
    l->sums = xrealloc(l->sums, (l->count + 1) * sizeof(*l->sums));
    l->sums[l->count] =
        (struct usage_sum){.day_ms = day_ms, .model_id = xstrdup(model)};
    return &l->sums[l->count++];
}

void
usage_list_add(struct usage_list *l, int64_t at_ms, const char *model_id,
               const struct usage *u)
{
    int64_t day_ms = at_ms - at_ms % USAGE_DAY_MS;
    const char *model = model_id != NULL ? model_id : "";
    struct usage_sum *sum = find(l, day_ms, model);

    if (sum == NULL) {
        sum = begin(l, day_ms, model);
    }
    sum->answers++;
    sum->estimated += u->estimated;
    sum->prompt_tokens += u->prompt_tokens;
    sum->completion_tokens += u->completion_tokens;
    sum->total_tokens += u->total_tokens;
    sum->cached_tokens += u->cached_tokens;
    sum->reasoning_tokens += u->reasoning_tokens;
    sum->cost_nanos += u->cost_nanos;
}

void
usage_list_fini(struct usage_list *l)
{
    for (size_t i = 0; i < l->count; i++) {
        xfree(l->sums[i].model_id);
    }
    xfree(l->sums);
    *l = (struct usage_list){.sums = NULL};
}

/* -- for people -- */

/* What is there only now and then. */
static void
put_details(struct buf *out, int64_t cached, int64_t reasoning, int64_t cost)
{
    if (cached > 0) {
        json_put_member_i64(out, "cached_tokens", cached);
    }
    if (reasoning > 0) {
        json_put_member_i64(out, "reasoning_tokens", reasoning);
    }
    if (cost > 0) {
        json_put_member_nanos(out, "cost", cost);
    }
}

void
usage_put_members(struct buf *out, const struct usage *u)
{
    json_put_member_i64(out, "prompt_tokens", u->prompt_tokens);
    json_put_member_i64(out, "completion_tokens", u->completion_tokens);
    json_put_member_i64(out, "total_tokens", u->total_tokens);
    put_details(out, u->cached_tokens, u->reasoning_tokens, u->cost_nanos);
    if (u->estimated) {
        json_put_member_bool(out, "estimated", true);
    }
}

static void
put_day(struct buf *out, int64_t day_ms)
{
    time_t at = (time_t)(day_ms / 1000);
    char day[sizeof("-2147481748-01-01")];
    struct tm tm;

    (void)gmtime_r(&at, &tm);
    (void)strftime(day, sizeof(day), "%Y-%m-%d", &tm);
    json_put_member(out, "day", str_from(day));
}

void
usage_put_sum(struct buf *out, const struct usage_sum *sum)
{
    buf_putc(out, '{');
    put_day(out, sum->day_ms);
    json_put_member(out, "model_id", str_from(sum->model_id));
    json_put_member_i64(out, "answers", sum->answers);
    json_put_member_i64(out, "estimated", sum->estimated);
    json_put_member_i64(out, "prompt_tokens", sum->prompt_tokens);
    json_put_member_i64(out, "completion_tokens", sum->completion_tokens);
    json_put_member_i64(out, "total_tokens", sum->total_tokens);
    put_details(out, sum->cached_tokens, sum->reasoning_tokens,
                sum->cost_nanos);
    buf_putc(out, '}');
}
