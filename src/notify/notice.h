/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_NOTIFY_NOTICE_H
#define CHATBOX_NOTIFY_NOTICE_H

#include "base/rand.h"
#include "notify/notify.h"

/* One event as it is told: shared by its deliveries, immutable, counted
 * without atomics (one shard's thread alone). */
struct notice {
    unsigned refs;
    enum notify_kind kind;
    int64_t at_ms; /* since 1970 */
    char id[RAND_ID_CHARS + 1];
    char *session_id; /* "" for none, as the two that follow */
    char *user_id;
    struct {
        const char *name; /* NULL: there is none */
        char *value;
    } details[NOTIFY_DETAILS_MAX];
};

/* Copies the event; the time is now. Gives one reference. */
struct notice *notice_new(const struct notify_event *event);
struct notice *notice_hold(struct notice *n); /* gives another one */
void notice_release(struct notice *n);

/* Of event.def. */
const char *notice_word(enum notify_kind kind);
const char *notice_sentence(enum notify_kind kind);

#endif
