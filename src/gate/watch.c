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
    char *device;       /* NULL: none given */
    struct shard *home; /* the operator's */
    unsigned looked;    /* shards that do not have it */
    bool full;          /* home has room for it in another's place only */
    bool refused;       /* and there is none to be replaced */
    bool counted;       /* at home, by chat_user_away */
    void (*then)(struct request *r);
};

static void
free_watch(struct watch *w)
{
    xfree(w->owner);
    xfree(w->who);
    xfree(w->device);
    xfree(w);
}

/* --- the count at home -------------------------------------------------- */

/* About an operator; the end of a watch takes the watch itself. */
struct word {
    struct letter letter;
    char *who;
};

static void
free_word(struct letter *l)
{
    struct word *w = CONTAINER_OF(l, struct word, letter);

    xfree(w->who);
    xfree(w);
}

static void
send_word(struct shard *to, const char *who,
          void (*deliver)(struct shard *here, struct letter *l))
{
    struct word *w = xcalloc(1, sizeof(*w));

    w->letter.deliver = deliver;
    w->letter.destroy = free_word;
    w->who = xstrdup(who);
    shard_post(to, &w->letter);
}

static void
deliver_addition(struct shard *here, struct letter *l)
{
    struct word *w = CONTAINER_OF(l, struct word, letter);

    if (here->chat != NULL) {
        chat_user_away(here->chat, str_from(w->who), true);
    }
    free_word(l);
}

static void
deliver_refusal(struct shard *here, struct letter *l)
{
    struct word *w = CONTAINER_OF(l, struct word, letter);

    if (here->chat != NULL) {
        chat_notify_refused(here->chat, str_from(w->who));
    }
    free_word(l);
}

void
watch_tell_refused(struct gate *g, const char *who)
{
    for (unsigned i = 0; i < g->settings->shard_count; i++) {
        struct shard *to = &g->settings->shards[i];

        if (to != g->shard) {
            send_word(to, who, deliver_refusal);
        }
    }
}

void
watch_begin(struct watch *w, const struct shard *here)
{
    if (w == NULL || w->counted || here == w->home) {
        return;
    }
    w->counted = true;
    send_word(w->home, w->who, deliver_addition);
}

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
    if (!w->counted) {
        free_watch(w);
        return;
    }
    w->letter.deliver = deliver;
    w->letter.destroy = destroy;
    shard_post(w->home, &w->letter);
}

bool
watch_refused(const struct watch *w)
{
    return w != NULL && w->refused;
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

/* Where it is to become a socket. The operator's own shard will count it as
 * any other; it was counted there from the start, so that however many come at
 * once, no more get in than there is room for. */
static void
arrived(struct request *r)
{
    struct watch *w = r->watch;

    if (w->counted && r->gate->shard == w->home) {
        w->counted = false;
        chat_user_away(w->home->chat, str_from(w->who), false);
    }
    w->then(r);
}

/* The operator's own session, or nobody's. What it could replace there, home
 * has looked for already. */
static void
go_home(struct request *r)
{
    r->watch->refused = r->watch->full;
    http_move(r, r->watch->home, arrived);
}

static void
on_audited(struct store_job *job)
{
    struct request *r = job->cookie;

    if (job->result != ERR_OK || r->http == NULL) {
        refuse(r, job->result != ERR_OK ? job->result : ERR_NOT_FOUND);
    } else {
        audit_log(&job->review->event);
        http_move(r, r->gate->shard, arrived);
    }
    store_job_free(job);
}

static void
put_down(struct request *r)
{
    struct store_job *job =
        store_job_new(STORE_AUDIT_PUT, r->gate->shard, on_audited, r);

    job->review =
        audit_of(r, REVIEW_TRANSCRIPT_READ, r->watch->sid, "over a WebSocket");
    store_submit(r->gate->settings->store, job);
}

/* On the shard of the session's owner: whoever attaches reads on. */
static void
knock(struct request *r)
{
    struct watch *w = r->watch;

    if (w->full &&
        chat_user_replaced(r->gate->shard->chat, str_from(w->who),
                           str_from(w->sid), str_from(w->device)) == 0) {
        go_home(r);
    } else {
        put_down(r);
    }
}

/* --- looking ------------------------------------------------------------ */

static void
found(struct request *r, struct str owner)
{
    struct watch *w = r->watch;

    if (str_is(owner, w->who)) {
        go_home(r);
    } else {
        w->owner = str_dup(owner);
        knock(r);
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
        go_home(r);
    } else {
        http_move(r, &set->shards[w->looked++], look_here);
    }
}

/* On the operator's shard, as the next two. */
static void
go_to(struct request *r, const char *owner)
{
    struct watch *w = r->watch;

    if (strcmp(owner, w->who) == 0) {
        go_home(r);
        return;
    }
    w->owner = xstrdup(owner);
    http_move(r, admission_owner(r->gate->settings, str_from(owner)), knock);
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

/* One that takes another's place here needs no place of its own. */
static void
count_here(struct watch *w)
{
    struct chat *chat = w->home->chat;
    struct str who = str_from(w->who);

    if (!w->full && chat_user_replaced(chat, who, str_from(w->sid),
                                       str_from(w->device)) == 0) {
        w->counted = true;
        chat_user_away(chat, who, true);
    }
}

void
watch_start(struct request *r, const struct watch_wish *wish,
            void (*then)(struct request *r))
{
    struct watch *w = xcalloc(1, sizeof(*w));
    struct store_job *job =
        store_job_new(STORE_SESSION_GET, r->gate->shard, on_session, r);

    CHECK(wish->session_id.n == RAND_ID_CHARS && r->watch == NULL);
    memcpy(w->sid, wish->session_id.p, RAND_ID_CHARS);
    memcpy(job->session.sid, w->sid, sizeof(w->sid));
    w->who = xstrdup(r->identity->user_id);
    w->device = wish->device_id.n > 0 ? str_dup(wish->device_id) : NULL;
    w->home = r->gate->shard;
    w->full = wish->full;
    w->then = then;
    count_here(w);
    r->watch = w;
    store_submit(r->gate->settings->store, job);
}
