/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_PROVIDER_PROVIDER_H
#define CHATBOX_PROVIDER_PROVIDER_H

#include "base/buf.h"
#include "base/err.h"
#include "provider/picture.h"
#include "provider/price.h"
#include "provider/provider_event.h"
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
    bool vision;             /* the model can see; others get no pictures */
    struct breaker *breaker; /* outlives this; NULL: always asked */
    struct price price;

    /* Which of all configured ones are asked instead when this one fails, in
     * order; indices. */
    const size_t *fallback;
    size_t fallback_count;
    bool continue_on_failure; /* they also go on with what it has begun */
};

enum provider_role { PROVIDER_USER, PROVIDER_ASSISTANT };

struct provider_message {
    enum provider_role role;
    struct str content;             /* UTF-8 */
    const struct picture *pictures; /* that belong to it; a user's only */
    size_t picture_count;
    const struct provider_call *calls; /* an assistant's; only ops->calls */
    size_t call_count;
    struct str result_of; /* a user's: the id of the call whose result this is,
                             and nothing else; empty: it is no result */
};

/* A request that a client made in OpenAI's form, for providers that speak it
 * (ops->relays): it is passed on as it is, and so are the events of its answer.
 */
struct provider_relay {
    struct str object;         /* a JSON object; its `model`, `stream` and
                                  `stream_options` are left out */
    struct str stream_options; /* a JSON object; empty: none */
    bool stream;
};

/* What the model sees. Borrowed during build or begin. */
struct provider_turn {
    struct str system_prompt;                /* empty: none */
    const struct provider_message *messages; /* oldest first; >= 1, the last
                                                 one is the question */
    size_t count;
    struct str partial; /* of the answer: another model has said it already, and
                           it is to be gone on with. No white space at its end.
                           Empty: nothing */
    /* For providers that keep the log themselves (keeps_log); others pass them
     * over. */
    struct str user;         /* what our user is called there */
    struct str conversation; /* empty: a new one begins; else messages are only
                                what is not in it yet */
    const struct str *files; /* what the provider calls the question's pictures
                                that were handed over before (put_file) */
    size_t file_count;
    const struct provider_relay *relay; /* NULL: it is a conversation of ours.
                                           Else the others say the same, for
                                           providers that do not relay */
    bool embeds; /* relay, but for ops->embeddings, which is there */
    /* In place of the configured ones, for those that do not relay. */
    struct str temperature; /* a JSON number; empty: as configured */
    int64_t max_tokens;     /* 0: as configured */
    struct str top_p;       /* likewise */
    struct str stop;        /* a JSON array of strings that end the answer */
    const struct provider_wishes *wishes; /* NULL: none; only ops->calls */
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

    /* The provider speaks OpenAI's form: build takes turn->relay, and there
     * are RAW events. */
    bool relays;
    /* The provider takes wishes and messages with calls, and there are CALL
     * events. What relays says so, too, of its answers. */
    bool calls;
    /* The same provider asked for embeddings: build takes turn->relay alone.
     * NULL: it has none. */
    const struct provider_ops *embeddings;
    /* The provider keeps the conversations itself. */
    bool keeps_log;
    /* Fills r as build does: the request that ends the answer called task for
     * this user. NULL: closing the connection is enough. */
    enum err (*stop)(const struct provider_config *config, struct str task,
                     struct str user, struct provider_request *r);
    /* Fills r likewise: the request that hands over a picture that is bytes,
     * ahead of the question it belongs to. ERR_INVALID_FORMAT: it is none.
     * NULL: bytes go with the question, or the provider takes none. */
    enum err (*put_file)(const struct provider_config *config,
                         const struct picture *picture, struct str user,
                         struct provider_request *r);
    /* What the provider calls it, by its answer (2xx); false: it does not
     * say. */
    bool (*file_id)(struct str answer, char out[static PROVIDER_ID_MAX + 1]);

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

/* How many of the message's pictures the provider is given. */
static inline size_t
provider_pictures(const struct provider_config *config,
                  const struct provider_message *m)
{
    return config->vision && m->role == PROVIDER_USER ? m->picture_count : 0;
}

/* "stop", "length", "content_filter", "tool_calls". */
const char *provider_finish_word(enum provider_finish f);

/* What a model is told behind a partial answer, as if by the user: nothing
 * else makes all of them go on instead of beginning again (decision 0046). */
struct str provider_go_on(void);

/* ERR_LLM_UNAVAILABLE, retryable for the statuses 408, 429 and 5xx, code "".
 * 0 stands for no status. */
void provider_fault_of_status(int status, struct provider_fault *out);

/* The same for an error inside an answer, which has no status but a word: those
 * of overload, limits and failures of their own are retryable. */
void provider_fault_of_word(struct str word, struct provider_fault *out);

/* Keeps what is printable ASCII without quotes and space, cut to size. */
void provider_fault_set_code(struct provider_fault *f, struct str code);

/* The code, for the log: "provider_error" where there is none, "withheld" where
 * it has the beginning of the key that the provider was sent. A key of less
 * than PROVIDER_KEY_SECRET bytes is no secret. Borrowed from f. */
#define PROVIDER_KEY_SECRET 8
const char *provider_fault_word(const struct provider_fault *f, struct str key);

#endif
