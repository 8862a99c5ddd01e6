/* SPDX-License-Identifier: MIT */
/* Any endpoint that speaks OpenAI's chat completions. The request is one JSON
 * object; the answer an event stream whose events are scanned once, without a
 * document, because there is one per token. A whole completion instead of a
 * stream is taken as one delta. Neighbours: codec/sse cuts the events,
 * codec/json reads them, chat/upstream gets what they mean. */
#include "base/xalloc.h"
#include "codec/json.h"
#include "codec/sse.h"
#include "provider/openai_chunk.h"

#include <string.h>

extern const struct provider_ops openai_ops;

#define PATH "/chat/completions"

/* An event may be as large as an answer can be, escapes and the rest of the
 * chunk included; a larger one is skipped. */
#define EVENT_MAX(max_answer_bytes) (2 * (max_answer_bytes) + 65536)

#define KEEP_BYTES 4096

/* --- the request -------------------------------------------------------- */

/* endpoint + PATH, unless its path already ends so; a query stays behind. */
static void
put_url(struct provider_request *r, struct str endpoint)
{
    struct str query = endpoint, path;
    struct buf url;

    buf_init(&url, endpoint.n + sizeof(PATH));
    str_split(&query, '?', &path);
    while (path.n > 0 && path.p[path.n - 1] == '/') {
        path.n--;
    }
    buf_put_str(&url, path);
    if (!str_ends(path, STR(PATH))) {
        buf_puts(&url, PATH);
    }
    if (query.p != NULL) {
        buf_putc(&url, '?');
        buf_put_str(&url, query);
    }
    provider_request_put(r, NULL, buf_str(&url));
    buf_fini(&url);
}

static void
put_headers(struct provider_request *r, const char *api_key)
{
    struct buf bearer;

    provider_request_put(r, "Content-Type", STR("application/json"));
    provider_request_put(r, "Accept", STR("text/event-stream"));
    if (api_key[0] == '\0') {
        return;
    }
    buf_init(&bearer, strlen(api_key) + 8);
    buf_puts(&bearer, "Bearer ");
    buf_puts(&bearer, api_key);
    provider_request_put(r, "Authorization", buf_str(&bearer));
    xwipe(bearer.p, bearer.cap);
    buf_fini(&bearer);
}

static void
put_message(struct buf *b, const char *role, struct str content)
{
    json_put_comma(b);
    buf_putc(b, '{');
    json_put_member(b, "role", str_from(role));
    json_put_member(b, "content", content);
    buf_putc(b, '}');
}

static void
put_body(struct buf *b, const char *model, const struct provider_turn *turn)
{
    buf_putc(b, '{');
    json_put_member(b, "model", str_from(model));
    json_put_key(b, "messages");
    buf_putc(b, '[');
    if (turn->system_prompt.n > 0) {
        put_message(b, "system", turn->system_prompt);
    }
    for (size_t i = 0; i < turn->count; i++) {
        const struct provider_message *m = &turn->messages[i];

        put_message(b, m->role == PROVIDER_USER ? "user" : "assistant",
                    m->content);
    }
    buf_puts(b, "],\"stream\":true,\"stream_options\":{\"include_usage\":true}"
                "}");
}

static enum err
build(const struct provider_config *config, const struct provider_turn *turn,
      struct provider_request *r)
{
    put_url(r, str_from(config->endpoint));
    put_headers(r, config->api_key);
    put_body(&r->body, config->model, turn);
    return provider_request_seal(r);
}

/* --- from chunks to events ---------------------------------------------- */

enum shape {
    SHAPE_UNKNOWN, /* nothing but white space so far */
    SHAPE_EVENTS,
    SHAPE_DOCUMENT,
    SHAPE_PAGE, /* HTML: not from a model */
    SHAPE_OVER
};

struct answer {
    enum shape shape;
    struct sse sse;
    struct buf document;
    struct buf text; /* an unescaped delta */
};

static void
emit(const struct provider_sink *sink, const struct provider_event *event)
{
    sink->on_event(sink->cookie, event);
}

static void
emit_kind(const struct provider_sink *sink, enum provider_event_kind kind)
{
    emit(sink, &(struct provider_event){.kind = kind});
}

static void
emit_error(struct answer *a, const struct provider_sink *sink, int64_t status,
           struct str code)
{
    struct provider_fault fault;

    a->shape = SHAPE_OVER;
    provider_fault_of_status(status > 0 && status <= 599 ? (int)status : 0,
                             &fault);
    provider_fault_set_code(&fault, code);
    emit(sink,
         &(struct provider_event){.kind = PROVIDER_ERROR, .fault = &fault});
}

static void
emit_done(struct answer *a, const struct provider_sink *sink)
{
    a->shape = SHAPE_OVER;
    emit_kind(sink, PROVIDER_DONE);
}

static void
emit_text(struct answer *a, const struct provider_sink *sink,
          const struct json_text *t)
{
    struct provider_event event = {.kind = PROVIDER_DELTA, .text = t->raw};

    if (t->raw.n == 0) {
        return;
    }
    if (t->escaped) {
        buf_reset(&a->text, KEEP_BYTES);
        json_unescape(t, &a->text);
        event.text = buf_str(&a->text);
    }
    emit(sink, &event);
}

/* What the words of finish_reason mean; a word that is not here is one more
 * way to stop. */
static const struct {
    struct str word;
    enum provider_finish finish;
} finishes[] = {
    {STR("stop"), PROVIDER_STOP},
    {STR("length"), PROVIDER_LENGTH},
    {STR("max_tokens"), PROVIDER_LENGTH},
    {STR("model_length"), PROVIDER_LENGTH},
    {STR("content_filter"), PROVIDER_CONTENT_FILTER},
};

static void
emit_finish(struct answer *a, const struct provider_sink *sink,
            const struct json_text *word)
{
    struct provider_event event = {.kind = PROVIDER_FINISH,
                                   .finish = PROVIDER_STOP};

    if (word->raw.n == 0) {
        return;
    }
    if (json_text_is(word, STR("error"))) {
        emit_error(a, sink, 0, STR("finish_reason_error"));
        return;
    }
    for (size_t i = 0; i < COUNT_OF(finishes); i++) {
        if (json_text_is(word, finishes[i].word)) {
            event.finish = finishes[i].finish;
        }
    }
    emit(sink, &event);
}

static void
emit_chunk(struct answer *a, const struct provider_sink *sink,
           const struct openai_chunk *c)
{
    if (c->has_error) {
        emit_error(a, sink, c->status, c->code.raw);
        return;
    }
    emit_text(a, sink, &c->content);
    emit_text(a, sink, &c->refusal);
    if (c->has_usage) {
        emit(sink, &(struct provider_event){.kind = PROVIDER_USAGE,
                                            .usage = c->usage});
    }
    emit_finish(a, sink, &c->finish);
}

static void
take_event(struct answer *a, const struct sse_event *event,
           const struct provider_sink *sink)
{
    struct str data = str_trim(event->data);
    struct openai_chunk c;
    bool ok;

    if (str_eq(data, STR("[DONE]"))) {
        emit_done(a, sink);
        return;
    }
    ok = openai_chunk_read(data, &c);
    if (str_eq(event->name, STR("error"))) {
        emit_error(a, sink, ok ? c.status : 0, ok ? c.code.raw : STR(""));
    } else if (ok) {
        emit_chunk(a, sink, &c);
    } else if (data.n > 0) {
        emit_kind(sink, PROVIDER_BAD_EVENT);
    }
}

static void
digest_events(struct answer *a, struct str bytes,
              const struct provider_sink *sink)
{
    struct sse_event event;
    enum sse_result r;

    while (a->shape == SHAPE_EVENTS &&
           (r = sse_feed(&a->sse, &bytes, &event)) != SSE_MORE) {
        if (r == SSE_EVENT) {
            take_event(a, &event, sink);
        } else {
            emit_kind(sink, PROVIDER_BAD_EVENT);
        }
    }
}

static void
digest_document(struct answer *a, struct str bytes,
                const struct provider_sink *sink)
{
    buf_put_str(&a->document, bytes);
    if (a->document.failed) {
        emit_error(a, sink, 0, STR("answer_too_large"));
    }
}

static void
end_document(struct answer *a, const struct provider_sink *sink)
{
    struct openai_chunk c;

    if (!openai_chunk_read(buf_str(&a->document), &c)) {
        emit_error(a, sink, 0, STR("malformed_answer"));
    } else if (!c.has_choice && !c.has_error) {
        emit_error(a, sink, 0, STR("no_choice"));
    } else {
        emit_chunk(a, sink, &c);
        if (a->shape != SHAPE_OVER) {
            emit_done(a, sink);
        }
    }
}

/* --- the answer --------------------------------------------------------- */

/* The content type is believed when it says event stream; others are not
 * always right, but the first byte tells. */
static void
find_shape(struct answer *a, struct str bytes)
{
    for (size_t i = 0; i < bytes.n; i++) {
        char c = bytes.p[i];

        if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            continue;
        }
        a->shape = c == '{' || c == '[' ? SHAPE_DOCUMENT
                   : c == '<'           ? SHAPE_PAGE
                                        : SHAPE_EVENTS;
        return;
    }
}

static void *
open_answer(struct str content_type, size_t max_answer_bytes)
{
    struct answer *a = xcalloc(1, sizeof(*a));
    struct str rest = content_type, type = STR("");

    str_split(&rest, ';', &type);
    type = str_trim(type);
    a->shape = str_is_nocase(type, "text/event-stream") ? SHAPE_EVENTS
               : str_is_nocase(type, "text/html")       ? SHAPE_PAGE
                                                        : SHAPE_UNKNOWN;
    sse_init(&a->sse, EVENT_MAX(max_answer_bytes));
    buf_init(&a->document, EVENT_MAX(max_answer_bytes));
    buf_init(&a->text, EVENT_MAX(max_answer_bytes));
    return a;
}

static void
digest(void *state, struct str bytes, const struct provider_sink *sink)
{
    struct answer *a = state;

    if (a->shape == SHAPE_UNKNOWN) {
        find_shape(a, bytes);
    }
    if (a->shape == SHAPE_EVENTS) {
        digest_events(a, bytes, sink);
    } else if (a->shape == SHAPE_DOCUMENT) {
        digest_document(a, bytes, sink);
    } else if (a->shape == SHAPE_PAGE) {
        emit_error(a, sink, 0, STR("not_an_event_stream"));
    }
}

static void
end(void *state, const struct provider_sink *sink)
{
    struct answer *a = state;
    struct sse_event event;
    enum sse_result r;

    if (a->shape == SHAPE_DOCUMENT) {
        end_document(a, sink);
    } else if (a->shape == SHAPE_PAGE) {
        emit_error(a, sink, 0, STR("not_an_event_stream"));
    } else if (a->shape == SHAPE_EVENTS) {
        r = sse_end(&a->sse, &event);
        if (r == SSE_EVENT) {
            take_event(a, &event, sink);
        } else if (r == SSE_DROPPED) {
            emit_kind(sink, PROVIDER_BAD_EVENT);
        }
    }
    a->shape = SHAPE_OVER;
}

static void
close_answer(void *state)
{
    struct answer *a = state;

    if (a != NULL) {
        sse_fini(&a->sse);
        buf_fini(&a->document);
        buf_fini(&a->text);
        xfree(a);
    }
}

/* The status decides; the body gives the word for the log. */
static void
fault(int status, struct str body, struct provider_fault *out)
{
    struct openai_chunk c;

    provider_fault_of_status(status, out);
    if (openai_chunk_read(body, &c) && c.has_error) {
        provider_fault_set_code(out, c.code.raw);
    }
}

const struct provider_ops openai_ops = {
    .type = "openai",
    .build = build,
    .open = open_answer,
    .digest = digest,
    .end = end,
    .fault = fault,
    .close = close_answer,
};
