/* SPDX-License-Identifier: MIT */
#include "net/fetch.h"

#include "fetch_fixture.h"
#include "tls_fixture.h"

#include <signal.h>
#include <time.h>

static struct fixture f;
static struct server server;
static const char *_Atomic answer; /* what the script below sends */
static atomic_bool one_by_one;
static char dated[128];

static bool
send_answer(struct reply *r)
{
    const char *text = answer;

    if (!one_by_one) {
        reply_text(r, text);
        return false;
    }
    for (const char *p = text; *p != '\0'; p++) {
        reply_bytes(r, p, 1);
    }
    return false;
}

static int
setup(void **state)
{
    (void)state;
    one_by_one = false;
    return fetch_setup(&f, &server, send_answer);
}

static int
teardown(void **state)
{
    (void)state;
    return fetch_teardown(&f, &server);
}

static void
ask(struct asker *a, const char *text)
{
    answer = text;
    asker_init(a, &f);
    asker_get(a, &server, "/");
    PUMP_UNTIL(&f, a->ends == 1);
}

static const struct {
    const char *name;
    const char *answer;
    int status;
    const char *type;
    const char *body;
    enum fetch_end end;
} answers[] = {
    {"a length",
     "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: "
     "5\r\n\r\nhello",
     200, "text/plain", "hello", FETCH_DONE},
    {"chunks",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
     "chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nTrailer: 1\r\n\r\n",
     200, "", "hello", FETCH_DONE},
    {"until it closes", "HTTP/1.1 200 OK\r\n\r\nhello", 200, "", "hello",
     FETCH_DONE},
    {"nothing", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", "", FETCH_DONE},
    {"an interim answer first",
     "HTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\nLink: x\r\n\r\n"
     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
     200, "", "ok", FETCH_DONE},
    {"a redirection, which is not followed",
     "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: "
     "4\r\n\r\nmove",
     302, "", "move", FETCH_DONE},
    {"an error with its body",
     "HTTP/1.1 429 Slow\r\nContent-Type: application/json\r\n"
     "Content-Length: 2\r\n\r\n{}",
     429, "application/json", "{}", FETCH_DONE},
    {"a length that is not reached",
     "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", 200, "", "hello",
     FETCH_CUT},
    {"no byte of the length", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n",
     200, "", "", FETCH_CUT},
    {"chunks without the last",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 200,
     "", "hello", FETCH_CUT},
    {"half a chunk",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello", 200, "",
     "hello", FETCH_CUT},
    {"silence", "", 0, "", "", FETCH_CONNECT_FAILED},
    {"not HTTP", "SSH-2.0-something\r\n", 0, "", "", FETCH_FAILED},
};

static void
every_answer_has_its_end_however_its_bytes_arrive(void **state)
{
    (void)state;
    for (int slow = 0; slow < 2; slow++) {
        for (size_t i = 0; i < COUNT_OF(answers); i++) {
            struct asker a;

            one_by_one = slow == 1;
            ask(&a, answers[i].answer);
            if (a.why != answers[i].end || a.status != answers[i].status ||
                strcmp(a.type, answers[i].type) != 0 ||
                !asker_got(&a, answers[i].body)) {
                fail_msg("%s: %s, %d, '%s', '%.*s'", answers[i].name,
                         fetch_end_word(a.why), a.status, a.type,
                         STR_ARG(buf_str(&a.got)));
            }
            assert_int_equal(a.retry_after_ms, a.heads ? -1 : 0);
            buf_fini(&a.got);
        }
    }
}

static const char *
in_a_minute(void)
{
    time_t at = time(NULL) + 60;
    struct tm tm;

    (void)gmtime_r(&at, &tm);
    (void)strftime(dated, sizeof(dated),
                   "HTTP/1.1 503 x\r\nRetry-After: %a, %d %b %Y %H:%M:%S "
                   "GMT\r\nContent-Length: 0\r\n\r\n",
                   &tm);
    return dated;
}

#define RETRY(text) "HTTP/1.1 503 x\r\n" text "\r\nContent-Length: 0\r\n\r\n"

static void
understands_retry_after(void **state)
{
    static const struct {
        const char *answer; /* NULL: a date in a minute */
        int64_t least_ms;
        int64_t most_ms;
    } cases[] = {
        {RETRY("Retry-After: 0"), 0, 0},
        {RETRY("retry-after:7"), 7000, 7000},
        {RETRY("RETRY-AFTER:  120  "), 120000, 120000},
        {RETRY("Retry-After: Wed, 21 Oct 2015 07:28:00 GMT"), 0, 0},
        {RETRY("Retry-After: soon"), -1, -1},
        {RETRY("Retry-After: -5"), -1, -1},
        {RETRY("Retry-After: 1.5"), -1, -1},
        {RETRY("Retry-After:"), -1, -1},
        {RETRY("X-Retry-After: 5"), -1, -1},
        {NULL, 50000, 60000},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct asker a;

        ask(&a, cases[i].answer != NULL ? cases[i].answer : in_a_minute());
        assert_int_equal(a.why, FETCH_DONE);
        if (a.retry_after_ms < cases[i].least_ms ||
            a.retry_after_ms > cases[i].most_ms) {
            fail_msg("case %zu: %lld", i, (long long)a.retry_after_ms);
        }
        buf_fini(&a.got);
    }
}

static void
a_request_arrives_as_it_was_given(void **state)
{
    static const char *const headers[] = {
        "Authorization: Bearer x", "Content-Type: application/json", NULL};
    struct asker a;
    char url[64];
    struct fetch_request r = {.method = "POST",
                              .url = url,
                              .headers = headers,
                              .body = STR("{\"a\":1}\n")};

    (void)state;
    answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/v1/x?y=z",
                   server.port);
    asker_init(&a, &f);
    asker_start(&a, &r);
    memset(url, '#', sizeof(url)); /* was copied */
    PUMP_UNTIL(&f, a.ends == 1);
    assert_int_equal(a.why, FETCH_DONE);
    assert_memory_equal(server.last, "POST /v1/x?y=z HTTP/1.1\r\n", 25);
    assert_non_null(strstr(server.last, "\r\nAuthorization: Bearer x\r\n"));
    assert_non_null(
        strstr(server.last, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(server.last, "\r\n\r\n{\"a\":1}\n"));
    assert_null(strcasestr(server.last, "\r\nexpect"));
    assert_null(strcasestr(server.last, "\r\naccept-encoding"));
    assert_null(strcasestr(server.last, "\r\ncookie"));
    buf_fini(&a.got);
}

static void
a_large_body_goes_out_without_asking_first(void **state)
{
    enum { SIZE = 3 << 20 };
    struct asker a;
    char url[64];
    char *bytes = pattern(SIZE);
    struct fetch_request r = {
        .method = "POST", .url = url, .body = {bytes, SIZE}};

    (void)state;
    answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", server.port);
    asker_init(&a, &f);
    asker_start(&a, &r);
    xfree(bytes);
    PUMP_UNTIL(&f, a.ends == 1);
    assert_int_equal(a.why, FETCH_DONE);
    assert_int_equal(server.requests, 1);
    assert_int_equal(server.body_bytes, SIZE);
    assert_null(strcasestr(server.last, "\r\nexpect"));
    buf_fini(&a.got);
}

static void
methods_with_and_without_a_body(void **state)
{
    static const struct {
        const char *method;
        struct str body;
    } cases[] = {
        {"GET", {NULL, 0}},    {"HEAD", {NULL, 0}},  {"DELETE", {NULL, 0}},
        {"POST", {NULL, 0}},   {"POST", {"abc", 3}}, {"PUT", {"abc", 3}},
        {"PATCH", {"abc", 3}}, {"GET", {"abc", 3}},
    };

    (void)state;
    answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct asker a;
        char url[64];
        struct fetch_request r = {
            .method = cases[i].method, .url = url, .body = cases[i].body};
        size_t n = strlen(cases[i].method);

        (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", server.port);
        asker_init(&a, &f);
        asker_start(&a, &r);
        PUMP_UNTIL(&f, a.ends == 1);
        assert_int_equal(a.why, FETCH_DONE);
        assert_int_equal(a.status, 200);
        assert_memory_equal(server.last, cases[i].method, n);
        assert_int_equal(server.last[n], ' ');
        assert_int_equal(server.body_bytes, cases[i].body.n);
        buf_fini(&a.got);
    }
}

static atomic_bool data_seen;

static bool
reset_after_answer(struct reply *r)
{
    const char *text = answer;

    reply_text(r, text);
    while (text[0] != '\0' && !data_seen) {
        (void)sched_yield(); /* or the reset would overtake the bytes */
    }
    reply_reset(r);
    return false;
}

static void
see_data(struct asker *a)
{
    (void)a;
    data_seen = true;
}

static void
a_reset_before_the_head_is_a_failed_connection(void **state)
{
    struct asker a;

    (void)state;
    server.run = reset_after_answer;
    ask(&a, "");
    assert_int_equal(a.why, FETCH_CONNECT_FAILED);
    buf_fini(&a.got);
}

static void
a_reset_inside_the_body_is_a_cut(void **state)
{
    static const char *const cases[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello",
        "HTTP/1.1 200 OK\r\n\r\nhello",
    };

    (void)state;
    server.run = reset_after_answer;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct asker a;

        data_seen = false;
        answer = cases[i];
        asker_init(&a, &f);
        a.at_data = see_data;
        asker_get(&a, &server, "/");
        PUMP_UNTIL(&f, a.ends == 1);
        assert_int_equal(a.why, FETCH_CUT);
        assert_true(asker_got(&a, "hello"));
        buf_fini(&a.got);
    }
}

static void
what_cannot_be_reached_says_how(void **state)
{
    static const struct {
        const char *url; /* the server's port is appended */
        enum fetch_end end;
    } cases[] = {
        {"http://no-such-host.invalid:", FETCH_RESOLVE_FAILED},
        {"https://127.0.0.1:", FETCH_TLS_FAILED},
        {"http://127.0.0.1:1/", FETCH_CONNECT_FAILED},
        {"ftp://127.0.0.1:", FETCH_FAILED},
        {"file:///etc/passwd?", FETCH_FAILED},
        {"nonsense://", FETCH_FAILED},
    };

    (void)state;
    server.refuses_tls = true;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct asker a;
        char url[128];
        struct fetch_request r = {.method = "GET", .url = url};

        (void)snprintf(url, sizeof(url), "%s%u", cases[i].url, server.port);
        asker_init(&a, &f);
        asker_start(&a, &r);
        PUMP_UNTIL(&f, a.ends == 1);
        if (a.why != cases[i].end || a.heads != 0) {
            fail_msg("%s: %s", url, fetch_end_word(a.why));
        }
        buf_fini(&a.got);
    }
}

/* One TLS connection after the other, until told to stop. */
struct tls_server {
    struct pair_files files;
    SSL_CTX *ctx;
    pthread_t thread;
    int fd;
    uint16_t port;
};

static const char *_Atomic tls_answer;
static atomic_bool tls_cut; /* hang up without close_notify */

static void
serve_tls(SSL *ssl)
{
    const char *text = tls_answer;
    char request[4096];

    if (SSL_accept(ssl) == 1 && SSL_read(ssl, request, sizeof(request)) > 0) {
        (void)SSL_write(ssl, text, (int)strlen(text));
        if (!tls_cut) {
            (void)SSL_shutdown(ssl);
        }
    }
    ERR_clear_error();
}

static void *
tls_server_main(void *arg)
{
    struct tls_server *s = arg;
    int fd;

    while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
        SSL *ssl = SSL_new(s->ctx);

        assert_int_equal(SSL_set_fd(ssl, fd), 1);
        serve_tls(ssl);
        SSL_free(ssl);
        (void)close(fd);
    }
    return NULL;
}

static void
tls_server_start(struct tls_server *s, const char *name)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t n = sizeof(a);

    tls_answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    tls_cut = false;
    pair_make(&s->files, name);
    s->ctx = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate_chain_file(s->ctx, s->files.cert),
                     1);
    assert_int_equal(
        SSL_CTX_use_PrivateKey_file(s->ctx, s->files.key, SSL_FILETYPE_PEM), 1);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&a, n), 0);
    assert_int_equal(listen(s->fd, 10), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &n), 0);
    s->port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, tls_server_main, s), 0);
}

static void
tls_server_stop(struct tls_server *s)
{
    (void)shutdown(s->fd, SHUT_RDWR);
    assert_int_equal(pthread_join(s->thread, NULL), 0);
    (void)close(s->fd);
    SSL_CTX_free(s->ctx);
    pair_remove(&s->files);
}

static void
a_certificate_counts_only_when_it_is_trusted_and_names_the_host(void **state)
{
    static const struct {
        const char *name;
        bool trusted;
        enum fetch_end end;
    } cases[] = {
        {"127.0.0.1", true, FETCH_DONE},
        {"127.0.0.1", false, FETCH_TLS_UNTRUSTED},
        {"other.example", true, FETCH_TLS_NAME},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct tls_server s;
        struct asker a;
        char url[64];
        struct fetch_request r = {.method = "GET", .url = url};

        tls_server_start(&s, cases[i].name);
        (void)snprintf(url, sizeof(url), "https://127.0.0.1:%u/", s.port);
        r.ca_file = cases[i].trusted ? s.files.cert : NULL;
        asker_init(&a, &f);
        asker_start(&a, &r);
        PUMP_UNTIL(&f, a.ends == 1);
        if (a.why != cases[i].end) {
            fail_msg("case %zu: %s", i, fetch_end_word(a.why));
        }
        assert_true(asker_got(&a, cases[i].end == FETCH_DONE ? "ok" : ""));
        tls_server_stop(&s);
        buf_fini(&a.got);
    }
}

/* libcurl does not ask for close_notify: a body without a length ends with its
 * connection, as without TLS. */
static void
an_answer_over_tls_is_whole_or_cut(void **state)
{
    static const struct {
        const char *answer;
        enum fetch_end ended; /* with close_notify */
        enum fetch_end cut;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\n\r\nok", FETCH_DONE, FETCH_DONE},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", FETCH_DONE,
         FETCH_DONE},
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", FETCH_CUT,
         FETCH_CUT},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"
         "0\r\n\r\n",
         FETCH_DONE, FETCH_DONE},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
         FETCH_CUT, FETCH_CUT},
        {"HTTP/1.1 200 OK\r\nContent", FETCH_CONNECT_FAILED,
         FETCH_CONNECT_FAILED},
        {"HTTP/1.1 101 x\r\n\r\nok", FETCH_FAILED, FETCH_FAILED},
    };
    struct tls_server s;

    (void)state;
    tls_server_start(&s, "127.0.0.1");
    for (size_t i = 0; i < 2 * COUNT_OF(cases); i++) {
        struct asker a;
        char url[64];
        struct fetch_request r = {
            .method = "GET", .url = url, .ca_file = s.files.cert};
        enum fetch_end want = i % 2 ? cases[i / 2].cut : cases[i / 2].ended;

        tls_answer = cases[i / 2].answer;
        tls_cut = i % 2 == 1;
        (void)snprintf(url, sizeof(url), "https://127.0.0.1:%u/", s.port);
        asker_init(&a, &f);
        asker_start(&a, &r);
        PUMP_UNTIL(&f, a.ends == 1);
        if (a.why != want ||
            !asker_got(&a,
                       want == FETCH_DONE || want == FETCH_CUT ? "ok" : "")) {
            fail_msg("case %zu: %s, '%.*s'", i, fetch_end_word(a.why),
                     STR_ARG(buf_str(&a.got)));
        }
        buf_fini(&a.got);
    }
    tls_server_stop(&s);
}

int
main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(every_answer_has_its_end_however_its_bytes_arrive),
        CASE(understands_retry_after),
        CASE(a_request_arrives_as_it_was_given),
        CASE(a_large_body_goes_out_without_asking_first),
        CASE(methods_with_and_without_a_body),
        CASE(a_reset_before_the_head_is_a_failed_connection),
        CASE(a_reset_inside_the_body_is_a_cut),
        CASE(what_cannot_be_reached_says_how),
        CASE(a_certificate_counts_only_when_it_is_trusted_and_names_the_host),
        CASE(an_answer_over_tls_is_whole_or_cut),
    };

    (void)signal(SIGPIPE, SIG_IGN); /* the test's TLS server writes plainly */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
