/* SPDX-License-Identifier: MIT */
/* How the text of a running answer reaches its outlets. Each outlet has a
 * place in the text (o->sent); once per turn of the loop everybody gets what
 * lies between that and the visible end as one delta. An outlet whose queue
 * is full is passed over and later gets a longer delta: merged, never with a
 * hole. */
#include "base/metrics.h"
#include "base/xalloc.h"
#include "chat/frames.h"
#include "chat/router.h"
#include "chat/session.h"
#include "chat/turn_parts.h"
#include "codec/utf8.h"
#include "loop/shard.h"
#include "net/conn.h"

static struct chat *
chat_of(const struct turn *t)
{
    return t->session->user->chat;
}

/* Where the visible text ends: no further beyond what is durable than a crash
 * may lose, and at a character's boundary. */
static size_t
visible(const struct turn *t)
{
    size_t limit = t->durable + TURN_UNSAVED_MAX;

    if (limit >= t->text.n) {
        return t->text.n;
    }
    return utf8_cut(buf_str(&t->text), limit).n;
}

void
turn_show_later(struct session *s)
{
    if (list_empty(&s->dirty)) {
        list_push_back(&s->user->chat->dirty, &s->dirty);
    }
}

/* Deltas up to end for everyone who can take more; force: for everyone. The
 * frame of the last place is kept, as nearly all outlets share it. */
static void
send_deltas(struct turn *t, size_t end, bool force)
{
    struct chat *c = chat_of(t);
    size_t composed_from = SIZE_MAX;

    LIST_FOREACH (it, &t->session->outlets) {
        struct outlet *o = CONTAINER_OF(it, struct outlet, link);

        if (o->sent >= end) {
            continue;
        }
        if (!force && o->ops->queued(o) > CONN_HIGH_WATER) {
            metric_count(METRIC_OUTPUT_MERGED);
            continue;
        }
        if (o->sent != composed_from) {
            composed_from = o->sent;
            frame_delta_begin(t->session, t->answer.id,
                              (struct str){t->text.p + o->sent, end - o->sent});
        }
        o->sent = (uint32_t)end;
        router_send(o, frame_delta_chunk(c, o->chunk++));
    }
}

/* Nobody can take more: the provider may wait. */
static bool
all_full(const struct session *s)
{
    LIST_FOREACH (it, &s->outlets) {
        struct outlet *o = CONTAINER_OF(it, struct outlet, link);

        if (o->ops->queued(o) <= CONN_HIGH_WATER) {
            return false;
        }
    }
    return !list_empty(&s->outlets);
}

static void
balance(struct turn *t)
{
    bool full = all_full(t->session);

    if (t->upstream == NULL || full == t->paused) {
        return;
    }
    t->paused = full;
    if (full) {
        metric_count(METRIC_UPSTREAM_PAUSES);
        upstream_pause(t->upstream);
    } else {
        upstream_resume(t->upstream);
    }
}

void
turn_show_dirty(void *cookie)
{
    struct chat *c = cookie;
    struct list *link;

    while ((link = list_pop_front(&c->dirty)) != NULL) {
        struct session *s = CONTAINER_OF(link, struct session, dirty);
        struct turn *t = s->running;

        if (t != NULL && t->step == TURN_STREAM) {
            send_deltas(t, visible(t), false);
            balance(t);
        }
    }
}

void
turn_show_rest(struct turn *t)
{
    send_deltas(t, t->text.n, true);
}

void
turn_show(struct session *s, struct outlet *o)
{
    struct turn *t = s->running;
    size_t end;

    if (t == NULL) {
        return;
    }
    end = t->step >= TURN_STREAM ? visible(t) : 0;
    o->sent = (uint32_t)end;
    o->chunk = end > 0;
    if (end > 0) {
        router_send(o, frame_snapshot(s, t->answer.id, t->question.id,
                                      (struct str){t->text.p, end}));
    } else {
        router_send(o, frame_loading(s, t->answer.id, t->question.id));
    }
}

/* --- checkpoints -------------------------------------------------------- */

static void
on_drafted(struct store_job *job)
{
    struct turn *t = job->cookie;

    if (turn_job_done(t)) {
        t->drafting = false;
        if (job->result == ERR_OK) {
            t->durable = job->message.content_n;
            metric_count(METRIC_DRAFTS_STORED);
            turn_show_later(t->session);
        } else {
            t->drafted = t->durable; /* the timer tries again */
        }
        if (job->result == ERR_OK &&
            t->text.n - t->drafted >= TURN_DRAFT_BYTES) {
            turn_draft_check(t);
        }
    }
    store_job_free(job);
}

void
turn_draft_check(struct turn *t)
{
    struct store_job *job;

    if (t->step != TURN_STREAM || t->drafting || t->text.n == t->drafted) {
        return;
    }
    t->drafting = true;
    t->drafted = t->text.n;
    job = turn_job(t, STORE_DRAFT_PUT, on_drafted);
    /* Text in haste is shown no faster than it is stored; one that flows
     * slowly can wait for company. */
    job->urgent = t->text.n - t->durable >= TURN_DRAFT_BYTES;
    message_record_copy(&job->message, &t->answer);
    job->message.status = STATUS_STREAMING;
    job->message.at_ms = t->question.at_ms;
    job->message.content = xmemdup(t->text.p, t->text.n);
    job->message.content_n = t->text.n;
    store_submit(chat_of(t)->store, job);
}
