/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_PROVIDER_PROVIDER_EVENT_H
#define CHATBOX_PROVIDER_PROVIDER_EVENT_H

#include "base/err.h"
#include "base/str.h"
#include "provider/provider_tools.h"

#include <stdbool.h>
#include <stdint.h>

/* What comes back from a provider. */

enum provider_event_kind {
    PROVIDER_RAW,          /* raw: an event as it came, before what it means;
                              none of an error, none where !ops->relays */
    PROVIDER_DELTA,        /* text: more of the answer, never empty, UTF-8 */
    PROVIDER_CALL,         /* call: more of a call of a tool, number `at` */
    PROVIDER_USAGE,        /* usage: a later one replaces an earlier one */
    PROVIDER_FINISH,       /* finish: the model is done; usage may follow */
    PROVIDER_CONVERSATION, /* text: its id, before the first delta */
    PROVIDER_TASK,         /* text: the answer's id, for stop */
    PROVIDER_ERROR,    /* fault: the provider says it failed; the last one */
    PROVIDER_DONE,     /* the answer is complete; the last one. Without a
                          FINISH before it the reason is PROVIDER_STOP */
    PROVIDER_BAD_EVENT /* something malformed was skipped: count it */
};

enum provider_finish {
    PROVIDER_STOP,
    PROVIDER_LENGTH,
    PROVIDER_CONTENT_FILTER,
    PROVIDER_CALLS /* tools are called, and their results waited for */
};

/* Calls of one answer; what is more is dropped. */
#define PROVIDER_CALLS_MAX 128

struct provider_usage {
    int64_t prompt_tokens;
    int64_t completion_tokens;
    int64_t total_tokens;
    int64_t cached_tokens;    /* of the prompt's: it had read them before */
    int64_t reasoning_tokens; /* of the completion's: not shown */
};

/* As the provider sent it. Borrowed during the call. */
struct provider_raw {
    struct str json;         /* one value, UTF-8, perhaps over several lines */
    bool whole;              /* the whole answer, not an event of a stream */
    bool speaks;             /* there is something of the answer in it */
    bool counts_only;        /* usage, and no choice */
    uint64_t aside_quarters; /* of tokens, by estimate_quarters: what it has of
                                the answer that no other event tells of */
};

#define PROVIDER_CODE_MAX 64

/* Characters of the longest id of a conversation or a task. */
#define PROVIDER_ID_MAX 64

/* Why a provider failed. Its own sentence is not kept: it may quote the key or
 * the conversation. */
struct provider_fault {
    enum err err;   /* ERR_LLM_UNAVAILABLE */
    bool retryable; /* asking again may help */
    bool stranger;  /* turn.conversation is not there: asking without helps */
    char code[PROVIDER_CODE_MAX + 1]; /* its word for it, or ""; safe to log */
};

struct provider_event {
    enum provider_event_kind kind;
    enum provider_finish finish; /* of FINISH */
    struct str
        text; /* of DELTA, CONVERSATION, TASK; borrowed during the call */
    struct provider_raw raw;            /* of RAW */
    struct provider_call call;          /* of CALL; borrowed likewise */
    unsigned at;                        /* of CALL: from 0, < CALLS_MAX */
    struct provider_usage usage;        /* of USAGE */
    const struct provider_fault *fault; /* of ERROR; borrowed likewise */
};

/* Where events go. on_event runs inside digest, end; it must not close the
 * state it is called from. */
struct provider_sink {
    void (*on_event)(void *cookie, const struct provider_event *event);
    void *cookie;
};

#endif
