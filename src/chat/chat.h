/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CHAT_CHAT_H
#define CHATBOX_CHAT_CHAT_H

#include "base/err.h"
#include "base/str.h"
#include "chat/outlet.h"
#include "provider/provider.h"
#include "provider/transcription.h"
#include "store/store.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The room's door: everything of the users that one shard owns. Outlets come
 * and go, frames go in, and turns run until they end, whoever is listening.
 * One per shard; every function here runs on that shard's thread. */
struct budget_row;
struct chat;
struct shard;
struct upload;

/* Sessions in memory of all shards: the one number that they share, as
 * session.warn_count is the process's. */
struct chat_population {
    atomic_size_t sessions;
    atomic_bool warned; /* about that number, until it has fallen again */
};

/* Immutable; shared by all shards. A reload makes new ones and sends them to
 * every chat by letter; these live until the last turn that began on them has
 * ended. */
struct chat_settings {
    atomic_int refs; /* one for each chat_init and chat_set_settings */
    void (*destroy)(struct chat_settings *); /* at the last unref; may be
                                                NULL, any thread */
    struct chat_population *population;      /* outlives them */
    size_t max_content_chars;
    uint64_t reconnect_timeout_ms;
    uint64_t session_ttl_ms;
    uint64_t cleanup_interval_ms;
    size_t warn_count;
    bool one_connection; /* session.connections = one */
    size_t resume_max_events;
    uint64_t message_limit; /* GCRA, per user */
    uint64_t message_window_ms;
    size_t limit_max_keys;
    uint64_t limit_cleanup_interval_ms;
    const struct upload *upload; /* a file_url with its prefix is ours */

    const struct provider_config *providers; /* in configuration order */
    size_t provider_count;                   /* >= 1 */
    size_t default_provider;
    const char *system_prompt; /* "" when there is none */
    uint64_t context_tokens;
    uint64_t stream_timeout_ms;
    uint64_t hedge_after_ms; /* 0: never */
    uint64_t connect_timeout_ms;
    uint64_t first_byte_timeout_ms;
    uint64_t idle_timeout_ms;
    unsigned retry_attempts; /* requests in all */
    uint64_t retry_delay_ms;
    uint64_t retry_max_delay_ms;
    size_t max_answer_bytes;
    struct transcriber transcriber;
    const struct budget_row *budgets; /* budget.h */
    size_t budget_count;
};

void chat_settings_unref(struct chat_settings *settings); /* any thread */

/* Hangs itself into shard->chat. Takes one reference to settings, borrows
 * store for its life. */
enum err chat_init(struct shard *s, struct chat_settings *settings,
                   struct store *store) MUST_CHECK;

/* Any thread: from the letter's arrival on what begins begins on these; takes
 * one reference. Limits keep what was used of them. A session whose model is
 * not there any more goes on with the default one, and is told. */
void chat_set_settings(struct shard *s, struct chat_settings *settings);

/* Those of what begins now. Borrowed until the loop turns. */
const struct chat_settings *chat_settings_of(const struct shard *s);
void chat_fini(struct shard *s);

/* What an upgrade asked for (protocol.md 2.1, 2.5). Borrowed during the call.
 */
struct attach_request {
    struct str user_id;
    struct str roles; /* the token's: names, each with a NUL behind it */
    bool admin;
    bool strict;
    bool aside;            /* outlet.h */
    struct str session_id; /* empty: not named */
    int64_t last_seq;      /* -1: not given */
    struct str epoch;      /* empty: not given */
    struct str device_id;  /* empty: not given */
    struct str owner;      /* whose session_id an operator watches, or empty */
};

/* The outlet (zeroed but for ops) joins: finds its session, sends the first
 * frame, replays, and then calls ops->hold(o, false). All of that happens
 * later than this call. The outlet stays the caller's memory until
 * chat_detach. */
void chat_attach(struct chat *c, struct outlet *o,
                 const struct attach_request *request);

/* The client is gone: no op is called after it. A running turn goes on. */
void chat_detach(struct outlet *o);

/* One text message of the client; valid UTF-8, at most ws.max_message_size.
 * Borrows. Never while the outlet is held. */
void chat_on_frame(struct outlet *o, struct str text);

/* The outlet can take more again: pending deltas follow. */
void chat_on_drain(struct outlet *o);

/* How many connections the user would have beside a new one that asks for
 * session_id (may be empty) from device_id (may be empty): one of the same
 * device and session would be replaced and does not count. */
size_t chat_user_connections(const struct chat *c, struct str user_id,
                             struct str session_id, struct str device_id);

/* How many of the user's connections on this shard such a new one would take
 * the place of. */
size_t chat_user_replaced(const struct chat *c, struct str user_id,
                          struct str session_id, struct str device_id);

/* A connection of the user is on another shard from now on (true), or no more:
 * it counts here all the same. */
void chat_user_away(struct chat *c, struct str user_id, bool begins);

/* A new token of the outlet's user says this. Borrows. */
void chat_roles_set(struct outlet *o, bool admin, struct str roles);

/* Whose session it is; empty when it is not in memory. Borrowed. */
struct str chat_session_owner(const struct chat *c, struct str session_id);

/* Whether the outlet is in somebody else's session, to watch. */
bool chat_watches(const struct outlet *o);

/* Whether the outlet is this user's. Borrows. */
bool chat_user_is(const struct outlet *o, struct str user_id);

/* How many connections a session has at this moment, operators included; 0
 * when it is not in memory. */
uint32_t chat_session_connections(const struct chat *c, struct str session_id);

/* An `error` frame that the gate has cause for (EXPIRED_TOKEN). Nothing while
 * the outlet is not live. */
void chat_tell_error(struct outlet *o, enum err e);

/* Sends every outlet that the user has on this shard a notification that one
 * more connection was refused (protocol.md 2.8). */
void chat_notify_refused(struct chat *c, struct str user_id);

/* REST calls that change a session: PUT, PATCH, DELETE. Takes the job, keeps
 * the session in memory and its outlets in step with it (session_ended, 4410),
 * and lets job->done run as the store does. job->user_id is the caller's. */
void chat_session_write(struct chat *c, struct store_job *job);

/* Index of a configured model, or -1. */
int chat_model_find(const struct chat_settings *settings, struct str model_id);

/* Shutdown. drain: no new turns start (waiting ones end with SERVICE_ERROR),
 * running ones go on; when none is left on_idle runs once. cut: running
 * answers are stored as interrupted now; on_idle runs when they are stored. */
void chat_drain(struct chat *c, void (*on_idle)(void *cookie), void *cookie);
void chat_cut(struct chat *c);

/* Turns that have not ended, the waiting ones included, and exchanges. */
size_t chat_turns(const struct chat *c);

#endif
