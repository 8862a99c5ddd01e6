/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_NOTIFY_CHANNEL_H
#define CHATBOX_NOTIFY_CHANNEL_H

#include "net/fetch.h"
#include "notify/notice.h"

/* The time limits of a try, in milliseconds: to connect, for the next bytes of
 * the answer, and in all. */
#define CHANNEL_CONNECT_MS 5000
#define CHANNEL_ANSWER_MS 10000
#define CHANNEL_TOTAL_MS 20000

/* One try to tell one recipient. */
struct channel_try {
    struct shard *shard;
    const struct notify_settings *settings;
    const struct notice *notice;
    size_t recipient; /* < recipients(settings) */
};

/* A way to tell operators. To add one: a file with a const struct channel, and
 * its row in notify.c. */
struct channel {
    const char *word; /* in the log and the metrics */

    /* How many are told by it; 0: it is not configured. */
    size_t (*recipients)(const struct notify_settings *settings);

    /* Sends; the head's status tells whether it is delivered (fetch.h).
     * Borrows the try during the call. */
    struct fetch *(*start)(const struct channel_try *attempt,
                           const struct fetch_events *events, void *cookie);
};

#endif
