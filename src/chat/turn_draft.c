/* SPDX-License-Identifier: MIT */
/* Checkpoints of a running answer. One piece at a time, of all that is new:
 * while it is on its way the next one gathers, so that the faster the text
 * flows, the larger they are. Two under way would not be faster, as the store
 * commits one group at a time. What is durable turn_show.c may show. */
#include "base/metrics.h"
#include "base/xalloc.h"
#include "chat/session.h"
#include "chat/turn_parts.h"

bool
turn_draft_behind(const struct turn *t)
{
    return t->text.n - t->durable >= TURN_BEHIND_MAX;
}

static void
advance(struct turn *t, const struct store_job *job)
{
    t->durable = job->draft_offset + job->message.content_n;
    metric_count(METRIC_DRAFTS_STORED);
    turn_show_later(t->session);
    if (t->text.n - t->durable >= TURN_DRAFT_BYTES) {
        turn_draft_check(t);
    }
}

static void
on_drafted(struct store_job *job)
{
    struct turn *t = job->cookie;

    if (turn_job_done(t)) {
        t->drafting = false;
        if (job->result == ERR_OK) {
            advance(t, job);
        } /* else the next one, soon or by the timer, begins there again */
    }
    store_job_free(job);
}

void
turn_draft_check(struct turn *t)
{
    struct store_job *job;

    if (t->step != TURN_STREAM) {
        return;
    }
    if (turn_draft_behind(t)) {
        turn_show_balance(t); /* now: one read may bring much */
    }
    if (t->drafting || t->text.n == t->durable) {
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
    job->message.usage = t->so_far;
    job->message.at_ms = t->question.at_ms;
    job->message.content_n = t->text.n - t->durable;
    job->message.content =
        xmemdup(t->text.p + t->durable, job->message.content_n);
    job->draft_offset = t->durable;
    store_submit(t->session->user->chat->store, job);
}
