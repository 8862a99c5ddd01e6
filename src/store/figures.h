/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_FIGURES_H
#define CHATBOX_STORE_FIGURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The figures of a stretch of time, summed over the sessions that lived in it.
 * A session lives from its start to its end or, while it has none, until it
 * has been idle for a while (review.h), both moments included. */
struct figures {
    int64_t total;       /* sessions */
    int64_t active;      /* of them not ended */
    int64_t assisted;    /* of them an operator's hands have been on */
    int64_t tokens;      /* sum */
    int64_t max_ms;      /* the longest answer */
    double avg_ms;       /* over the answers that the sessions remember */
    double avg_at_once;  /* sessions, over the time between the bounds */
    int64_t max_at_once; /* sessions */
};

struct figures_session {
    int64_t start_ms;
    int64_t until_ms;
    bool active;
    bool assisted;
    int64_t tokens;
    int64_t max_ms;
    double avg_ms;
    int64_t answers; /* that avg_ms is over */
};

/* The summing itself. Its memory is that of as many numbers as there are
 * sessions at once, not of all. */
struct figures_sum {
    struct figures figures;
    int64_t from_ms;
    int64_t to_ms;
    int64_t answers;
    double answers_ms;
    double lived_ms;
    int64_t *ends; /* of the sessions alive: a heap, the earliest first */
    size_t alive;
    size_t room;
};

/* Both bounds are included; from_ms <= to_ms. */
void figures_begin(struct figures_sum *sum, int64_t from_ms, int64_t to_ms);

/* In the order of start_ms. Those that lived outside the bounds count
 * nothing. */
void figures_add(struct figures_sum *sum, const struct figures_session *s);

/* The result; frees what the sum holds. */
struct figures figures_end(struct figures_sum *sum);

#endif
