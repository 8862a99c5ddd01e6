/* SPDX-License-Identifier: MIT */
/* See openai_calls.h. Neighbours: openai_door.c has an answer's pieces. */
#include "gate/openai_calls.h"

#include "base/check.h"
#include "base/xalloc.h"
#include "codec/json.h"

struct openai_calls_one {
    char *id;
    char *name;
    struct buf arguments;
};

void
openai_calls_fini(struct openai_calls *c)
{
    for (size_t i = 0; i < c->count; i++) {
        xfree(c->all[i].id);
        xfree(c->all[i].name);
        buf_fini(&c->all[i].arguments);
    }
    xfree(c->all);
    c->all = NULL;
    c->count = 0;
}

static void
replace(char **text, struct str with)
{
    if (with.n > 0) {
        xfree(*text);
        *text = str_dup(with);
    }
}

void
openai_calls_take(struct openai_calls *c, unsigned at,
                  const struct provider_call *piece)
{
    CHECK(at < PROVIDER_CALLS_MAX);
    if (c->all == NULL) {
        c->all = xcalloc(PROVIDER_CALLS_MAX, sizeof(*c->all));
    }
    for (; c->count <= at; c->count++) {
        buf_init(&c->all[c->count].arguments, c->max_bytes);
    }
    replace(&c->all[at].id, piece->id);
    replace(&c->all[at].name, piece->name);
    buf_put_str(&c->all[at].arguments, piece->arguments);
}

void
openai_calls_put(const struct openai_calls *c, struct buf *out)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct openai_calls_one *one = &c->all[i];

        buf_putc(out, i == 0 ? '[' : ',');
        buf_putc(out, '{');
        json_put_member(out, "id", str_from(one->id));
        json_put_member(out, "type", STR("function"));
        buf_puts(out, ",\"function\":{");
        json_put_member(out, "name", str_from(one->name));
        json_put_member(out, "arguments", buf_str(&one->arguments));
        buf_puts(out, "}}");
    }
    if (c->count > 0) {
        buf_putc(out, ']');
    }
}
