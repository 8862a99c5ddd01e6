/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_PROVIDER_PROVIDER_H
#define CHATBOX_PROVIDER_PROVIDER_H

#include "base/buf.h"
#include "base/err.h"
#include "provider/provider_request.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What every provider promises. A provider builds a request and digests the
 * bytes that come back into events; it never sends, never waits, knows no
 * clock. A local provider has no network at all: it is asked for its next
 * event, and says when it wants to be asked again. Pure; any thread, but one
 * answer belongs to one thread. */
struct provider_ops;
struct breaker;

/* Immutable, from the settings; strings are never NULL. */
struct provider_config {
    const struct provider_ops *ops; /* by registry_find */
    const char *id;
    const char *name;
    const char *endpoint; /* base URL; "" when local */
    const char *api_key;  /* "" for none */
    const char *model;
    const char *temperature; /* a JSON number; "" for none */
    int64_t max_tokens;      /* 0 for none */
    const char *extra_body;  /* a JSON object, see params.h; "" for none */
    struct breaker *breaker; /* outlives this; NULL: always asked */

    /* Which of all configured ones are asked instead when this one fails, in
     * order; indices. */
    const size_t *fallback;
    size_t fallback_count;
};

enum provider_role { PROVIDER_USER, PROVIDER_ASSISTANT };

struct provider_message {
    enum provider_role role;
    struct str content; /* UTF-8 */
};

/* What the model sees. Borrowed during build or begin. */
struct provider_turn {
    struct str system_prompt;                /* empty: none */
    const struct provider_message *messages; /* oldest first; >= 1, the last
                                                 one is the question */
    size_t count;
    /* For providers that keep the log themselves (keeps_log); others pass them
     * over. */
    struct str user;         /* what our user is called there */
    struct str conversation; /* empty: a new one begins; else messages are only
                                what is not in it yet */
};

/* --- what comes back ---------------------------------------------------- */

enum provider_event_kind {
    PROVIDER_DELTA,        /* text: more of the answer, never empty, UTF-8 */
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
    PROVIDER_CONTENT_FILTER
};

struct provider_usage {
    int64_t prompt_tokens;
    int64_t completion_tokens;
    int64_t total_tokens;
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
    struct provider_usage usage;        /* of USAGE */
    const struct provider_fault *fault; /* of ERROR; borrowed likewise */
};

/* Where events go. on_event runs inside digest, end; it must not close the
 * state it is called from. */
struct provider_sink {
    void (*on_event)(void *cookie, const struct provider_event *event);
    void *cookie;
};

/* --- the contract -------------------------------------------------------- */

/* Either build, open, digest, end, close, fault (network; stop when there is
 * something to it) or begin, next, close
 * (local: build == NULL). */
struct provider_ops {
    const char *type; /* the word in the settings */

    /* The members of a request's body that build fills in, one space between
     * them: extra_body must not have them. NULL: there is no body. */
    const char *own_members;

    /* Fills r (initialised by the caller) and seals it. ERR_TOO_BIG: beyond
     * the body's maximum. */
    enum err (*build)(const struct provider_config *config,
                      const struct provider_turn *turn,
                      struct provider_request *r);
    /* The state of one answer, whose head said 2xx and this content type
     * (borrowed). Gives. */
    void *(*open)(struct str content_type, size_t max_answer_bytes);
    /* The next bytes of the body. After DONE or ERROR nothing more comes. */
    void (*digest)(void *state, struct str bytes,
                   const struct provider_sink *sink);
    /* The body ended in good order (not when it was cut): what was still
     * held back comes now. */
    void (*end)(void *state, const struct provider_sink *sink);
    /* Another status than 2xx, with the first bytes of its body. */
    void (*fault)(int status, struct str body, struct provider_fault *out);

    /* The provider keeps the conversations itself. */
    bool keeps_log;
    /* Fills r as build does: the request that ends the answer called task for
     * this user. NULL: closing the connection is enough. */
    enum err (*stop)(const struct provider_config *config, struct str task,
                     struct str user, struct provider_request *r);

    /* Local. Borrows during the call. Gives. */
    void *(*begin)(const struct provider_config *config,
                   const struct provider_turn *turn);
    /* The next event, and how long to wait before it is shown. The last one
     * is DONE. event->text is borrowed until the next call or close. */
    void (*next)(void *state, struct provider_event *event, uint64_t *delay_ms);

    void (*close)(void *state); /* NULL is fine */
};

static inline bool
provider_is_local(const struct provider_config *config)
{
    return config->ops->build == NULL;
}

/* "stop", "length", "content_filter". */
const char *provider_finish_word(enum provider_finish f);

/* ERR_LLM_UNAVAILABLE, retryable for the statuses 408, 429 and 5xx, code "".
 * 0 stands for no status. */
void provider_fault_of_status(int status, struct provider_fault *out);

/* The same for an error inside an answer, which has no status but a word: those
 * of overload, limits and failures of their own are retryable. */
void provider_fault_of_word(struct str word, struct provider_fault *out);

/* Keeps what is printable ASCII without quotes and space, cut to size. */
void provider_fault_set_code(struct provider_fault *f, struct str code);

#endif
