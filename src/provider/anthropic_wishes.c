/* SPDX-License-Identifier: MIT */
/* See anthropic_wishes.h. A schema for the answer is a member of its own
 * (output_config.format). Any object, whatever its schema, is not to be had
 * that way: for that the model has to call a tool of ours, whose input
 * anthropic_calls.c makes the answer's text. */
#include "provider/anthropic_wishes.h"

#include "provider/params.h"

#define ANY_OBJECT "{\"type\":\"object\"}"

/* --- tools -------------------------------------------------------------- */

static void
put_raw(struct buf *b, const char *name, struct str json)
{
    if (json.n > 0) {
        json_put_key(b, name);
        buf_put_str(b, json);
    }
}

/* The schema says that it is an object's, which OpenAI takes for granted. */
static void
put_parameters(struct buf *b, struct str schema)
{
    struct params_scan scan;
    struct params_member m;

    json_put_key(b, "input_schema");
    buf_putc(b, '{');
    if (schema.n == 0 || !params_find(schema, STR("type"), &m)) {
        json_put_member(b, "type", STR("object"));
    }
    params_scan_init(&scan, schema);
    while (params_scan_next(&scan, &m)) {
        params_put_member(&m, b);
    }
    buf_putc(b, '}');
}

static void
put_tool(struct buf *b, const struct provider_tool *t)
{
    json_put_comma(b);
    buf_putc(b, '{');
    put_raw(b, "name", t->name);
    put_raw(b, "description", t->description);
    put_parameters(b, t->parameters);
    put_raw(b, "strict", t->strict);
    buf_putc(b, '}');
}

static void
put_json_tool(struct buf *b)
{
    json_put_comma(b);
    buf_putc(b, '{');
    json_put_member(b, "name", PROVIDER_JSON_TOOL);
    json_put_member(b, "description",
                    STR("Gives the answer, which is one JSON object."));
    put_raw(b, "input_schema", STR(ANY_OBJECT));
    buf_putc(b, '}');
}

static void
put_called(struct buf *b, struct str name)
{
    json_put_comma(b);
    buf_putc(b, '{');
    json_put_member(b, "name", name);
    put_raw(b, "input_schema", STR(ANY_OBJECT));
    buf_putc(b, '}');
}

struct names {
    struct str all[PROVIDER_CALLS_MAX];
    size_t count;
};

/* False: it is there, or there are too many. */
static bool
note(struct names *names, struct str name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (str_eq(names->all[i], name)) {
            return false;
        }
    }
    if (names->count == PROVIDER_CALLS_MAX) {
        return false;
    }
    names->all[names->count++] = name;
    return true;
}

/* Calls without any tool are refused there: those that were called are named.
 */
static void
put_called_tools(const struct provider_turn *turn, struct buf *b)
{
    struct names names = {.count = 0};

    for (size_t i = 0; i < turn->count; i++) {
        const struct provider_message *m = &turn->messages[i];

        for (size_t n = 0; n < m->call_count; n++) {
            if (note(&names, m->calls[n].name)) {
                put_called(b, m->calls[n].name);
            }
        }
    }
}

static bool
has_calls(const struct provider_turn *turn)
{
    for (size_t i = 0; i < turn->count; i++) {
        if (turn->messages[i].call_count > 0) {
            return true;
        }
    }
    return false;
}

/* --- choice ------------------------------------------------------------- */

/* Where a client wants to have a tool called, and where it wants none at all,
 * there is nothing to answer in JSON, or nothing else. */
static bool
answers_in_json(const struct provider_wishes *w)
{
    return w->json && w->choice != PROVIDER_CHOICE_ANY &&
           w->choice != PROVIDER_CHOICE_ONE;
}

static void
put_choice(struct buf *b, struct str type, struct str name, bool one_call)
{
    json_put_key(b, "tool_choice");
    buf_putc(b, '{');
    json_put_member(b, "type", type);
    put_raw(b, "name", name);
    if (one_call) {
        json_put_member_bool(b, "disable_parallel_tool_use", true);
    }
    buf_putc(b, '}');
}

static void
put_wished_choice(const struct provider_wishes *w, struct buf *b)
{
    static const struct str types[] = {
        [PROVIDER_CHOICE_OPEN] = STR("auto"),
        [PROVIDER_CHOICE_AUTO] = STR("auto"),
        [PROVIDER_CHOICE_NONE] = STR("none"),
        [PROVIDER_CHOICE_ANY] = STR("any"),
        [PROVIDER_CHOICE_ONE] = STR("tool"),
    };

    if (w->choice != PROVIDER_CHOICE_OPEN || w->one_call) {
        put_choice(b, types[w->choice], w->choice_name,
                   w->one_call && w->choice != PROVIDER_CHOICE_NONE);
    }
}

/* --- all ---------------------------------------------------------------- */

/* To answer in JSON is one more tool, and one of them is called. */
static void
put_json_tools(const struct provider_turn *turn, struct buf *b)
{
    const struct provider_wishes *w = turn->wishes;
    bool alone = w->tool_count == 0 || w->choice == PROVIDER_CHOICE_NONE;

    json_put_key(b, "tools");
    buf_putc(b, '[');
    put_json_tool(b);
    for (size_t i = 0; i < w->tool_count; i++) {
        put_tool(b, &w->tools[i]);
    }
    if (w->tool_count == 0) {
        put_called_tools(turn, b);
    }
    buf_putc(b, ']');
    if (alone) {
        put_choice(b, STR("tool"), STR("\"answer_in_json\""), true);
    } else {
        put_choice(b, STR("any"), STR(""), w->one_call);
    }
}

static void
put_tools(const struct provider_turn *turn, struct buf *b)
{
    const struct provider_wishes *w = turn->wishes;
    size_t count = w != NULL ? w->tool_count : 0;

    if (count == 0 && !has_calls(turn)) {
        return;
    }
    json_put_key(b, "tools");
    buf_putc(b, '[');
    for (size_t i = 0; i < count; i++) {
        put_tool(b, &w->tools[i]);
    }
    if (count == 0) {
        put_called_tools(turn, b);
    }
    buf_putc(b, ']');
    if (count == 0) {
        put_choice(b, STR("none"), STR(""), false);
    } else {
        put_wished_choice(w, b);
    }
}

/* OpenAI's words for effort that are not Anthropic's; no effort at all is what
 * there is without a word. */
static struct str
effort_of(struct str word)
{
    if (str_is(word, "\"minimal\"")) {
        return STR("\"low\"");
    }
    return str_is(word, "\"none\"") ? STR("") : word;
}

static void
put_output(const struct provider_wishes *w, struct buf *b)
{
    struct str effort = effort_of(w->effort);

    if (effort.n == 0 && w->schema.n == 0) {
        return;
    }
    json_put_key(b, "output_config");
    buf_putc(b, '{');
    put_raw(b, "effort", effort);
    if (w->schema.n > 0) {
        json_put_key(b, "format");
        buf_puts(b, "{\"type\":\"json_schema\"");
        put_raw(b, "schema", w->schema);
        buf_putc(b, '}');
    }
    buf_putc(b, '}');
}

void
anthropic_wishes_put(const struct provider_turn *turn, struct buf *b)
{
    const struct provider_wishes *w = turn->wishes;

    if (w != NULL && answers_in_json(w)) {
        put_json_tools(turn, b);
    } else {
        put_tools(turn, b);
    }
    if (w == NULL) {
        return;
    }
    put_output(w, b);
    if (w->names_user && turn->user.n > 0) {
        json_put_key(b, "metadata");
        buf_putc(b, '{');
        json_put_member(b, "user_id", turn->user);
        buf_putc(b, '}');
    }
}
