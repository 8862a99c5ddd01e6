/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CHAT_HANDOVER_H
#define CHATBOX_CHAT_HANDOVER_H

#include "base/log.h"
#include "chat/upstream.h"

/* The pictures of one question, handed over to a provider that wants them
 * before it is asked (provider.h, put_file): all at once, each by a request of
 * its own. One that the provider does not take is left out; when it cannot be
 * reached, has too much to do or does not know us, nothing is to be asked of it
 * either. The shard's thread. */
struct handover;

/* Pictures of one question; what is more is left out. */
#define HANDOVER_MAX 8

struct handover_events {
    /* All that are taken have names: handover_names. */
    void (*on_done)(void *cookie);
    /* As of upstream_events. */
    void (*on_failed)(void *cookie, const struct upstream_failure *why);
};

/* The prompt is borrowed during the call that starts, who for the handover's
 * life. */
struct handover_ask {
    struct terms *terms;
    unsigned provider; /* an index of the terms' settings */
    const struct provider_turn *prompt;
    const struct log_field *who; /* two, for log lines */
};

/* NULL: nothing of this prompt has to be handed over. Borrows the events for
 * its life; holds the terms. */
struct handover *handover_start(const struct handover_ask *ask,
                                const struct handover_events *events,
                                void *cookie);

/* Into the prompt; borrowed from h. After on_done. */
void handover_names(const struct handover *h, struct provider_turn *prompt);

/* No callback any more, also from inside one. NULL is fine. */
void handover_free(struct handover *h);

#endif
