/* SPDX-License-Identifier: MIT */
/* What is told, to whom, when it is tried again, and when it is given up. Each
 * channel has a line of its own, so that one that hangs keeps no other
 * waiting. How a channel is spoken to is its own file's. */
#include "notify/notify.h"

#include "base/log.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "loop/shard.h"
#include "notify/channel.h"
#include "notify/mail.h"
#include "notify/quota.h"
#include "notify/sms.h"
#include "notify/webhook.h"

#include <stdio.h>

#define PAUSE_MS 1000 /* after the first try; then twice as long each time */

/* Deliveries of a channel that are tried at the same time. */
#define FLYING_MAX 8

/* Of an answer; what it says does not matter. */
#define ANSWER_BYTES_MAX 65536

static const struct channel *const channels[] = {&webhook_channel,
                                                 &mail_channel, &sms_channel};

enum end { END_SENT, END_FAILED, END_DROPPED, ENDS };

/* A channel's deliveries. */
struct line {
    struct notify *notify;
    const struct channel *channel;
    struct list ready; /* waiting for their turn */
    struct list busy;  /* being tried, or waiting for the time of a next try */
    size_t count;      /* in both */
    unsigned flying;   /* being tried */
    unsigned ends[ENDS]; /* metrics' slots */
    unsigned retries;
};

/* One notice for one recipient. */
struct delivery {
    struct list link;
    struct line *line;
    struct notice *notice;
    size_t recipient;
    unsigned tries;
    struct timer timer;
    struct fetch *fetch; /* NULL: not being tried */
    int status;          /* of this try; 0: none yet */
    size_t answer_bytes;
};

struct notify {
    struct shard *shard;
    const struct notify_settings *settings;
    struct quota *quota;
    void (*on_idle)(void *cookie); /* NULL: not draining, or called */
    void *cookie;
    struct line lines[COUNT_OF(channels)];
};

static void pump(struct line *line);

/* --- ends --------------------------------------------------------------- */

size_t
notify_pending(const struct shard *s)
{
    size_t count = 0;

    for (size_t i = 0; i < COUNT_OF(channels); i++) {
        count += s->notify->lines[i].count;
    }
    return count;
}

static void
tell_idle(struct notify *n)
{
    void (*on_idle)(void *cookie) = n->on_idle;

    if (on_idle != NULL && notify_pending(n->shard) == 0) {
        n->on_idle = NULL;
        on_idle(n->cookie);
    }
}

static void
count_pending(const struct line *line)
{
    metric_set_at(METRIC_NOTIFICATIONS_PENDING, 0,
                  (int64_t)notify_pending(line->notify->shard));
}

static void
forget(struct delivery *d)
{
    struct line *line = d->line;

    timer_cancel(&line->notify->shard->timers, &d->timer);
    if (d->fetch != NULL) {
        fetch_cancel(d->fetch);
        line->flying--;
    }
    list_remove(&d->link);
    line->count--;
    count_pending(line);
    notice_release(d->notice);
    xfree(d);
}

#define FIELDS(d)                                                              \
    log_cstr("channel", (d)->line->channel->word),                             \
        log_cstr("notification", notice_word((d)->notice->kind)),              \
        log_cstr("delivery", (d)->notice->id),                                 \
        log_int("recipient", (int64_t)(d)->recipient + 1),                     \
        log_int("tries", (d)->tries)

static void
end(struct delivery *d, enum end how)
{
    struct line *line = d->line;

    metric_count_at(METRIC_NOTIFICATIONS, line->ends[how]);
    forget(d);
    pump(line);
    tell_idle(line->notify);
}

static void
again(struct delivery *d, const char *why)
{
    struct line *line = d->line;
    uint64_t pause_ms = (uint64_t)PAUSE_MS << (d->tries - 1);

    log_warn(EVENT_NOTIFY_RETRY, "a notification is tried again", FIELDS(d),
             log_cstr("why", why), log_int("status", d->status),
             log_int("wait_ms", (int64_t)pause_ms));
    metric_count_at(METRIC_NOTIFICATION_RETRIES, line->retries);
    timer_start(&line->notify->shard->timers, &d->timer, pause_ms);
    pump(line);
}

/* The try is over; d->fetch is void. */
static void
settle(struct delivery *d, const char *why)
{
    d->fetch = NULL;
    d->line->flying--;
    if (d->status >= 200 && d->status <= 299) {
        log_info(EVENT_NOTIFY, "operators were notified", FIELDS(d));
        end(d, END_SENT);
    } else if (d->tries < NOTIFY_TRIES) {
        again(d, why);
    } else {
        log_error(EVENT_NOTIFY_FAILED, "a notification was given up", FIELDS(d),
                  log_cstr("why", why), log_int("status", d->status));
        end(d, END_FAILED);
    }
}

/* --- a try -------------------------------------------------------------- */

static void
on_head(void *cookie, const struct fetch_head *head)
{
    struct delivery *d = cookie;

    d->status = head->status;
}

static void
on_data(void *cookie, struct str bytes)
{
    struct delivery *d = cookie;

    d->answer_bytes += bytes.n;
    if (d->answer_bytes > ANSWER_BYTES_MAX) {
        fetch_cancel(d->fetch);
        settle(d, "answer_too_long");
    }
}

static void
on_end(void *cookie, enum fetch_end why)
{
    settle(cookie, why == FETCH_DONE ? "status" : fetch_end_word(why));
}

static void
try_now(struct delivery *d)
{
    static const struct fetch_events events = {on_head, on_data, on_end};
    struct line *line = d->line;
    const struct channel_try attempt = {
        .shard = line->notify->shard,
        .settings = line->notify->settings,
        .notice = d->notice,
        .recipient = d->recipient,
    };

    list_push_back(&line->busy, &d->link);
    line->flying++;
    d->tries++;
    d->status = 0;
    d->answer_bytes = 0;
    d->fetch = line->channel->start(&attempt, &events, d);
}

static void
pump(struct line *line)
{
    struct list *first;

    while (line->flying < FLYING_MAX &&
           (first = list_pop_front(&line->ready)) != NULL) {
        try_now(CONTAINER_OF(first, struct delivery, link));
    }
}

static void
on_time(struct timer *t)
{
    struct delivery *d = CONTAINER_OF(t, struct delivery, timer);

    list_remove(&d->link);
    list_push_back(&d->line->ready, &d->link);
    pump(d->line);
}

/* --- telling ------------------------------------------------------------ */

static void
add(struct line *line, struct notice *notice, size_t recipient)
{
    struct delivery *d = xcalloc(1, sizeof(*d));

    d->line = line;
    d->notice = notice_hold(notice);
    d->recipient = recipient;
    timer_init(&d->timer, on_time);
    list_push_back(&line->ready, &d->link);
    line->count++;
    count_pending(line);
}

static void
tell(struct line *line, struct notice *notice)
{
    size_t count = line->channel->recipients(line->notify->settings);
    size_t room = NOTIFY_QUEUE_MAX - line->count;
    size_t told = count < room ? count : room;

    for (size_t i = 0; i < told; i++) {
        add(line, notice, i);
    }
    if (told < count) {
        metric_add_at(METRIC_NOTIFICATIONS, line->ends[END_DROPPED],
                      (int64_t)(count - told));
        log_error(EVENT_NOTIFY_DROPPED, "too many notifications are waiting",
                  log_cstr("channel", line->channel->word),
                  log_cstr("notification", notice_word(notice->kind)),
                  log_int("dropped", (int64_t)(count - told)));
    }
    pump(line);
}

static bool
configured(const struct notify *n)
{
    for (size_t i = 0; i < COUNT_OF(channels); i++) {
        if (channels[i]->recipients(n->settings) > 0) {
            return true;
        }
    }
    return false;
}

static bool
within_quota(struct notify *n, const struct notify_event *e)
{
    struct buf key;
    bool within;

    buf_init(&key, SIZE_MAX / 2);
    buf_puts(&key, notice_word(e->kind));
    buf_putc(&key, '\0');
    buf_put_str(&key,
                e->session_id.n > 0 ? e->session_id : e->details[0].value);
    within = quota_take(n->quota, buf_str(&key), shard_now_ms(n->shard));
    buf_fini(&key);
    if (!within) {
        metric_count(METRIC_NOTIFICATIONS_LIMITED);
        log_warn(EVENT_NOTIFY_DROPPED, "operators have been told this often",
                 log_cstr("notification", notice_word(e->kind)),
                 log_str("session_id", e->session_id));
    }
    return within;
}

void
notify_send(struct shard *s, const struct notify_event *event)
{
    struct notify *n = s->notify;
    struct notice *notice;

    if (n == NULL || !configured(n) || !within_quota(n, event)) {
        return;
    }
    notice = notice_new(event);
    for (size_t i = 0; i < COUNT_OF(channels); i++) {
        tell(&n->lines[i], notice);
    }
    notice_release(notice);
}

/* --- life --------------------------------------------------------------- */

static void
init_line(struct line *line, struct notify *n, const struct channel *channel)
{
    static const char *const words[] = {"sent", "failed", "dropped"};
    char labels[64];

    line->notify = n;
    line->channel = channel;
    list_init(&line->ready);
    list_init(&line->busy);
    for (size_t i = 0; i < ENDS; i++) {
        (void)snprintf(labels, sizeof(labels), "%s,%s", channel->word,
                       words[i]);
        line->ends[i] = metrics_slot(METRIC_NOTIFICATIONS, labels);
    }
    line->retries = metrics_slot(METRIC_NOTIFICATION_RETRIES, channel->word);
}

void
notify_init(struct shard *s, const struct notify_settings *settings)
{
    struct notify *n = xcalloc(1, sizeof(*n));

    n->shard = s;
    n->settings = settings;
    n->quota = quota_new();
    for (size_t i = 0; i < COUNT_OF(channels); i++) {
        init_line(&n->lines[i], n, channels[i]);
    }
    s->notify = n;
}

/* Returns how many there were. */
static size_t
empty(struct line *line)
{
    size_t count = line->count;

    list_splice_back(&line->busy, &line->ready);
    while (!list_empty(&line->busy)) {
        forget(CONTAINER_OF(line->busy.next, struct delivery, link));
    }
    metric_add_at(METRIC_NOTIFICATIONS, line->ends[END_DROPPED],
                  (int64_t)count);
    return count;
}

void
notify_fini(struct shard *s)
{
    struct notify *n = s->notify;

    if (n == NULL) {
        return;
    }
    n->on_idle = NULL;
    notify_cut(s);
    quota_free(n->quota);
    xfree(n);
    s->notify = NULL;
}

void
notify_drain(struct shard *s, void (*on_idle)(void *cookie), void *cookie)
{
    s->notify->on_idle = on_idle;
    s->notify->cookie = cookie;
    tell_idle(s->notify);
}

void
notify_cut(struct shard *s)
{
    size_t count = 0;

    for (size_t i = 0; i < COUNT_OF(channels); i++) {
        count += empty(&s->notify->lines[i]);
    }
    if (count > 0) {
        log_error(EVENT_NOTIFY_DROPPED,
                  "the server stops before all operators were notified",
                  log_int("dropped", (int64_t)count));
    }
    tell_idle(s->notify);
}
