/* SPDX-License-Identifier: MIT */
/* Reading what comes in at the OpenAI door. Checked is only what this program
 * must know itself, and what no provider could make sense of: a table of
 * members, a function for each. Neighbours: openai_door.c asks with it,
 * provider/openai.c passes it on. */
#include "gate/openai_request.h"

#include "base/xalloc.h"
#include "gate/openai_message.h"
#include "gate/openai_value.h"
#include "gate/openai_wishes.h"
#include "provider/estimate.h"
#include "provider/params.h"

/* More than any model can give or was ever asked for. */
#define TOKENS_MAX 10000000
#define CHOICES_MAX 128

/* Says what is wrong with the body, which is no object or not to be read. */
static bool
refuse_body(const struct openai_request *q, struct openai_fault *f)
{
    json_error_t e;
    json_t *all = openai_value_document(q->relay.object, &e);

    if (all == NULL) {
        return openai_error_fault(
            f, NULL, "The body is not valid JSON: line %d, column %d, byte %d.",
            e.line, e.column, e.position);
    }
    json_decref(all);
    return openai_error_fault(f, NULL,
                              "The body is a JSON object, nested at most %d.",
                              JSON_DEPTH_MAX);
}

/* --- members ------------------------------------------------------------ */

/* What the one who answers must be able to take. */
static void
note_needs(struct openai_request *q, const json_t *message)
{
    int pictures = openai_message_pictures(json_object_get(message, "content"));
    int calls = openai_message_count_calls(message);

    if (calls < 0 || openai_message_relayed(message)) {
        openai_wishes_relay(q, "tools");
    } else if (pictures < 0) {
        openai_wishes_relay(q, "content");
    } else {
        q->picture_count += (size_t)pictures;
        q->call_room += (size_t)calls;
    }
    if (calls > 0 || openai_message_result(message).n > 0) {
        openai_wishes_call(q, "tools");
    }
}

static bool
check_document(struct openai_request *q, struct str json, size_t at,
               struct openai_fault *f)
{
    json_error_t e;
    json_t *message = openai_value_document(json, &e);
    bool ok;

    if (message == NULL) {
        return refuse_body(q, f);
    }
    ok = openai_message_check(message, at, f);
    if (ok) {
        q->prompt_tokens +=
            openai_message_tokens(json_object_get(message, "content")) +
            openai_message_call_tokens(message);
        note_needs(q, message);
    }
    json_decref(message);
    return ok;
}

static uint64_t
tokens_of(const struct json_text *content)
{
    struct buf text;
    uint64_t tokens;

    if (!content->escaped) {
        return estimate_message_tokens(content->raw);
    }
    buf_init(&text, content->raw.n);
    json_unescape(content, &text);
    tokens = estimate_message_tokens(buf_str(&text));
    buf_fini(&text);
    return tokens;
}

static bool
check_message(struct openai_request *q, struct str json, size_t at,
              struct openai_fault *f)
{
    const struct openai_role *role;
    struct json_text content;

    if (!openai_message_plain(json, &role, &content)) {
        return check_document(q, json, at, f);
    }
    q->prompt_tokens += tokens_of(&content);
    if (role->relayed || role->result) {
        openai_wishes_relay(q, role->result ? "tool_call_id" : "tools");
    }
    return true;
}

static bool
check_messages(struct openai_request *q, struct str value,
               struct openai_fault *f)
{
    struct json_scan s;
    struct str message;
    size_t count = 0;

    q->raw_messages = value;
    json_scan_init(&s, value);
    (void)json_scan_enter(&s, '[');
    while (json_scan_element(&s) && json_scan_value(&s, &message)) {
        if (!check_message(q, message, count++, f)) {
            return false;
        }
    }
    return count > 0 ||
           openai_error_fault(f, "messages",
                              "messages is an array of at least one message.");
}

static bool
check_model(struct openai_request *q, struct str value, struct openai_fault *f)
{
    struct json_text text;

    if (!openai_value_text(value, &text) || text.raw.n == 0) {
        return openai_error_fault(f, "model",
                                  "model is the id of a model, a string.");
    }
    q->model = text.raw;
    if (text.escaped) {
        json_unescape(&text, &q->name);
        q->model = buf_str(&q->name);
    }
    return true;
}

static bool
check_stream(struct openai_request *q, struct str value, struct openai_fault *f)
{
    if (openai_value_given(value) && !openai_value_begins(value, "tf")) {
        return openai_error_fault(f, "stream", "stream is true or false.");
    }
    q->stream = q->relay.stream = openai_value_begins(value, "t");
    return true;
}

/* With include_usage whether or not the client asked for it: what an answer
 * costs is counted. */
static void
put_options(struct openai_request *q, struct str given)
{
    struct params_scan scan;
    struct params_member m;

    buf_putc(&q->options, '{');
    params_scan_init(&scan, given.n > 0 ? given : STR("{}"));
    while (params_scan_next(&scan, &m)) {
        if (!json_text_is(&m.name, STR("include_usage"))) {
            params_put_member(&m, &q->options);
        }
    }
    json_put_member_bool(&q->options, "include_usage", true);
    buf_putc(&q->options, '}');
    q->relay.stream_options = buf_str(&q->options);
}

static bool
check_options(struct openai_request *q, struct str value,
              struct openai_fault *f)
{
    struct str usage = openai_value_member(value, STR("include_usage"));

    if (openai_value_given(value) && !q->stream) {
        return openai_error_fault(
            f, "stream_options", "stream_options goes with stream: true only.");
    }
    if (openai_value_given(value) &&
        (!openai_value_begins(value, "{") ||
         (openai_value_given(usage) && !openai_value_begins(usage, "tf")))) {
        return openai_error_fault(
            f, "stream_options",
            "stream_options is an object; include_usage in it is true "
            "or false.");
    }
    q->include_usage = openai_value_begins(usage, "t");
    put_options(q, value);
    return true;
}

static bool
check_tokens(struct openai_request *q, struct str value, const char *name,
             struct openai_fault *f)
{
    if (!openai_value_given(value)) {
        return true;
    }
    if (!openai_value_is_whole(value, 1, TOKENS_MAX)) {
        return openai_error_fault(f, name, "%s is a whole number from 1 to %d.",
                                  name, TOKENS_MAX);
    }
    q->max_tokens = (int64_t)openai_value_number(value);
    return true;
}

static bool
check_max_tokens(struct openai_request *q, struct str value,
                 struct openai_fault *f)
{
    return check_tokens(q, value, "max_tokens", f);
}

static bool
check_max_completion(struct openai_request *q, struct str value,
                     struct openai_fault *f)
{
    return check_tokens(q, value, "max_completion_tokens", f);
}

static bool
check_n(struct openai_request *q, struct str value, struct openai_fault *f)
{
    if (openai_value_given(value) &&
        !openai_value_is_whole(value, 1, CHOICES_MAX)) {
        return openai_error_fault(f, "n", "n is a whole number from 1 to %d.",
                                  CHOICES_MAX);
    }
    if (openai_value_given(value) && openai_value_number(value) > 1) {
        openai_wishes_relay(q, "n");
    }
    return true;
}

static bool
take_number(struct str value, const char *name, struct str *out,
            struct openai_fault *f)
{
    if (openai_value_given(value) && !openai_value_is_number(value)) {
        return openai_error_fault(f, name, "%s is a number.", name);
    }
    if (openai_value_given(value)) {
        *out = value;
    }
    return true;
}

static bool
check_temperature(struct openai_request *q, struct str value,
                  struct openai_fault *f)
{
    return take_number(value, "temperature", &q->temperature, f);
}

static bool
check_top_p(struct openai_request *q, struct str value, struct openai_fault *f)
{
    return take_number(value, "top_p", &q->top_p, f);
}

/* What others than OpenAI refuse. */
static bool
is_blank(const struct json_text *text)
{
    struct buf plain;
    bool blank;

    buf_init(&plain, text->raw.n);
    json_unescape(text, &plain);
    blank = str_trim(buf_str(&plain)).n == 0;
    buf_fini(&plain);
    return blank;
}

/* Whether all elements are strings, and none of them blank; how many. */
static bool
are_texts(struct str array, size_t *count, bool *blank)
{
    struct json_scan s;
    struct json_text text;

    *count = 0;
    json_scan_init(&s, array);
    (void)json_scan_enter(&s, '[');
    while (json_scan_element(&s) && json_scan_string(&s, &text)) {
        *blank = *blank || is_blank(&text);
        ++*count;
    }
    return json_scan_end(&s);
}

static bool
check_stop(struct openai_request *q, struct str value, struct openai_fault *f)
{
    bool one = openai_value_begins(value, "\""), blank = false;
    size_t count = 0;

    if (!openai_value_given(value)) {
        return true;
    }
    buf_puts(&q->stop, one ? "[" : "");
    buf_put_str(&q->stop, value);
    buf_puts(&q->stop, one ? "]" : "");
    if (!are_texts(buf_str(&q->stop), &count, &blank)) {
        return openai_error_fault(f, "stop",
                                  "stop is a string or an array of strings.");
    }
    if (count == 0) {
        buf_reset(&q->stop, 0);
    }
    if (blank) {
        q->relays_only = "stop";
    }
    return true;
}

static bool
check_input(struct openai_request *q, struct str value, struct openai_fault *f)
{
    json_error_t e;
    json_t *input;

    if (!openai_value_begins(value, "\"[")) {
        return openai_error_fault(f, "input", "input is a string or an array.");
    }
    input = openai_value_document(value, &e);
    if (input == NULL) {
        return refuse_body(q, f);
    }
    q->prompt_tokens = openai_message_tokens(input);
    json_decref(input);
    return true;
}

struct check {
    struct str name;
    bool (*check)(struct openai_request *q, struct str value,
                  struct openai_fault *f);
};

static const struct check completion[] = {
    {STR("model"), check_model},
    {STR("messages"), check_messages},
    {STR("stream"), check_stream},
    {STR("stream_options"), check_options},
    {STR("max_tokens"), check_max_tokens},
    {STR("max_completion_tokens"), check_max_completion},
    {STR("n"), check_n},
    {STR("temperature"), check_temperature},
    {STR("top_p"), check_top_p},
    {STR("stop"), check_stop},
    {STR("tools"), openai_wishes_tools},
    {STR("tool_choice"), openai_wishes_choice},
    {STR("parallel_tool_calls"), openai_wishes_parallel},
    {STR("functions"), openai_wishes_functions},
    {STR("function_call"), openai_wishes_function_call},
    {STR("response_format"), openai_wishes_format},
    {STR("reasoning_effort"), openai_wishes_effort},
    {STR("user"), openai_wishes_user},
    {STR("safety_identifier"), openai_wishes_user},
    {STR("logprobs"), openai_wishes_logprobs},
    {STR("logit_bias"), openai_wishes_bias},
    {STR("modalities"), openai_wishes_modalities},
    {STR("web_search_options"), openai_wishes_search},
    {STR("store"), openai_wishes_store},
};

static const struct check embeddings[] = {
    {STR("model"), check_model},
    {STR("input"), check_input},
};

static const struct checks {
    const struct check *all;
    size_t count;
} of_completion = {completion, COUNT_OF(completion)},
  of_embeddings = {embeddings, COUNT_OF(embeddings)};

/* --- reading ------------------------------------------------------------ */

static void
init(struct openai_request *q, struct str text)
{
    *q = (struct openai_request){.relay.object = text};
    buf_init(&q->name, text.n + 64);
    buf_init(&q->options, text.n + 64);
    buf_init(&q->system, text.n + 64);
    buf_init(&q->words, text.n + 64);
    buf_init(&q->stop, text.n + 64);
}

static bool
take(struct openai_request *q, struct str text, const struct checks *checks,
     struct openai_fault *f)
{
    struct openai_member members[COUNT_OF(completion)];

    init(q, text);
    for (size_t i = 0; i < checks->count; i++) {
        members[i] = (struct openai_member){.name = checks->all[i].name};
    }
    if (!json_valid(text, JSON_DEPTH_MAX) ||
        !openai_value_begins(str_trim(text), "{") ||
        !openai_value_split(text, members, checks->count)) {
        return refuse_body(q, f);
    }
    for (size_t i = 0; i < checks->count; i++) {
        if (!checks->all[i].check(q, members[i].value, f)) {
            return false;
        }
    }
    return true;
}

bool
openai_request_completion(struct openai_request *q, struct str text,
                          struct openai_fault *fault)
{
    return take(q, text, &of_completion, fault);
}

bool
openai_request_embeddings(struct openai_request *q, struct str text,
                          struct openai_fault *fault)
{
    q->embeds = take(q, text, &of_embeddings, fault);
    return q->embeds;
}

void
openai_request_fini(struct openai_request *q)
{
    json_decref(q->root);
    xfree(q->messages);
    xfree(q->pictures);
    xfree(q->calls);
    xfree(q->tools);
    buf_fini(&q->name);
    buf_fini(&q->options);
    buf_fini(&q->system);
    buf_fini(&q->words);
    buf_fini(&q->stop);
}
