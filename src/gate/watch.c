/* SPDX-License-Identifier: MIT */
/* The store knows the owner of a session that has a message. One without is
 * only in its owner's memory: so when the store does not know it, the
 * connection itself goes from shard to shard and looks, and comes home when
 * nobody has it. */
#include "gate/watch.h"

#include "base/xalloc.h"
#include "chat/chat.h"
#include "gate/admission.h"
#include "gate/audit.h"
#include "gate/gate_state.h"
#include "gate/http.h"
#include "gate/reply.h"
#include "loop/shard.h"
#include "store/store.h"

#include <string.h>

struct watch {
    struct letter letter; /* brings it home at its end */
    char sid[RAND_ID_CHARS + 1];
    char *owner;        /* NULL: the operator, or not known yet */
    char *who;          /* the operator */
    struct shard *home; /* the operator's */
    unsigned looked;    /* shards that do not have it */
    bool away;          /* counted at home while it is elsewhere */
    void (*then)(struct request *r);
};

static void
free_watch(struct watch *w)
{
    xfree(w->owner);
    xfree(w->who);
    xfree(w);
}

/* --- the count at home -------------------------------------------------- */

static void
deliver(struct shard *here, struct letter *l)
{
    struct watch *w = CONTAINER_OF(l, struct watch, letter);

    if (here->chat != NULL) {
        chat_user_away(here->chat, str_from(w->who), false);
    }
    free_watch(w);
}

static void
destroy(struct letter *l)
{
    free_watch(CONTAINER_OF(l, struct watch, letter));
}

void
watch_end(struct watch *w)
{
    if (w == NULL) {
        return;
    }
    if (!w->away) {
        free_watch(w);
        return;
    }
    w->letter.deliver = deliver;
    w->letter.destroy = destroy;
    shard_post(w->home, &w->letter);
}

struct str
watch_owner(const struct watch *w)
{
    return str_from(w != NULL ? w->owner : NULL);
}

/* --- arriving ----------------------------------------------------------- */

static void
refuse(struct request *r, enum err e)
{
    r->last = true;
    reply_error(r, e, NULL);
}

static void
on_audited(struct store_job *job)
{
    struct request *r = job->cookie;

    if (job->result != ERR_OK || r->http == NULL) {
        refuse(r, job->result != ERR_OK ? job->result : ERR_NOT_FOUND);
    } else {
        audit_log(&job->review->event);
        http_move(r, r->gate->shard, r->watch->then);
    }
    store_job_free(job);
}

/* On the shard of the session's owner: whoever attaches reads on. */
static void
put_down(struct request *r)
{
    struct store_job *job =
        store_job_new(STORE_AUDIT_PUT, r->gate->shard, on_audited, r);

    job->review =
        audit_of(r, REVIEW_TRANSCRIPT_READ, r->watch->sid, "over a WebSocket");
    store_submit(r->gate->settings->store, job);
}

/* --- looking ------------------------------------------------------------ */

/* On the operator's shard. */
static void
leave_for(struct request *r, struct shard *to, void (*then)(struct request *r))
{
    struct watch *w = r->watch;

    if (!w->away && to != w->home) {
        w->away = true;
        chat_user_away(w->home->chat, str_from(w->who), true);
    }
    http_move(r, to, then);
}

static void
found(struct request *r, struct str owner)
{
    struct watch *w = r->watch;

    if (str_is(owner, w->who)) {
        http_move(r, w->home, w->then);
    } else {
        w->owner = str_dup(owner);
        put_down(r);
    }
}

static void
look_here(struct request *r)
{
    const struct gate_settings *set = r->gate->settings;
    struct watch *w = r->watch;
    struct str owner =
        chat_session_owner(r->gate->shard->chat, str_from(w->sid));

    if (owner.n > 0) {
        found(r, owner);
        return;
    }
    while (w->looked < set->shard_count && &set->shards[w->looked] == w->home) {
        w->looked++; /* it looked there first */
    }
    if (w->looked == set->shard_count) {
        http_move(r, w->home, w->then);
    } else if (r->gate->shard == w->home) {
        leave_for(r, &set->shards[w->looked++], look_here);
    } else {
        http_move(r, &set->shards[w->looked++], look_here);
    }
}

/* On the operator's shard, as the next two. */
static void
go_to(struct request *r, const char *owner)
{
    struct watch *w = r->watch;
    struct shard *to = admission_owner(r->gate->settings, str_from(owner));

    if (strcmp(owner, w->who) == 0) {
        http_move(r, w->home, w->then);
        return;
    }
    w->owner = xstrdup(owner);
    leave_for(r, to, put_down);
}

static void
on_session(struct store_job *job)
{
    struct request *r = job->cookie;

    if (r->http == NULL) {
        refuse(r, ERR_NOT_FOUND);
    } else if (job->result == ERR_OK) {
        go_to(r, job->session.user_id);
    } else if (job->result == ERR_NOT_FOUND) {
        look_here(r);
    } else {
        refuse(r, job->result);
    }
    store_job_free(job);
}

void
watch_start(struct request *r, struct str session_id,
            void (*then)(struct request *r))
{
    struct watch *w = xcalloc(1, sizeof(*w));
    struct store_job *job =
        store_job_new(STORE_SESSION_GET, r->gate->shard, on_session, r);

    CHECK(session_id.n == RAND_ID_CHARS && r->watch == NULL);
    memcpy(w->sid, session_id.p, RAND_ID_CHARS);
    memcpy(job->session.sid, w->sid, sizeof(w->sid));
    w->who = xstrdup(r->identity->user_id);
    w->home = r->gate->shard;
    w->then = then;
    r->watch = w;
    store_submit(r->gate->settings->store, job);
}
