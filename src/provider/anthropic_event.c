/* SPDX-License-Identifier: MIT */
/* One JSON text of the Messages API, read in one pass, as openai_chunk.c does:
 * a function per object that knows a few members and skips the rest. Which
 * event has which object is not asked: each object means one thing wherever it
 * stands. */
#include "provider/anthropic_event.h"

#include "provider/scan.h"

static void
read_usage(struct json_scan *s, struct anthropic_usage *u)
{
    struct json_text key;

    if (!scan_object(s)) {
        return;
    }
    while (json_scan_member(s, &key)) {
        if (json_text_is(&key, STR("input_tokens"))) {
            scan_count(s, &u->input);
        } else if (json_text_is(&key, STR("output_tokens"))) {
            scan_count(s, &u->output);
        } else if (json_text_is(&key, STR("cache_creation_input_tokens"))) {
            scan_count(s, &u->cache_written);
        } else if (json_text_is(&key, STR("cache_read_input_tokens"))) {
            scan_count(s, &u->cache_read);
        } else {
            json_scan_skip(s);
        }
    }
}

/* A block, or what is added to one: its type may come after its text. */
struct block {
    struct json_text type;
    struct json_text text;
    struct json_text finish; /* message_delta has its reason here */
    struct anthropic_call call;
};

/* A tool's name is a word wherever it stands, but other blocks may have other
 * things there. */
static void
read_word(struct json_scan *s, struct json_text *out)
{
    if (json_scan_peek(s) == '"') {
        json_scan_string(s, out);
    } else {
        json_scan_skip(s);
    }
}

static void
read_input(struct json_scan *s, struct str *out)
{
    bool is_object = json_scan_peek(s) == '{';
    struct str value;

    if (json_scan_value(s, &value) && is_object) {
        *out = value;
    }
}

static void
read_call(struct json_scan *s, const struct json_text *key,
          struct anthropic_call *call)
{
    if (json_text_is(key, STR("id"))) {
        read_word(s, &call->id);
    } else if (json_text_is(key, STR("name"))) {
        read_word(s, &call->name);
    } else if (json_text_is(key, STR("partial_json"))) {
        scan_text(s, &call->json);
    } else if (json_text_is(key, STR("input"))) {
        read_input(s, &call->input);
    } else {
        json_scan_skip(s);
    }
}

static void
read_block(struct json_scan *s, struct block *b)
{
    struct json_text key;

    *b = (struct block){0};
    if (!scan_object(s)) {
        return;
    }
    while (json_scan_member(s, &key)) {
        if (json_text_is(&key, STR("type"))) {
            scan_text(s, &b->type);
        } else if (json_text_is(&key, STR("text"))) {
            scan_text(s, &b->text);
        } else if (json_text_is(&key, STR("stop_reason"))) {
            scan_text(s, &b->finish);
        } else {
            read_call(s, &key, &b->call);
        }
    }
    b->call.begins = json_text_is(&b->type, STR("tool_use"));
    b->call.goes_on = json_text_is(&b->type, STR("input_json_delta"));
}

static bool
is_text(const struct block *b)
{
    return json_text_is(&b->type, STR("text_delta")) ||
           json_text_is(&b->type, STR("text"));
}

/* True: there is something of the answer in it. */
static bool
take(const struct block *b, struct anthropic_event *e)
{
    bool is_call = b->call.begins || b->call.goes_on;

    if (is_text(b)) {
        e->text = b->text;
    }
    if (is_call) {
        e->call = b->call;
    }
    return is_call || is_text(b);
}

static void
take_block(struct json_scan *s, struct anthropic_event *e)
{
    struct block b;

    read_block(s, &b);
    (void)take(&b, e);
    if (b.finish.raw.n > 0) {
        e->finish = b.finish;
    }
}

static void
read_error(struct json_scan *s, struct anthropic_event *e)
{
    struct json_text key;

    if (json_scan_peek(s) != '{') {
        e->has_error = e->has_error || json_scan_peek(s) == '"';
        json_scan_skip(s);
        return;
    }
    e->has_error = true;
    json_scan_enter(s, '{');
    while (json_scan_member(s, &key)) {
        if (json_text_is(&key, STR("type")) && json_scan_peek(s) == '"') {
            json_scan_string(s, &e->code);
        } else {
            json_scan_skip(s);
        }
    }
}

/* Of message_start; a message has no message inside. */
static void
read_message(struct json_scan *s, struct anthropic_event *e)
{
    struct json_text key;

    if (!scan_object(s)) {
        return;
    }
    while (json_scan_member(s, &key)) {
        if (json_text_is(&key, STR("usage"))) {
            read_usage(s, &e->usage);
        } else {
            json_scan_skip(s);
        }
    }
}

static void
read_content(struct json_scan *s, struct anthropic_event *e)
{
    if (json_scan_peek(s) == '[') {
        e->content.p = s->p;
        (void)json_scan_skip(s);
        e->content.n = (size_t)(s->p - e->content.p);
    } else {
        json_scan_skip(s);
    }
}

static const struct {
    struct str name;
    void (*read)(struct json_scan *s, struct anthropic_event *e);
} objects[] = {
    {STR("delta"), take_block},     {STR("content_block"), take_block},
    {STR("message"), read_message}, {STR("error"), read_error},
    {STR("content"), read_content},
};

static void
read_member(struct json_scan *s, const struct json_text *key,
            struct anthropic_event *e)
{
    if (json_text_is(key, STR("type"))) {
        scan_text(s, &e->type);
    } else if (json_text_is(key, STR("stop_reason"))) {
        scan_text(s, &e->finish);
    } else if (json_text_is(key, STR("usage"))) {
        read_usage(s, &e->usage);
    } else if (json_text_is(key, STR("index"))) {
        scan_count(s, &e->index);
    } else {
        for (size_t i = 0; i < COUNT_OF(objects); i++) {
            if (json_text_is(key, objects[i].name)) {
                objects[i].read(s, e);
                return;
            }
        }
        json_scan_skip(s);
    }
}

bool
anthropic_event_read(struct str text, struct anthropic_event *e)
{
    struct json_scan s;
    struct json_text key;

    *e = (struct anthropic_event){.usage = {-1, -1, -1, -1}, .index = -1};
    json_scan_init(&s, text);
    json_scan_enter(&s, '{');
    while (json_scan_member(&s, &key)) {
        read_member(&s, &key, e);
    }
    return json_scan_end(&s);
}

bool
anthropic_event_block(struct json_scan *blocks, struct anthropic_event *e)
{
    struct block b;

    while (json_scan_element(blocks)) {
        read_block(blocks, &b);
        *e = (struct anthropic_event){.index = -1};
        if (take(&b, e)) {
            return !blocks->failed;
        }
    }
    return false;
}

static void
replace(int64_t *count, int64_t next)
{
    *count = next >= 0 ? next : *count;
}

void
anthropic_event_count(struct anthropic_usage *sum,
                      const struct anthropic_usage *next)
{
    replace(&sum->input, next->input);
    replace(&sum->cache_written, next->cache_written);
    replace(&sum->cache_read, next->cache_read);
    replace(&sum->output, next->output);
}
