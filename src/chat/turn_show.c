/* SPDX-License-Identifier: MIT */
/* How the text of a running answer reaches its outlets. Each outlet has a
 * place in the text (o->sent); once per turn of the loop everybody gets what
 * lies between that and the visible end as one delta. An outlet whose queue
 * is full is passed over and later gets a longer delta: merged, never with a
 * hole. */
#include "base/metrics.h"
#include "chat/frames.h"
#include "chat/router.h"
#include "chat/session.h"
#include "chat/turn_parts.h"
#include "codec/utf8.h"
#include "loop/shard.h"

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
        shard_again(s->user->chat->shard); /* a queue drains after our phase */
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
        if (!force && o->ops->queued(o) > OUTLET_FULL_BYTES) {
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

        if (o->ops->queued(o) <= OUTLET_FULL_BYTES) {
            return false;
        }
    }
    return !list_empty(&s->outlets);
}

void
turn_show_balance(struct turn *t)
{
    bool waited = t->paused || t->behind;
    bool full = all_full(t->session);

    if (t->asking.upstream == NULL) {
        return;
    }
    metric_add(METRIC_UPSTREAM_PAUSES, full && !t->paused);
    t->paused = full;
    t->behind = turn_draft_behind(t);
    if ((t->paused || t->behind) == waited) {
        return;
    }
    if (waited) {
        upstream_resume(t->asking.upstream);
    } else {
        upstream_pause(t->asking.upstream);
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
            turn_show_balance(t);
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
