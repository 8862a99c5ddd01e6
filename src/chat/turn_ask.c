/* SPDX-License-Identifier: MIT */
/* A turn asks its model: READ the earlier turns, ASK (asking.c: whom, and whom
 * next), STREAM. What the provider says arrives here and becomes text or an
 * end. */
#include "base/clock.h"
#include "base/xalloc.h"
#include "chat/frames.h"
#include "chat/history.h"
#include "chat/session.h"
#include "chat/turn_carry.h"
#include "chat/turn_parts.h"
#include "codec/utf8.h"
#include "guard/pseudonym.h"
#include "loop/shard.h"
#include "store/secret.h"

static struct chat *
chat_of(const struct turn *t)
{
    return t->session->user->chat;
}

static uint64_t
now_ms(const struct turn *t)
{
    return shard_now_ms(chat_of(t)->shard);
}

/* --- READ --------------------------------------------------------------- */

/* The asker may have said itself what the model is to see; what goes on with an
 * answer needs the words. */
static void
ask_as_asked(struct turn *t, const struct provider_config *p,
             struct provider_turn *prompt)
{
    struct outlet *o = t->asker;

    if (o != NULL && o->ops->prompt != NULL && t->text.n == 0) {
        t->prompt_tokens = o->ops->prompt(o, p, prompt);
    }
}

static void
reserve(struct turn *t)
{
    const struct provider_config *p = asking_provider(&t->asking);
    struct provider_turn prompt;

    t->prompt_tokens = history_tokens(t->history);
    if (!p->ops->keeps_log) {
        ask_as_asked(t, p, &prompt);
    }
    turn_budget_claim(t);
}

static void
on_history(void *cookie, enum err e)
{
    struct turn *t = cookie;

    if (e != ERR_OK) {
        turn_end(t, TURN_END_STORAGE);
        return;
    }
    reserve(t);
}

/* Settings may have been replaced while the turn waited. A model that is not
 * among the new ones is asked as it was. */
static void
renew_terms(struct turn *t)
{
    struct terms *now = chat_of(t)->terms;
    const char *id = asking_provider(&t->asking)->id;
    int model = chat_model_find(now->settings, str_from(id));

    if (model >= 0) {
        asking_fini(&t->asking);
        turn_ask_choose(t, now, (uint16_t)model);
    }
}

void
turn_ask_read(struct turn *t)
{
    struct session *s = t->session;
    bool ready;

    renew_terms(t);
    LIST_FOREACH (it, &s->outlets) {
        struct outlet *o = CONTAINER_OF(it, struct outlet, link);

        o->sent = o->chunk = 0;
    }
    t->begun_ms = now_ms(t);
    session_broadcast(s, NULL, frame_loading(s, t->answer.id, t->question.id));
    asking_begin(&t->asking);
    t->history = history_start(
        s,
        &(struct history_wish){.question = &t->question,
                               .pictures = asking_sees(&t->asking),
                               .done = on_history,
                               .cookie = t},
        &ready);
    if (ready) {
        reserve(t);
    }
}

/* --- ASK ---------------------------------------------------------------- */

void
turn_ask_send(struct turn *t)
{
    asking_send(&t->asking);
}

/* Nothing of what an earlier provider said about its answer holds. */
static void
forget_attempt(struct turn *t)
{
    xfree(t->answer.model_id);
    xfree(t->answer.conversation);
    t->answer.conversation = NULL;
    t->answer.model_id = xstrdup(asking_provider(&t->asking)->id);
    t->answer.usage = (struct usage){.present = false};
    t->prompt_tokens = history_tokens(t->history);
    t->finish = TURN_END_STOP;
}

/* A provider that keeps the log itself is told who asks, and only what it does
 * not know; it has its own idea of what a conversation is called. */
static void
name_asker(struct turn *t, const struct provider_config *p,
           struct provider_turn *prompt)
{
    pseudonym_make(store_secret(chat_of(t)->store), str_from(p->id),
                   user_id(t->session->user), t->pseudonym);
    prompt->user = str_from(t->pseudonym);
    if (!t->asking.afresh) {
        history_resume(t->history, str_from(p->id), prompt);
    }
}

static void
on_ask(void *cookie, struct provider_turn *prompt)
{
    struct turn *t = cookie;
    const struct provider_config *p = asking_provider(&t->asking);

    forget_attempt(t);
    *prompt = *history_prompt(t->history);
    turn_carry_prompt(t, prompt);
    if (p->ops->keeps_log) {
        name_asker(t, p, prompt);
    } else {
        ask_as_asked(t, p, prompt);
    }
    turn_budget_asked(t);
}

/* --- STREAM ------------------------------------------------------------- */

static void
on_draft_due(struct timer *timer)
{
    struct turn *t = CONTAINER_OF(timer, struct turn, timer);

    turn_draft_check(t);
    timer_start(&chat_of(t)->shard->timers, &t->timer, TURN_DRAFT_MS);
}

void
turn_ask_stream(struct turn *t)
{
    t->first_ms = t->drafted_ms = now_ms(t);
    if (!asking_may_break(&t->asking)) {
        history_cancel(t->history);
        t->history = NULL;
    }
    timer_init(&t->timer, on_draft_due);
    timer_start(&chat_of(t)->shard->timers, &t->timer, TURN_DRAFT_MS);
}

static void
take_text(struct turn *t, struct str text)
{
    size_t room = t->text.max - t->text.n;
    bool too_long = text.n > room;

    if (too_long) {
        text.n = utf8_cut(text, room).n;
    }
    buf_put_str(&t->text, text);
    turn_show_later(t->session);
    if (!turn_budget_spend(t, text)) {
        return;
    }
    if (t->text.n - t->drafted >= TURN_DRAFT_BYTES) {
        turn_draft_check(t);
    }
    if (too_long) {
        turn_end(t, TURN_END_LENGTH);
    }
}

static void
on_text(void *cookie, struct str text)
{
    struct turn *t = cookie;

    if (t->step == TURN_ASK) {
        turn_enter(t, TURN_STREAM);
    }
    text = turn_carry_text(t, text);
    if (text.n > 0) {
        take_text(t, text);
    }
}

static void
on_usage(void *cookie, const struct usage *usage)
{
    struct turn *t = cookie;

    t->answer.usage = *usage;
    t->answer.usage.present = true;
}

static void
on_finish(void *cookie, enum provider_finish reason)
{
    static const enum turn_ending endings[] = {
        [PROVIDER_STOP] = TURN_END_STOP,
        [PROVIDER_LENGTH] = TURN_END_LENGTH,
        [PROVIDER_CONTENT_FILTER] = TURN_END_CONTENT_FILTER,
        [PROVIDER_CALLS] = TURN_END_STOP, /* nobody of ours asked for any */
    };
    struct turn *t = cookie;

    t->finish = endings[reason];
}

static void
on_conversation(void *cookie, struct str id)
{
    struct turn *t = cookie;

    xfree(t->answer.conversation);
    t->answer.conversation = str_dup(id);
}

static enum turn_ending
ending_of(const struct turn *t, enum upstream_end end)
{
    switch (end) {
    case UPSTREAM_COMPLETE:
        return t->finish;
    case UPSTREAM_CUT:
        return TURN_END_INTERRUPTED;
    case UPSTREAM_TIMEOUT:
        return TURN_END_TIMEOUT;
    case UPSTREAM_REFUSED:
    case UPSTREAM_ERROR:
        return TURN_END_PROVIDER_ERROR;
    }
    return TURN_END_PROVIDER_ERROR;
}

static void
on_break(void *cookie, const struct upstream_failure *why)
{
    struct turn *t = cookie;

    turn_carry_break(t, ending_of(t, why->end));
}

static void
on_end(void *cookie, const struct upstream_failure *why)
{
    struct turn *t = cookie;
    struct str rest = turn_carry_rest(t);

    t->retry_after_ms = why->retry_after_ms;
    if (rest.n > 0) {
        take_text(t, rest);
    }
    turn_end(t, turn_carry_ending(t, ending_of(t, why->end)));
}

static const struct asking_events events = {
    on_ask,          on_text, NULL,     on_usage, on_finish,
    on_conversation, NULL,    on_break, on_end};

void
turn_ask_choose(struct turn *t, struct terms *terms, uint16_t provider)
{
    asking_init(&t->asking, terms, provider, &events, t);
    t->asking.who[0] = log_str("session_id", session_id(t->session));
    t->asking.who[1] = log_cstr("message_id", t->answer.id);
}

void
turn_ask_stop(struct turn *t)
{
    asking_cancel(&t->asking);
    history_cancel(t->history);
    t->history = NULL;
    timer_cancel(&chat_of(t)->shard->timers, &t->timer);
}
