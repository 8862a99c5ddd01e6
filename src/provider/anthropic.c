/* SPDX-License-Identifier: MIT */
/* Anthropic's Messages API. It is stricter than OpenAI's about what it is sent:
 * a maximum of tokens is required, the system prompt stands apart, a message
 * with nothing but blanks is refused, and user and assistant take turns,
 * beginning with the user. Histories of ours are not always so. Neighbours:
 * stream.c cuts the events, anthropic_event.c reads them. */
#include "base/xalloc.h"
#include "provider/anthropic_event.h"
#include "provider/params.h"
#include "provider/stream.h"

#include <string.h>

extern const struct provider_ops anthropic_ops;

/* The newer form refuses what chooses words more or less freely; models there
 * are that take it in the older one. This file knows no other difference. */
#define VERSION STR("2026-10-21")
#define SAMPLING_VERSION STR("2023-06-01")

/* What every one of its models can give. */
#define DEFAULT_MAX_TOKENS 4096

/* Stands where a user said nothing in words: a file, or nothing yet. */
#define NO_WORDS STR("...")

/* --- the request -------------------------------------------------------- */

/* A segment like v1. */
static bool
is_version(struct str segment)
{
    return segment.n > 1 && segment.p[0] == 'v' && segment.p[1] >= '0' &&
           segment.p[1] <= '9';
}

/* Its own clients take an endpoint without the version and add it. */
static void
put_url(struct provider_request *r, struct str endpoint)
{
    struct str rest = endpoint, path, segment, last = STR("");

    (void)str_split(&rest, '?', &path);
    rest = path;
    while (str_split(&rest, '/', &segment)) {
        last = segment.n > 0 ? segment : last;
    }
    provider_request_put_url(r, endpoint,
                             is_version(last) || str_is(last, "messages")
                                 ? STR("/messages")
                                 : STR("/v1/messages"));
}

static bool
is_sampling_set(const struct provider_config *config,
                const struct provider_turn *turn)
{
    return config->temperature[0] != '\0' || turn->temperature.n > 0 ||
           turn->top_p.n > 0 || params_name(config, STR("top_p")) ||
           params_name(config, STR("top_k"));
}

static void
put_headers(struct provider_request *r, const struct provider_config *config,
            const struct provider_turn *turn)
{
    provider_request_put(r, "Content-Type", STR("application/json"));
    provider_request_put(r, "Accept", STR("text/event-stream"));
    provider_request_put(r, "anthropic-version",
                         is_sampling_set(config, turn) ? SAMPLING_VERSION
                                                       : VERSION);
    if (config->api_key[0] != '\0') {
        provider_request_put(r, "x-api-key", str_from(config->api_key));
    }
}

static void
put_message(struct buf *b, enum provider_role role, struct str content)
{
    json_put_comma(b);
    buf_putc(b, '{');
    json_put_member(b, "role",
                    role == PROVIDER_USER ? STR("user") : STR("assistant"));
    json_put_member(b, "content", content);
    buf_putc(b, '}');
}

/* A blank message is left out; a blank question stands for something that has
 * no words, and so does one with pictures. */
static struct str
words_of(const struct provider_turn *turn, size_t at)
{
    const struct provider_message *m = &turn->messages[at];

    if (str_trim(m->content).n > 0) {
        return m->content;
    }
    return at + 1 < turn->count && m->picture_count == 0 ? STR("") : NO_WORDS;
}

/* The messages of one role from *at on, with an empty line between them; *at
 * is moved behind them. Empty when nothing is left. */
static void
join_run(const struct provider_turn *turn, size_t *at, struct buf *joined,
         enum provider_role *role_out)
{
    buf_reset(joined, SIZE_MAX);
    for (; *at < turn->count; ++*at) {
        struct str words = words_of(turn, *at);

        if (words.n > 0 && joined->n == 0) {
            *role_out = turn->messages[*at].role;
        } else if (words.n > 0 && turn->messages[*at].role != *role_out) {
            break;
        }
        buf_puts(joined, words.n > 0 && joined->n > 0 ? "\n\n" : "");
        buf_put_str(joined, words);
    }
}

static void
put_picture(struct buf *b, const struct picture *p)
{
    json_put_comma(b);
    buf_puts(b, "{\"type\":\"image\",\"source\":{");
    if (p->base64.n > 0) {
        json_put_member(b, "type", STR("base64"));
        json_put_member(b, "media_type", p->type);
        json_put_member(b, "data", p->base64);
    } else {
        json_put_member(b, "type", STR("url"));
        json_put_member(b, "url", p->url);
    }
    buf_puts(b, "}}");
}

/* The messages from..to as one: the pictures, then the words. */
static void
put_seen(struct buf *b, const struct provider_turn *turn, size_t from,
         size_t to, struct str words)
{
    json_put_comma(b);
    buf_puts(b, "{\"role\":\"user\",\"content\":[");
    for (; from < to; from++) {
        const struct provider_message *m = &turn->messages[from];

        for (size_t i = 0; i < m->picture_count; i++) {
            put_picture(b, &m->pictures[i]);
        }
    }
    buf_puts(b, ",{\"type\":\"text\"");
    json_put_member(b, "text", words);
    buf_puts(b, "}]}");
}

static bool
has_pictures(const struct provider_config *config,
             const struct provider_turn *turn, size_t from, size_t to)
{
    while (from < to && provider_pictures(config, &turn->messages[from]) == 0) {
        from++;
    }
    return from < to;
}

static void
put_messages(struct buf *b, const struct provider_config *config,
             const struct provider_turn *turn)
{
    struct buf joined;
    enum provider_role role = PROVIDER_USER;
    size_t at = 0, from = 0;

    buf_init(&joined, b->max);
    json_put_key(b, "messages");
    buf_putc(b, '[');
    join_run(turn, &at, &joined, &role);
    if (role != PROVIDER_USER) {
        put_message(b, PROVIDER_USER, NO_WORDS);
    }
    while (joined.n > 0) {
        if (has_pictures(config, turn, from, at)) {
            put_seen(b, turn, from, at, buf_str(&joined));
        } else {
            put_message(b, role, buf_str(&joined));
        }
        from = at;
        join_run(turn, &at, &joined, &role);
    }
    if (turn->partial.n > 0) {
        put_message(b, PROVIDER_ASSISTANT, turn->partial);
        put_message(b, PROVIDER_USER, provider_go_on());
    }
    buf_putc(b, ']');
    b->failed = b->failed || joined.failed;
    buf_fini(&joined);
}

static void
put_raw(struct buf *b, const char *name, struct str json)
{
    if (json.n > 0) {
        json_put_key(b, name);
        buf_put_str(b, json);
    }
}

/* What the turn asks for itself, and beside it what is configured. */
static void
put_params(struct buf *b, const struct provider_config *config,
           const struct provider_turn *turn)
{
    size_t begin = b->n;
    struct buf own;

    put_raw(b, "temperature", turn->temperature);
    put_raw(b, "top_p", turn->top_p);
    put_raw(b, "stop_sequences", turn->stop);
    if (turn->max_tokens > 0) {
        json_put_member_i64(b, "max_tokens", turn->max_tokens);
    }
    buf_init(&own, b->max);
    buf_puts(&own, "{\"\":0");
    buf_put_str(&own, str_from_at(buf_str(b), begin));
    buf_putc(&own, '}');
    params_put_beside(config, buf_str(&own), b);
    buf_fini(&own);
}

static void
put_body(struct buf *b, const struct provider_config *config,
         const struct provider_turn *turn)
{
    buf_putc(b, '{');
    json_put_member(b, "model", str_from(config->model));
    if (config->max_tokens == 0 && turn->max_tokens == 0) {
        json_put_member_i64(b, "max_tokens", DEFAULT_MAX_TOKENS);
    }
    if (str_trim(turn->system_prompt).n > 0) {
        json_put_member(b, "system", turn->system_prompt);
    }
    put_messages(b, config, turn);
    json_put_member_bool(b, "stream", true);
    put_params(b, config, turn);
    buf_putc(b, '}');
}

static enum err
build(const struct provider_config *config, const struct provider_turn *turn,
      struct provider_request *r)
{
    put_url(r, str_from(config->endpoint));
    put_headers(r, config, turn);
    put_body(&r->body, config, turn);
    return provider_request_seal(r);
}

/* --- from events to events ---------------------------------------------- */

struct answer {
    struct stream stream; /* first */
    struct anthropic_usage usage;
};

/* A reason that is not here is one more way to stop: end_turn, stop_sequence,
 * tool_use, pause_turn. */
static const struct {
    struct str word;
    enum provider_finish finish;
} finishes[] = {
    {STR("max_tokens"), PROVIDER_LENGTH},
    {STR("model_context_window_exceeded"), PROVIDER_LENGTH},
    {STR("refusal"), PROVIDER_CONTENT_FILTER},
};

static void
take_finish(const struct json_text *word, const struct provider_sink *sink)
{
    enum provider_finish finish = PROVIDER_STOP;

    for (size_t i = 0; i < COUNT_OF(finishes); i++) {
        if (json_text_is(word, finishes[i].word)) {
            finish = finishes[i].finish;
        }
    }
    if (word->raw.n > 0) {
        stream_finish(finish, sink);
    }
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
    if (json_text_is(&e->type, STR("message_delta"))) {
        take_usage(&a->usage, sink);
        take_finish(&e->finish, sink);
    } else if (json_text_is(&e->type, STR("message_stop"))) {
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
take_blocks(struct stream *s, struct str content,
            const struct provider_sink *sink)
{
    struct json_scan blocks;
    struct json_text text;

    json_scan_init(&blocks, content);
    (void)json_scan_enter(&blocks, '[');
    while (anthropic_event_block(&blocks, &text)) {
        stream_text(s, &text, sink);
    }
    if (!json_scan_end(&blocks)) {
        stream_fail(s, 0, STR("malformed_answer"), sink);
    }
}

/* A whole message: its blocks are deltas. */
static void
on_document(struct stream *s, struct str document,
            const struct provider_sink *sink)
{
    struct anthropic_event e;

    if (!anthropic_event_read(document, &e)) {
        stream_fail(s, 0, STR("malformed_answer"), sink);
    } else if (e.has_error) {
        stream_fail(s, 0, e.code.raw, sink);
    } else if (e.content.p == NULL) {
        stream_fail(s, 0, STR("no_content"), sink);
    } else {
        take_blocks(s, e.content, sink);
        if (stream_runs(s)) {
            take_usage(&e.usage, sink);
            take_finish(&e.finish, sink);
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
    .build = build,
    .open = open_answer,
    .digest = stream_digest,
    .end = stream_end,
    .fault = fault,
    .close = stream_close,
};
