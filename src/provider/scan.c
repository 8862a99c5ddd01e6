/* SPDX-License-Identifier: MIT */
/* Values as providers write them: now and then null, now and then something
 * else than they promised. */
#include "provider/scan.h"

void
scan_text(struct json_scan *s, struct json_text *out)
{
    *out = (struct json_text){0};
    if (json_scan_peek(s) == 'n') {
        json_scan_null(s);
    } else {
        json_scan_string(s, out);
    }
}

void
scan_count(struct json_scan *s, int64_t *out)
{
    char c = json_scan_peek(s);
    struct str number;

    if (c < '0' || c > '9') {
        json_scan_skip(s);
    } else if (json_scan_number(s, &number) &&
               (!json_to_i64(number, out) || *out > INT32_MAX)) {
        *out = -1;
    }
}

bool
scan_object(struct json_scan *s)
{
    if (json_scan_peek(s) == 'n') {
        json_scan_null(s);
        return false;
    }
    return json_scan_enter(s, '{');
}

/* The count of this name inside of the details. */
static void
scan_detail(struct json_scan *s, struct str name, int64_t *out)
{
    struct json_text key;

    if (json_scan_peek(s) != '{') {
        json_scan_skip(s);
        return;
    }
    json_scan_enter(s, '{');
    while (json_scan_member(s, &key)) {
        if (json_text_is(&key, name)) {
            scan_count(s, out);
        } else {
            json_scan_skip(s);
        }
    }
}

static void
scan_counts(struct json_scan *s, struct provider_usage *u)
{
    struct json_text key;

    while (json_scan_member(s, &key)) {
        if (json_text_is(&key, STR("prompt_tokens"))) {
            scan_count(s, &u->prompt_tokens);
        } else if (json_text_is(&key, STR("completion_tokens"))) {
            scan_count(s, &u->completion_tokens);
        } else if (json_text_is(&key, STR("total_tokens"))) {
            scan_count(s, &u->total_tokens);
        } else if (json_text_is(&key, STR("prompt_tokens_details"))) {
            scan_detail(s, STR("cached_tokens"), &u->cached_tokens);
        } else if (json_text_is(&key, STR("completion_tokens_details"))) {
            scan_detail(s, STR("reasoning_tokens"), &u->reasoning_tokens);
        } else {
            json_scan_skip(s);
        }
    }
}

int64_t
scan_part(int64_t part, int64_t whole)
{
    return part < 0 ? 0 : part < whole ? part : whole;
}

/* Beside the prompt's one of the others is enough. */
static bool
complete(struct provider_usage *u)
{
    if (u->prompt_tokens < 0) {
        return false;
    }
    if (u->completion_tokens < 0) {
        u->completion_tokens = u->total_tokens - u->prompt_tokens;
    }
    if (u->completion_tokens < 0) {
        return false;
    }
    if (u->total_tokens < 0) {
        u->total_tokens = u->prompt_tokens + u->completion_tokens;
    }
    return true;
}

bool
scan_usage(struct json_scan *s, struct provider_usage *out)
{
    struct provider_usage u = {-1, -1, -1, 0, 0};

    if (json_scan_peek(s) != '{') {
        json_scan_skip(s);
        return false;
    }
    json_scan_enter(s, '{');
    scan_counts(s, &u);
    if (!complete(&u)) {
        return false;
    }
    u.cached_tokens = scan_part(u.cached_tokens, u.prompt_tokens);
    u.reasoning_tokens = scan_part(u.reasoning_tokens, u.completion_tokens);
    *out = u;
    return true;
}

bool
scan_member_of(struct str text, struct str name, struct json_text *out)
{
    struct json_text key;
    struct json_scan s;

    *out = (struct json_text){0};
    json_scan_init(&s, text);
    (void)json_scan_enter(&s, '{');
    while (json_scan_member(&s, &key)) {
        if (json_scan_peek(&s) == '"' && json_text_is(&key, name)) {
            json_scan_string(&s, out);
        } else {
            json_scan_skip(&s);
        }
    }
    return json_scan_end(&s) && out->raw.p != NULL;
}
