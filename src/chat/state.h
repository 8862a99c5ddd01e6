/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CHAT_STATE_H
#define CHATBOX_CHAT_STATE_H

#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "chat/budget.h"
#include "chat/chat.h"
#include "chat/recall.h"
#include "chat/terms.h"
#include "guard/limit.h"
#include "loop/timer.h"
#include "store/record.h"

/* What one shard holds in memory, private to this room. All of it is touched
 * by the shard's thread alone. */

struct chat {
    struct shard *shard;
    struct terms *terms;                  /* of what begins now */
    const struct chat_settings *settings; /* terms->settings */
    struct store *store;
    struct map users;       /* struct user by id */
    struct map sessions;    /* struct session by id */
    struct list idle;       /* sessions nobody uses, longest idle first */
    struct list dirty;      /* sessions whose running answer has news */
    struct limit *messages; /* per user */
    struct limit *help;     /* per session */
    struct list upstreams;  /* all requests that are not freed */
    struct list exchanges;  /* struct exchange, all that have not ended */
    struct list stops;      /* all requests to stop one (upstream_stop.h) */
    struct list voices;     /* recordings that are transcribed (voice.h) */
    struct recalls recalls; /* of all sessions */
    struct budgets *budgets;
    struct buf frame;   /* scratch for one outgoing frame */
    struct timer sweep; /* idle sessions */
    struct timer purge; /* limiters */
    size_t turns;       /* exchanges, voices: what a drain waits for */
    bool draining;
    bool over; /* chat_fini: nothing is sent any more */
    void (*on_idle)(void *cookie);
    void *on_idle_cookie;
};

/* A turn or an exchange begins and has ended; whoever drains hears of the last
 * one. */
void chat_turn_begun(struct chat *c);
void chat_turn_over(struct chat *c);

/* A user exists while it has outlets or sessions in memory. */
struct user {
    struct map_node node;
    struct chat *chat;
    struct list sessions;
    struct list outlets;  /* all of it on this shard, also in other sessions */
    struct list arrivals; /* those of them that look for their session */
    uint32_t connections; /* outlets that are ATTACHING or LIVE */
    uint32_t holds;       /* outlets (GONE ones too) and lookups under way */
    uint16_t id_n;
    char id[];
};

/* A session is in memory while it has outlets, turns or jobs, and for
 * session_ttl after. Invariants: `running` is in `turns` or NULL;
 * in chat->idle iff outlets and turns are empty and jobs is 0; in chat->dirty
 * only while running. */
struct session {
    struct map_node node;
    struct list in_user;
    struct list idle;
    struct list dirty;
    struct list outlets;
    struct list turns;
    struct user *user;
    struct turn *running;
    int64_t seq;     /* of the last stored event */
    int64_t last_ms; /* wall clock, last activity */
    uint64_t idle_since_ms;
    struct recall recall; /* empty where reading is cheap */
    char *admin_name;     /* NULL: not assisted */
    uint32_t jobs;        /* store jobs that will call back */
    uint16_t model;       /* index into settings->providers */
    bool stored;          /* the store has it */
    bool ended;
    bool archived;
    bool gone; /* deleted: nothing is sent or stored any more */
    bool help_requested;
    bool admin_assisted;
    char id[RAND_ID_CHARS + 1];
    char epoch[RECORD_EPOCH_CHARS + 1];
};

static inline struct str
session_id(const struct session *s)
{
    return (struct str){s->id, RAND_ID_CHARS};
}

static inline struct str
user_id(const struct user *u)
{
    return (struct str){u->id, u->id_n};
}

static inline const struct provider_config *
session_provider(const struct session *s)
{
    return &s->user->chat->settings->providers[s->model];
}

#endif
