/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_GATE_STATE_H
#define CHATBOX_GATE_GATE_STATE_H

#include "base/list.h"
#include "codec/ws.h"
#include "gate/gate.h"
#include "gate/keys.h"
#include "guard/limit.h"
#include "loop/timer.h"

/* What a gate holds, private to this room; its shard's thread alone. */
struct gate {
    struct shard *shard;
    const struct gate_settings *settings;
    struct gate_policy *policy; /* one reference */
    struct keys *keys;          /* keys.c's; NULL: the configured key */
    struct token_known *known;  /* keys.c's */
    struct list https;          /* struct http */
    struct list requests;       /* struct request, also those nobody awaits */
    struct list sockets;        /* struct socket */
    struct limit *user_limit;   /* user HTTP, by user */
    struct limit *admin_limit;  /* admin HTTP, by user */
    struct replays *replays;    /* openai_replay.h */
    struct ws_rules ws_rules;
    struct timer purge;
    bool draining; /* no keep-alive any more */
    bool emptying; /* on_empty waits for the last connection */
    void (*on_empty)(void *cookie);
    void *on_empty_cookie;
};

/* To be called whenever a connection of the gate has ended. */
void gate_check_empty(struct gate *g);

#endif
