/* SPDX-License-Identifier: MIT */
#include "chat/upstream.h"

#include "canned.h"

/* --- who listens ---------------------------------------------------------- */

struct listener {
    struct upstream *upstream;
    struct buf text;
    struct usage usage;
    int finishes;
    int ends;
    bool silent;  /* nothing may come any more */
    bool cancels; /* at its first text */
    struct upstream_failure why;
    char conversation[PROVIDER_ID_MAX + 1];
    char word[64]; /* why.word outlives on_end here */
};

static void
on_text(void *cookie, struct str text)
{
    struct listener *l = cookie;

    assert_false(l->silent);
    assert_true(text.n > 0);
    buf_put_str(&l->text, text);
    text_seen = true;
    if (l->cancels) {
        upstream_cancel(l->upstream);
        l->silent = true;
    }
}

static void
on_usage(void *cookie, const struct usage *usage)
{
    ((struct listener *)cookie)->usage = *usage;
}

static void
on_finish(void *cookie, enum provider_finish reason)
{
    (void)reason;
    ((struct listener *)cookie)->finishes++;
}

static void
on_conversation(void *cookie, struct str id)
{
    struct listener *l = cookie;

    snprintf(l->conversation, sizeof(l->conversation), "%.*s", STR_ARG(id));
}

static void
on_end(void *cookie, const struct upstream_failure *why)
{
    struct listener *l = cookie;

    assert_false(l->silent);
    assert_int_equal(l->ends, 0);
    l->ends++;
    l->why = *why;
    (void)snprintf(l->word, sizeof(l->word), "%s", why->word);
    l->why.word = l->word;
}

static const struct upstream_events listening = {
    on_text, NULL, on_usage, on_finish, on_conversation, NULL, on_end};

static const struct provider_message question = {.role = PROVIDER_USER,
                                                 .content = STR("hi")};
static const struct provider_turn prompt = {
    .messages = &question, .count = 1, .user = STR("somebody")};

static void
listener_start(struct house *h, struct listener *l)
{
    *l = (struct listener){.ends = 0};
    buf_init(&l->text, 1 << 20);
    l->upstream =
        upstream_start(h->shard.chat->terms, 0, &prompt, &listening, l);
    assert_int_equal(l->ends, 0);
}

/* --- ends ------------------------------------------------------------------
 */

#define STREAM                                                                 \
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"                   \
    "Connection: close\r\n\r\n"
#define LONG                                                                   \
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"                   \
    "Content-Length: 100000\r\n\r\n"
#define SAYS(text)                                                             \
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" text          \
    "\"}}]}\n\n"
#define STOPS                                                                  \
    "data: {\"choices\":[{\"index\":0,\"delta\":{},"                           \
    "\"finish_reason\":\"stop\"}]}\n\n"
#define DONE "data: [DONE]\n\n"
#define STATUS(line, more)                                                     \
    "HTTP/1.1 " line "\r\nContent-Length: 0\r\nConnection: close\r\n" more     \
    "\r\n"

static const struct {
    const char *what;
    const char *bytes;
    bool reset;
    enum upstream_end end;
    bool retryable;
    int64_t retry_after_ms;
    int status;
    const char *text;
} rows[] = {
    {"a whole answer", STREAM SAYS("a") SAYS("b") STOPS DONE, false,
     UPSTREAM_COMPLETE, false, -1, 200, "ab"},
    {"no [DONE] behind the reason", STREAM SAYS("a") STOPS, false,
     UPSTREAM_COMPLETE, false, -1, 200, "a"},
    {"RST behind the reason", LONG SAYS("a") STOPS, true, UPSTREAM_COMPLETE,
     false, -1, 200, "a"},
    {"more behind [DONE]", STREAM SAYS("a") STOPS DONE SAYS("x"), false,
     UPSTREAM_COMPLETE, false, -1, 200, "a"},
    {"a malformed event inside",
     STREAM SAYS("a") "data: {\n\n" SAYS("b") STOPS DONE, false,
     UPSTREAM_COMPLETE, false, -1, 200, "ab"},
    {"no reason", STREAM SAYS("a"), false, UPSTREAM_CUT, true, -1, 200, "a"},
    {"nothing at all", STREAM, false, UPSTREAM_CUT, true, -1, 200, ""},
    {"FIN inside", LONG SAYS("a"), false, UPSTREAM_CUT, true, -1, 200, "a"},
    {"RST inside", LONG SAYS("a"), true, UPSTREAM_CUT, true, -1, 200, "a"},
    {"an error event",
     STREAM SAYS("a") "data: {\"error\":{\"code\":\"x\"}}\n\n", false,
     UPSTREAM_ERROR, false, -1, 200, "a"},
    {"408", STATUS("408 X", ""), false, UPSTREAM_REFUSED, true, -1, 408, ""},
    {"429 with a time", STATUS("429 X", "Retry-After: 7\r\n"), false,
     UPSTREAM_REFUSED, true, 7000, 429, ""},
    {"500", STATUS("500 X", ""), false, UPSTREAM_REFUSED, true, -1, 500, ""},
    {"503 with a time", STATUS("503 X", "Retry-After: 1\r\n"), false,
     UPSTREAM_REFUSED, true, 1000, 503, ""},
    {"400", STATUS("400 X", ""), false, UPSTREAM_REFUSED, false, -1, 400, ""},
    {"401", STATUS("401 X", ""), false, UPSTREAM_REFUSED, false, -1, 401, ""},
    {"a redirect", STATUS("302 X", "Location: http://127.0.0.1:1/\r\n"), false,
     UPSTREAM_REFUSED, false, -1, 302, ""},
};

static void
each_end_has_its_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct canned c = {.bytes = rows[i].bytes, .reset = rows[i].reset};
        struct house h;
        struct listener l;

        text_seen = false;
        canned_start(&c);
        room_open(&h, "openai", c.endpoint);
        listener_start(&h, &l);
        WAIT_FOR(&h, l.ends == 1);
        if (l.why.end != rows[i].end || l.why.retryable != rows[i].retryable ||
            l.why.retry_after_ms != rows[i].retry_after_ms ||
            l.why.status != rows[i].status ||
            !str_is(buf_str(&l.text), rows[i].text)) {
            fail_msg(
                "%s: end %d, retryable %d, after %lld, status %d, \"%.*s\"",
                rows[i].what, (int)l.why.end, l.why.retryable,
                (long long)l.why.retry_after_ms, l.why.status,
                STR_ARG(buf_str(&l.text)));
        }
        buf_fini(&l.text);
        room_close(&h);
        canned_stop(&c);
    }
}

static void
nobody_there_is_a_refusal_that_may_be_tried_again(void **state)
{
    struct canned c = {.bytes = ""};
    struct house h;
    struct listener l;

    (void)state;
    canned_start(&c);
    canned_stop(&c); /* its port is free again */
    room_open(&h, "openai", c.endpoint);
    listener_start(&h, &l);
    WAIT_FOR(&h, l.ends == 1);
    assert_int_equal(l.why.end, UPSTREAM_REFUSED);
    assert_true(l.why.retryable);
    assert_int_equal(l.why.status, 0);
    buf_fini(&l.text);
    room_close(&h);
}

static void
silence_is_a_timeout_that_is_not_tried_again(void **state)
{
    static const char *const before[] = {"", LONG};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(before); i++) {
        struct canned c = {.bytes = before[i], .stays = true};
        struct house h;
        struct listener l;

        canned_start(&c);
        room_open(&h, "openai", c.endpoint);
        h.settings.first_byte_timeout_ms = 50;
        h.settings.idle_timeout_ms = 50;
        listener_start(&h, &l);
        WAIT_FOR(&h, l.ends == 1);
        assert_int_equal(l.why.end, UPSTREAM_TIMEOUT);
        assert_false(l.why.retryable);
        buf_fini(&l.text);
        room_close(&h);
        canned_stop(&c);
    }
}

static void
after_a_cancel_there_is_silence(void **state)
{
    struct canned c = {.bytes = LONG SAYS("a") SAYS("b"), .stays = true};
    struct house h;
    struct listener l;

    (void)state;
    canned_start(&c);
    room_open(&h, "openai", c.endpoint);
    listener_start(&h, &l);
    l.cancels = true; /* inside a callback */
    WAIT_FOR(&h, l.silent);
    WAIT_FOR(&h, fetch_pool_active(&h.shard) == 0);
    assert_true(str_is(buf_str(&l.text), "a"));
    buf_fini(&l.text);
    listener_start(&h, &l);
    upstream_cancel(l.upstream); /* before anything */
    l.silent = true;
    upstream_cancel(NULL);
    WAIT_FOR(&h, list_empty(&h.shard.chat->upstreams));
    buf_fini(&l.text);
    room_close(&h);
    canned_stop(&c);
}

/* --- a task ----------------------------------------------------------------
 */

#define TASK(text)                                                             \
    "data: {\"event\":\"message\",\"task_id\":\"t-1\","                        \
    "\"conversation_id\":\"c-1\",\"answer\":\"" text "\"}\n\n"
#define TASK_END "data: {\"event\":\"message_end\"}\n\n"
#define TASK_ERROR "data: {\"event\":\"error\",\"status\":400}\n\n"

static int64_t
stops(const struct house *h)
{
    return metric_value(METRIC_LLM_STOPS, h->shard.chat->terms->slots[0].stops);
}

static const struct {
    const char *bytes;
    bool stays;   /* until a time limit */
    bool cancels; /* at the first text */
    int stops;
} tasks[] = {
    {LONG TASK("a"), true, true, 1},
    {LONG TASK("a"), true, false, 1},
    {STREAM TASK("a") TASK_END, false, false, 0},
    {STREAM TASK("a") TASK_ERROR, false, false, 0},
    {STREAM TASK("a"), false, false, 0},
    {LONG "data: {\"event\":\"message\",\"answer\":\"a\"}\n\n", true, true, 0},
};

static void
a_task_is_stopped_when_nobody_waits_for_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(tasks); i++) {
        struct canned c = {.bytes = tasks[i].bytes, .stays = tasks[i].stays};
        struct house h;
        struct listener l;

        canned_start(&c);
        room_open(&h, "dify", c.endpoint);
        h.settings.idle_timeout_ms = tasks[i].cancels ? 30000 : 50;
        listener_start(&h, &l);
        l.cancels = tasks[i].cancels;
        WAIT_FOR(&h, l.silent || l.ends == 1);
        assert_true(str_is(buf_str(&l.text), "a"));
        assert_int_equal(stops(&h), tasks[i].stops);
        if (i < 5) {
            assert_string_equal(l.conversation, "c-1");
        }
        buf_fini(&l.text);
        room_close(&h);
        canned_stop(&c);
    }
}

/* --- local ------------------------------------------------------------------
 */

static void
a_local_provider_looks_the_same(void **state)
{
    struct house h;
    struct listener l;

    (void)state;
    house_open(&h);
    script.usage = 4;
    listener_start(&h, &l);
    WAIT_FOR(&h, l.ends == 1);
    assert_int_equal(l.why.end, UPSTREAM_COMPLETE);
    assert_true(str_is(buf_str(&l.text), "w w w "));
    assert_int_equal(l.finishes, 1);
    assert_int_equal(l.usage.total_tokens, 11);
    buf_fini(&l.text);
    script.failures = 1;
    listener_start(&h, &l);
    WAIT_FOR(&h, l.ends == 1);
    assert_int_equal(l.why.end, UPSTREAM_ERROR);
    assert_true(l.why.retryable);
    assert_string_equal(l.why.word, "scripted");
    buf_fini(&l.text);
    house_close(&h);
}

static void
a_paused_local_provider_says_nothing_until_it_is_resumed(void **state)
{
    struct house h;
    struct listener l;

    (void)state;
    house_open(&h);
    listener_start(&h, &l);
    upstream_pause(l.upstream);
    for (int i = 0; i < 5; i++) {
        house_turn(&h);
    }
    assert_int_equal(l.text.n, 0);
    upstream_resume(l.upstream);
    upstream_resume(l.upstream);
    WAIT_FOR(&h, l.ends == 1);
    assert_true(str_is(buf_str(&l.text), "w w w "));
    buf_fini(&l.text);
    house_close(&h);
}

/* Those that run, and those cancelled that wait for their end. */
static void
closing_the_chat_frees_what_is_left(void **state)
{
    struct house h;
    struct listener running, cancelled;

    (void)state;
    house_open(&h);
    script.given = 0;
    listener_start(&h, &running);
    listener_start(&h, &cancelled);
    upstream_cancel(cancelled.upstream);
    store_close(h.store);
    chat_fini(&h.shard);
    shard_fini(&h.shard);
    house_remove(&h);
    metrics_fini();
    buf_fini(&running.text);
    buf_fini(&cancelled.text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_end_has_its_name),
        cmocka_unit_test(nobody_there_is_a_refusal_that_may_be_tried_again),
        cmocka_unit_test(silence_is_a_timeout_that_is_not_tried_again),
        cmocka_unit_test(after_a_cancel_there_is_silence),
        cmocka_unit_test(a_task_is_stopped_when_nobody_waits_for_it),
        cmocka_unit_test(a_local_provider_looks_the_same),
        cmocka_unit_test(
            a_paused_local_provider_says_nothing_until_it_is_resumed),
        cmocka_unit_test(closing_the_chat_frees_what_is_left),
    };

    return cmocka_run_group_tests_name("chat/upstream", tests, NULL, NULL);
}
