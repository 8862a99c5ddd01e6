/* SPDX-License-Identifier: MIT */
/* One JSON text of Dify's form, read in one pass. An event is a flat object
 * that says by `event` what it is; what a workflow, a tool or a voice has to
 * say is in members of their own, which are passed over. */
#include "provider/dify_event.h"

#include "provider/scan.h"

/* Beside it stands what the answer was made of: whole documents. */
static void
read_metadata(struct json_scan *s, struct dify_event *e)
{
    struct json_text key;

    if (json_scan_peek(s) != '{') {
        json_scan_skip(s);
        return;
    }
    json_scan_enter(s, '{');
    while (json_scan_member(s, &key)) {
        if (json_text_is(&key, STR("usage"))) {
            e->has_usage = scan_usage(s, &e->usage);
        } else {
            json_scan_skip(s);
        }
    }
}

/* Events that are none of ours may call something else by the same name. */
static void
read_word(struct json_scan *s, struct json_text *out)
{
    if (json_scan_peek(s) == '"') {
        json_scan_string(s, out);
    } else {
        json_scan_skip(s);
    }
}

static const struct {
    struct str name;
    size_t offset;
} words[] = {
    {STR("event"), offsetof(struct dify_event, event)},
    {STR("task_id"), offsetof(struct dify_event, task)},
    {STR("conversation_id"), offsetof(struct dify_event, conversation)},
    {STR("code"), offsetof(struct dify_event, code)},
};

/* False: it is none of these. */
static bool
read_named_word(struct json_scan *s, const struct json_text *key,
                struct dify_event *e)
{
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (json_text_is(key, words[i].name)) {
            read_word(
                s, (struct json_text *)(void *)((char *)e + words[i].offset));
            return true;
        }
    }
    return false;
}

static void
read_member(struct json_scan *s, const struct json_text *key,
            struct dify_event *e)
{
    if (read_named_word(s, key, e)) {
        return;
    }
    if (json_text_is(key, STR("answer"))) {
        scan_text(s, &e->answer);
        e->has_answer = true;
    } else if (json_text_is(key, STR("metadata"))) {
        read_metadata(s, e);
    } else if (json_text_is(key, STR("status"))) {
        scan_count(s, &e->status);
    } else {
        json_scan_skip(s);
    }
}

bool
dify_event_read(struct str text, struct dify_event *e)
{
    struct json_scan s;
    struct json_text key;

    *e = (struct dify_event){0};
    json_scan_init(&s, text);
    json_scan_enter(&s, '{');
    while (json_scan_member(&s, &key)) {
        read_member(&s, &key, e);
    }
    return json_scan_end(&s);
}

bool
dify_event_is_id(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '_') {
            return false;
        }
    }
    return s.n > 0 && s.n <= PROVIDER_ID_MAX;
}
