/* SPDX-License-Identifier: MIT */
/* A Dify app with a conversation (chatbot, agent, chatflow). It keeps the
 * conversation itself: it is told the question, which conversation that is in,
 * and by `user` whose; what it cannot know stands in front of the question
 * (decision 40). An answer that nobody waits for is stopped by its task.
 * Neighbours: stream.c cuts the events, dify_event.c reads them, chat/upstream
 * gets what they mean. */
#include "base/xalloc.h"
#include "provider/dify_event.h"
#include "provider/dify_file.h"
#include "provider/params.h"
#include "provider/stream.h"

#include <string.h>

extern const struct provider_ops dify_ops;

#define PATH "/chat-messages"

/* --- the request -------------------------------------------------------- */

static void
put_headers(struct provider_request *r, const char *api_key)
{
    provider_request_put(r, "Content-Type", STR("application/json"));
    provider_request_put(r, "Accept", STR("text/event-stream"));
    if (api_key[0] != '\0') {
        provider_request_put_bearer(r, str_from(api_key));
    }
}

static void
put_said(struct buf *b, const struct provider_message *m)
{
    buf_puts(b, m->role == PROVIDER_USER ? "User: " : "Assistant: ");
    buf_put_str(b, m->content);
    buf_puts(b, "\n\n");
}

/* The app has never seen the beginning of the answer, and knows nothing of
 * roles. */
static void
put_partial(struct buf *b, struct str partial)
{
    buf_puts(b, "\n\nYour answer so far:\n\n");
    buf_put_str(b, partial);
    buf_puts(b, "\n\n");
    buf_put_str(b, provider_go_on());
}

/* The question, with what the conversation does not know in front. */
static void
put_query(struct buf *out, const struct provider_turn *turn)
{
    size_t last = turn->count - 1;
    struct buf query;

    buf_init(&query, out->max);
    if (last > 0) {
        buf_puts(&query, "Said before, in this conversation:\n\n");
    }
    for (size_t i = 0; i < last; i++) {
        put_said(&query, &turn->messages[i]);
    }
    if (last > 0) {
        buf_puts(&query, "The message to answer now:\n\n");
    }
    buf_put_str(&query, turn->messages[last].content);
    if (turn->partial.n > 0) {
        put_partial(&query, turn->partial);
    }
    json_put_member(out, "query", buf_str(&query));
    out->failed = out->failed || query.failed;
    buf_fini(&query);
}

static void
put_inputs(struct buf *b, struct str system_prompt)
{
    json_put_key(b, "inputs");
    buf_putc(b, '{');
    if (system_prompt.n > 0) {
        json_put_member(b, "system_prompt", system_prompt);
    }
    buf_putc(b, '}');
}

static void
put_file(struct buf *b, bool *any, const char *method, const char *name,
         struct str value)
{
    buf_puts(b, *any ? "," : ",\"files\":[");
    *any = true;
    buf_puts(b, "{\"type\":\"image\"");
    json_put_member(b, "transfer_method", str_from(method));
    json_put_member(b, name, value);
    buf_putc(b, '}');
}

/* What the question's pictures were called when they were handed over; of the
 * others the links. */
static void
put_files(struct buf *b, const struct provider_config *config,
          const struct provider_turn *turn)
{
    bool any = false;

    for (size_t i = 0; i < turn->file_count; i++) {
        put_file(b, &any, "local_file", "upload_file_id", turn->files[i]);
    }
    for (size_t i = 0; i < turn->count; i++) {
        const struct provider_message *m = &turn->messages[i];

        for (size_t k = 0; k < provider_pictures(config, m); k++) {
            if (m->pictures[k].url.n > 0) {
                put_file(b, &any, "remote_url", "url", m->pictures[k].url);
            }
        }
    }
    buf_puts(b, any ? "]" : "");
}

static void
put_body(struct buf *b, const struct provider_config *config,
         const struct provider_turn *turn)
{
    buf_putc(b, '{');
    put_query(b, turn);
    if (!params_name(config, STR("inputs"))) {
        put_inputs(b, turn->system_prompt);
    }
    json_put_member(b, "response_mode", STR("streaming"));
    json_put_member(b, "conversation_id", turn->conversation);
    json_put_member(b, "user", turn->user);
    if (!params_name(config, STR("files"))) {
        put_files(b, config, turn);
    }
    params_put(config, b);
    buf_putc(b, '}');
}

static enum err
build(const struct provider_config *config, const struct provider_turn *turn,
      struct provider_request *r)
{
    provider_request_put_url(r, str_from(config->endpoint), STR(PATH));
    put_headers(r, config->api_key);
    put_body(&r->body, config, turn);
    return provider_request_seal(r);
}

/* --- stopping ----------------------------------------------------------- */

/* Behind the endpoint, which may say PATH already. */
static void
put_stop_url(struct provider_request *r, struct str endpoint, struct str task)
{
    struct str rest = endpoint, base;
    struct buf path;

    (void)str_split(&rest, '?', &base);
    while (base.n > 0 && base.p[base.n - 1] == '/') {
        base.n--;
    }
    buf_init(&path, sizeof(PATH) + task.n + 8);
    buf_puts(&path, str_ends(base, STR(PATH)) ? "/" : PATH "/");
    buf_put_str(&path, task);
    buf_puts(&path, "/stop");
    provider_request_put_url(r, endpoint, buf_str(&path));
    buf_fini(&path);
}

static enum err
stop(const struct provider_config *config, struct str task, struct str user,
     struct provider_request *r)
{
    put_stop_url(r, str_from(config->endpoint), task);
    put_headers(r, config->api_key);
    buf_putc(&r->body, '{');
    json_put_member(&r->body, "user", user);
    buf_putc(&r->body, '}');
    return provider_request_seal(r);
}

/* --- from events to ours ------------------------------------------------ */

struct answer {
    struct stream stream; /* first */
    bool task;            /* it was told … */
    bool conversation;    /* … and this */
    bool shown;           /* some text went out */
};

/* Every event says it; once is enough. */
static void
tell_id(bool *told, enum provider_event_kind kind, const struct json_text *id,
        const struct provider_sink *sink)
{
    struct provider_event event = {.kind = kind, .text = id->raw};

    if (!*told && dify_event_is_id(id->raw)) {
        *told = true;
        sink->on_event(sink->cookie, &event);
    }
}

static void
take_text(struct answer *a, const struct dify_event *e,
          const struct provider_sink *sink)
{
    a->shown = a->shown || e->answer.raw.n > 0;
    stream_text(&a->stream, &e->answer, sink);
}

/* What was shown stays: the text that takes its place follows it. */
static void
take_replacement(struct answer *a, const struct dify_event *e,
                 const struct provider_sink *sink)
{
    static const struct json_text gap = {STR("\\n\\n"), true};

    if (a->shown && e->answer.raw.n > 0) {
        stream_text(&a->stream, &gap, sink);
    }
    take_text(a, e, sink);
    stream_finish(PROVIDER_CONTENT_FILTER, sink);
}

static void
take_end(struct answer *a, const struct dify_event *e,
         const struct provider_sink *sink)
{
    if (e->has_usage) {
        stream_usage(&e->usage, sink);
    }
    stream_done(&a->stream, sink);
}

static void
take_error(struct answer *a, const struct dify_event *e,
           const struct provider_sink *sink)
{
    stream_fail(&a->stream, e->status, e->code.raw, sink);
}

/* Others are not for people: workflow_*, node_*, agent_thought, tts_*,
 * message_file, ping, and what later versions say. */
static const struct {
    struct str event;
    void (*take)(struct answer *a, const struct dify_event *e,
                 const struct provider_sink *sink);
} takes[] = {
    {STR("message"), take_text},
    {STR("agent_message"), take_text},
    {STR("message_replace"), take_replacement},
    {STR("message_end"), take_end},
    {STR("error"), take_error},
};

static void
on_event(struct stream *s, struct str name, struct str data,
         const struct provider_sink *sink)
{
    struct answer *a = CONTAINER_OF(s, struct answer, stream);
    struct dify_event e;

    (void)name;
    if (!dify_event_read(data, &e)) {
        stream_bad_event(sink);
        return;
    }
    tell_id(&a->task, PROVIDER_TASK, &e.task, sink);
    tell_id(&a->conversation, PROVIDER_CONVERSATION, &e.conversation, sink);
    for (size_t i = 0; i < COUNT_OF(takes); i++) {
        if (json_text_is(&e.event, takes[i].event)) {
            takes[i].take(a, &e, sink);
            return;
        }
    }
}

/* A whole answer, as for response_mode blocking, or an error. */
static void
on_document(struct stream *s, struct str document,
            const struct provider_sink *sink)
{
    struct answer *a = CONTAINER_OF(s, struct answer, stream);
    struct dify_event e;

    if (!dify_event_read(document, &e)) {
        stream_fail(s, 0, STR("malformed_answer"), sink);
    } else if (!e.has_answer) {
        stream_fail(s, e.status,
                    e.code.raw.n > 0 ? e.code.raw : STR("no_answer"), sink);
    } else {
        tell_id(&a->conversation, PROVIDER_CONVERSATION, &e.conversation, sink);
        take_text(a, &e, sink);
        take_end(a, &e, sink);
    }
}

static const struct stream_ops stream_ops = {on_event, on_document};

/* --- the answer --------------------------------------------------------- */

static void *
open_answer(struct str content_type, size_t max_answer_bytes)
{
    struct answer *a = xcalloc(1, sizeof(*a));

    stream_init(&a->stream, &stream_ops, content_type, max_answer_bytes);
    return a;
}

/* The status decides; the body gives the word for the log. Of all that is not
 * there (404) only a conversation can have been there before. */
static void
fault(int status, struct str body, struct provider_fault *out)
{
    struct dify_event e;

    provider_fault_of_status(status, out);
    out->stranger = status == 404;
    if (dify_event_read(body, &e)) {
        provider_fault_set_code(out, e.code.raw);
        out->stranger = out->stranger ||
                        json_text_is(&e.code, STR("conversation_completed"));
    }
}

const struct provider_ops dify_ops = {
    .type = "dify",
    .own_members = "query response_mode conversation_id user",
    .build = build,
    .open = open_answer,
    .digest = stream_digest,
    .end = stream_end,
    .fault = fault,
    .keeps_log = true,
    .stop = stop,
    .put_file = dify_file_put,
    .file_id = dify_file_id,
    .close = stream_close,
};
