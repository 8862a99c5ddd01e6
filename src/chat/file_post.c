/* SPDX-License-Identifier: MIT */
/* A message that nobody answers: the first half of a turn (turn.c, SAVE). */
#include "chat/file_post.h"

#include "base/xalloc.h"
#include "chat/errand.h"
#include "chat/frames.h"
#include "chat/router.h"
#include "chat/session.h"
#include "chat/voice.h"

#include <string.h>

#define RETRY_MS 1000

struct post {
    struct errand errand;
    struct message_record file;
    char *roles; /* the sender's */
    uint16_t roles_n;
};

static void
post_end(struct post *p)
{
    errand_end(&p->errand);
    message_record_fini(&p->file);
    xfree(p->roles);
    xfree(p);
}

static void
refuse(const struct post *p, enum err e)
{
    struct proto_error what = {
        .err = e, .retry_after_ms = e == ERR_NOT_FOUND ? -1 : RETRY_MS};

    if (p->errand.outlet != NULL) {
        router_tell(p->errand.outlet, &what, (struct str){NULL, 0},
                    str_from(p->file.client_id));
    }
}

static void
tell(struct post *p, struct store_job *job)
{
    struct session *s = p->errand.session;
    struct outlet *o = p->errand.outlet;

    if (job->duplicate) {
        session_update(s, &job->session);
    } else {
        session_saved(s, &job->session);
        p->file.seq = job->message.seq;
        session_remember(s, &p->file);
        session_broadcast(s, o, frame_message(s, &p->file, false));
    }
    if (o != NULL) {
        router_send(o,
                    frame_ack(s, str_from(p->file.client_id), &job->message));
    }
}

static void
on_stored(struct store_job *job)
{
    struct post *p = job->cookie;

    if (p->errand.session->gone) {
        /* nobody is left to be told */
    } else if (job->result == ERR_OK) {
        tell(p, job);
        if (!job->duplicate) {
            voice_begin(p->errand.session, &p->file,
                        (struct str){p->roles, p->roles_n});
        }
    } else {
        refuse(p, job->result == ERR_NOT_FOUND ? ERR_NOT_FOUND
                                               : ERR_DATABASE_ERROR);
    }
    post_end(p);
    store_job_free(job);
}

void
file_post(struct outlet *o, struct message_record *file)
{
    struct session *s = o->session;
    struct post *p = xcalloc(1, sizeof(*p));
    struct store_job *job =
        store_job_new(STORE_MESSAGE_APPEND, s->user->chat->shard, on_stored, p);

    p->file = *file;
    p->roles = o->roles_n > 0 ? xmemdup(o->roles, o->roles_n) : NULL;
    p->roles_n = o->roles_n;
    *file = (struct message_record){.seq = 0};
    errand_start(&p->errand, o);
    job->user_id = str_dup(user_id(s->user));
    session_to_record(s, &job->session);
    message_record_copy(&job->message, &p->file);
    store_submit(s->user->chat->store, job);
}
