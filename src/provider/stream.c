/* SPDX-License-Identifier: MIT */
/* What the bodies of all providers have in common. Events are scanned where
 * they lie, without a document, because there is one per token. Neighbours:
 * codec/sse cuts the events; openai.c and its like say what they mean. */
#include "provider/stream.h"

#include "base/xalloc.h"

/* An answer may be escaped to twice its size, with the rest of its event. */
#define EVENT_MAX(max_answer_bytes) (2 * (max_answer_bytes) + 65536)

#define KEEP_BYTES 4096

/* --- events ------------------------------------------------------------- */

static void
emit(const struct provider_sink *sink, const struct provider_event *event)
{
    sink->on_event(sink->cookie, event);
}

void
stream_text(struct stream *s, const struct json_text *t,
            const struct provider_sink *sink)
{
    struct provider_event event = {.kind = PROVIDER_DELTA, .text = t->raw};

    if (t->raw.n == 0) {
        return;
    }
    if (t->escaped) {
        buf_reset(&s->text, KEEP_BYTES);
        json_unescape(t, &s->text);
        event.text = buf_str(&s->text);
    }
    emit(sink, &event);
}

/* Where it lies, or behind what s->text has. */
static struct str
plain(struct stream *s, const struct json_text *t)
{
    size_t begin = s->text.n;

    if (!t->escaped) {
        return t->raw;
    }
    json_unescape(t, &s->text);
    return str_from_at(buf_str(&s->text), begin);
}

void
stream_call(struct stream *s, size_t at, const struct stream_call *call,
            const struct provider_sink *sink)
{
    struct provider_event event = {.kind = PROVIDER_CALL, .at = (unsigned)at};

    size_t room = call->id.raw.n + call->name.raw.n + call->arguments.raw.n;

    if (at >= PROVIDER_CALLS_MAX || room == 0) {
        return;
    }
    buf_reset(&s->text, KEEP_BYTES);
    (void)buf_reserve(&s->text, room); /* nothing moves while it is filled */
    event.call.id = plain(s, &call->id);
    event.call.name = plain(s, &call->name);
    event.call.arguments = plain(s, &call->arguments);
    emit(sink, &event);
}

void
stream_raw(const struct provider_raw *raw, const struct provider_sink *sink)
{
    emit(sink, &(struct provider_event){.kind = PROVIDER_RAW, .raw = *raw});
}

void
stream_finish(enum provider_finish finish, const struct provider_sink *sink)
{
    emit(sink,
         &(struct provider_event){.kind = PROVIDER_FINISH, .finish = finish});
}

void
stream_usage(const struct provider_usage *usage,
             const struct provider_sink *sink)
{
    emit(sink,
         &(struct provider_event){.kind = PROVIDER_USAGE, .usage = *usage});
}

void
stream_bad_event(const struct provider_sink *sink)
{
    emit(sink, &(struct provider_event){.kind = PROVIDER_BAD_EVENT});
}

void
stream_done(struct stream *s, const struct provider_sink *sink)
{
    s->shape = STREAM_OVER;
    emit(sink, &(struct provider_event){.kind = PROVIDER_DONE});
}

void
stream_fail(struct stream *s, int64_t status, struct str word,
            const struct provider_sink *sink)
{
    struct provider_fault fault;

    s->shape = STREAM_OVER;
    if (status > 0 && status <= 599) {
        provider_fault_of_status((int)status, &fault);
    } else {
        provider_fault_of_word(word, &fault);
    }
    provider_fault_set_code(&fault, word);
    emit(sink,
         &(struct provider_event){.kind = PROVIDER_ERROR, .fault = &fault});
}

bool
stream_runs(const struct stream *s)
{
    return s->shape != STREAM_OVER;
}

/* --- bytes -------------------------------------------------------------- */

static void
take(struct stream *s, const struct sse_event *event,
     const struct provider_sink *sink)
{
    struct str data = str_trim(event->data);

    if (data.n > 0) {
        s->ops->on_event(s, event->name, data, sink);
    }
}

static void
digest_events(struct stream *s, struct str bytes,
              const struct provider_sink *sink)
{
    struct sse_event event;
    enum sse_result r;

    while (s->shape == STREAM_EVENTS &&
           (r = sse_feed(&s->sse, &bytes, &event)) != SSE_MORE) {
        if (r == SSE_EVENT) {
            take(s, &event, sink);
        } else {
            stream_bad_event(sink);
        }
    }
}

static void
digest_document(struct stream *s, struct str bytes,
                const struct provider_sink *sink)
{
    buf_put_str(&s->document, bytes);
    if (s->document.failed) {
        stream_fail(s, 0, STR("answer_too_large"), sink);
    }
}

/* Takes the white space before the first byte that tells. */
static void
find_shape(struct stream *s, struct str *bytes)
{
    for (; bytes->n > 0; *bytes = str_from_at(*bytes, 1)) {
        char c = bytes->p[0];

        if (c != ' ' && c != '\t' && c != '\r' && c != '\n') {
            s->shape = c == '{' || c == '[' ? STREAM_DOCUMENT
                       : c == '<'           ? STREAM_PAGE
                                            : STREAM_EVENTS;
            return;
        }
    }
}

void
stream_digest(void *state, struct str bytes, const struct provider_sink *sink)
{
    struct stream *s = state;

    if (s->shape == STREAM_UNKNOWN) {
        find_shape(s, &bytes);
    }
    if (s->shape == STREAM_EVENTS) {
        digest_events(s, bytes, sink);
    } else if (s->shape == STREAM_DOCUMENT) {
        digest_document(s, bytes, sink);
    } else if (s->shape == STREAM_PAGE) {
        stream_fail(s, 0, STR("not_an_event_stream"), sink);
    }
}

static void
end_events(struct stream *s, const struct provider_sink *sink)
{
    struct sse_event event;
    enum sse_result r = sse_end(&s->sse, &event);

    if (r == SSE_EVENT) {
        take(s, &event, sink);
    } else if (r == SSE_DROPPED) {
        stream_bad_event(sink);
    }
}

void
stream_end(void *state, const struct provider_sink *sink)
{
    struct stream *s = state;

    if (s->shape == STREAM_DOCUMENT) {
        s->ops->on_document(s, buf_str(&s->document), sink);
    } else if (s->shape == STREAM_PAGE) {
        stream_fail(s, 0, STR("not_an_event_stream"), sink);
    } else if (s->shape == STREAM_EVENTS) {
        end_events(s, sink);
    }
    s->shape = STREAM_OVER;
}

void
stream_init(struct stream *s, const struct stream_ops *ops,
            struct str content_type, size_t max_answer_bytes)
{
    struct str rest = content_type, type = STR("");

    (void)str_split(&rest, ';', &type);
    type = str_trim(type);
    s->ops = ops;
    s->shape = str_is_nocase(type, "text/event-stream") ? STREAM_EVENTS
               : str_is_nocase(type, "text/html")       ? STREAM_PAGE
                                                        : STREAM_UNKNOWN;
    sse_init(&s->sse, EVENT_MAX(max_answer_bytes));
    buf_init(&s->document, EVENT_MAX(max_answer_bytes));
    buf_init(&s->text, EVENT_MAX(max_answer_bytes));
}

void
stream_fini(struct stream *s)
{
    sse_fini(&s->sse);
    buf_fini(&s->document);
    buf_fini(&s->text);
}

void
stream_close(void *state)
{
    if (state != NULL) {
        stream_fini(state);
        xfree(state);
    }
}
