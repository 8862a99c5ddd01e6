/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CHAT_TERMS_H
#define CHATBOX_CHAT_TERMS_H

#include "chat/bill.h"
#include "chat/chat.h"

/* The settings as one shard knows them, with where each provider's figures
 * are counted. A reload puts new terms in the place of the old; what has
 * begun (a turn, its history, a request to a provider) ends on the terms it
 * began with, so an index of a provider means what it meant. Counted without
 * atomics: the shard's thread alone. */

/* Where a provider's figures are counted. */
struct provider_slots {
    unsigned requests;
    unsigned latency;
    unsigned errors;
    unsigned retries;
    unsigned fallbacks;
    unsigned continued;
    unsigned hedges;
    unsigned breaker;
    unsigned bad_events;
    unsigned stops;
    unsigned stop_failures;
    unsigned tokens;
    unsigned kinds[BILL_KINDS]; /* of tokens */
    unsigned estimated;
    unsigned cost;
};

struct terms {
    struct chat *chat;
    struct chat_settings *settings; /* one reference */
    uint32_t refs;
    struct provider_slots slots[]; /* of each provider */
};

/* Takes one reference to settings. Gives one to the terms. */
struct terms *terms_new(struct chat *c, struct chat_settings *settings);

/* Milliseconds until somebody is asked once more who has been so often:
 * doubling from retry_delay to retry_max_delay, less up to half of it so that
 * many do not ask again at the same moment; what the other one itself asks for
 * (-1: nothing) is kept. */
uint64_t terms_retry_ms(const struct terms *t, unsigned attempts,
                        int64_t retry_after_ms);

struct terms *terms_hold(struct terms *t); /* gives another one */
void terms_release(struct terms *t);       /* NULL is fine */

#endif
