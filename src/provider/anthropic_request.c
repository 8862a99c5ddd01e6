/* SPDX-License-Identifier: MIT */
/* What Anthropic's Messages API is asked. It is stricter than OpenAI's about
 * what it is sent: a maximum of tokens is required, the system prompt stands
 * apart, a message with nothing but blanks is refused, user and assistant take
 * turns, beginning with the user, and results of tools stand first in the turn
 * behind their calls. Histories are not always so. Neighbours:
 * anthropic_wishes.c says which tools there are. */
#include "provider/anthropic_request.h"

#include "provider/anthropic_wishes.h"
#include "provider/params.h"

#include <jansson.h>

/* The newer form refuses what chooses words more or less freely; models there
 * are that take it in the older one. This file knows no other difference. */
#define VERSION STR("2026-10-21")
#define SAMPLING_VERSION STR("2023-06-01")

/* What every one of its models can give. */
#define DEFAULT_MAX_TOKENS 4096

/* Stands where a user said nothing in words: a file, or nothing yet. */
#define NO_WORDS STR("...")

/* The body around an input is nested so deep. */
#define INPUT_DEPTH (JSON_DEPTH_MAX - 8)

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

static struct str
word_of(enum provider_role role)
{
    return role == PROVIDER_USER ? STR("user") : STR("assistant");
}

static void
put_message(struct buf *b, enum provider_role role, struct str content)
{
    json_put_comma(b);
    buf_putc(b, '{');
    json_put_member(b, "role", word_of(role));
    json_put_member(b, "content", content);
    buf_putc(b, '}');
}

/* A blank message is left out; a blank question stands for something that has
 * no words, and so does one with pictures. A result's words are in its block.
 */
static struct str
words_of(const struct provider_turn *turn, size_t at)
{
    const struct provider_message *m = &turn->messages[at];
    bool last = at + 1 == turn->count && m->call_count == 0;

    if (m->result_of.n > 0) {
        return STR("");
    }
    if (str_trim(m->content).n > 0) {
        return m->content;
    }
    return last || m->picture_count > 0 ? NO_WORDS : STR("");
}

/* Messages of one role, which become one. */
struct run {
    size_t from, to;
    enum provider_role role;
    bool any;         /* one of them says something */
    struct buf words; /* with an empty line between them */
};

static bool
says(const struct provider_turn *turn, size_t at)
{
    const struct provider_message *m = &turn->messages[at];

    return m->call_count > 0 || m->result_of.n > 0 || words_of(turn, at).n > 0;
}

/* The run behind the one before; without any when nothing is left. */
static void
next_run(const struct provider_turn *turn, struct run *run)
{
    run->from = run->to;
    run->any = false;
    buf_reset(&run->words, SIZE_MAX);
    for (; run->to < turn->count; run->to++) {
        struct str words = words_of(turn, run->to);

        if (!says(turn, run->to)) {
            continue;
        }
        if (run->any && turn->messages[run->to].role != run->role) {
            break;
        }
        run->any = true;
        run->role = turn->messages[run->to].role;
        buf_puts(&run->words, words.n > 0 && run->words.n > 0 ? "\n\n" : "");
        buf_put_str(&run->words, words);
    }
}

static bool
is_id_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* An id of another provider's may have what is no letter here. */
static void
put_id(struct buf *b, const char *name, struct str id)
{
    json_put_key(b, name);
    buf_putc(b, '"');
    for (size_t i = 0; i < id.n; i++) {
        buf_putc(b, is_id_char(id.p[i]) ? id.p[i] : '_');
    }
    buf_putc(b, '"');
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

static void
put_pictures(struct buf *b, const struct provider_config *config,
             const struct provider_message *m)
{
    for (size_t i = 0; i < provider_pictures(config, m); i++) {
        put_picture(b, &m->pictures[i]);
    }
}

static void
put_result(struct buf *b, const struct provider_message *m)
{
    if (m->result_of.n == 0) {
        return;
    }
    json_put_comma(b);
    buf_puts(b, "{\"type\":\"tool_result\"");
    put_id(b, "tool_use_id", m->result_of);
    if (str_trim(m->content).n > 0) {
        json_put_member(b, "content", m->content);
    }
    buf_putc(b, '}');
}

/* Arguments that are no object are the model's own slip, and told it as they
 * are. */
static void
put_call(struct buf *b, const struct provider_call *call)
{
    struct str input = str_trim(call->arguments);

    json_put_comma(b);
    buf_puts(b, "{\"type\":\"tool_use\"");
    put_id(b, "id", call->id);
    json_put_member(b, "name", call->name);
    json_put_key(b, "input");
    if (input.n > 0 && input.p[0] == '{' && json_valid(input, INPUT_DEPTH)) {
        buf_put_str(b, input);
    } else {
        buf_putc(b, '{');
        if (input.n > 0) {
            json_put_member(b, "arguments", input);
        }
        buf_putc(b, '}');
    }
    buf_putc(b, '}');
}

static void
put_calls(struct buf *b, const struct provider_message *m)
{
    for (size_t i = 0; i < m->call_count; i++) {
        put_call(b, &m->calls[i]);
    }
}

/* Results, pictures, words, calls: in the order that is asked for. */
static void
put_blocks(struct buf *b, const struct provider_config *config,
           const struct provider_turn *turn, const struct run *run)
{
    const struct provider_message *m = turn->messages;

    json_put_comma(b);
    buf_putc(b, '{');
    json_put_member(b, "role", word_of(run->role));
    json_put_key(b, "content");
    buf_putc(b, '[');
    for (size_t i = run->from; i < run->to; i++) {
        put_result(b, &m[i]);
    }
    for (size_t i = run->from; i < run->to; i++) {
        put_pictures(b, config, &m[i]);
    }
    if (run->words.n > 0) {
        json_put_comma(b);
        buf_puts(b, "{\"type\":\"text\"");
        json_put_member(b, "text", buf_str(&run->words));
        buf_putc(b, '}');
    }
    for (size_t i = run->from; i < run->to; i++) {
        put_calls(b, &m[i]);
    }
    buf_puts(b, "]}");
}

static bool
needs_blocks(const struct provider_config *config,
             const struct provider_turn *turn, const struct run *run)
{
    for (size_t i = run->from; i < run->to; i++) {
        const struct provider_message *m = &turn->messages[i];

        if (m->call_count > 0 || m->result_of.n > 0 ||
            provider_pictures(config, m) > 0) {
            return true;
        }
    }
    return false;
}

static void
put_run(struct buf *b, const struct provider_config *config,
        const struct provider_turn *turn, const struct run *run)
{
    if (needs_blocks(config, turn, run)) {
        put_blocks(b, config, turn, run);
    } else {
        put_message(b, run->role, buf_str(&run->words));
    }
}

static void
put_messages(struct buf *b, const struct provider_config *config,
             const struct provider_turn *turn)
{
    struct run run = {.role = PROVIDER_USER};

    buf_init(&run.words, b->max);
    json_put_key(b, "messages");
    buf_putc(b, '[');
    next_run(turn, &run);
    if (run.role != PROVIDER_USER) {
        put_message(b, PROVIDER_USER, NO_WORDS);
    }
    for (; run.any; next_run(turn, &run)) {
        put_run(b, config, turn, &run);
    }
    if (turn->partial.n > 0) {
        put_message(b, PROVIDER_ASSISTANT, turn->partial);
        put_message(b, PROVIDER_USER, provider_go_on());
    }
    buf_putc(b, ']');
    b->failed = b->failed || run.words.failed;
    buf_fini(&run.words);
}

static void
put_raw(struct buf *b, const char *name, struct str json)
{
    if (json.n > 0) {
        json_put_key(b, name);
        buf_put_str(b, json);
    }
}

/* OpenAI's range ends at 2, and what is above 1 is as free as it gets here. */
static struct str
in_range(struct str temperature)
{
    json_t *number =
        json_loadb(temperature.p != NULL ? temperature.p : "", temperature.n,
                   JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);
    bool above = json_number_value(number) > 1;

    json_decref(number);
    return above ? STR("1") : temperature;
}

/* What the turn asks for itself, and beside it what is configured. */
static void
put_params(struct buf *b, const struct provider_config *config,
           const struct provider_turn *turn)
{
    size_t begin = b->n;
    struct buf own;

    put_raw(b, "temperature", in_range(turn->temperature));
    put_raw(b, "top_p", turn->top_p);
    put_raw(b, "stop_sequences", turn->stop);
    if (turn->max_tokens > 0) {
        json_put_member_i64(b, "max_tokens", turn->max_tokens);
    }
    anthropic_wishes_put(turn, b);
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

enum err
anthropic_request_build(const struct provider_config *config,
                        const struct provider_turn *turn,
                        struct provider_request *r)
{
    put_url(r, str_from(config->endpoint));
    put_headers(r, config, turn);
    put_body(&r->body, config, turn);
    return provider_request_seal(r);
}
