/* SPDX-License-Identifier: MIT */
/* Reading what comes in at the OpenAI door. Checked is only what this program
 * must know itself, and what no provider could make sense of: a table of
 * members, a function for each. Neighbours: openai_door.c asks with it,
 * provider/openai.c passes it on. */
#include "gate/openai_request.h"

#include "base/xalloc.h"
#include "codec/json.h"
#include "gate/openai_message.h"
#include "provider/params.h"

#include <math.h>
#include <stdio.h>

/* More than any model can give or was ever asked for. */
#define TOKENS_MAX 10000000
#define CHOICES_MAX 128

static bool
is_given(const json_t *value)
{
    return value != NULL && !json_is_null(value);
}

static bool
is_whole(const json_t *value, double min, double max)
{
    double n = json_number_value(value);

    return json_is_number(value) && n >= min && n <= max && floor(n) == n;
}

/* As it was written. */
static struct str
raw_value(const struct openai_request *q, const char *name)
{
    struct params_member m = {.value = {NULL, 0}};

    (void)params_find(q->relay.object, str_from(name), &m);
    return m.value;
}

/* What the one who answers must be able to take. */
static void
note_needs(struct openai_request *q, const json_t *message)
{
    int pictures = openai_message_pictures(json_object_get(message, "content"));

    if (openai_message_relayed(message)) {
        q->relays_only = "tools";
    } else if (pictures < 0) {
        q->relays_only = "content";
    } else {
        q->picture_count += (size_t)pictures;
    }
}

static bool
check_messages(struct openai_request *q, const json_t *value,
               struct openai_fault *f)
{
    size_t i;
    json_t *message;

    if (!json_is_array(value) || json_array_size(value) == 0) {
        return openai_error_fault(
            f, "messages", "messages is an array of at least one message.");
    }
    json_array_foreach(value, i, message)
    {
        if (!openai_message_check(message, i, f)) {
            return false;
        }
        q->prompt_tokens +=
            openai_message_tokens(json_object_get(message, "content"));
        note_needs(q, message);
    }
    return true;
}

static bool
check_model(struct openai_request *q, const json_t *value,
            struct openai_fault *f)
{
    if (!json_is_string(value) || json_string_length(value) == 0) {
        return openai_error_fault(f, "model",
                                  "model is the id of a model, a string.");
    }
    q->model =
        (struct str){json_string_value(value), json_string_length(value)};
    return true;
}

static bool
check_stream(struct openai_request *q, const json_t *value,
             struct openai_fault *f)
{
    if (is_given(value) && !json_is_boolean(value)) {
        return openai_error_fault(f, "stream", "stream is true or false.");
    }
    q->stream = q->relay.stream = json_is_true(value);
    return true;
}

/* With include_usage whether or not the client asked for it: what an answer
 * costs is counted. */
static void
put_options(struct openai_request *q)
{
    struct str given = raw_value(q, "stream_options");
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
check_options(struct openai_request *q, const json_t *value,
              struct openai_fault *f)
{
    const json_t *usage = json_object_get(value, "include_usage");

    if (is_given(value) && !q->stream) {
        return openai_error_fault(
            f, "stream_options", "stream_options goes with stream: true only.");
    }
    if (is_given(value) && (!json_is_object(value) ||
                            (is_given(usage) && !json_is_boolean(usage)))) {
        return openai_error_fault(
            f, "stream_options",
            "stream_options is an object; include_usage in it is true "
            "or false.");
    }
    q->include_usage = json_is_true(usage);
    put_options(q);
    return true;
}

static bool
check_tokens(struct openai_request *q, const json_t *value, const char *name,
             struct openai_fault *f)
{
    if (!is_given(value)) {
        return true;
    }
    if (!is_whole(value, 1, TOKENS_MAX)) {
        return openai_error_fault(f, name, "%s is a whole number from 1 to %d.",
                                  name, TOKENS_MAX);
    }
    q->max_tokens = (int64_t)json_number_value(value);
    return true;
}

static bool
check_max_tokens(struct openai_request *q, const json_t *value,
                 struct openai_fault *f)
{
    return check_tokens(q, value, "max_tokens", f);
}

static bool
check_max_completion(struct openai_request *q, const json_t *value,
                     struct openai_fault *f)
{
    return check_tokens(q, value, "max_completion_tokens", f);
}

static bool
check_n(struct openai_request *q, const json_t *value, struct openai_fault *f)
{
    if (is_given(value) && !is_whole(value, 1, CHOICES_MAX)) {
        return openai_error_fault(f, "n", "n is a whole number from 1 to %d.",
                                  CHOICES_MAX);
    }
    if (is_given(value) && json_number_value(value) > 1) {
        q->relays_only = "n";
    }
    return true;
}

static bool
take_number(struct openai_request *q, const json_t *value, const char *name,
            struct str *out, struct openai_fault *f)
{
    if (is_given(value) && !json_is_number(value)) {
        return openai_error_fault(f, name, "%s is a number.", name);
    }
    if (is_given(value)) {
        *out = raw_value(q, name);
    }
    return true;
}

static bool
check_temperature(struct openai_request *q, const json_t *value,
                  struct openai_fault *f)
{
    return take_number(q, value, "temperature", &q->temperature, f);
}

static bool
check_top_p(struct openai_request *q, const json_t *value,
            struct openai_fault *f)
{
    return take_number(q, value, "top_p", &q->top_p, f);
}

static bool
check_stop(struct openai_request *q, const json_t *value,
           struct openai_fault *f)
{
    size_t n = json_array_size(value);

    if (json_is_string(value)) {
        buf_putc(&q->stop, '[');
        buf_put_str(&q->stop, raw_value(q, "stop"));
        buf_putc(&q->stop, ']');
        return true;
    }
    while (n > 0 && json_is_string(json_array_get(value, n - 1))) {
        n--;
    }
    if (n > 0 || (is_given(value) && !json_is_array(value))) {
        return openai_error_fault(f, "stop",
                                  "stop is a string or an array of strings.");
    }
    if (json_array_size(value) > 0) {
        buf_put_str(&q->stop, raw_value(q, "stop"));
    }
    return true;
}

static bool
check_tools(struct openai_request *q, const json_t *value,
            struct openai_fault *f)
{
    if (is_given(value) && !json_is_array(value)) {
        return openai_error_fault(f, "tools", "tools is an array.");
    }
    if (json_array_size(value) > 0) {
        q->relays_only = "tools";
    }
    return true;
}

static bool
check_functions(struct openai_request *q, const json_t *value,
                struct openai_fault *f)
{
    (void)f;
    q->relays_only = is_given(value) ? "functions" : q->relays_only;
    return true;
}

static bool
check_format(struct openai_request *q, const json_t *value,
             struct openai_fault *f)
{
    const char *type = json_string_value(json_object_get(value, "type"));

    if (is_given(value) && type == NULL) {
        return openai_error_fault(f, "response_format",
                                  "response_format is an object with a type.");
    }
    if (type != NULL && !str_is(str_from(type), "text")) {
        q->relays_only = "response_format";
    }
    return true;
}

static bool
check_logprobs(struct openai_request *q, const json_t *value,
               struct openai_fault *f)
{
    if (is_given(value) && !json_is_boolean(value)) {
        return openai_error_fault(f, "logprobs", "logprobs is true or false.");
    }
    q->relays_only = json_is_true(value) ? "logprobs" : q->relays_only;
    return true;
}

static bool
check_input(struct openai_request *q, const json_t *value,
            struct openai_fault *f)
{
    q->prompt_tokens = openai_message_tokens(value);
    if (!json_is_string(value) && !json_is_array(value)) {
        return openai_error_fault(f, "input", "input is a string or an array.");
    }
    return true;
}

struct check {
    const char *name;
    bool (*check)(struct openai_request *q, const json_t *value,
                  struct openai_fault *f);
};

static const struct check completion[] = {
    {"model", check_model},
    {"messages", check_messages},
    {"stream", check_stream},
    {"stream_options", check_options},
    {"max_tokens", check_max_tokens},
    {"max_completion_tokens", check_max_completion},
    {"n", check_n},
    {"temperature", check_temperature},
    {"top_p", check_top_p},
    {"stop", check_stop},
    {"tools", check_tools},
    {"functions", check_functions},
    {"response_format", check_format},
    {"logprobs", check_logprobs},
    {NULL, NULL},
};

static const struct check embeddings[] = {
    {"model", check_model},
    {"input", check_input},
    {NULL, NULL},
};

/* --- reading ------------------------------------------------------------ */

static bool
parse(struct openai_request *q, struct str text, struct openai_fault *f)
{
    json_error_t e;

    q->root = json_loadb(
        text.p != NULL ? text.p : "", text.n,
        JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &e);
    if (q->root == NULL) {
        return openai_error_fault(
            f, NULL, "The body is not valid JSON: line %d, column %d, byte %d.",
            e.line, e.column, e.position);
    }
    if (!json_is_object(q->root) || !json_valid(text, JSON_DEPTH_MAX)) {
        return openai_error_fault(
            f, NULL, "The body is a JSON object, nested at most %d.",
            JSON_DEPTH_MAX);
    }
    return true;
}

static bool
take(struct openai_request *q, struct str text, const struct check *checks,
     struct openai_fault *f)
{
    *q = (struct openai_request){.relay.object = text};
    buf_init(&q->options, text.n + 64);
    buf_init(&q->system, text.n + 64);
    buf_init(&q->words, text.n + 64);
    buf_init(&q->stop, text.n + 64);
    if (!parse(q, text, f)) {
        return false;
    }
    for (size_t i = 0; checks[i].name != NULL; i++) {
        const json_t *value = json_object_get(q->root, checks[i].name);

        if (!checks[i].check(q, value, f)) {
            return false;
        }
    }
    return true;
}

bool
openai_request_completion(struct openai_request *q, struct str text,
                          struct openai_fault *fault)
{
    return take(q, text, completion, fault);
}

bool
openai_request_embeddings(struct openai_request *q, struct str text,
                          struct openai_fault *fault)
{
    q->embeds = take(q, text, embeddings, fault);
    return q->embeds;
}

void
openai_request_fini(struct openai_request *q)
{
    json_decref(q->root);
    xfree(q->messages);
    xfree(q->pictures);
    buf_fini(&q->options);
    buf_fini(&q->system);
    buf_fini(&q->words);
    buf_fini(&q->stop);
}

/* --- for those that do not relay ---------------------------------------- */

/* Behind those of the messages before. */
static void
put_pictures(struct openai_request *q, const json_t *content,
             struct provider_message *m)
{
    struct picture *first = q->pictures + q->picture_count;
    size_t at = 0;

    while (openai_message_picture(content, &at, first + m->picture_count)) {
        m->picture_count++;
    }
    m->pictures = first;
    q->picture_count += m->picture_count;
}

/* Places in words first, as it moves while it grows. */
static void
put_message(struct openai_request *q, const json_t *message)
{
    const json_t *content = json_object_get(message, "content");
    const struct openai_role *role = openai_message_role(message);
    struct provider_message *m = &q->messages[q->count];

    if (role->system) {
        buf_puts(&q->system, q->system.n > 0 ? "\n\n" : "");
        openai_message_words(content, &q->system);
        return;
    }
    m->role = role->role;
    m->content.n = q->words.n;
    openai_message_words(content, &q->words);
    m->content.n = q->words.n - m->content.n;
    put_pictures(q, content, m);
    q->count++;
}

static void
translate(struct openai_request *q)
{
    const json_t *all = json_object_get(q->root, "messages");
    const char *at;
    size_t i;
    json_t *message;

    q->messages = xcalloc(json_array_size(all) + 1, sizeof(*q->messages));
    q->pictures = xcalloc(q->picture_count + 1, sizeof(*q->pictures));
    q->picture_count = 0; /* as they are put down */
    json_array_foreach(all, i, message)
    {
        put_message(q, message);
    }
    if (q->count == 0) { /* nothing but instructions */
        q->messages[q->count++].content = (struct str){"", 0};
    }
    at = buf_str(&q->words).p;
    for (i = 0; i < q->count; i++) {
        q->messages[i].content.p = at;
        at += q->messages[i].content.n;
    }
}

void
openai_request_turn(struct openai_request *q, struct provider_turn *out)
{
    if (q->messages == NULL) {
        translate(q);
    }
    *out = (struct provider_turn){
        .system_prompt = buf_str(&q->system),
        .messages = q->messages,
        .count = q->count,
        .temperature = q->temperature,
        .max_tokens = q->max_tokens,
        .top_p = q->top_p,
        .stop = buf_str(&q->stop),
    };
}
