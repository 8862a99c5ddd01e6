/* SPDX-License-Identifier: MIT */
/* See openai_wishes.h. Values are read where they lie, and passed on as they
 * were written. */
#include "gate/openai_wishes.h"

#include "base/xalloc.h"
#include "gate/openai_value.h"
#include "provider/estimate.h"

void
openai_wishes_relay(struct openai_request *q, const char *member)
{
    q->relays_only = q->beyond_text = member;
}

void
openai_wishes_call(struct openai_request *q, const char *member)
{
    q->calls_only = q->beyond_text = member;
}

/* --- tools -------------------------------------------------------------- */

/* Of an object; empty also where it is null. */
static struct str
member_of(struct str object, struct str name)
{
    struct str value = openai_value_member(object, name);

    return openai_value_given(value) ? value : (struct str){NULL, 0};
}

/* It is not there, or it is one of these. */
static bool
is_none_or(struct str value, const char *one_of)
{
    return value.n == 0 || openai_value_begins(value, one_of);
}

/* False: it is not a function, or not in a form that others know. */
static bool
read_tool(struct str tool, struct provider_tool *out)
{
    struct str function = member_of(tool, STR("function"));
    struct json_text type, name;

    *out = (struct provider_tool){
        .name = member_of(function, STR("name")),
        .description = member_of(function, STR("description")),
        .parameters = member_of(function, STR("parameters")),
        .strict = member_of(function, STR("strict")),
    };
    return openai_value_text(member_of(tool, STR("type")), &type) &&
           json_text_is(&type, STR("function")) &&
           openai_value_text(out->name, &name) && name.raw.n > 0 &&
           !json_text_is(&name, PROVIDER_JSON_TOOL) &&
           is_none_or(out->description, "\"") &&
           is_none_or(out->parameters, "{") && is_none_or(out->strict, "tf");
}

bool
openai_wishes_tools(struct openai_request *q, struct str value,
                    struct openai_fault *f)
{
    struct provider_tool unused;
    struct json_scan s;
    struct str tool;

    if (!openai_value_given(value)) {
        return true;
    }
    if (!openai_value_begins(value, "[")) {
        return openai_error_fault(f, "tools", "tools is an array.");
    }
    json_scan_init(&s, value);
    (void)json_scan_enter(&s, '[');
    while (json_scan_element(&s) && json_scan_value(&s, &tool)) {
        q->tool_room++;
        openai_wishes_call(q, "tools");
        if (!read_tool(tool, &unused)) {
            openai_wishes_relay(q, "tools");
        }
    }
    q->raw_tools = value;
    q->prompt_tokens += q->tool_room > 0 ? estimate_tokens(value) : 0;
    return true;
}

void
openai_wishes_tell(struct openai_request *q)
{
    struct json_scan s;
    struct str tool;

    q->tools = xcalloc(q->tool_room + 1, sizeof(*q->tools));
    q->wishes.tools = q->tools;
    json_scan_init(&s, q->raw_tools);
    (void)json_scan_enter(&s, '[');
    while (json_scan_element(&s) && json_scan_value(&s, &tool)) {
        if (read_tool(tool, &q->tools[q->wishes.tool_count])) {
            q->wishes.tool_count++;
        }
    }
}

/* --- how they are called ------------------------------------------------ */

static const struct {
    struct str word;
    enum provider_choice choice;
} choices[] = {
    {STR("auto"), PROVIDER_CHOICE_AUTO},
    {STR("none"), PROVIDER_CHOICE_NONE},
    {STR("required"), PROVIDER_CHOICE_ANY},
};

static enum provider_choice
choice_of(struct str value)
{
    struct json_text word;

    for (size_t i = 0; i < COUNT_OF(choices); i++) {
        if (openai_value_text(value, &word) &&
            json_text_is(&word, choices[i].word)) {
            return choices[i].choice;
        }
    }
    return PROVIDER_CHOICE_OPEN;
}

/* {"type":"function","function":{"name":…}}; empty: it is another. */
static struct str
named(struct str value)
{
    struct str function = member_of(value, STR("function"));
    struct str name = member_of(function, STR("name"));

    return openai_value_begins(name, "\"") ? name : (struct str){NULL, 0};
}

bool
openai_wishes_choice(struct openai_request *q, struct str value,
                     struct openai_fault *f)
{
    (void)f;
    if (!openai_value_given(value)) {
        return true;
    }
    q->wishes.choice = choice_of(value);
    q->wishes.choice_name = named(value);
    if (q->wishes.choice_name.n > 0) {
        q->wishes.choice = PROVIDER_CHOICE_ONE;
    } else if (q->wishes.choice == PROVIDER_CHOICE_OPEN) {
        openai_wishes_relay(q, "tool_choice");
    }
    return true;
}

bool
openai_wishes_parallel(struct openai_request *q, struct str value,
                       struct openai_fault *f)
{
    (void)f;
    q->wishes.one_call = openai_value_begins(value, "f");
    return true;
}

bool
openai_wishes_functions(struct openai_request *q, struct str value,
                        struct openai_fault *f)
{
    (void)f;
    if (openai_value_given(value)) {
        openai_wishes_relay(q, "functions");
    }
    return true;
}

bool
openai_wishes_function_call(struct openai_request *q, struct str value,
                            struct openai_fault *f)
{
    (void)f;
    if (openai_value_given(value)) {
        openai_wishes_relay(q, "function_call");
    }
    return true;
}

/* --- the answer --------------------------------------------------------- */

static void
take_format(struct openai_request *q, struct str value,
            const struct json_text *type)
{
    struct str schema =
        member_of(member_of(value, STR("json_schema")), STR("schema"));

    if (json_text_is(type, STR("text"))) {
        return;
    }
    openai_wishes_call(q, "response_format");
    if (json_text_is(type, STR("json_object"))) {
        q->wishes.json = true;
    } else if (json_text_is(type, STR("json_schema")) &&
               openai_value_begins(schema, "{")) {
        q->wishes.schema = schema;
        q->prompt_tokens += estimate_tokens(schema);
    } else {
        openai_wishes_relay(q, "response_format");
    }
}

bool
openai_wishes_format(struct openai_request *q, struct str value,
                     struct openai_fault *f)
{
    struct json_text type;

    if (!openai_value_given(value)) {
        return true;
    }
    if (!openai_value_text(openai_value_member(value, STR("type")), &type)) {
        return openai_error_fault(f, "response_format",
                                  "response_format is an object with a type.");
    }
    take_format(q, value, &type);
    return true;
}

/* Who does not think longer for it answers all the same. */
bool
openai_wishes_effort(struct openai_request *q, struct str value,
                     struct openai_fault *f)
{
    (void)f;
    if (openai_value_begins(value, "\"")) {
        q->wishes.effort = value;
    }
    return true;
}

/* Whatever the client calls its user: others get our name for ours. */
bool
openai_wishes_user(struct openai_request *q, struct str value,
                   struct openai_fault *f)
{
    (void)f;
    q->wishes.names_user = q->wishes.names_user || openai_value_given(value);
    return true;
}

bool
openai_wishes_logprobs(struct openai_request *q, struct str value,
                       struct openai_fault *f)
{
    if (openai_value_given(value) && !openai_value_begins(value, "tf")) {
        return openai_error_fault(f, "logprobs", "logprobs is true or false.");
    }
    if (openai_value_begins(value, "t")) {
        openai_wishes_relay(q, "logprobs");
    }
    return true;
}

/* Words that are to be said, or not to be said. */
bool
openai_wishes_bias(struct openai_request *q, struct str value,
                   struct openai_fault *f)
{
    struct json_scan s;
    struct json_text token;

    (void)f;
    json_scan_init(&s, value);
    if (openai_value_begins(value, "{") && json_scan_enter(&s, '{') &&
        json_scan_member(&s, &token)) {
        q->relays_only = "logit_bias";
    }
    return true;
}

bool
openai_wishes_modalities(struct openai_request *q, struct str value,
                         struct openai_fault *f)
{
    struct json_scan s;
    struct json_text one;

    (void)f;
    json_scan_init(&s, value);
    if (!openai_value_begins(value, "[") || !json_scan_enter(&s, '[')) {
        return true;
    }
    while (json_scan_element(&s) && json_scan_string(&s, &one)) {
        if (!json_text_is(&one, STR("text"))) {
            openai_wishes_relay(q, "modalities");
        }
    }
    return true;
}

bool
openai_wishes_search(struct openai_request *q, struct str value,
                     struct openai_fault *f)
{
    (void)f;
    if (openai_value_given(value)) {
        q->relays_only = "web_search_options";
    }
    return true;
}

/* To be asked for again at the provider. */
bool
openai_wishes_store(struct openai_request *q, struct str value,
                    struct openai_fault *f)
{
    (void)f;
    if (openai_value_begins(value, "t")) {
        q->relays_only = "store";
    }
    return true;
}
