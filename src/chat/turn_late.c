/* SPDX-License-Identifier: MIT */
/* An answer whose end the storage could not take. Its turn has told the error
 * and stays the session's running one, so that what follows is asked with this
 * answer in its history; when the storage works again the answer is stored
 * with its true end, and comes to everybody as a stored one does.
 * docs/decisions/0020 says why. */
#include "base/log.h"
#include "chat/frames.h"
#include "chat/session.h"
#include "chat/turn_parts.h"
#include "loop/shard.h"

static struct chat *
chat_of(const struct turn *t)
{
    return t->session->user->chat;
}

static void wait_longer(struct turn *t);

static void
stored(struct turn *t, struct store_job *job)
{
    struct session *s = t->session;

    turn_end_stored(t, job);
    session_broadcast(s, NULL, frame_answer(s, &job->message));
    log_info(EVENT_STORE_RECOVERED, "an answer was stored after all",
             log_str("session_id", session_id(s)),
             log_cstr("message_id", t->answer.id));
    turn_enter(t, TURN_OVER);
}

static void
give_up(struct turn *t)
{
    log_error(EVENT_STORE_ERROR, "the end of an answer could not be stored",
              log_str("session_id", session_id(t->session)),
              log_cstr("message_id", t->answer.id),
              log_int("attempt", t->tries));
    turn_enter(t, TURN_OVER);
}

static void
on_stored(struct store_job *job)
{
    struct turn *t = job->cookie;

    if (turn_job_done(t)) {
        if (job->result == ERR_OK) {
            stored(t, job);
        } else if (job->result == ERR_DATABASE_ERROR &&
                   ++t->tries < TURN_LATE_TRIES && !chat_of(t)->draining) {
            wait_longer(t);
        } else {
            give_up(t);
        }
    }
    store_job_free(job);
}

/* While the storage fails it looks for itself whether it works again: asking
 * it to store would only fail what others want stored. */
static void
on_due(struct timer *timer)
{
    struct turn *t = CONTAINER_OF(timer, struct turn, timer);

    if (store_healthy(chat_of(t)->store) || chat_of(t)->draining) {
        turn_end_submit(t, on_stored);
    } else {
        wait_longer(t);
    }
}

static void
wait_for_store(struct turn *t)
{
    timer_init(&t->timer, on_due);
    timer_start(&chat_of(t)->shard->timers, &t->timer,
                (uint64_t)TURN_LATE_MS << t->tries);
}

/* The storage fails on. What is stored already and waits behind this answer
 * would do so without a word for as long as that lasts. */
static void
wait_longer(struct turn *t)
{
    turn_refuse_waiting(t->session, TURN_END_STORAGE);
    wait_for_store(t);
}

void
turn_late(struct turn *t)
{
    turn_end_tell(t);
    if (chat_of(t)->draining) {
        give_up(t);
    } else {
        wait_for_store(t);
    }
}

static bool
is_late(const struct session *s)
{
    return s->running != NULL && s->running->step == TURN_LATE;
}

bool
turn_late_blocks(const struct session *s)
{
    return is_late(s) && !store_healthy(s->user->chat->store);
}

void
turn_late_hurry(struct session *s)
{
    struct turn *t = s->running;

    if (is_late(s) && timer_armed(&t->timer)) {
        timer_start(&chat_of(t)->shard->timers, &t->timer, 0);
    }
}
