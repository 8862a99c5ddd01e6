/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_STANDBY_STATE_H
#define CHATBOX_GATE_STANDBY_STATE_H

#include "base/list.h"
#include "gate/standby.h"

#include <stdint.h>

/* What a standby holds, private to standby.c and caller.c; its shard's thread
 * alone. */
struct standby {
    struct shard *shard;
    const struct gate_settings *settings;
    struct list callers;            /* struct caller */
    struct sockaddr_storage holder; /* AF_UNSPEC: nobody knows one */
    uint64_t silent_until_ms;       /* no second line in the log before */
    uint64_t untold;                /* failures since the last line */
    bool ready;
    bool draining;
    bool emptying; /* on_empty waits for the last connection */
    void (*on_empty)(void *cookie);
    void *on_empty_cookie;
};

static inline bool
standby_has_holder(const struct standby *standby)
{
    return standby->holder.ss_family != AF_UNSPEC;
}

/* A connection could not be passed on, or not to its end: counts it, and logs
 * one line a second at most. reason: a label of the metric; why: in words. */
void standby_failed(struct standby *standby, const char *reason,
                    const char *why);

/* To be called when a connection has ended. */
void standby_check_empty(struct standby *standby);

#endif
