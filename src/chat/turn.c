/* SPDX-License-Identifier: MIT */
/* Turns from arrival to their place in the session's order: SAVE and WAIT.
 * turn_ask.c asks the model, turn_show.c passes its text on, turn_end.c ends
 * what has begun. */
#include "chat/turn.h"

#include "base/log.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "chat/frames.h"
#include "chat/history.h"
#include "chat/repeat.h"
#include "chat/router.h"
#include "chat/session.h"
#include "chat/turn_carry.h"
#include "chat/turn_parts.h"
#include "loop/shard.h"

#include <string.h>

static const struct {
    void (*run)(struct turn *t);
    const char *name;
} steps[TURN_STEPS] = {
#define STEP(NAME, function, text) {function, #NAME},
#include "chat/turn.def"
#undef STEP
};

void
turn_enter(struct turn *t, enum turn_step step)
{
    CHECK(t->step != TURN_OVER);
    t->step = step;
    steps[step].run(t);
}

static struct turn *
turn_of(struct list *link)
{
    return CONTAINER_OF(link, struct turn, link);
}

static void
take_roles(struct turn *t, struct str roles)
{
    t->roles = roles.n > 0 ? xmemdup(roles.p, roles.n) : NULL;
    t->roles_n = (uint16_t)roles.n;
}

static struct turn *
turn_new(struct session *s, struct outlet *o, struct message_record *question,
         uint16_t provider)
{
    struct turn *t = xcalloc(1, sizeof(*t));

    t->session = s;
    t->asker = o;
    t->question = *question;
    *question = (struct message_record){.seq = 0};
    t->retry_after_ms = -1;
    rand_id(t->answer.id);
    memcpy(t->answer.sid, s->id, sizeof(t->answer.sid));
    t->answer.sender = SENDER_AI;
    t->answer.type = xstrdup("ai_response");
    t->answer.reply_to = xstrdup(t->question.id);
    t->answer.duration_ms = t->answer.ttft_ms = -1;
    turn_ask_choose(t, s->user->chat->terms, provider);
    buf_init(&t->text, s->user->chat->settings->max_answer_bytes);
    list_push_back(&s->turns, &t->link);
    chat_turn_begun(s->user->chat);
    if (o != NULL) {
        o->asked++;
        take_roles(t, (struct str){o->roles, o->roles_n});
    }
    session_settle(s);
    return t;
}

void
turn_begin(struct session *s, struct outlet *o, struct message_record *question,
           uint16_t provider)
{
    struct turn *t = turn_new(s, o, question, provider);

    turn_enter(t, TURN_SAVE);
}

void
turn_begin_unasked(struct session *s, struct message_record *question,
                   struct str roles)
{
    struct turn *t = turn_new(s, NULL, question, s->model);

    t->unasked = true;
    take_roles(t, roles);
    turn_enter(t, TURN_SAVE);
}

void
turn_begin_stored(struct session *s, struct outlet *o,
                  struct message_record *question, const char *replaces)
{
    struct turn *t = turn_new(s, o, question, s->model);

    t->answer.replaces = replaces != NULL ? xstrdup(replaces) : NULL;
    turn_enter(t, TURN_WAIT);
}

struct turn *
turn_find(const struct session *s, const char *question_id)
{
    LIST_FOREACH (it, &s->turns) {
        struct turn *t = turn_of(it);

        if (t->step != TURN_SAVE && t->step != TURN_OVER &&
            strcmp(t->question.id, question_id) == 0) {
            return t;
        }
    }
    return NULL;
}

/* --- store jobs --------------------------------------------------------- */

struct store_job *
turn_job(struct turn *t, enum store_op op, void (*done)(struct store_job *))
{
    struct session *s = t->session;
    struct store_job *job = store_job_new(op, s->user->chat->shard, done, t);

    job->user_id = str_dup(user_id(s->user));
    session_to_record(s, &job->session);
    t->jobs++;
    return job;
}

bool
turn_job_done(struct turn *t)
{
    CHECK(t->jobs > 0);
    t->jobs--;
    if (!t->dropped) {
        return true;
    }
    if (t->jobs == 0) {
        turn_free(t);
    }
    return false;
}

/* --- SAVE --------------------------------------------------------------- */

/* Nothing of the turn is kept: one error to the asker; to all, when no
 * connection asked. */
static void
refuse(struct turn *t, enum err e)
{
    struct proto_error what = {.err = e, .retry_after_ms = -1};
    struct session *s = t->session;

    if (e == ERR_DATABASE_ERROR) {
        what.retry_after_ms = 1000;
    }
    if (t->asker != NULL) {
        router_tell(t->asker, &what, (struct str){NULL, 0},
                    str_from(t->question.client_id));
    } else if (t->unasked) {
        session_broadcast(s, NULL,
                          frame_error(s->user->chat, session_id(s), &what,
                                      (struct str){NULL, 0},
                                      (struct str){NULL, 0}));
    }
    turn_free(t);
}

static void
on_saved(struct store_job *job)
{
    struct turn *t = job->cookie;
    struct session *s = t->session;

    if (!turn_job_done(t)) {
        store_job_free(job);
        return;
    }
    if (t->asker != NULL) {
        t->asker->ops->hold(t->asker, false);
    }
    if (job->result != ERR_OK) {
        refuse(t, job->result == ERR_NOT_FOUND ? ERR_NOT_FOUND
                                               : ERR_DATABASE_ERROR);
    } else if (job->duplicate) {
        repeat_answer(t, job);
    } else {
        session_saved(s, &job->session);
        t->question.seq = job->message.seq;
        session_remember(s, &t->question);
        session_broadcast(s, t->asker, frame_message(s, &t->question, false));
        if (t->asker != NULL && t->question.client_id != NULL) {
            router_send(t->asker, frame_ack(s, str_from(t->question.client_id),
                                            &t->question));
        }
        turn_enter(t, TURN_WAIT);
    }
    store_job_free(job);
}

void
turn_save(struct turn *t)
{
    struct store_job *job = turn_job(t, STORE_MESSAGE_APPEND, on_saved);

    message_record_copy(&job->message, &t->question);
    if (t->asker != NULL) {
        t->asker->ops->hold(t->asker, true);
    }
    store_submit(t->session->user->chat->store, job);
}

/* --- WAIT --------------------------------------------------------------- */

void
turn_wait(struct turn *t)
{
    if (t->session->user->chat->draining) {
        turn_end(t, TURN_END_SHUTDOWN);
    } else if (turn_late_blocks(t->session)) {
        turn_end(t, TURN_END_STORAGE);
    } else {
        turn_next(t->session);
    }
}

void
turn_next(struct session *s)
{
    if (s->running != NULL) {
        return;
    }
    LIST_FOREACH (it, &s->turns) {
        struct turn *t = turn_of(it);

        if (t->step == TURN_WAIT) {
            s->running = t;
            turn_enter(t, TURN_READ);
            return;
        }
    }
}

/* --- leaving ------------------------------------------------------------ */

bool
turn_cancel(struct session *s, struct str message_id)
{
    struct turn *t = s->running;

    if (t == NULL || t->step >= TURN_STORE) {
        return false;
    }
    if (message_id.n > 0 && !str_is(message_id, t->answer.id)) {
        return false;
    }
    turn_end(t, TURN_END_CANCELLED);
    return true;
}

void
turn_forget_outlet(struct session *s, struct outlet *o)
{
    LIST_FOREACH (it, &s->turns) {
        if (turn_of(it)->asker == o) {
            turn_of(it)->asker = NULL;
        }
    }
    o->asked = 0;
}

static void
drop(struct turn *t)
{
    t->dropped = true;
    turn_ask_stop(t);
    if (t->jobs == 0) {
        turn_free(t);
    }
}

void
turn_drop_all(struct session *s)
{
    s->running = NULL;
    LIST_FOREACH (it, &s->turns) {
        drop(turn_of(it));
    }
}

void
turn_free_all(struct session *s)
{
    LIST_FOREACH (it, &s->turns) {
        turn_of(it)->jobs = 0;
    }
    turn_drop_all(s);
}

void
turn_refuse_waiting(struct session *s, enum turn_ending ending)
{
    LIST_FOREACH (it, &s->turns) {
        if (turn_of(it)->step == TURN_WAIT) {
            turn_end(turn_of(it), ending);
        }
    }
}

void
turn_free(struct turn *t)
{
    struct session *s = t->session;
    struct chat *c = s->user->chat;

    CHECK(t->jobs == 0);
    if (t->asker != NULL && t->asker->asked > 0) {
        t->asker->asked--;
    }
    if (s->running == t) {
        s->running = NULL;
    }
    list_remove(&t->link);
    turn_ask_stop(t);
    turn_carry_free(t);
    asking_fini(&t->asking);
    message_record_fini(&t->question);
    message_record_fini(&t->answer);
    buf_fini(&t->text);
    budget_free(t->claim);
    xfree(t->roles);
    xfree(t);
    session_settle(s);
    chat_turn_over(c);
}
