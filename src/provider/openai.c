/* SPDX-License-Identifier: MIT */
/* Any endpoint that speaks OpenAI's chat completions. The request is one JSON
 * object; the answer an event stream, or a whole completion instead of it.
 * Neighbours: stream.c cuts the events, openai_chunk.c reads them,
 * chat/upstream gets what they mean. */
#include "base/xalloc.h"
#include "provider/openai_chunk.h"
#include "provider/params.h"
#include "provider/stream.h"

#include <string.h>

extern const struct provider_ops openai_ops;

#define PATH STR("/chat/completions")
#define EMBEDDINGS_PATH STR("/embeddings")

/* --- the request -------------------------------------------------------- */

/* Azure's endpoints are told by the parameter that all of them need. */
static bool
is_azure(struct str endpoint)
{
    struct str query = endpoint, part;

    (void)str_split(&query, '?', &part);
    while (str_split(&query, '&', &part)) {
        if (str_starts(part, STR("api-version="))) {
            return true;
        }
    }
    return false;
}

static void
put_headers(struct provider_request *r, const struct provider_config *config,
            bool stream)
{
    provider_request_put(r, "Content-Type", STR("application/json"));
    provider_request_put(r, "Accept",
                         stream ? STR("text/event-stream")
                                : STR("application/json"));
    if (config->api_key[0] == '\0') {
        return;
    }
    if (is_azure(str_from(config->endpoint))) {
        provider_request_put(r, "api-key", str_from(config->api_key));
    } else {
        provider_request_put_bearer(r, str_from(config->api_key));
    }
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
put_picture(struct buf *b, const struct picture *p)
{
    struct buf url;

    buf_init(&url, b->max);
    if (p->base64.n > 0) {
        buf_printf(&url, "data:%.*s;base64,", STR_ARG(p->type));
    }
    buf_put_str(&url, p->base64.n > 0 ? p->base64 : p->url);
    buf_puts(b, ",{\"type\":\"image_url\",\"image_url\":{");
    json_put_member(b, "url", buf_str(&url));
    buf_puts(b, "}}");
    b->failed = b->failed || url.failed;
    buf_fini(&url);
}

/* The words, then the pictures. */
static void
put_seen(struct buf *b, const struct provider_message *m)
{
    json_put_comma(b);
    buf_puts(b, "{\"role\":\"user\",\"content\":[{\"type\":\"text\"");
    json_put_member(b, "text", m->content);
    buf_putc(b, '}');
    for (size_t i = 0; i < m->picture_count; i++) {
        put_picture(b, &m->pictures[i]);
    }
    buf_puts(b, "]}");
}

static void
put_partial(struct buf *b, struct str partial)
{
    put_message(b, "assistant", partial);
    put_message(b, "user", provider_go_on());
}

static void
put_messages(struct buf *b, const struct provider_config *config,
             const struct provider_turn *turn)
{
    json_put_key(b, "messages");
    buf_putc(b, '[');
    if (turn->system_prompt.n > 0) {
        put_message(b, "system", turn->system_prompt);
    }
    for (size_t i = 0; i < turn->count; i++) {
        const struct provider_message *m = &turn->messages[i];

        if (provider_pictures(config, m) > 0) {
            put_seen(b, m);
        } else {
            put_message(b, m->role == PROVIDER_USER ? "user" : "assistant",
                        m->content);
        }
    }
    if (turn->partial.n > 0) {
        put_partial(b, turn->partial);
    }
    buf_putc(b, ']');
}

/* Some servers refuse stream_options; extra_body can take it away. */
static void
put_body(struct buf *b, const struct provider_config *config,
         const struct provider_turn *turn)
{
    buf_putc(b, '{');
    json_put_member(b, "model", str_from(config->model));
    put_messages(b, config, turn);
    json_put_member_bool(b, "stream", true);
    if (!params_name(config, STR("stream_options"))) {
        json_put_key(b, "stream_options");
        buf_puts(b, "{\"include_usage\":true}");
    }
    params_put(config, b);
    buf_putc(b, '}');
}

/* --- a request of a client ---------------------------------------------- */

/* What is ours to say. */
static bool
is_ours(const struct json_text *name)
{
    return json_text_is(name, STR("model")) ||
           json_text_is(name, STR("stream")) ||
           json_text_is(name, STR("stream_options"));
}

/* The client's messages, and behind them the answer so far. */
static void
put_begun(struct buf *b, struct str messages, struct str partial)
{
    json_put_key(b, "messages");
    buf_put(b, messages.p, messages.n - 1); /* but for its bracket */
    put_partial(b, partial);
    buf_putc(b, ']');
}

static void
put_relayed(struct buf *b, const struct provider_config *config,
            const struct provider_turn *turn)
{
    const struct provider_relay *relay = turn->relay;
    struct params_scan scan;
    struct params_member m;

    buf_putc(b, '{');
    json_put_member(b, "model", str_from(config->model));
    params_scan_init(&scan, relay->object);
    while (params_scan_next(&scan, &m)) {
        if (turn->partial.n > 0 && json_text_is(&m.name, STR("messages"))) {
            put_begun(b, m.value, turn->partial);
        } else if (!is_ours(&m.name)) {
            params_put_member(&m, b);
        }
    }
    if (relay->stream) {
        json_put_member_bool(b, "stream", true);
    }
    if (relay->stream && relay->stream_options.n > 0 &&
        !params_name(config, STR("stream_options"))) {
        json_put_key(b, "stream_options");
        buf_put_str(b, relay->stream_options);
    }
}

/* --- requests ----------------------------------------------------------- */

static enum err
build(const struct provider_config *config, const struct provider_turn *turn,
      struct provider_request *r)
{
    const struct provider_relay *relay = turn->relay;

    provider_request_put_url(r, str_from(config->endpoint), PATH);
    put_headers(r, config, relay == NULL || relay->stream);
    if (relay == NULL) {
        put_body(&r->body, config, turn);
    } else {
        put_relayed(&r->body, config, turn);
        params_put_beside(config, relay->object, &r->body);
        buf_putc(&r->body, '}');
    }
    return provider_request_seal(r);
}

/* An endpoint that is the whole address of the completions is near that of the
 * embeddings. */
static void
put_embeddings_url(struct provider_request *r, struct str endpoint)
{
    struct str query = endpoint, base;
    struct buf url;

    (void)str_split(&query, '?', &base);
    if (str_ends(base, PATH)) {
        base.n -= PATH.n;
    }
    buf_init(&url, endpoint.n + 1);
    buf_put_str(&url, base);
    buf_puts(&url, query.p != NULL ? "?" : "");
    buf_put_str(&url, query);
    provider_request_put_url(r, buf_str(&url), EMBEDDINGS_PATH);
    buf_fini(&url);
}

static enum err
build_embeddings(const struct provider_config *config,
                 const struct provider_turn *turn, struct provider_request *r)
{
    put_embeddings_url(r, str_from(config->endpoint));
    put_headers(r, config, false);
    put_relayed(&r->body, config, turn);
    buf_putc(&r->body, '}');
    return provider_request_seal(r);
}

/* --- from chunks to events ---------------------------------------------- */

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
    {STR("tool_calls"), PROVIDER_CALLS},
};

static void
take_finish(struct stream *s, const struct json_text *word,
            const struct provider_sink *sink)
{
    enum provider_finish finish = PROVIDER_STOP;

    if (word->raw.n == 0) {
        return;
    }
    if (json_text_is(word, STR("error"))) {
        stream_fail(s, 0, STR("finish_reason_error"), sink);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(finishes); i++) {
        if (json_text_is(word, finishes[i].word)) {
            finish = finishes[i].finish;
        }
    }
    stream_finish(finish, sink);
}

static void
show_raw(const struct openai_chunk *c, struct str json, bool whole,
         const struct provider_sink *sink)
{
    struct provider_raw raw = {
        .json = json,
        .whole = whole,
        .speaks = whole || c->has_more || c->has_others ||
                  c->content.raw.n > 0 || c->refusal.raw.n > 0 ||
                  c->finish.raw.n > 0,
        .counts_only = c->has_usage && !c->has_choice && !c->has_others,
        .aside_quarters = c->aside_quarters,
    };

    stream_raw(&raw, sink);
}

/* What is odd in them is the client's, who gets them as they are. */
static void
take_calls(struct stream *s, struct str calls, const struct provider_sink *sink)
{
    struct stream_call call;
    struct json_scan scan;
    int64_t at = 0;

    json_scan_init(&scan, calls);
    (void)json_scan_enter(&scan, '[');
    for (; openai_chunk_call(&scan, &call, &at); at++) {
        if (at >= 0) {
            stream_call(s, (size_t)at, &call, sink);
        }
    }
}

static void
take_chunk(struct stream *s, const struct openai_chunk *c, struct str json,
           const struct provider_sink *sink)
{
    if (c->has_error) {
        stream_fail(s, c->status, c->code.raw, sink);
        return;
    }
    show_raw(c, json, s->shape == STREAM_DOCUMENT, sink);
    stream_text(s, &c->content, sink);
    stream_text(s, &c->refusal, sink);
    take_calls(s, c->calls, sink);
    if (c->has_usage) {
        stream_usage(&c->usage, sink);
    }
    take_finish(s, &c->finish, sink);
}

static void
on_event(struct stream *s, struct str name, struct str data,
         const struct provider_sink *sink)
{
    struct openai_chunk c;
    bool ok;

    if (str_eq(data, STR("[DONE]"))) {
        stream_done(s, sink);
        return;
    }
    ok = openai_chunk_read(data, &c);
    if (str_eq(name, STR("error"))) {
        stream_fail(s, ok ? c.status : 0, ok ? c.code.raw : STR(""), sink);
    } else if (ok) {
        take_chunk(s, &c, data, sink);
    } else {
        stream_bad_event(sink);
    }
}

/* A whole completion is one delta. */
static void
on_document(struct stream *s, struct str document,
            const struct provider_sink *sink)
{
    struct openai_chunk c;

    if (!openai_chunk_read(document, &c)) {
        stream_fail(s, 0, STR("malformed_answer"), sink);
    } else if (!c.has_choice && !c.has_error) {
        stream_fail(s, 0, STR("no_choice"), sink);
    } else {
        take_chunk(s, &c, document, sink);
        if (stream_runs(s)) {
            stream_done(s, sink);
        }
    }
}

static const struct stream_ops stream_ops = {on_event, on_document};

/* Embeddings are one document; what is in it is the client's. */
static void
on_embeddings(struct stream *s, struct str document,
              const struct provider_sink *sink)
{
    struct openai_chunk c;

    if (!openai_chunk_read(document, &c)) {
        stream_fail(s, 0, STR("malformed_answer"), sink);
        return;
    }
    take_chunk(s, &c, document, sink);
    if (stream_runs(s)) {
        stream_done(s, sink);
    }
}

static void
on_strange_event(struct stream *s, struct str name, struct str data,
                 const struct provider_sink *sink)
{
    (void)name;
    (void)data;
    stream_fail(s, 0, STR("not_a_document"), sink);
}

static const struct stream_ops embeddings_stream_ops = {on_strange_event,
                                                        on_embeddings};

/* --- the answer --------------------------------------------------------- */

static void *
open_answer(struct str content_type, size_t max_answer_bytes)
{
    struct stream *s = xcalloc(1, sizeof(*s));

    stream_init(s, &stream_ops, content_type, max_answer_bytes);
    return s;
}

static void *
open_embeddings(struct str content_type, size_t max_answer_bytes)
{
    struct stream *s = xcalloc(1, sizeof(*s));

    stream_init(s, &embeddings_stream_ops, content_type, max_answer_bytes);
    return s;
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

static const struct provider_ops embeddings_ops = {
    .type = "openai",
    .build = build_embeddings,
    .open = open_embeddings,
    .digest = stream_digest,
    .end = stream_end,
    .fault = fault,
    .close = stream_close,
    .relays = true,
};

const struct provider_ops openai_ops = {
    .type = "openai",
    .relays = true,
    .calls = true,
    .embeddings = &embeddings_ops,
    .own_members = "model messages stream",
    .build = build,
    .open = open_answer,
    .digest = stream_digest,
    .end = stream_end,
    .fault = fault,
    .close = stream_close,
};
