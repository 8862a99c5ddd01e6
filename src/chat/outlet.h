/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CHAT_OUTLET_H
#define CHATBOX_CHAT_OUTLET_H

#include "base/err.h"
#include "base/list.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The only thing that chat knows of a client: something that takes whole JSON
 * frames. The gate's WebSocket connection contains one; a test's recorder is
 * another. It lives on the shard of its user. */
struct errand;
struct outlet;
struct provider_config;
struct provider_turn;
struct session;
struct user;

/* An outlet with more than this in its queue gets no deltas until it has sent
 * some of it: then one longer delta, never a hole. What net calls a connection
 * above its high water. */
#define OUTLET_FULL_BYTES ((size_t)64 * 1024)

struct outlet_ops {
    /* Queues one text frame; borrows. When the client cannot take more the
     * outlet closes itself (4408) and drops this and what follows. */
    void (*send)(struct outlet *o, struct str frame);
    /* Bytes queued and not yet sent. */
    size_t (*queued)(const struct outlet *o);
    /* Starts the closing handshake. The owner answers with chat_detach, not
     * before this call has returned. */
    void (*close)(struct outlet *o, int code, const char *reason);
    /* Checks and takes a new token of the same user; borrows. OK, or what the
     * client is told: INVALID_TOKEN, EXPIRED_TOKEN, INSUFFICIENT_PERMISSIONS,
     * SERVICE_UNAVAILABLE; or AGAIN: the outlet will deliver the frame once
     * more, and none of the client before it. */
    enum err (*auth)(struct outlet *o, struct str token);
    /* Stops (true) or goes on (false) delivering the client's frames to
     * chat_on_frame; what is delivered again comes later than this call. An
     * outlet begins stopped; chat starts it when the first frame has been
     * sent, and stops it while the store has a frame of it: so the answers to
     * a connection's frames come in the order of the frames. */
    void (*hold)(struct outlet *o, bool stopped);
    /* What the model sees of the outlet's question instead of the session's
     * history: fills out, borrowed during the call that asks, and returns its
     * estimated tokens. NULL: the history. Not for models that keep the log. */
    uint64_t (*prompt)(struct outlet *o, const struct provider_config *provider,
                       struct provider_turn *out);
};

enum outlet_state {
    OUTLET_ATTACHING, /* chat looks for its session; no frames either way */
    OUTLET_LIVE,      /* in session->outlets, receives everything */
    OUTLET_GONE       /* refused or replaced: waiting for chat_detach */
};

struct outlet {
    const struct outlet_ops *ops; /* static */
    /* Everything below is private to chat. */
    struct list link;    /* session->outlets when LIVE, user->arrivals before */
    struct list in_user; /* user->outlets, until chat_detach */
    struct user *user;
    struct session *session; /* NULL while ATTACHING */
    char *device_id;         /* NULL: none given */
    char *roles;             /* of its token, each with a NUL; or NULL */
    struct attach *attach;   /* what it asked for, while ATTACHING */
    struct errand *errand;   /* the frame of it that the store has, or NULL */
    uint32_t sent;           /* bytes of the running answer already queued */
    uint32_t chunk;          /* of the next ai_response of that answer */
    uint16_t roles_n;        /* bytes of roles */
    uint8_t state;           /* enum outlet_state */
    uint8_t asked;           /* its turns that have not ended; at most 4 */
    bool admin;
    bool aside; /* of one question: counts as no connection, and takes the
                   place of none */
};

#endif
