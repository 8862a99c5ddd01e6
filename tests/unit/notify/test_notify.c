/* SPDX-License-Identifier: MIT */
/* Tries, pauses and queues by a clock and a network of the test's own: what
 * would be sent is written down, and answered by hand. */
#include "notify/notify.h"

#include "base/log.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "loop/shard.h"
#include "notify/channel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct fetch *__wrap_fetch_start(struct shard *s, const struct fetch_request *r,
                                 const struct fetch_events *events,
                                 void *cookie);
void __wrap_fetch_cancel(struct fetch *f);
void __wrap_timer_start(struct timers *ts, struct timer *t, uint64_t delay_ms);
void __wrap_timer_cancel(struct timers *ts, struct timer *t);

/* --- the network and the clock ------------------------------------------ */

struct sent {
    struct list link;
    const struct fetch_events *events;
    void *cookie;
    char *body;
};

static struct list network; /* what has no answer yet, in order */
static size_t sent_count;
static size_t cancelled;
static struct timer *armed; /* the newest */
static uint64_t delays_ms[16];
static size_t delay_count;

struct fetch *
__wrap_fetch_start(struct shard *s, const struct fetch_request *r,
                   const struct fetch_events *events, void *cookie)
{
    struct sent *f = xcalloc(1, sizeof(*f));

    (void)s;
    assert_true(r->connect_timeout_ms > 0 && r->total_timeout_ms > 0);
    f->events = events;
    f->cookie = cookie;
    f->body = str_dup(r->body);
    list_push_back(&network, &f->link);
    sent_count++;
    return (struct fetch *)(void *)f;
}

static void
drop(struct sent *f)
{
    list_remove(&f->link);
    xfree(f->body);
    xfree(f);
}

void
__wrap_fetch_cancel(struct fetch *f)
{
    cancelled++;
    drop((struct sent *)(void *)f);
}

void
__wrap_timer_start(struct timers *ts, struct timer *t, uint64_t delay_ms)
{
    (void)ts;
    armed = t;
    delays_ms[delay_count++ % COUNT_OF(delays_ms)] = delay_ms;
}

void
__wrap_timer_cancel(struct timers *ts, struct timer *t)
{
    (void)ts;
    if (armed == t) {
        armed = NULL;
    }
}

static struct sent *
first(void)
{
    assert_false(list_empty(&network));
    return CONTAINER_OF(network.next, struct sent, link);
}

/* 0: no answer came, for that reason. */
static void
answer(int status, enum fetch_end why)
{
    struct sent *f = first();
    struct sent was = *f;
    struct fetch_head head = {.status = status};

    if (status != 0) {
        was.events->on_head(was.cookie, &head);
    }
    drop(f);
    was.events->on_end(was.cookie, why);
}

static void
time_passes(void)
{
    struct timer *t = armed;

    assert_non_null(t);
    armed = NULL;
    t->fire(t);
}

/* --- the fixture -------------------------------------------------------- */

static struct shard shard;
static const struct notify_settings settings = {
    .webhook_url = "http://127.0.0.1:9/", .webhook_secret = {"key", 3}};
static int idle;

static int64_t
ended(const char *end)
{
    char labels[64];

    (void)snprintf(labels, sizeof(labels), "webhook,%s", end);
    return metric_value(METRIC_NOTIFICATIONS,
                        metrics_slot(METRIC_NOTIFICATIONS, labels));
}

static int
setup(void **state)
{
    (void)state;
    metrics_thread_init();
    assert_int_equal(shard_init(&shard, 0), ERR_OK);
    list_init(&network);
    sent_count = cancelled = delay_count = 0;
    armed = NULL;
    idle = 0;
    notify_init(&shard, &settings);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    notify_fini(&shard);
    assert_true(list_empty(&network));
    shard_fini(&shard);
    metrics_fini();
    return 0;
}

static void
send_about(const char *session_id)
{
    const struct notify_event event = {.kind = NOTIFY_HELP_REQUEST,
                                       .session_id = str_from(session_id)};

    notify_send(&shard, &event);
}

static void
send_many(int count)
{
    char session_id[32];

    for (int i = 0; i < count; i++) {
        (void)snprintf(session_id, sizeof(session_id), "s%d", i);
        send_about(session_id);
    }
}

static void
on_idle(void *cookie)
{
    assert_ptr_equal(cookie, &idle);
    idle++;
}

/* --- tests -------------------------------------------------------------- */

static void
five_tries_doubling_from_a_second_then_it_is_counted(void **state)
{
    static const uint64_t pauses_ms[] = {1000, 2000, 4000, 8000};
    char *body;

    (void)state;
    send_about("s");
    body = xstrdup(first()->body);
    for (size_t i = 0; i < COUNT_OF(pauses_ms); i++) {
        assert_string_equal(first()->body, body);
        answer(i % 2 == 0 ? 500 : 0, i % 2 == 0 ? FETCH_DONE : FETCH_CUT);
        assert_int_equal(delays_ms[i], pauses_ms[i]);
        assert_true(list_empty(&network)); /* not before its time */
        time_passes();
    }
    assert_int_equal(notify_pending(&shard), 1);
    answer(404, FETCH_DONE);
    assert_int_equal(sent_count, 5);
    assert_int_equal(delay_count, 4);
    assert_int_equal(notify_pending(&shard), 0);
    assert_int_equal(ended("failed"), 1);
    assert_int_equal(ended("sent"), 0);
    xfree(body);
}

static void
any_2xx_is_delivered_whatever_follows(void **state)
{
    static const struct {
        int status;
        enum fetch_end why;
        bool sent;
    } cases[] = {
        {200, FETCH_DONE, true},  {204, FETCH_DONE, true},
        {299, FETCH_CUT, true},   {202, FETCH_TOTAL_TIMEOUT, true},
        {199, FETCH_DONE, false}, {300, FETCH_DONE, false},
        {500, FETCH_DONE, false}, {0, FETCH_CONNECT_FAILED, false},
    };
    int64_t sent = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char session_id[32];

        (void)snprintf(session_id, sizeof(session_id), "s%zu", i);
        send_about(session_id);
        answer(cases[i].status, cases[i].why);
        sent += cases[i].sent;
        assert_int_equal(ended("sent"), sent);
        assert_int_equal(notify_pending(&shard), cases[i].sent ? 0 : i - 3);
    }
}

static void
an_endless_answer_is_cut(void **state)
{
    static const char bytes[40000];
    struct fetch_head head = {.status = 200};
    struct sent was;

    (void)state;
    send_about("s");
    was = *first();
    was.events->on_head(was.cookie, &head);
    was.events->on_data(was.cookie, (struct str){bytes, sizeof(bytes)});
    assert_int_equal(cancelled, 0);
    was.events->on_data(was.cookie, (struct str){bytes, sizeof(bytes)});
    assert_int_equal(cancelled, 1);
    assert_int_equal(ended("sent"), 1);
    assert_int_equal(notify_pending(&shard), 0);
}

static void
of_one_kind_and_session_five_are_told(void **state)
{
    (void)state;
    for (int i = 0; i < 7; i++) {
        send_about("s");
    }
    assert_int_equal(notify_pending(&shard), 5);
    assert_int_equal(metric_value(METRIC_NOTIFICATIONS_LIMITED, 0), 2);
    send_about("another");
    assert_int_equal(notify_pending(&shard), 6);
}

/* The subject of what is about no session is its first detail. */
static void
without_a_session_it_is_the_detail_that_counts(void **state)
{
    struct notify_event event = {.kind = NOTIFY_PROVIDER_DOWN,
                                 .details = {{"provider", STR("a")}}};

    (void)state;
    for (int i = 0; i < 6; i++) {
        notify_send(&shard, &event);
    }
    event.details[0].value = STR("b");
    notify_send(&shard, &event);
    event.kind = NOTIFY_PROVIDER_UP;
    notify_send(&shard, &event);
    event = (struct notify_event){.kind = NOTIFY_STORAGE_DOWN};
    notify_send(&shard, &event);
    assert_int_equal(notify_pending(&shard), 8);
    assert_int_equal(metric_value(METRIC_NOTIFICATIONS_LIMITED, 0), 1);
}

static void
eight_at_a_time_and_the_others_in_order(void **state)
{
    (void)state;
    send_many(12);
    assert_int_equal(sent_count, 8);
    answer(200, FETCH_DONE);
    assert_int_equal(sent_count, 9);
    answer(500, FETCH_DONE); /* its pause takes nobody's place */
    assert_int_equal(sent_count, 10);
    for (int i = 2; i < 12; i++) {
        char wanted[32];

        (void)snprintf(wanted, sizeof(wanted), "\"session_id\":\"s%d\"", i);
        assert_non_null(strstr(first()->body, wanted));
        answer(200, FETCH_DONE);
    }
    assert_true(list_empty(&network));
    time_passes();
    assert_non_null(strstr(first()->body, "\"s1\""));
    answer(200, FETCH_DONE);
    assert_int_equal(ended("sent"), 12);
}

static void
a_full_queue_drops_and_counts(void **state)
{
    (void)state;
    send_many(NOTIFY_QUEUE_MAX + 3);
    assert_int_equal(notify_pending(&shard), NOTIFY_QUEUE_MAX);
    assert_int_equal(ended("dropped"), 3);
    answer(200, FETCH_DONE);
    send_about("there is room for one");
    assert_int_equal(notify_pending(&shard), NOTIFY_QUEUE_MAX);
    assert_int_equal(ended("dropped"), 3);
}

static void
draining_ends_with_the_last_one(void **state)
{
    (void)state;
    notify_drain(&shard, on_idle, &idle);
    assert_int_equal(idle, 1); /* there was nothing */
    send_many(2);
    notify_drain(&shard, on_idle, &idle);
    answer(200, FETCH_DONE);
    answer(503, FETCH_DONE);
    assert_int_equal(idle, 1);
    time_passes();
    answer(200, FETCH_DONE);
    assert_int_equal(idle, 2);
    send_about("later");
    answer(200, FETCH_DONE);
    assert_int_equal(idle, 2);
}

static void
cutting_gives_up_what_flies_waits_and_pauses(void **state)
{
    (void)state;
    send_many(10);
    answer(500, FETCH_DONE);
    notify_drain(&shard, on_idle, &idle);
    notify_cut(&shard);
    assert_int_equal(cancelled, 8);
    assert_null(armed);
    assert_int_equal(idle, 1);
    assert_int_equal(ended("dropped"), 10);
    notify_cut(&shard);
    assert_int_equal(ended("dropped"), 10);
}

static void
nothing_is_told_where_nothing_is_configured(void **state)
{
    static const struct notify_settings none = {.webhook_url = NULL};
    struct shard bare = {.notify = NULL};
    const struct notify_event event = {.kind = NOTIFY_HELP_REQUEST};

    (void)state;
    notify_send(&bare, &event);
    notify_fini(&shard);
    notify_init(&shard, &none);
    send_many(20);
    assert_int_equal(sent_count, 0);
    assert_int_equal(notify_pending(&shard), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(five_tries_doubling_from_a_second_then_it_is_counted),
        CASE(any_2xx_is_delivered_whatever_follows),
        CASE(an_endless_answer_is_cut),
        CASE(of_one_kind_and_session_five_are_told),
        CASE(without_a_session_it_is_the_detail_that_counts),
        CASE(eight_at_a_time_and_the_others_in_order),
        CASE(a_full_queue_drops_and_counts),
        CASE(draining_ends_with_the_last_one),
        CASE(cutting_gives_up_what_flies_waits_and_pauses),
        CASE(nothing_is_told_where_nothing_is_configured),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
