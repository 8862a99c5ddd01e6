/* SPDX-License-Identifier: MIT */
/* One JSON text of OpenAI's form, read in one pass: a function per object,
 * each a loop over members that knows a few and skips the rest. What has
 * another type than it should makes the whole text malformed, but for counts
 * and the members of an error: an odd number must not cost an answer. */
#include "provider/openai_chunk.h"

#include "provider/estimate.h"
#include "provider/scan.h"

static uint64_t
quarters_of(const struct json_text *t)
{
    struct buf text;
    uint64_t quarters;

    if (!t->escaped) {
        return estimate_quarters(t->raw);
    }
    buf_init(&text, t->raw.n);
    json_unescape(t, &text);
    quarters = estimate_quarters(buf_str(&text));
    buf_fini(&text);
    return quarters;
}

static void
read_function(struct json_scan *s, struct stream_call *call)
{
    struct json_text key;

    if (!scan_object(s)) {
        return;
    }
    while (json_scan_member(s, &key)) {
        if (json_text_is(&key, STR("name"))) {
            scan_text(s, &call->name);
        } else if (json_text_is(&key, STR("arguments"))) {
            scan_text(s, &call->arguments);
        } else {
            json_scan_skip(s);
        }
    }
}

static void
read_call(struct json_scan *s, struct stream_call *call, int64_t *at)
{
    struct json_text key;

    if (!scan_object(s)) {
        return;
    }
    while (json_scan_member(s, &key)) {
        if (json_text_is(&key, STR("index"))) {
            scan_count(s, at);
        } else if (json_text_is(&key, STR("id"))) {
            scan_text(s, &call->id);
        } else if (json_text_is(&key, STR("function"))) {
            read_function(s, call);
        } else {
            json_scan_skip(s);
        }
    }
}

/* In a whole answer they have no number but their place. */
bool
openai_chunk_call(struct json_scan *calls, struct stream_call *call,
                  int64_t *at)
{
    *call = (struct stream_call){0};
    if (!json_scan_element(calls)) {
        return false;
    }
    read_call(calls, call, at);
    return !calls->failed;
}

/* What is not told of as text or calls. Several servers have `reasoning`. */
static void
read_beside(struct json_scan *s, const struct json_text *key,
            struct openai_chunk *c)
{
    struct stream_call call = {0};
    struct json_text thought = {0};

    if (json_scan_peek(s) == '"' &&
        (json_text_is(key, STR("reasoning")) ||
         json_text_is(key, STR("reasoning_content")))) {
        json_scan_string(s, &thought);
    } else if (json_scan_peek(s) == '{' &&
               json_text_is(key, STR("function_call"))) {
        read_function(s, &call);
    } else {
        json_scan_skip(s);
    }
    c->aside_quarters += quarters_of(&thought) + quarters_of(&call.name) +
                         quarters_of(&call.arguments);
}

static void
read_delta(struct json_scan *s, struct openai_chunk *c)
{
    struct json_text key;

    if (!scan_object(s)) {
        return;
    }
    while (json_scan_member(s, &key)) {
        if (json_text_is(&key, STR("content"))) {
            scan_text(s, &c->content);
        } else if (json_text_is(&key, STR("refusal"))) {
            scan_text(s, &c->refusal);
        } else if (json_text_is(&key, STR("tool_calls")) &&
                   json_scan_peek(s) == '[') {
            c->has_more |= json_scan_value(s, &c->calls);
        } else {
            c->has_more |=
                !json_text_is(&key, STR("role")) && json_scan_peek(s) != 'n';
            read_beside(s, &key, c);
        }
    }
}

/* Into a chunk of its own, as a choice may name its index last. */
static void
read_choice(struct json_scan *s, struct openai_chunk *c, int64_t *index)
{
    struct json_text key;

    *index = 0;
    json_scan_enter(s, '{');
    while (json_scan_member(s, &key)) {
        if (json_text_is(&key, STR("delta")) ||
            json_text_is(&key, STR("message"))) {
            read_delta(s, c);
        } else if (json_text_is(&key, STR("finish_reason"))) {
            scan_text(s, &c->finish);
        } else if (json_text_is(&key, STR("index"))) {
            scan_count(s, index);
        } else {
            json_scan_skip(s);
        }
    }
}

static void
take_choice(struct openai_chunk *c, const struct openai_chunk *choice)
{
    c->content = choice->content;
    c->refusal = choice->refusal;
    c->calls = choice->calls;
    c->finish = choice->finish;
    c->aside_quarters += choice->aside_quarters;
    c->has_more = choice->has_more;
    c->has_choice = true;
}

static uint64_t
quarters_of_calls(struct str calls)
{
    struct stream_call call;
    struct json_scan scan;
    uint64_t quarters = 0;
    int64_t at = 0;

    json_scan_init(&scan, calls);
    (void)json_scan_enter(&scan, '[');
    while (openai_chunk_call(&scan, &call, &at)) {
        quarters += quarters_of(&call.name) + quarters_of(&call.arguments);
    }
    return quarters;
}

static void
leave_choice(struct openai_chunk *c, const struct openai_chunk *choice)
{
    c->aside_quarters +=
        choice->aside_quarters + quarters_of(&choice->content) +
        quarters_of(&choice->refusal) + quarters_of_calls(choice->calls);
    c->has_others = true;
}

/* One behind the answer: it is counted as far as it has the form. */
static void
pass_choice(struct json_scan *s, struct openai_chunk *c)
{
    struct openai_chunk choice = {0};
    struct json_scan scan;
    struct str text = {NULL, 0};
    int64_t index;

    (void)json_scan_value(s, &text);
    json_scan_init(&scan, text);
    read_choice(&scan, &choice, &index);
    leave_choice(c, &choice);
}

/* The first choice is the answer; others are for those who asked for them at
 * the OpenAI door, and must not get mixed into it. */
static void
read_choices(struct json_scan *s, struct openai_chunk *c)
{
    if (json_scan_peek(s) == 'n') {
        json_scan_null(s);
        return;
    }
    json_scan_enter(s, '[');
    while (json_scan_element(s)) {
        struct openai_chunk choice = {0};
        int64_t index = 0;

        if (c->has_choice) {
            pass_choice(s, c);
            continue;
        }
        read_choice(s, &choice, &index);
        if (index == 0) {
            take_choice(c, &choice);
        } else {
            leave_choice(c, &choice);
        }
    }
}

/* `code` is a word or a status; `type` is a word. */
static void
read_error_member(struct json_scan *s, const struct json_text *key,
                  struct openai_chunk *c)
{
    bool is_code = json_text_is(key, STR("code"));
    char first = json_scan_peek(s);

    if (is_code && first >= '0' && first <= '9') {
        scan_count(s, &c->status);
    } else if (first == '"' && (is_code || (c->code.raw.n == 0 &&
                                            json_text_is(key, STR("type"))))) {
        json_scan_string(s, &c->code);
    } else {
        json_scan_skip(s);
    }
}

/* An object or a sentence. */
static void
read_error(struct json_scan *s, struct openai_chunk *c)
{
    char first = json_scan_peek(s);
    struct json_text key, text;

    if (first == '"') {
        json_scan_string(s, &text);
        c->has_error = c->has_error || text.raw.n > 0;
        return;
    }
    if (first != '{') {
        json_scan_skip(s);
        return;
    }
    c->has_error = true;
    json_scan_enter(s, '{');
    while (json_scan_member(s, &key)) {
        read_error_member(s, &key, c);
    }
}

/* Some servers send the error's members outside, beside "object":"error". */
static void
read_object_word(struct json_scan *s, struct openai_chunk *c)
{
    struct json_text word = {0};

    if (json_scan_peek(s) == '"') {
        json_scan_string(s, &word);
        c->has_error = c->has_error || json_text_is(&word, STR("error"));
    } else {
        json_scan_skip(s);
    }
}

static void
read_member(struct json_scan *s, const struct json_text *key,
            struct openai_chunk *c)
{
    if (json_text_is(key, STR("choices"))) {
        read_choices(s, c);
    } else if (json_text_is(key, STR("usage"))) {
        c->has_usage = scan_usage(s, &c->usage);
    } else if (json_text_is(key, STR("error"))) {
        read_error(s, c);
    } else if (json_text_is(key, STR("object"))) {
        read_object_word(s, c);
    } else {
        read_error_member(s, key, c);
    }
}

bool
openai_chunk_read(struct str text, struct openai_chunk *c)
{
    struct json_scan s;
    struct json_text key;

    *c = (struct openai_chunk){0};
    json_scan_init(&s, text);
    json_scan_enter(&s, '{');
    while (json_scan_member(&s, &key)) {
        read_member(&s, &key, c);
    }
    return json_scan_end(&s);
}
