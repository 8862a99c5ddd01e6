/* SPDX-License-Identifier: MIT */
#include "chat/upstream.h"

#include "fixture.h"
#include "net/fetch.h"
#include "provider/registry.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/socket.h>

/* --- a server that gives one answer to everybody ------------------------- */

static atomic_bool text_seen;

struct canned {
    const char *bytes; /* head and body */
    bool reset;        /* RST behind them */
    bool stays;        /* else FIN: silent until the peer goes */
    int fd;
    pthread_t thread;
    char endpoint[64];
};

/* Reads a request to the end of its body. */
static bool
take_request(int fd)
{
    static char text[65536];
    size_t n = 0;

    while (n + 1 < sizeof(text)) {
        ssize_t got = recv(fd, text + n, sizeof(text) - 1 - n, 0);
        const char *end, *length;

        if (got <= 0) {
            return false;
        }
        text[n += (size_t)got] = '\0';
        end = strstr(text, "\r\n\r\n");
        length = strcasestr(text, "content-length: ");
        if (end != NULL && length != NULL &&
            n >= (size_t)(end + 4 - text) + strtoul(length + 16, NULL, 10)) {
            return true;
        }
    }
    return false;
}

static void
answer(const struct canned *c, int fd)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    char byte;

    (void)send(fd, c->bytes, strlen(c->bytes), MSG_NOSIGNAL);
    while (c->stays && recv(fd, &byte, 1, 0) > 0) {
    }
    if (c->reset) {
        while (!text_seen) { /* RST could overtake it */
            (void)sched_yield();
        }
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    }
}

static void *
canned_main(void *arg)
{
    const struct canned *c = arg;
    int fd;

    while ((fd = accept(c->fd, NULL, NULL)) >= 0) {
        if (take_request(fd)) {
            answer(c, fd);
        }
        (void)close(fd);
    }
    return NULL;
}

static void
canned_start(struct canned *c)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t n = sizeof(a);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(c->fd, (struct sockaddr *)&a, n), 0);
    assert_int_equal(listen(c->fd, 10), 0);
    assert_int_equal(getsockname(c->fd, (struct sockaddr *)&a, &n), 0);
    snprintf(c->endpoint, sizeof(c->endpoint), "http://127.0.0.1:%u/v1",
             ntohs(a.sin_port));
    assert_int_equal(pthread_create(&c->thread, NULL, canned_main, c), 0);
}

static void
canned_stop(struct canned *c)
{
    (void)shutdown(c->fd, SHUT_RDWR);
    assert_int_equal(pthread_join(c->thread, NULL), 0);
    (void)close(c->fd);
}

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

static const struct upstream_events listening = {on_text, on_usage, on_finish,
                                                 on_end};

static const struct provider_message question = {PROVIDER_USER, STR("hi")};
static const struct provider_turn prompt = {{NULL, 0}, &question, 1};

static void
room_open(struct house *h, const char *endpoint)
{
    house_open(h);
    h->settings.connect_timeout_ms = 5000;
    h->settings.first_byte_timeout_ms = 30000;
    h->settings.idle_timeout_ms = 30000;
    h->settings.stream_timeout_ms = 30000;
    providers[0].ops = registry_find(STR("openai"));
    providers[0].endpoint = endpoint;
    assert_int_equal(fetch_pool_prepare(), ERR_OK);
    fetch_pool_init(&h->shard);
}

static void
room_close(struct house *h)
{
    providers[0].ops = &script_ops;
    providers[0].endpoint = "";
    store_close(h->store);
    for (int i = 0; i < 20; i++) {
        (void)uv_run(&h->shard.loop, UV_RUN_NOWAIT);
    }
    chat_fini(&h->shard);
    fetch_pool_fini(&h->shard);
    fetch_pool_forget();
    shard_fini(&h->shard);
    house_remove(h);
    metrics_fini();
}

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
        room_open(&h, c.endpoint);
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
    room_open(&h, c.endpoint);
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
        room_open(&h, c.endpoint);
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
    room_open(&h, c.endpoint);
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
        cmocka_unit_test(a_local_provider_looks_the_same),
        cmocka_unit_test(
            a_paused_local_provider_says_nothing_until_it_is_resumed),
        cmocka_unit_test(closing_the_chat_frees_what_is_left),
    };

    return cmocka_run_group_tests_name("chat/upstream", tests, NULL, NULL);
}
