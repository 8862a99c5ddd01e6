/* SPDX-License-Identifier: MIT */
/* The built-in models: see demo.h. demo_text.c writes the whole answer at
 * once; here it is handed out word by word, at the speed of a model. What
 * looks like chance is arithmetic on the place in the text, so that tests and
 * demonstrations repeat. */
#include "provider/demo.h"

#include "base/xalloc.h"
#include "codec/utf8.h"
#include "provider/demo_text.h"
#include "provider/estimate.h"

enum {
    FIRST_DELAY_MS = 250, /* a model thinks before it speaks */
    DELAY_MIN_MS = 20,
    DELAY_SPREAD_MS = 21,
    PIECE_BYTES = 24 /* of a text without spaces */
};

static const struct demo_model models[] = {
    {"demo-guide", "Demo guide"},
    {"demo-brief", "Demo brief"},
    {"demo-lecturer", "Demo lecturer"},
};

_Static_assert(COUNT_OF(models) == DEMO_MANNERS, "one manner per model");

const struct demo_model *
demo_model_at(size_t index)
{
    return index < COUNT_OF(models) ? &models[index] : NULL;
}

/* Asked in this order by next. */
enum step { STEP_TEXT, STEP_USAGE, STEP_FINISH, STEP_DONE };

struct answer {
    enum step step;
    struct buf text;
    size_t at;
    struct provider_usage usage;
};

static enum demo_manner
manner_of(const struct provider_config *config)
{
    for (size_t i = 0; i < COUNT_OF(models); i++) {
        if (str_is(str_from(config->model), models[i].id)) {
            return (enum demo_manner)i;
        }
    }
    return DEMO_GUIDE;
}

static struct provider_usage
usage_of(const struct provider_turn *turn, struct str text)
{
    int64_t prompt = (int64_t)estimate_tokens(turn->system_prompt);
    int64_t completion = (int64_t)estimate_tokens(text);

    if (turn->partial.n > 0) {
        prompt += (int64_t)estimate_message_tokens(turn->partial);
    }
    for (size_t i = 0; i < turn->count; i++) {
        prompt += (int64_t)estimate_message_tokens(turn->messages[i].content);
    }
    return (struct provider_usage){.prompt_tokens = prompt,
                                   .completion_tokens = completion,
                                   .total_tokens = prompt + completion};
}

static void *
begin(const struct provider_config *config, const struct provider_turn *turn)
{
    struct answer *a = xcalloc(1, sizeof(*a));

    buf_init(&a->text, DEMO_TEXT_MAX + 2);
    buf_puts(&a->text, turn->partial.n > 0 ? "\n\n" : "");
    demo_text_write(manner_of(config), turn, &a->text);
    CHECK(!a->text.failed);
    a->usage = usage_of(turn, buf_str(&a->text));
    return a;
}

static bool
is_space(char c)
{
    return c == ' ' || c == '\n';
}

/* A word, and the space behind it. */
static struct str
word_of(struct str rest)
{
    size_t n = 0;

    while (n < rest.n && !is_space(rest.p[n])) {
        n++;
    }
    if (n > PIECE_BYTES) {
        return utf8_cut(rest, PIECE_BYTES);
    }
    while (n < rest.n && is_space(rest.p[n])) {
        n++;
    }
    return (struct str){rest.p, n};
}

/* Between two words; any function that looks uneven would do (Knuth's
 * multiplicative hash). */
static uint64_t
delay_of(size_t at)
{
    return at == 0 ? FIRST_DELAY_MS
                   : DELAY_MIN_MS +
                         (uint32_t)at * UINT32_C(2654435761) % DELAY_SPREAD_MS;
}

static void
next(void *state, struct provider_event *event, uint64_t *delay_ms)
{
    static const enum provider_event_kind kinds[] = {
        PROVIDER_DELTA, PROVIDER_USAGE, PROVIDER_FINISH, PROVIDER_DONE};
    struct answer *a = state;

    *event = (struct provider_event){
        .kind = kinds[a->step], .finish = PROVIDER_STOP, .usage = a->usage};
    *delay_ms = 0;
    if (a->step == STEP_TEXT) {
        event->text = word_of(str_from_at(buf_str(&a->text), a->at));
        *delay_ms = delay_of(a->at);
        a->at += event->text.n;
        a->step = a->at < a->text.n ? STEP_TEXT : STEP_USAGE;
    } else if (a->step != STEP_DONE) {
        a->step++;
    }
}

static void
close_answer(void *state)
{
    struct answer *a = state;

    if (a != NULL) {
        buf_fini(&a->text);
        xfree(a);
    }
}

const struct provider_ops demo_ops = {
    .type = "demo",
    .begin = begin,
    .next = next,
    .close = close_answer,
};
