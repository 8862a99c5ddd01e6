/* SPDX-License-Identifier: MIT */
/* What a message may be, and what it says. */
#include "gate/openai_message.h"

#include "codec/url.h"
#include "provider/estimate.h"

#include <stdio.h>

/* --- roles -------------------------------------------------------------- */

static const struct openai_role roles[] = {
    {"user", PROVIDER_USER, .silent = false},
    {"assistant", PROVIDER_ASSISTANT, .silent = true},
    {"system", PROVIDER_USER, .system = true},
    {"developer", PROVIDER_USER, .system = true},
    {"tool", PROVIDER_USER, .result = true},
    {"function", PROVIDER_USER, .relayed = true, .silent = true},
};

static const struct openai_role *
find_role(struct str word)
{
    for (size_t i = 0; i < COUNT_OF(roles); i++) {
        if (str_is(word, roles[i].word)) {
            return &roles[i];
        }
    }
    return NULL;
}

const struct openai_role *
openai_message_role(const json_t *message)
{
    return find_role(
        str_from(json_string_value(json_object_get(message, "role"))));
}

bool
openai_message_plain(struct str json, const struct openai_role **role,
                     struct json_text *content)
{
    struct json_text key, word = {.escaped = false};
    struct json_scan s;

    content->raw.p = NULL;
    json_scan_init(&s, json);
    (void)json_scan_enter(&s, '{');
    while (json_scan_member(&s, &key)) {
        if (word.raw.p == NULL && json_text_is(&key, STR("role"))) {
            (void)json_scan_string(&s, &word);
        } else if (content->raw.p == NULL &&
                   json_text_is(&key, STR("content"))) {
            (void)json_scan_string(&s, content);
        } else {
            return false;
        }
    }
    *role = find_role(word.escaped ? STR("") : word.raw);
    return json_scan_end(&s) && *role != NULL && content->raw.p != NULL;
}

static bool
is_given(const json_t *message, const char *name)
{
    const json_t *value = json_object_get(message, name);

    return value != NULL && !json_is_null(value);
}

bool
openai_message_relayed(const json_t *message)
{
    const struct openai_role *role = openai_message_role(message);

    return role->relayed || is_given(message, "function_call") ||
           is_given(message, "audio") ||
           (role->result && openai_message_result(message).n == 0);
}

/* --- calls -------------------------------------------------------------- */

static struct str
text_at(const json_t *object, const char *name)
{
    const json_t *text = json_object_get(object, name);

    return (struct str){json_string_value(text), json_string_length(text)};
}

/* False: it is no call of a function, or one without its name. */
static bool
read_call(const json_t *call, struct provider_call *out)
{
    const json_t *function = json_object_get(call, "function");
    struct str type = text_at(call, "type");

    *out =
        (struct provider_call){text_at(call, "id"), text_at(function, "name"),
                               text_at(function, "arguments")};
    return (type.n == 0 || str_is(type, "function")) && out->id.n > 0 &&
           out->name.n > 0 && out->arguments.p != NULL;
}

int
openai_message_count_calls(const json_t *message)
{
    const json_t *calls = json_object_get(message, "tool_calls");
    struct provider_call unused;
    size_t i;
    json_t *call;

    if (!is_given(message, "tool_calls")) {
        return 0;
    }
    if (!json_is_array(calls) ||
        openai_message_role(message)->role != PROVIDER_ASSISTANT) {
        return -1;
    }
    json_array_foreach(calls, i, call)
    {
        if (!read_call(call, &unused)) {
            return -1;
        }
    }
    return (int)json_array_size(calls);
}

size_t
openai_message_calls(const json_t *message, struct provider_call *out,
                     size_t room)
{
    const json_t *calls = json_object_get(message, "tool_calls");
    size_t count = 0, i;
    json_t *call;

    json_array_foreach(calls, i, call)
    {
        if (count < room && read_call(call, &out[count])) {
            count++;
        }
    }
    return count;
}

uint64_t
openai_message_call_tokens(const json_t *message)
{
    const json_t *calls = json_object_get(message, "tool_calls");
    struct provider_call one;
    uint64_t tokens = 0;
    size_t i;
    json_t *call;

    json_array_foreach(calls, i, call)
    {
        (void)read_call(call, &one);
        tokens += estimate_tokens(one.name) + estimate_tokens(one.arguments);
    }
    return tokens;
}

struct str
openai_message_result(const json_t *message)
{
    return openai_message_role(message)->result
               ? text_at(message, "tool_call_id")
               : (struct str){NULL, 0};
}

/* --- contents ----------------------------------------------------------- */

/* NULL: it has none. */
static const char *
picture_url(const json_t *part)
{
    const json_t *image = json_object_get(part, "image_url");

    return json_string_value(
        json_is_object(image) ? json_object_get(image, "url") : image);
}

static bool
check_picture(const json_t *part, const char *param, struct openai_fault *f)
{
    const char *text = picture_url(part);
    struct url url;

    if (text == NULL) {
        return openai_error_fault(f, param,
                                  "A picture needs image_url.url, a string.");
    }
    if (str_starts(str_from(text), STR("data:"))) {
        return true;
    }
    if (!url_parse(str_from(text), &url) ||
        url_host_kind(url.host) != URL_HOST_PUBLIC) {
        return openai_error_fault(
            f, param,
            "A picture's address must be data: or http(s) to a public "
            "host.");
    }
    return true;
}

static bool
check_part(const json_t *part, const char *param, struct openai_fault *f)
{
    const char *type = json_string_value(json_object_get(part, "type"));

    if (type == NULL) {
        return openai_error_fault(
            f, param, "A part of a content is an object with a type.");
    }
    if (str_is(str_from(type), "text") &&
        !json_is_string(json_object_get(part, "text"))) {
        return openai_error_fault(f, param,
                                  "A part of type text has a text, a string.");
    }
    return !str_is(str_from(type), "image_url") ||
           check_picture(part, param, f);
}

static bool
check_content(const json_t *content, const char *param, struct openai_fault *f)
{
    size_t i;
    json_t *part;

    if (json_is_string(content)) {
        return true;
    }
    if (!json_is_array(content)) {
        return openai_error_fault(f, param,
                                  "content is a string or an array of parts.");
    }
    json_array_foreach(content, i, part)
    {
        if (!check_part(part, param, f)) {
            return false;
        }
    }
    return true;
}

bool
openai_message_check(const json_t *message, size_t at,
                     struct openai_fault *fault)
{
    const struct openai_role *role = openai_message_role(message);
    const json_t *content = json_object_get(message, "content");
    char param[64];

    snprintf(param, sizeof(param), "messages[%zu].role", at);
    if (role == NULL) {
        return openai_error_fault(fault, param,
                                  "role is one of system, developer, user, "
                                  "assistant, tool and function.");
    }
    if (role->silent && (content == NULL || json_is_null(content))) {
        return true;
    }
    snprintf(param, sizeof(param), "messages[%zu].content", at);
    return check_content(content, param, fault);
}

/* --- what it says ------------------------------------------------------- */

static bool
is_type(const json_t *part, const char *type)
{
    return str_is(str_from(json_string_value(json_object_get(part, "type"))),
                  type);
}

int
openai_message_pictures(const json_t *content)
{
    struct picture picture;
    int count = 0;
    size_t i;
    json_t *part;

    json_array_foreach(content, i, part)
    {
        if (is_type(part, "image_url")) {
            if (!picture_read(str_from(picture_url(part)), &picture)) {
                return -1;
            }
            count++;
        } else if (!is_type(part, "text")) {
            return -1;
        }
    }
    return count;
}

bool
openai_message_picture(const json_t *content, size_t *at, struct picture *out)
{
    while (*at < json_array_size(content)) {
        const json_t *part = json_array_get(content, (*at)++);

        if (is_type(part, "image_url")) {
            return picture_read(str_from(picture_url(part)), out);
        }
    }
    return false;
}

uint64_t
openai_message_tokens(const json_t *content)
{
    uint64_t tokens =
        estimate_message_tokens(str_from(json_string_value(content)));
    size_t i;
    json_t *part;

    json_array_foreach(content, i, part)
    {
        const json_t *text =
            json_is_string(part) ? part : json_object_get(part, "text");

        tokens += estimate_tokens(str_from(json_string_value(text)));
    }
    return tokens;
}

void
openai_message_words(const json_t *content, struct buf *out)
{
    size_t before = out->n, i;
    json_t *part;

    if (json_is_string(content)) {
        buf_put(out, json_string_value(content), json_string_length(content));
        return;
    }
    json_array_foreach(content, i, part)
    {
        const json_t *text = json_object_get(part, "text");

        if (json_is_string(text)) {
            buf_puts(out, out->n > before ? "\n" : "");
            buf_put(out, json_string_value(text), json_string_length(text));
        }
    }
}
