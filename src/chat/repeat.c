/* SPDX-License-Identifier: MIT */
/* Exactly once, the second half: the store refuses a second message with the
 * same client_id, and this finds out how far the first one got. Also
 * regenerate, which begins with the same question: what became of it? */
#include "chat/repeat.h"

#include "base/xalloc.h"
#include "chat/errand.h"
#include "chat/frames.h"
#include "chat/router.h"
#include "chat/session.h"
#include "chat/turn_parts.h"
#include "loop/shard.h"

#include <string.h>

/* What to tell a client for whom waiting helps. */
#define RETRY_MS 1000

#define NONE ((struct str){NULL, 0})

/* The newest answer that stands: numbered and not regenerated since. */
static const struct message_record *
standing_answer(const struct store_job *job)
{
    for (size_t i = job->count; i-- > 0;) {
        const struct message_record *m = &job->messages[i];

        if (m->sender == SENDER_AI && !m->superseded &&
            m->status != STATUS_STREAMING) {
            return m;
        }
    }
    return NULL;
}

static void
take_record(struct message_record *to, struct message_record *from)
{
    *to = *from;
    *from = (struct message_record){.seq = 0};
}

/* How far a question that the store has got: it waits or runs, or was
 * answered. */
static bool
was_asked(const struct session *s, const struct store_job *job)
{
    return turn_find(s, job->message.id) != NULL ||
           standing_answer(job) != NULL;
}

static void
tell_first(struct session *s, struct outlet *o, const struct store_job *job)
{
    const struct message_record *answer = standing_answer(job);
    const struct turn *first = turn_find(s, job->message.id);

    router_send(o,
                frame_ack(s, str_from(job->message.client_id), &job->message));
    if (first != NULL && first == s->running) {
        turn_show(s, o);
    } else if (first == NULL && answer != NULL) {
        router_send(o, frame_answer(s, answer));
    }
}

/* Stored, but never asked: the turn starts now, unless its text does not
 * open. */
static void
ask_first(struct session *s, struct outlet *o, struct store_job *job)
{
    static const struct proto_error unreadable = {
        .err = ERR_DATABASE_ERROR,
        .message = RECORD_UNREADABLE,
        .retry_after_ms = -1,
        .final = true,
    };
    struct message_record question;

    if (!job->message.unreadable) {
        take_record(&question, &job->message);
        turn_begin_stored(s, o, &question, NULL);
    } else if (o != NULL) {
        router_tell(o, &unreadable, NONE, str_from(job->message.client_id));
    }
}

void
repeat_answer(struct turn *t, struct store_job *job)
{
    struct session *s = t->session;
    struct outlet *o = t->asker;

    session_job_begin(s);
    if (!s->stored) {
        session_update(s, &job->session);
    }
    turn_free(t);
    if (o != NULL) {
        tell_first(s, o, job);
    }
    if (!was_asked(s, job)) {
        ask_first(s, o, job);
    }
    session_job_end(s);
}

/* --- without room for a turn -------------------------------------------- */

/* Who sent which client_id, while the store looks. */
struct again {
    struct errand errand;
    char *client_id;
};

static void
refuse_again(const struct again *a, enum err e)
{
    struct proto_error what = {
        .err = e,
        .retry_after_ms = e == ERR_SERVICE_ERROR ? REPEAT_FULL_MS : RETRY_MS};

    router_tell(a->errand.outlet, &what, NONE, str_from(a->client_id));
}

static void
on_first(struct store_job *job)
{
    struct again *a = job->cookie;
    struct session *s = a->errand.session;
    struct outlet *o = a->errand.outlet;

    if (s->gone || o == NULL) {
        /* nobody is left to be told */
    } else if (job->result == ERR_OK && was_asked(s, job)) {
        tell_first(s, o, job);
    } else {
        refuse_again(a, job->result == ERR_OK || job->result == ERR_NOT_FOUND
                            ? ERR_SERVICE_ERROR
                            : ERR_DATABASE_ERROR);
    }
    errand_end(&a->errand);
    xfree(a->client_id);
    xfree(a);
    store_job_free(job);
}

void
repeat_only(struct outlet *o, struct str client_id)
{
    struct again *a = xcalloc(1, sizeof(*a));
    struct session *s = o->session;
    struct store_job *job =
        store_job_new(STORE_MESSAGE_FIND, s->user->chat->shard, on_first, a);

    a->client_id = str_dup(client_id);
    errand_start(&a->errand, o);
    job->user_id = str_dup(user_id(s->user));
    memcpy(job->session.sid, s->id, sizeof(job->session.sid));
    job->message.client_id = str_dup(client_id);
    store_submit(s->user->chat->store, job);
}

/* --- regenerate --------------------------------------------------------- */

/* Who asked for what, while the store looks. */
struct regenerate {
    struct errand errand;
    char *replaces; /* the answer named, once it was found */
    int64_t seq;    /* of the session when the store was asked */
};

static void
finish(struct regenerate *r)
{
    errand_end(&r->errand);
    xfree(r->replaces);
    xfree(r);
}

static void
refuse(struct regenerate *r, enum err e)
{
    struct proto_error what = {
        .err = e,
        .retry_after_ms = e == ERR_NOT_FOUND ? -1 : RETRY_MS,
        .field = e == ERR_NOT_FOUND ? "message_id" : NULL,
    };

    if (r->errand.outlet != NULL) {
        router_tell(r->errand.outlet, &what, NONE, NONE);
    }
    finish(r);
}

static void look_up(struct regenerate *r, struct str message_id);

/* A question was found, with all its answers. */
static void
ask_again(struct regenerate *r, struct store_job *job)
{
    const struct message_record *standing = standing_answer(job);
    struct session *s = r->errand.session;
    struct turn *running = turn_find(s, job->message.id);
    struct message_record question;

    if (running != NULL || job->message.unreadable) {
        refuse(r, running != NULL ? ERR_SERVICE_ERROR : ERR_DATABASE_ERROR);
        return;
    }
    if (s->seq != r->seq) { /* it may have been answered since it was read */
        look_up(r, str_from(job->message.id));
        return;
    }
    if (standing != NULL) {
        xfree(r->replaces);
        r->replaces = xstrdup(standing->id);
    }
    take_record(&question, &job->message);
    turn_begin_stored(s, r->errand.outlet, &question, r->replaces);
    finish(r);
}

/* A file that was shown is no question. */
static bool
is_asked(const struct message_record *m)
{
    return m->type == NULL || strcmp(m->type, "user_message") == 0;
}

static void
on_found(struct store_job *job)
{
    struct regenerate *r = job->cookie;
    const struct message_record *m = &job->message;

    if (r->errand.session->gone) {
        finish(r);
    } else if (job->result != ERR_OK) {
        refuse(r, job->result == ERR_NOT_FOUND ? ERR_NOT_FOUND
                                               : ERR_DATABASE_ERROR);
    } else if (m->sender == SENDER_USER && is_asked(m)) {
        ask_again(r, job);
    } else if (m->sender == SENDER_AI && m->reply_to != NULL &&
               r->replaces == NULL) {
        r->replaces = xstrdup(m->id);
        look_up(r, str_from(m->reply_to));
    } else {
        refuse(r, ERR_NOT_FOUND);
    }
    store_job_free(job);
}

static void
look_up(struct regenerate *r, struct str message_id)
{
    struct session *s = r->errand.session;
    struct store_job *job =
        store_job_new(STORE_MESSAGE_FIND, s->user->chat->shard, on_found, r);

    r->seq = s->seq;
    job->user_id = str_dup(user_id(s->user));
    memcpy(job->session.sid, s->id, sizeof(job->session.sid));
    if (message_id.n == RAND_ID_CHARS) {
        memcpy(job->message.id, message_id.p, RAND_ID_CHARS);
    }
    store_submit(s->user->chat->store, job);
}

void
repeat_regenerate(struct outlet *o, struct str message_id)
{
    struct regenerate *r = xcalloc(1, sizeof(*r));

    errand_start(&r->errand, o);
    if (message_id.n != RAND_ID_CHARS) {
        refuse(r, ERR_NOT_FOUND);
        return;
    }
    look_up(r, message_id);
}
