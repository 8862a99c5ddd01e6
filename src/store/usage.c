/* SPDX-License-Identifier: MIT */
/* Sums of usage, the same for every database: see usage.h. */
#include "store/usage.h"

#include "base/xalloc.h"

#include <string.h>

struct usage_entry
usage_entry_of(const struct session_record *s, const struct message_record *m)
{
    struct usage_entry e = {.user_id = s->user_id,
                            .model_id = m->model_id,
                            .at_ms = m->at_ms,
                            .usage = m->usage};

    memcpy(e.id, m->id, sizeof(e.id));
    return e;
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
