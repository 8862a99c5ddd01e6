/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CHAT_UPSTREAM_H
#define CHATBOX_CHAT_UPSTREAM_H

#include "chat/state.h"
#include "provider/provider.h"

/* One request to a provider, remote (a fetch) or local (paced by a timer),
 * with its bytes digested into events. Hides from the turn which it is. */
struct upstream;

enum upstream_end {
    UPSTREAM_COMPLETE, /* a finish reason was given */
    UPSTREAM_CUT,      /* the stream ended without one */
    UPSTREAM_REFUSED,  /* no answer: connection, status, error object */
    UPSTREAM_TIMEOUT,  /* one of the time limits */
    UPSTREAM_ERROR     /* an error event inside the stream */
};

struct upstream_failure {
    enum upstream_end end;
    bool retryable;         /* asking again may help */
    bool stranger;          /* the conversation is not there (provider.h) */
    int64_t retry_after_ms; /* as the provider said; -1: it did not */
    int status;             /* HTTP status, 0: none */
    struct str refusal;     /* first bytes of what came with it; only in on_end,
                               and never for a log */
    const char *word;       /* for the log: "connect_failed"; only in on_end */
};

/* Called on the shard's thread, never inside upstream_start. After on_end the
 * upstream is void. */
struct upstream_events {
    void (*on_text)(void *cookie, struct str text); /* not empty; borrowed */
    /* More of a call of a tool (provider_event.h); borrowed. NULL: nobody wants
     * to know. */
    void (*on_call)(void *cookie, unsigned at,
                    const struct provider_call *call);
    void (*on_usage)(void *cookie, const struct usage *usage);
    void (*on_finish)(void *cookie, enum provider_finish reason);
    void (*on_conversation)(void *cookie, struct str id); /* borrowed */
    /* provider.h, RAW; NULL: nobody wants to know. Borrowed. */
    void (*on_raw)(void *cookie, const struct provider_raw *raw);
    void (*on_end)(void *cookie, const struct upstream_failure *why);
};

/* Asks provider (an index of the terms' settings; holds the terms). Borrows
 * prompt during the call. */
struct upstream *upstream_start(struct terms *terms, unsigned provider,
                                const struct provider_turn *prompt,
                                const struct upstream_events *events,
                                void *cookie);

/* Closes at once; no callback after it. May be called inside one. A provider
 * that wants to be told is (upstream_stop.h), also when a time limit has ended
 * the answer. NULL is fine. */
void upstream_cancel(struct upstream *u);

/* Frees all that are left, whatever they do (chat_fini). */
void upstream_fini_all(struct chat *c);

void upstream_pause(struct upstream *u);
void upstream_resume(struct upstream *u);

#endif
