/* SPDX-License-Identifier: MIT */
/* See anthropic_calls.h. Neighbours: anthropic_event.c reads the blocks. */
#include "provider/anthropic_calls.h"

#include "base/xalloc.h"

/* In place of a call's number. */
#define TEXT_AT SIZE_MAX

struct anthropic_calls_block {
    int64_t index;
    size_t at; /* the call's number, or TEXT_AT */
    bool said; /* some of its input has come */
    bool done; /* all of it: it stood in the block itself */
};

void
anthropic_calls_fini(struct anthropic_calls *c)
{
    xfree(c->open);
    c->open = NULL;
}

/* The last one that was opened with this index. */
static struct anthropic_calls_block *
find(const struct anthropic_calls *c, int64_t index)
{
    for (size_t i = c->open_count; i > 0; i--) {
        if (c->open[i - 1].index == index) {
            return &c->open[i - 1];
        }
    }
    return NULL;
}

static void
put(struct anthropic_calls_block *b, const struct json_text *json,
    struct stream *s, const struct provider_sink *sink)
{
    struct stream_call call = {.arguments = *json};

    if (json->raw.n == 0 || b->done) {
        return;
    }
    b->said = true;
    if (b->at == TEXT_AT) {
        stream_text(s, json, sink);
    } else {
        stream_call(s, b->at, &call, sink);
    }
}

/* NULL: no more of them are taken. */
static struct anthropic_calls_block *
open_block(struct anthropic_calls *c, const struct anthropic_event *e)
{
    bool is_text = json_text_is(&e->call.name, PROVIDER_JSON_TOOL);
    struct anthropic_calls_block *b;

    if (c->open_count == PROVIDER_CALLS_MAX || (is_text && c->in_json) ||
        (!is_text && c->given == PROVIDER_CALLS_MAX)) {
        return NULL;
    }
    if (c->open == NULL) {
        c->open = xcalloc(PROVIDER_CALLS_MAX, sizeof(*c->open));
    }
    b = &c->open[c->open_count++];
    *b = (struct anthropic_calls_block){.index = e->index, .at = TEXT_AT};
    c->in_json = c->in_json || is_text;
    if (!is_text) {
        b->at = c->given++;
    }
    return b;
}

/* An object with something in it. */
static bool
has_members(struct str input)
{
    return input.n > 2 &&
           str_trim((struct str){input.p + 1, input.n - 2}).n > 0;
}

static void
begin(struct anthropic_calls *c, const struct anthropic_event *e,
      struct stream *s, const struct provider_sink *sink)
{
    struct anthropic_calls_block *b = open_block(c, e);
    struct json_text input = {.raw = e->call.input};

    if (b == NULL) {
        return;
    }
    if (b->at != TEXT_AT) {
        stream_call(
            s, b->at,
            &(struct stream_call){.id = e->call.id, .name = e->call.name},
            sink);
    }
    if (has_members(input.raw)) {
        put(b, &input, s, sink);
        b->done = true;
    }
}

static void
close_block(struct anthropic_calls *c, struct anthropic_calls_block *b,
            struct stream *s, const struct provider_sink *sink)
{
    if (!b->said) {
        put(b, &(struct json_text){.raw = STR("{}")}, s, sink);
    }
    *b = c->open[--c->open_count];
}

void
anthropic_calls_take(struct anthropic_calls *c, const struct anthropic_event *e,
                     struct stream *s, const struct provider_sink *sink)
{
    struct anthropic_calls_block *b;

    if (e->call.begins) {
        begin(c, e, s, sink);
        return;
    }
    if (c->open_count == 0) {
        return;
    }
    b = find(c, e->index);
    if (b != NULL && e->call.goes_on) {
        put(b, &e->call.json, s, sink);
    } else if (b != NULL && json_text_is(&e->type, STR("content_block_stop"))) {
        close_block(c, b, s, sink);
    }
}

void
anthropic_calls_end(struct anthropic_calls *c, struct stream *s,
                    const struct provider_sink *sink)
{
    for (size_t i = 0; i < c->open_count; i++) {
        if (!c->open[i].said) {
            put(&c->open[i], &(struct json_text){.raw = STR("{}")}, s, sink);
        }
    }
    c->open_count = 0;
}
