/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_REVIEW_H
#define CHATBOX_STORE_REVIEW_H

#include "store/figures.h"
#include "store/usage.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What operators ask of the storage, and what is put down about them: the
 * part of a job that only these operations have.
 *
 * SESSION_BROWSE   owner or none, limit (>= 1), review (filters, order,
 *                  offset) → sessions of everybody that pass every filter,
 *                  review->total of them without limit and offset. Both are
 *                  of one moment.
 * SESSION_FIGURES  review->from_ms, to_ms, idle_ms and now_ms →
 *                  review->figures.
 * AUDIT_LIST       limit (>= 1), cursor or NULL, owner (the actor) or none,
 *                  sid or none → review->events, the newest first;
 *                  next_cursor. BAD_REQUEST: a cursor that is not ours.
 * USAGE_LIST       owner or none, review->from_ms, to_ms (both included) →
 *                  review->usage: the sums of what the owner's answers used,
 *                  or everybody's, of those with review->role or all.
 * USAGE_PUT        owner, review->entry (its user_id is the owner) is added: of
 *                  an answer that belongs to no conversation. With was_ms it
 *                  takes the place of what was put for the same answer while
 *                  it was running.
 * AUDIT_PUT        review->event is added.
 *
 * SESSION_DELETE with a review adds its event in the same transaction. Events
 * are never changed and never removed. */

/* What a list of sessions is ordered by; equal ones by their age. */
enum review_order {
    REVIEW_START,
    REVIEW_END, /* active ones have none: they come before any */
    REVIEW_MESSAGES,
    REVIEW_TOKENS,
    REVIEW_USER,
    REVIEW_DURATION,
    REVIEW_ACTIVITY
};

enum review_choice { REVIEW_ANY, REVIEW_NO, REVIEW_YES };

/* Words of an event's action. */
#define REVIEW_TRANSCRIPT_READ "transcript_read"
#define REVIEW_DELETE "delete"
#define REVIEW_EXPORT "export"
#define REVIEW_RELOAD "reload"
#define REVIEW_ERASE "erase"

/* Who did what to which session. Strings are owned; sid is empty when it is
 * about none. */
struct review_event {
    int64_t at_ms;
    char *actor;
    char *action;
    char *sid;    /* or NULL */
    char *detail; /* one sentence or less; never content */
};

struct review {
    /* in: BROWSE */
    enum review_choice active; /* has not ended */
    enum review_choice assisted;
    enum review_choice help;
    enum review_order order;
    bool ascending;
    size_t offset;
    /* in: BROWSE, of the start; FIGURES, of the life; USAGE_LIST, of the
     * answers: both included */
    int64_t from_ms;
    int64_t to_ms;
    /* in: FIGURES; a session without an end lives so long behind its last
     * activity, but not beyond now */
    int64_t idle_ms;
    int64_t now_ms;
    /* in: AUDIT_PUT, DELETE */
    struct review_event event;
    /* in: USAGE_LIST; whose shared budget the answers count towards, or NULL */
    char *role;
    /* in: USAGE_PUT; its strings are the review's */
    struct usage_entry entry;

    /* out */
    int64_t total;               /* BROWSE */
    struct figures figures;      /* FIGURES */
    struct review_event *events; /* AUDIT_LIST */
    size_t event_count;
    struct usage_list usage; /* USAGE_LIST */
};

/* One that nothing is filtered by. Gives. */
struct review *review_new(void);

/* NULL is fine. */
void review_free(struct review *r);

#endif
