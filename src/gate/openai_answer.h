/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_OPENAI_ANSWER_H
#define CHATBOX_GATE_OPENAI_ANSWER_H

#include "base/buf.h"
#include "provider/provider.h"
#include "store/record.h"

#include <stdbool.h>

/* Answers in OpenAI's form: events of a stream, and whole completions, of what
 * a provider said that does not speak it. Pure; all append and borrow. */
struct openai_answer {
    const char *id;    /* "chatcmpl-…" */
    struct str model;  /* as it was asked for */
    int64_t created_s; /* Unix time */
};

/* One event of a stream: the frame around a JSON text, which may be of several
 * lines. id 0: it has none. */
void openai_answer_event(struct buf *out, uint64_t id, struct str json);

/* The last one: [DONE]. */
void openai_answer_done(struct buf *out, uint64_t id);

/* The JSON of a chunk: a piece of the answer, or of a call in it, the first
 * with its role; its end; the usage, which is a chunk of its own. */
void openai_answer_delta(struct buf *out, const struct openai_answer *a,
                         struct str text, bool first);
void openai_answer_call(struct buf *out, const struct openai_answer *a,
                        unsigned at, const struct provider_call *piece,
                        bool first);
void openai_answer_finish(struct buf *out, const struct openai_answer *a,
                          enum provider_finish finish);
void openai_answer_usage(struct buf *out, const struct openai_answer *a,
                         const struct usage *usage);

/* What a whole completion says. */
struct openai_said {
    struct str text;
    struct str calls; /* a JSON array; empty: none */
    enum provider_finish finish;
};

/* The JSON of a whole completion. */
void openai_answer_whole(struct buf *out, const struct openai_answer *a,
                         const struct openai_said *said,
                         const struct usage *usage);

#endif
