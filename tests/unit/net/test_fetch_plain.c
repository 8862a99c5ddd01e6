/* SPDX-License-Identifier: MIT */
#include "net/fetch.h"

#include "fetch_fixture.h"
#include "net/fetch_internal.h"

static struct fixture f;
static struct server server;
static const char *_Atomic answer;

/* Keeps the connection unless the path says otherwise. */
static bool
send_answer(struct reply *r)
{
    reply_text(r, answer);
    return strcmp(r->path, "/close") != 0;
}

static int
setup(void **state)
{
    (void)state;
    return fetch_setup(&f, &server, send_answer);
}

static int
teardown(void **state)
{
    (void)state;
    return fetch_teardown(&f, &server);
}

static void
ask(struct asker *a, const char *method, const char *path, const char *text)
{
    char url[64];
    struct fetch_request r = {.method = method, .url = url};

    answer = text;
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", server.port,
                   path);
    asker_start(a, &r);
    PUMP_UNTIL(&f, a->ends == 1);
}

#define OK "HTTP/1.1 200 OK\r\n"
#define EARLY "HTTP/1.1 103 Early Hints\r\n\r\n"
#define EARLY_8 EARLY EARLY EARLY EARLY EARLY EARLY EARLY EARLY
#define EARLY_32 EARLY_8 EARLY_8 EARLY_8 EARLY_8

static const struct {
    const char *name;
    const char *method;
    const char *answer;
    int status;
    const char *body;
    enum fetch_end end;
    bool kept;
} answers[] = {
    {"a length", "GET", OK "Content-Length: 2\r\n\r\nok", 200, "ok", FETCH_DONE,
     true},
    {"no length at all, to HEAD", "HEAD", OK "\r\n", 200, "", FETCH_DONE, true},
    {"a length, to HEAD", "HEAD", OK "Content-Length: 7\r\n\r\n", 200, "",
     FETCH_DONE, true},
    {"chunks, to HEAD", "HEAD", OK "Transfer-Encoding: chunked\r\n\r\n", 200,
     "", FETCH_DONE, true},
    {"not modified", "GET", "HTTP/1.1 304 x\r\nContent-Length: 9\r\n\r\n", 304,
     "", FETCH_DONE, true},
    {"chunks with extensions and a trailer", "GET",
     OK "Transfer-Encoding: chunked\r\n\r\n1;a=b\r\no\r\n1;c=\"d\"\r\nk\r\n"
        "0\r\nA: b\r\n\r\n",
     200, "ok", FETCH_DONE, true},
    {"the end of the connection announced", "GET",
     OK "Connection: close\r\nContent-Length: 2\r\n\r\nok", 200, "ok",
     FETCH_DONE, false},
    {"an old server", "GET", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
     200, "ok", FETCH_DONE, false},
    {"more than was announced", "GET", OK "Content-Length: 2\r\n\r\nok!", 200,
     "ok", FETCH_DONE, false},
    {"both framings", "GET",
     OK "Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n"
        "2\r\nok\r\n0\r\n\r\n",
     200, "ok", FETCH_DONE, false},
    {"32 interim answers", "GET", EARLY_32 OK "Content-Length: 2\r\n\r\nok",
     200, "ok", FETCH_DONE, true},
    {"33 interim answers", "GET",
     EARLY EARLY_32 OK "Content-Length: 2\r\n\r\nok", 0, "", FETCH_FAILED,
     false},
    {"another protocol", "GET", "HTTP/1.1 101 Switching Protocols\r\n\r\n", 0,
     "", FETCH_FAILED, false},
    {"a folded line", "GET", OK "A: b\r\n c\r\nContent-Length: 0\r\n\r\n", 0,
     "", FETCH_FAILED, false},
    {"two lengths", "GET",
     OK "Content-Length: 1\r\nContent-Length: 2\r\n\r\nok", 0, "", FETCH_FAILED,
     false},
    {"a chunk size that is none", "GET",
     OK "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\nx\r\n", 200, "ok",
     FETCH_FAILED, false},
};

static void
every_answer_is_read_to_its_end_and_not_beyond(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        struct asker a;

        asker_init(&a, &f);
        ask(&a, answers[i].method, "/", answers[i].answer);
        if (a.why != answers[i].end || a.status != answers[i].status ||
            !asker_got(&a, answers[i].body) ||
            (f.shard.fetch->idle_count == 1) != answers[i].kept) {
            fail_msg("%s: %s, %d, '%.*s', %zu", answers[i].name,
                     fetch_end_word(a.why), a.status, STR_ARG(buf_str(&a.got)),
                     f.shard.fetch->idle_count);
        }
        buf_fini(&a.got);
    }
}

static void
a_head_without_end_is_given_up(void **state)
{
    static const char begin[] = OK "A: ";
    char *text = xmalloc(70001);

    (void)state;
    memset(text, 'b', 70000);
    memcpy(text, begin, sizeof(begin) - 1);
    text[70000] = '\0';
    for (int cut = 0; cut < 2; cut++) {
        struct asker a;

        if (cut == 1) { /* the same, but the connection ends before */
            text[60000] = '\0';
        }
        asker_init(&a, &f);
        ask(&a, "GET", "/close", text);
        assert_int_equal(a.why, cut ? FETCH_CONNECT_FAILED : FETCH_FAILED);
        assert_int_equal(a.heads, 0);
        PUMP_UNTIL(&f, server.open == 0); /* nobody reads text any more */
        buf_fini(&a.got);
    }
    xfree(text);
}

static void
pause_here(struct asker *a)
{
    fetch_pause(a->fetch);
}

static void
one_paused_in_its_head_ends_when_there_is_no_body(void **state)
{
    struct asker a;

    (void)state;
    asker_init(&a, &f);
    a.at_head = pause_here;
    ask(&a, "GET", "/", "HTTP/1.1 204 x\r\n\r\n");
    assert_int_equal(a.why, FETCH_DONE);
    buf_fini(&a.got);
}

static void
one_paused_in_its_head_gets_the_body_when_resumed(void **state)
{
    static const char *const cases[] = {
        OK "Content-Length: 2\r\n\r\nok",
        OK "Transfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
        OK "\r\nok",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct asker a;

        answer = cases[i];
        asker_init(&a, &f);
        a.at_head = pause_here;
        asker_get(&a, &server, "/close");
        PUMP_UNTIL(&f, a.heads == 1 && server.open == 0);
        pump_idle(&f);
        assert_int_equal(a.pieces + a.ends, 0);
        fetch_resume(a.fetch);
        assert_int_equal(a.pieces + a.ends, 0);
        PUMP_UNTIL(&f, a.ends == 1);
        assert_int_equal(a.why, FETCH_DONE);
        assert_true(asker_got(&a, "ok"));
        buf_fini(&a.got);
    }
}

static void
a_request_says_where_it_goes(void **state)
{
    static const struct {
        const char *scheme_and_name;
        const char *path;
        const char *header;
        const char *first;
        const char *host; /* NULL: the name and the port */
    } cases[] = {
        {"http://127.0.0.1", "", "A: b", "GET / HTTP/1.1\r\n", NULL},
        {"http://localhost", "?x", "A: b", "GET /?x HTTP/1.1\r\n", NULL},
        {"HTTP://localhost", "/a/b?c=d&e", "host: me",
         "GET /a/b?c=d&e HTTP/1.1\r\n", "\r\nhost: me\r\n"},
    };

    (void)state;
    answer = OK "Content-Length: 0\r\n\r\n";
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct asker a;
        char url[64];
        char host[64];
        const char *const headers[] = {cases[i].header, NULL};
        struct fetch_request r = {
            .method = "GET", .url = url, .headers = headers};
        const char *at;

        (void)snprintf(url, sizeof(url), "%s:%u%s", cases[i].scheme_and_name,
                       server.port, cases[i].path);
        (void)snprintf(host, sizeof(host), "\r\nHost: %s:%u\r\n",
                       cases[i].scheme_and_name + 7, server.port);
        asker_init(&a, &f);
        asker_start(&a, &r);
        assert_non_null(a.fetch->plain);
        PUMP_UNTIL(&f, a.ends == 1);
        assert_int_equal(a.why, FETCH_DONE);
        assert_memory_equal(server.last, cases[i].first,
                            strlen(cases[i].first));
        at = strcasestr(server.last, "\r\nhost:");
        assert_ptr_equal(
            at,
            strstr(server.last, cases[i].host != NULL ? cases[i].host : host));
        assert_null(strcasestr(at + 1, "\r\nhost:"));
        buf_fini(&a.got);
    }
}

static void
a_long_target_goes_out_whole(void **state)
{
    enum { LONG = 4000 };
    char url[LONG + 64], target[LONG + 16];
    struct fetch_request r = {.method = "GET", .url = url};
    struct asker a;

    (void)state;
    answer = OK "Content-Length: 0\r\n\r\n";
    (void)snprintf(target, sizeof(target), "/%0*d?%0*d", LONG / 2, 1, LONG / 2,
                   2);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", server.port,
                   target);
    asker_init(&a, &f);
    asker_start(&a, &r);
    PUMP_UNTIL(&f, a.ends == 1);
    assert_int_equal(a.why, FETCH_DONE);
    assert_memory_equal(server.last + strlen("GET "), target, strlen(target));
    buf_fini(&a.got);
}

static void
what_needs_more_is_left_to_libcurl(void **state)
{
    static const struct {
        const char *url;
        const char *variable; /* of the environment, set */
    } cases[] = {
        {"https://127.0.0.1/", NULL},
        {"http://user:word@127.0.0.1/", NULL},
        {"http://127.0.0.1/", "http_proxy"},
        {"http://127.0.0.1/", "all_proxy"},
        {"http://127.0.0.1/", "ALL_PROXY"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct asker a;
        struct fetch_request r = {.method = "GET", .url = cases[i].url};

        if (cases[i].variable != NULL) {
            assert_int_equal(setenv(cases[i].variable, "http://127.0.0.1:1", 1),
                             0);
        }
        asker_init(&a, &f);
        asker_start(&a, &r);
        assert_null(a.fetch->plain);
        asker_cancel(&a);
        if (cases[i].variable != NULL) {
            assert_int_equal(unsetenv(cases[i].variable), 0);
        }
        PUMP_UNTIL(&f, fetch_pool_active(&f.shard) == 0);
        buf_fini(&a.got);
    }
}

/* --- an answer that comes before the request has gone out ---------------- */

/* Answers the first byte of a request, and resets when told. */
struct hasty {
    int listener;
    const char *answer;
    atomic_bool resets;
};

static void *
answer_hastily(void *arg)
{
    struct hasty *h = arg;
    int fd = accept(h->listener, NULL, NULL);
    struct reply r = {.fd = fd};
    char c;

    assert_int_equal(recv(fd, &c, 1, 0), 1);
    reply_text(&r, h->answer);
    while (!h->resets) {
        (void)sched_yield();
    }
    reply_reset(&r);
    (void)close(fd);
    return NULL;
}

static void
count_time(struct timer *t)
{
    (void)t;
}

/* How often the loop turns in a tenth of a second. */
static unsigned
turns(void)
{
    struct timer t;
    unsigned n = 0;

    timer_init(&t, count_time);
    timer_start(&f.shard.timers, &t, 100);
    for (; timer_armed(&t); n++) {
        (void)uv_run(&f.shard.loop, UV_RUN_ONCE);
    }
    return n;
}

static void
begin_hasty(struct hasty *h, struct asker *a, bool pauses, pthread_t *thread)
{
    enum { SIZE = 48 << 20 }; /* more than any socket buffer takes */
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t n = sizeof(at);
    char *bytes = pattern(SIZE);
    char url[64];
    struct fetch_request r = {
        .method = "POST", .url = url, .body = {bytes, SIZE}};

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    h->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(h->listener, (struct sockaddr *)&at, n), 0);
    assert_int_equal(listen(h->listener, 1), 0);
    assert_int_equal(getsockname(h->listener, (struct sockaddr *)&at, &n), 0);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/",
                   ntohs(at.sin_port));
    assert_int_equal(pthread_create(thread, NULL, answer_hastily, h), 0);
    asker_init(a, &f);
    a->at_data = pauses ? pause_here : NULL;
    asker_start(a, &r);
    xfree(bytes);
    PUMP_UNTIL(&f, a->pieces == 1);
}

static void
a_reset_before_the_request_has_gone_out_is_a_cut(void **state)
{
    static const char *const answers_begun[] = {
        OK "Content-Length: 10\r\n\r\npart",
        OK "Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n",
        OK "\r\npart",
    };

    (void)state;
    for (int i = 0; i < 2 * (int)COUNT_OF(answers_begun); i++) {
        struct hasty h = {.answer = answers_begun[i / 2]};
        bool pauses = i % 2 == 1;
        pthread_t thread;
        struct asker a;

        begin_hasty(&h, &a, pauses, &thread);
        h.resets = true;
        assert_int_equal(pthread_join(thread, NULL), 0);
        if (pauses) { /* it waits, and does not turn in circles */
            assert_in_range(turns(), 1, 50);
            assert_int_equal(a.ends, 0);
            fetch_resume(a.fetch);
        }
        PUMP_UNTIL(&f, a.ends == 1);
        assert_int_equal(a.why, FETCH_CUT);
        assert_true(asker_got(&a, "part"));
        assert_int_equal(f.shard.fetch->idle_count, 0);
        (void)close(h.listener);
        buf_fini(&a.got);
    }
}

int
main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(every_answer_is_read_to_its_end_and_not_beyond),
        CASE(a_head_without_end_is_given_up),
        CASE(one_paused_in_its_head_ends_when_there_is_no_body),
        CASE(one_paused_in_its_head_gets_the_body_when_resumed),
        CASE(a_request_says_where_it_goes),
        CASE(a_long_target_goes_out_whole),
        CASE(what_needs_more_is_left_to_libcurl),
        CASE(a_reset_before_the_request_has_gone_out_is_a_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
