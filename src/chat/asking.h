/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CHAT_ASKING_H
#define CHATBOX_CHAT_ASKING_H

#include "base/log.h"
#include "chat/handover.h"
#include "chat/upstream.h"

/* One answer is asked for: of the model that was chosen, or of its fallbacks,
 * each again where that may help, until one speaks or nobody is left
 * (decision 0041). What a turn of a conversation and a request at the OpenAI
 * door have in common: order, breakers, waits, deadline, log lines, figures. A
 * member of its owner; the shard's thread alone. */
struct asking_events {
    /* Somebody is asked, perhaps once more: what was said so far is void, but
     * for what on_break took. Fills what the model of asking->provider sees,
     * borrowed during the call that asks; conversation only if asking->afresh
     * is false. When two are asked at once (llm.hedge_after), also for the one
     * that was asked before, as it has spoken or is alone again: what comes is
     * its, and nothing is asked. */
    void (*on_ask)(void *cookie, struct provider_turn *prompt);
    /* As of upstream_events. */
    void (*on_text)(void *cookie, struct str text);
    void (*on_call)(void *cookie, unsigned at,
                    const struct provider_call *call); /* or NULL */
    void (*on_usage)(void *cookie, const struct usage *usage);
    void (*on_finish)(void *cookie, enum provider_finish reason);
    void (*on_conversation)(void *cookie, struct str id);
    void (*on_raw)(void *cookie, const struct provider_raw *raw); /* or NULL */
    /* Who has spoken failed, and another one goes on with the answer: on_ask
     * comes next, soon. Only with continue_on_failure. NULL: never. */
    void (*on_break)(void *cookie, const struct upstream_failure *why);
    /* The last one: the answer is complete, or nobody else can be asked. Never
     * inside a function of this header. */
    void (*on_end)(void *cookie, const struct upstream_failure *why);
};

struct asking {
    struct terms *terms; /* held; provider and chosen are theirs */
    const struct asking_events *events;
    void *cookie;
    struct log_field who[2];   /* names its log lines; borrowed for its life */
    struct upstream *upstream; /* NULL while none is open */
    struct upstream *rival;    /* asked beside it; NULL: nobody */
    struct handover *handover; /* pictures on their way before; NULL: none */
    struct buf opening; /* while a race is on: events that come before the
                           first word, as they are to be told */
    struct buf rivals_opening; /* likewise, the rival's */
    struct timer again;        /* when the next one is asked */
    struct timer hedge;        /* when one is asked beside it */
    struct timer deadline;     /* llm.stream_timeout */
    uint64_t begun_ms;
    size_t bytes;       /* of text that has come */
    bool spoken;        /* provider has said something: nobody else is asked,
                           unless to go on with it */
    bool relays_only;   /* those that do not relay (provider.h) are not asked */
    bool pictures;      /* nor those that do neither that nor see */
    bool calls;         /* nor those that take no tools (ops->calls) */
    bool alone;         /* no fallbacks: another's answer is of no use */
    unsigned attempts;  /* requests to provider so far */
    uint16_t chosen;    /* the provider that was asked for */
    uint16_t provider;  /* that one, or one of its fallbacks */
    uint16_t fallbacks; /* of chosen's, that were turned to so far */
    uint16_t rivals;    /* of chosen's, up to which they were asked beside */
    bool resumed;       /* asked in a conversation that was there */
    bool afresh;        /* its conversation was not there any more */
};

/* Takes one reference to terms; fini gives it back, after cancel. events and
 * who are borrowed. */
void asking_init(struct asking *a, struct terms *terms, uint16_t chosen,
                 const struct asking_events *events, void *cookie);
void asking_fini(struct asking *a);

/* The deadline runs from here. */
void asking_begin(struct asking *a);

/* Asks; after asking_begin, once. */
void asking_send(struct asking *a);

/* Whether who was asked for, or one that may be asked instead, is given the
 * bytes of pictures. */
bool asking_sees(const struct asking *a);

/* Whether on_break may still come. */
bool asking_may_break(const struct asking *a);

/* Closes what is open; no callback any more, also from inside one. */
void asking_cancel(struct asking *a);

static inline const struct provider_config *
asking_provider(const struct asking *a)
{
    return &a->terms->settings->providers[a->provider];
}

#endif
