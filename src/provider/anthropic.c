/* SPDX-License-Identifier: MIT */
/* Anthropic's Messages API: its answers. Neighbours: anthropic_request.c asks
 * for them, stream.c cuts the events, anthropic_event.c reads them,
 * anthropic_calls.c knows which tool is called. */
#include "base/xalloc.h"
#include "provider/anthropic_calls.h"
#include "provider/anthropic_event.h"
#include "provider/anthropic_request.h"
#include "provider/stream.h"

extern const struct provider_ops anthropic_ops;

/* --- from events to events ---------------------------------------------- */

struct answer {
    struct stream stream; /* first */
    struct anthropic_usage usage;
    struct anthropic_calls calls;
};

/* A reason that is not here is one more way to stop: end_turn, stop_sequence,
 * tool_use, pause_turn, and what there will be. */
static const struct {
    struct str word;
    enum provider_finish finish;
} finishes[] = {
    {STR("max_tokens"), PROVIDER_LENGTH},
    {STR("model_context_window_exceeded"), PROVIDER_LENGTH},
    {STR("refusal"), PROVIDER_CONTENT_FILTER},
};

static enum provider_finish
finish_of(const struct json_text *word)
{
    for (size_t i = 0; i < COUNT_OF(finishes); i++) {
        if (json_text_is(word, finishes[i].word)) {
            return finishes[i].finish;
        }
    }
    return PROVIDER_STOP;
}

/* Whoever calls tools and has not run out of tokens waits for their results,
 * whatever the word is. */
static void
take_finish(struct answer *a, const struct json_text *word,
            const struct provider_sink *sink)
{
    enum provider_finish finish = finish_of(word);

    if (word->raw.n == 0) {
        return;
    }
    if (finish == PROVIDER_STOP) {
        anthropic_calls_end(&a->calls, &a->stream, sink);
        finish = a->calls.given > 0 ? PROVIDER_CALLS : PROVIDER_STOP;
    }
    a->calls.open_count = 0; /* cut short: they stay as they are */
    stream_finish(finish, sink);
}

static int64_t
or_none(int64_t count)
{
    return count > 0 ? count : 0;
}

/* What a cache took part in was sent as well. Thinking is not told apart from
 * the rest of the output. */
static void
take_usage(const struct anthropic_usage *u, const struct provider_sink *sink)
{
    struct provider_usage usage = {
        .prompt_tokens =
            u->input + or_none(u->cache_written) + or_none(u->cache_read),
        .completion_tokens = u->output,
        .cached_tokens = or_none(u->cache_read),
    };

    if (u->input >= 0 && u->output >= 0) {
        usage.total_tokens = usage.prompt_tokens + usage.completion_tokens;
        stream_usage(&usage, sink);
    }
}

/* The counts of message_start are those before the first word: told are only
 * those of message_delta, which is the last but one. */
static void
take_event(struct answer *a, const struct anthropic_event *e,
           const struct provider_sink *sink)
{
    anthropic_event_count(&a->usage, &e->usage);
    stream_text(&a->stream, &e->text, sink);
    anthropic_calls_take(&a->calls, e, &a->stream, sink);
    if (json_text_is(&e->type, STR("message_delta"))) {
        take_usage(&a->usage, sink);
        take_finish(a, &e->finish, sink);
    } else if (json_text_is(&e->type, STR("message_stop"))) {
        anthropic_calls_end(&a->calls, &a->stream, sink);
        stream_done(&a->stream, sink);
    }
}

static void
on_event(struct stream *s, struct str name, struct str data,
         const struct provider_sink *sink)
{
    struct answer *a = CONTAINER_OF(s, struct answer, stream);
    struct anthropic_event e;
    bool ok = anthropic_event_read(data, &e);

    if (str_is(name, "error") || (ok && e.has_error)) {
        stream_fail(s, 0, ok ? e.code.raw : STR(""), sink);
    } else if (ok) {
        take_event(a, &e, sink);
    } else {
        stream_bad_event(sink);
    }
}

static void
take_blocks(struct answer *a, struct str content,
            const struct provider_sink *sink)
{
    struct json_scan blocks;
    struct anthropic_event e;

    json_scan_init(&blocks, content);
    (void)json_scan_enter(&blocks, '[');
    while (anthropic_event_block(&blocks, &e)) {
        stream_text(&a->stream, &e.text, sink);
        anthropic_calls_take(&a->calls, &e, &a->stream, sink);
        anthropic_calls_end(&a->calls, &a->stream, sink);
    }
    if (!json_scan_end(&blocks)) {
        stream_fail(&a->stream, 0, STR("malformed_answer"), sink);
    }
}

/* A whole message: its blocks are deltas. */
static void
on_document(struct stream *s, struct str document,
            const struct provider_sink *sink)
{
    struct answer *a = CONTAINER_OF(s, struct answer, stream);
    struct anthropic_event e;

    if (!anthropic_event_read(document, &e)) {
        stream_fail(s, 0, STR("malformed_answer"), sink);
    } else if (e.has_error) {
        stream_fail(s, 0, e.code.raw, sink);
    } else if (e.content.p == NULL) {
        stream_fail(s, 0, STR("no_content"), sink);
    } else {
        take_blocks(a, e.content, sink);
        if (stream_runs(s)) {
            take_usage(&e.usage, sink);
            take_finish(a, &e.finish, sink);
            stream_done(s, sink);
        }
    }
}

static const struct stream_ops stream_ops = {on_event, on_document};

/* --- the answer --------------------------------------------------------- */

static void *
open_answer(struct str content_type, size_t max_answer_bytes)
{
    struct answer *a = xcalloc(1, sizeof(*a));

    a->usage = (struct anthropic_usage){-1, -1, -1, -1};
    stream_init(&a->stream, &stream_ops, content_type, max_answer_bytes);
    return a;
}

static void
close_answer(void *state)
{
    struct answer *a = state;

    if (a != NULL) {
        anthropic_calls_fini(&a->calls);
    }
    stream_close(state);
}

/* The status decides; the body gives the word for the log. */
static void
fault(int status, struct str body, struct provider_fault *out)
{
    struct anthropic_event e;

    provider_fault_of_status(status, out);
    if (anthropic_event_read(body, &e) && e.has_error) {
        provider_fault_set_code(out, e.code.raw);
    }
}

const struct provider_ops anthropic_ops = {
    .type = "anthropic",
    .own_members = "model messages system stream",
    .calls = true,
    .build = anthropic_request_build,
    .open = open_answer,
    .digest = stream_digest,
    .end = stream_end,
    .fault = fault,
    .close = close_answer,
};
