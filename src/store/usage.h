/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_USAGE_H
#define CHATBOX_STORE_USAGE_H

#include "base/buf.h"
#include "base/rand.h"
#include "store/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What answers have used, apart from the conversations: one entry an answer
 * that has a usage, put down with its end, exactly once. A conversation that is
 * deleted leaves its entries (what was used stays used); a user who is erased
 * takes them along. docs/decisions/0039 says why it is so. */
struct usage_entry {
    char id[RAND_ID_CHARS + 1]; /* the answer's */
    char *user_id;
    char *model_id; /* or NULL */
    int64_t at_ms;  /* the answer's end, wall clock */
    struct usage usage;
    char *budget_roles; /* as in message_record */
    int64_t was_ms;     /* USAGE_PUT: the at_ms of the entry of the same id that
                           was put before, of which this takes the place; 0 */
};

/* The answer's, in its session. Borrows the strings of both: nothing is to be
 * freed. */
struct usage_entry usage_entry_of(const struct session_record *s,
                                  const struct message_record *m);

/* Of a running answer, which has a usage from its first piece on: what was
 * counted with a later one. */
void usage_so_far(struct usage *u, int64_t completion_tokens, int64_t cost);

/* Whether budget_roles (NULL is fine) names the role. */
bool usage_has_role(const char *budget_roles, const char *role);

#define USAGE_DAY_MS ((int64_t)24 * 60 * 60 * 1000)

/* Of one day of UTC and one model. */
struct usage_sum {
    int64_t day_ms; /* its begin */
    char *model_id; /* "" for none */
    int64_t answers;
    int64_t estimated; /* of them were counted by us */
    int64_t prompt_tokens;
    int64_t completion_tokens;
    int64_t total_tokens;
    int64_t cached_tokens;
    int64_t reasoning_tokens;
    int64_t cost_nanos;
};

/* By day, within a day by the first answer of each model. */
struct usage_list {
    struct usage_sum *sums;
    size_t count;
};

/* Answers come by their time. model_id may be NULL. Borrows. */
void usage_list_add(struct usage_list *l, int64_t at_ms, const char *model_id,
                    const struct usage *u);

void usage_list_fini(struct usage_list *l); /* and zeroes */

/* As people read it, the one form for frames, pages and exports: the members
 * of a usage, and an element of a list of sums ("day" is a date of UTC). */
void usage_put_members(struct buf *out, const struct usage *u);
void usage_put_sum(struct buf *out, const struct usage_sum *sum);

#endif
