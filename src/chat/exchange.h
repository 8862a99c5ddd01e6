/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CHAT_EXCHANGE_H
#define CHATBOX_CHAT_EXCHANGE_H

#include "chat/chat.h"
#include "provider/provider.h"
#include "store/record.h"

#include <stdbool.h>
#include <stdint.h>

/* A question of no conversation and its answer: what the OpenAI door asks. It
 * is asked as a turn's is (asking.h): the same fallbacks, breakers, limits of
 * time, figures, budgets. Nothing of it is stored but its usage entry: of a
 * user under a budget each second, at its end in any case. The shard of the
 * user alone. */
struct exchange;

struct exchange_end {
    bool complete;
    bool timeout;                /* of the failures: one of the time limits */
    enum provider_finish finish; /* complete: why it ended */
    struct usage usage;          /* of what has come, present in any case */
    enum err refused;            /* ERR_OK, or a budget did not allow (more of)
                                    it: as budget_verdict says */
    int status;                  /* the provider's HTTP status; 0: none */
    struct str refusal;          /* first bytes of what came with a bad one, of
                                    providers that relay or take tools; never
                                    our key */
    int64_t retry_after_ms;      /* -1: not said */
};

/* Called on the shard's thread, never inside exchange_start. */
struct exchange_events {
    /* A provider is asked, perhaps not the first one: what was said so far is
     * void. Fills what it is to see, borrowed during the call that asks. */
    void (*on_ask)(void *cookie, const struct provider_config *provider,
                   struct provider_turn *out);
    /* An event as the provider sent it, if it relays; then what it means. */
    void (*on_raw)(void *cookie, const struct provider_raw *raw);
    /* Whoever spoke failed, and another one goes on: on_ask comes next, but
     * what was said stays, and there are no on_raw any more. Only with
     * request.goes_on. */
    void (*on_break)(void *cookie);
    void (*on_text)(void *cookie, struct str text);
    void (*on_call)(void *cookie, unsigned at,
                    const struct provider_call *call);
    /* The last one; the exchange is void then. */
    void (*on_end)(void *cookie, const struct exchange_end *end);
};

/* Borrowed during exchange_start. */
struct exchange_request {
    struct str id; /* of the HTTP request, for the log */
    struct str user_id;
    struct str roles; /* the token's (budget.h) */
    unsigned model;   /* an index of chat_settings_of */
    bool pictures;    /* who does not see is of no use */
    bool relays_only; /* others than those that relay are of no use */
    bool calls;       /* nor are those that take no tools */
    bool embeds;      /* embeddings, of this model alone */
    bool goes_on; /* it is mere text: whoever breaks it off may be followed by
                     another one, if its model is to be so (continue_on_failure)
                   */
    uint64_t prompt_tokens; /* by estimate */
};

/* Borrows events (static). */
struct exchange *exchange_start(struct chat *c,
                                const struct exchange_request *request,
                                const struct exchange_events *events,
                                void *cookie);

/* Nobody waits for it any more: closes what is open, calls nobody. Counts what
 * has come. */
void exchange_cancel(struct exchange *x);

/* Shutdown: all that are left fail now. */
void exchange_cut_all(struct chat *c);

/* Whether on_break may come. */
bool exchange_goes_on(const struct exchange *x);

/* The client cannot take more now; it can again. */
void exchange_pause(struct exchange *x);
void exchange_resume(struct exchange *x);

#endif
