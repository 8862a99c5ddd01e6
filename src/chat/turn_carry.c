/* SPDX-License-Identifier: MIT */
/* See turn_carry.h; carry.h has what does not need a conversation. */
#include "chat/turn_carry.h"

#include "base/xalloc.h"
#include "chat/bill.h"
#include "chat/carry.h"
#include "codec/json.h"
#include "provider/estimate.h"

/* As of any value of metadata (protocol.md 2.3). */
#define NAMES_BYTES 1000

struct turn_carry {
    struct carry parts;
    struct buf names;        /* of those whose text is shown, with commas */
    unsigned count;          /* of names */
    char *model_id;          /* of the last one in names … */
    char *conversation;      /* … and the answer's there */
    enum turn_ending ending; /* how that one broke off */
};

/* --- usage -------------------------------------------------------------- */

static uint64_t
tokens_said(const struct turn *t)
{
    return t->carry != NULL ? carry_tokens(&t->carry->parts, buf_str(&t->text))
                            : estimate_tokens(buf_str(&t->text));
}

static struct usage
usage_of_part(const struct turn *t)
{
    struct usage u = t->answer.usage;

    if (!u.present) {
        u = bill_estimate(t->prompt_tokens, tokens_said(t));
    }
    bill_settle(&u, &asking_provider(&t->asking)->price);
    return u;
}

static void
count_part(const struct turn *t, const struct usage *u)
{
    bill_count(u, &t->asking.terms->slots[t->asking.provider]);
}

/* --- parts -------------------------------------------------------------- */

static struct turn_carry *
carry_of(struct turn *t)
{
    if (t->carry == NULL) {
        t->carry = xcalloc(1, sizeof(*t->carry));
        carry_init(&t->carry->parts, t->text.n);
        buf_init(&t->carry->names, NAMES_BYTES);
    }
    return t->carry;
}

/* Some of its text is in the answer. */
static bool
has_share(const struct turn *t)
{
    return carry_has_share(&t->carry->parts, buf_str(&t->text));
}

static void
put_name(struct turn_carry *c, struct str id)
{
    if (c->names.n + 1 + id.n <= NAMES_BYTES) {
        buf_puts(&c->names, c->count > 0 ? "," : "");
        buf_put_str(&c->names, id);
        c->count++;
    }
}

/* What the answer says of who gave it is the running part's from here on. */
static void
keep_share(struct turn *t)
{
    struct turn_carry *c = t->carry;

    put_name(c, str_from(t->answer.model_id));
    xfree(c->model_id);
    xfree(c->conversation);
    c->model_id = t->answer.model_id;
    c->conversation = t->answer.conversation;
    t->answer.model_id = t->answer.conversation = NULL;
}

void
turn_carry_break(struct turn *t, enum turn_ending ending)
{
    struct turn_carry *c = carry_of(t);
    struct usage u = usage_of_part(t);

    count_part(t, &u);
    if (has_share(t)) {
        c->ending = ending;
        keep_share(t);
    }
    carry_break(&c->parts, buf_str(&t->text), &u);
    t->paused = t->behind = false; /* the next one does not wait yet */
}

void
turn_carry_prompt(struct turn *t, struct provider_turn *prompt)
{
    prompt->partial = str_trim_end(buf_str(&t->text));
    if (prompt->partial.n > 0) {
        t->prompt_tokens += estimate_message_tokens(prompt->partial);
    }
}

struct str
turn_carry_text(struct turn *t, struct str text)
{
    return t->carry != NULL ? carry_text(&t->carry->parts, text) : text;
}

struct str
turn_carry_rest(struct turn *t)
{
    return t->carry != NULL ? carry_rest(&t->carry->parts) : STR("");
}

/* --- the end ------------------------------------------------------------ */

enum turn_ending
turn_carry_ending(const struct turn *t, enum turn_ending ending)
{
    bool failed =
        ending == TURN_END_INTERRUPTED || ending == TURN_END_PROVIDER_ERROR;

    return t->carry != NULL && failed && !has_share(t) ? t->carry->ending
                                                       : ending;
}

static void
put_metadata(struct turn *t)
{
    struct buf json;

    buf_init(&json, NAMES_BYTES + 64);
    buf_putc(&json, '{');
    json_put_member(&json, "providers", buf_str(&t->carry->names));
    buf_putc(&json, '}');
    xfree(t->answer.metadata);
    t->answer.metadata = buf_give(&json);
}

/* Who only failed has used nothing that is known. */
static bool
has_part(const struct turn *t)
{
    return t->carry->parts.said > 0 || t->answer.usage.present ||
           t->ending == TURN_END_STOP || t->ending == TURN_END_LENGTH ||
           t->ending == TURN_END_CONTENT_FILTER;
}

static void
settle_parts(struct turn *t)
{
    struct turn_carry *c = t->carry;
    struct usage sum = c->parts.used, last = usage_of_part(t);

    if (has_part(t)) {
        carry_add(&sum, &last);
        count_part(t, &last);
    }
    t->answer.usage = sum;
    if (has_share(t)) {
        keep_share(t);
    } else {
        xfree(t->answer.model_id);
        xfree(t->answer.conversation);
    }
    t->answer.model_id = c->model_id;
    t->answer.conversation = c->conversation;
    c->model_id = c->conversation = NULL;
    if (c->count > 1) {
        put_metadata(t);
    }
}

void
turn_carry_settle(struct turn *t)
{
    if (t->carry != NULL) {
        settle_parts(t);
    } else {
        t->answer.usage = usage_of_part(t);
        count_part(t, &t->answer.usage);
    }
}

void
turn_carry_free(struct turn *t)
{
    if (t->carry != NULL) {
        carry_fini(&t->carry->parts);
        buf_fini(&t->carry->names);
        xfree(t->carry->model_id);
        xfree(t->carry->conversation);
        xfree(t->carry);
        t->carry = NULL;
    }
}
