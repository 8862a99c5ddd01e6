/* SPDX-License-Identifier: MIT */
/* The end of a turn. Cancel, timeout, a provider's failure, its finish,
 * deletion and shutdown all come through turn_end, which leads to exactly one
 * last frame or one error, after the answer has been stored. */
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "chat/bill.h"
#include "chat/frames.h"
#include "chat/session.h"
#include "chat/turn_carry.h"
#include "chat/turn_parts.h"
#include "loop/shard.h"

#include <stdio.h>

static const struct {
    const char *finish_reason;
    enum message_status status;
    enum err error; /* without text */
} endings[TURN_ENDINGS] = {
#define END(NAME, finish, status, error, text) {finish, status, error},
#include "chat/turn_end.def"
#undef END
};

static struct chat *
chat_of(const struct turn *t)
{
    return t->session->user->chat;
}

/* An answer is stored when there is text, or when the provider gave an empty
 * one in good order. */
static bool
worth_storing(const struct turn *t)
{
    return t->text.n > 0 ||
           (endings[t->ending].status == STATUS_COMPLETE && t->begun_ms > 0);
}

void
turn_end(struct turn *t, enum turn_ending ending)
{
    if (t->step >= TURN_STORE) {
        return;
    }
    t->ending = ending;
    turn_ask_stop(t);
    turn_enter(t, worth_storing(t) ? TURN_STORE : TURN_OVER);
}

/* --- STORE -------------------------------------------------------------- */

static void
complete_answer(struct turn *t)
{
    uint64_t now = shard_now_ms(chat_of(t)->shard);
    struct message_record *a = &t->answer;

    turn_carry_settle(t);
    budget_settle(t->claim, &a->usage);
    a->status = endings[t->ending].status;
    a->finish_reason = xstrdup(endings[t->ending].finish_reason);
    a->at_ms = clock_wall_ms();
    a->duration_ms = (int64_t)(now - t->begun_ms);
    a->ttft_ms = t->first_ms > 0 ? (int64_t)(t->first_ms - t->begun_ms) : -1;
}

static void
count_answer(const struct turn *t)
{
    const struct provider_slots *slots =
        &t->asking.terms->slots[t->asking.provider];

    metric_observe_at(METRIC_LLM_LATENCY, slots->latency,
                      (double)t->answer.duration_ms / 1000);
}

void
turn_end_stored(struct turn *t, const struct store_job *job)
{
    struct message_record m = t->answer;

    t->answer.seq = m.seq = job->message.seq;
    m.content = t->text.p;
    m.content_n = t->text.n;
    session_update(t->session, &job->session);
    session_remember(t->session, &m);
}

static void
on_stored(struct store_job *job)
{
    struct turn *t = job->cookie;

    if (turn_job_done(t)) {
        if (job->result == ERR_OK) {
            turn_end_stored(t, job);
            turn_show_rest(t);
            turn_enter(t, TURN_OVER);
        } else {
            t->ending = TURN_END_STORAGE;
            turn_enter(t, job->result == ERR_DATABASE_ERROR ? TURN_LATE
                                                            : TURN_OVER);
        }
    }
    store_job_free(job);
}

void
turn_end_submit(struct turn *t, void (*done)(struct store_job *))
{
    struct store_job *job = turn_job(t, STORE_ANSWER_FINISH, done);

    message_record_copy(&job->message, &t->answer);
    job->message.content = xmemdup(t->text.p, t->text.n);
    job->message.content_n = t->text.n;
    store_submit(chat_of(t)->store, job);
}

void
turn_end_store(struct turn *t)
{
    complete_answer(t);
    count_answer(t);
    turn_end_submit(t, on_stored);
}

/* --- OVER --------------------------------------------------------------- */

static enum err
error_of(const struct turn *t)
{
    if (t->ending == TURN_END_STORAGE) {
        return ERR_DATABASE_ERROR;
    }
    return t->answer.seq > 0 ? ERR_OK : endings[t->ending].error;
}

static void
tell_error(struct turn *t, enum err e)
{
    struct proto_error what = {.err = e, .retry_after_ms = t->retry_after_ms};

    if (e == ERR_DATABASE_ERROR || e == ERR_SERVICE_ERROR) {
        what.retry_after_ms = 1000;
    }
    metric_count(METRIC_MESSAGE_ERRORS);
    session_broadcast(t->session, NULL,
                      frame_error(chat_of(t), session_id(t->session), &what,
                                  str_from(t->answer.id),
                                  str_from(t->question.client_id)));
}

static void
tell_done(struct turn *t)
{
    const struct proto_error over = {.err = ERR_BUDGET_EXCEEDED,
                                     .retry_after_ms = t->retry_after_ms};
    const struct proto_error *stopped =
        t->ending == TURN_END_BUDGET ? &over : NULL;

    if (t->answer.finish_reason == NULL) {
        t->answer.finish_reason = xstrdup(endings[t->ending].finish_reason);
    }
    session_broadcast(t->session, NULL,
                      frame_done(t->session, &t->answer, stopped));
}

static void
count_end(const struct turn *t, enum err e)
{
    const char *word =
        e == ERR_OK ? endings[t->ending].finish_reason : err_info(e)->code;

    metric_count_at(METRIC_TURNS, metrics_slot(METRIC_TURNS, word));
    log_debug(EVENT_TURN, "a turn ended",
              log_str("session_id", session_id(t->session)),
              log_cstr("message_id", t->answer.id), log_cstr("end", word),
              log_int("bytes", (int64_t)t->text.n),
              log_int("wait_ms", t->answer.duration_ms));
}

void
turn_end_tell(struct turn *t)
{
    enum err e = error_of(t);

    if (t->told) {
        return;
    }
    t->told = true;
    count_end(t, e);
    if (e != ERR_OK) {
        tell_error(t, e);
    } else {
        tell_done(t);
    }
}

void
turn_end_over(struct turn *t)
{
    struct session *s = t->session;

    turn_end_tell(t);
    session_job_begin(s);
    if (t->jobs > 0) {
        t->dropped = true; /* a checkpoint is still on its way back */
        list_remove(&t->link);
        list_push_back(&s->turns, &t->link);
        s->running = s->running == t ? NULL : s->running;
    } else {
        turn_free(t);
    }
    turn_next(s);
    session_job_end(s);
}
