/* SPDX-License-Identifier: MIT */
/* See turn_carry.h. A part is what one provider does for the answer: from its
 * being asked to its failure, or to the answer's end. */
#include "chat/turn_carry.h"

#include "base/xalloc.h"
#include "chat/bill.h"
#include "codec/json.h"
#include "codec/overlap.h"
#include "provider/estimate.h"

/* As of any value of metadata (protocol.md 2.3). */
#define NAMES_BYTES 1000

struct turn_carry {
    struct overlap overlap;  /* of what was shown and the running part */
    struct usage used;       /* of the parts before */
    struct buf names;        /* of those whose text is shown, with commas */
    unsigned count;          /* of names */
    size_t from;             /* bytes of text when the running part began */
    size_t said;             /* bytes that it has said */
    char *model_id;          /* of the last one in names … */
    char *conversation;      /* … and the answer's there */
    enum turn_ending ending; /* how that one broke off */
};

/* --- usage -------------------------------------------------------------- */

/* What was said again is not in the text twice, but was said: it is what that
 * ended with when the part began. */
static uint64_t
tokens_said(const struct turn *t)
{
    struct str text = buf_str(&t->text), before;
    size_t from = t->carry != NULL ? t->carry->from : 0;
    size_t again = 0;

    if (t->carry != NULL) {
        again = t->carry->said - (text.n - from);
    }
    before = (struct str){text.p, from};
    again = again < from ? again : from;
    return estimate_tokens(str_from_at(text, from)) +
           estimate_tokens(str_from_at(before, from - again));
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

static void
add_usage(struct usage *to, const struct usage *u)
{
    to->prompt_tokens += u->prompt_tokens;
    to->completion_tokens += u->completion_tokens;
    to->total_tokens += u->total_tokens;
    to->cached_tokens += u->cached_tokens;
    to->reasoning_tokens += u->reasoning_tokens;
    to->cost_nanos += u->cost_nanos;
    to->estimated = to->estimated || u->estimated;
    to->present = true;
}

/* --- parts -------------------------------------------------------------- */

static struct turn_carry *
carry_of(struct turn *t)
{
    if (t->carry == NULL) {
        t->carry = xcalloc(1, sizeof(*t->carry));
        t->carry->said = t->text.n;
        buf_init(&t->carry->names, NAMES_BYTES);
    }
    return t->carry;
}

/* Some of its text is in the answer. */
static bool
has_share(const struct turn *t)
{
    return t->text.n > t->carry->from;
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

    add_usage(&c->used, &u);
    count_part(t, &u);
    if (has_share(t)) {
        c->ending = ending;
        keep_share(t);
    }
    c->from = t->text.n;
    c->said = 0;
    overlap_fini(&c->overlap);
    overlap_init(&c->overlap, buf_str(&t->text));
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
    if (t->carry == NULL) {
        return text;
    }
    t->carry->said += text.n;
    return overlap_feed(&t->carry->overlap, text);
}

struct str
turn_carry_rest(struct turn *t)
{
    return t->carry != NULL ? overlap_end(&t->carry->overlap) : STR("");
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
    return t->carry->said > 0 || t->answer.usage.present ||
           t->ending == TURN_END_STOP || t->ending == TURN_END_LENGTH ||
           t->ending == TURN_END_CONTENT_FILTER;
}

static void
settle_parts(struct turn *t)
{
    struct turn_carry *c = t->carry;
    struct usage sum = c->used, last = usage_of_part(t);

    if (has_part(t)) {
        add_usage(&sum, &last);
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
        overlap_fini(&t->carry->overlap);
        buf_fini(&t->carry->names);
        xfree(t->carry->model_id);
        xfree(t->carry->conversation);
        xfree(t->carry);
        t->carry = NULL;
    }
}
