/* SPDX-License-Identifier: MIT */
/* The operators' queries. What is absent filters nothing; what is there must
 * mean something. */
#include "gate/filter.h"

#include "base/xalloc.h"
#include "gate/input.h"
#include "gate/reply.h"
#include "store/store.h"

#define USER_BYTES 255
#define DAY_MS (24 * INT64_C(3600000))

/* In the order of enum review_order. */
static const char *const orders[] = {
    "start_time", "end_time", "message_count", "total_tokens",
    "user_id",    "duration", "last_activity", NULL};

static const char *const directions[] = {"asc", "desc", NULL};
static const char *const statuses[] = {"ended", "active", NULL};
static const char *const flags[] = {"false", "true", "0", "1", NULL};

bool
filter_page(struct request *r, uint64_t limit_default, struct store_job *job)
{
    uint64_t limit = limit_default, offset = 0;
    bool ok = input_number(r, "limit", 1, FILTER_SESSIONS_MAX, &limit) &&
              input_number(r, "offset", 0, INT64_MAX, &offset);

    job->limit = limit;
    job->review->offset = offset;
    return ok;
}

/* words: no, yes, no, yes … */
static bool
take_choice(struct request *r, const char *name, const char *const *words,
            enum review_choice *out)
{
    size_t i = SIZE_MAX;
    bool ok = input_word(r, name, words, &i);

    if (ok && i != SIZE_MAX) {
        *out = i % 2 == 0 ? REVIEW_NO : REVIEW_YES;
    }
    return ok;
}

static bool
take_order(struct request *r, struct review *review)
{
    size_t order = REVIEW_START, direction = 1;
    bool ok = input_word(r, "sort_by", orders, &order) &&
              input_word(r, "sort_order", directions, &direction);

    review->order = (enum review_order)order;
    review->ascending = direction == 0;
    return ok;
}

/* Two names each; when both are given both hold. */
static bool
take_times(struct request *r, struct review *review)
{
    int64_t from[2] = {0, 0}, to[2] = {INT64_MAX, INT64_MAX};
    bool ok = input_time(r, "start_time_from", false, &from[0]) &&
              input_time(r, "start_time", false, &from[1]) &&
              input_time(r, "start_time_to", true, &to[0]) &&
              input_time(r, "end_time", true, &to[1]);

    review->from_ms = from[0] > from[1] ? from[0] : from[1];
    review->to_ms = to[0] < to[1] ? to[0] : to[1];
    return ok;
}

bool
filter_sessions(struct request *r, struct store_job *job)
{
    struct review *review = job->review;

    return input_line(r, "user_id", USER_BYTES, &job->user_id) &&
           take_choice(r, "status", statuses, &review->active) &&
           take_choice(r, "admin_assisted", flags, &review->assisted) &&
           take_choice(r, "help_requested", flags, &review->help) &&
           take_times(r, review) && take_order(r, review);
}

bool
filter_range(struct request *r, int64_t now_ms, int64_t *from_ms,
             int64_t *to_ms)
{
    int64_t from = INT64_MIN, to = now_ms;

    if (!input_time(r, "start_time", false, &from) ||
        !input_time(r, "end_time", true, &to)) {
        return false;
    }
    from = from == INT64_MIN ? to - DAY_MS : from;
    if (to < from) {
        reply_error_text(r, ERR_BAD_REQUEST, "end_time",
                         "The end lies before the start.");
        return false;
    }
    *from_ms = from;
    *to_ms = to;
    return true;
}
