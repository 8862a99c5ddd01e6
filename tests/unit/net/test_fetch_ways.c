/* SPDX-License-Identifier: MIT */
/* There are three ways to a provider: our own HTTP/1.1, libcurl, and libcurl
 * over TLS. Whatever a provider answers, its user is told the same by each, or
 * at least nothing worse than by our own. */
#include "net/fetch.h"

#include "fetch_fixture.h"
#include "net/fetch_internal.h"

#include <netdb.h>

static struct fixture f;
static struct server server;
static const char *_Atomic answer;
static atomic_bool keeps; /* the connection, after the answer */

enum way { OURS, LIBCURLS, WAYS };

static bool
send_answer(struct reply *r)
{
    reply_text(r, answer);
    return keeps;
}

static int
setup(void **state)
{
    (void)state;
    keeps = false;
    return fetch_setup(&f, &server, send_answer);
}

static int
teardown(void **state)
{
    (void)state;
    return fetch_teardown(&f, &server);
}

/* A URL with a user is libcurl's business. */
static void
ask(struct asker *a, enum way way, const char *method)
{
    char url[96];
    struct fetch_request r = {
        .method = method, .url = url, .idle_timeout_ms = 20000};

    (void)snprintf(url, sizeof(url), "http://%s127.0.0.1:%u/",
                   way == OURS ? "" : "u:p@", server.port);
    asker_init(a, &f);
    asker_start(a, &r);
    assert_int_equal(a->fetch->plain != NULL, way == OURS);
    PUMP_UNTIL(&f, a->ends == 1);
}

#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"
#define FINE OK "Content-Length: 2\r\n\r\nok"

static const struct {
    const char *name;
    const char *method;
    const char *answer;
    int status;
    const char *body;
    enum fetch_end ours;
    enum fetch_end libcurls;
} cases[] = {
    {"a length", "GET", FINE, 200, "ok", FETCH_DONE, FETCH_DONE},
    {"extensions and trailers", "GET",
     CHUNKED
     "1;a=b;c=\"d;e\"\r\no\r\n1 ; x\r\nk\r\n0;z\r\nA: b\r\nC: d\r\n\r\n",
     200, "ok", FETCH_DONE, FETCH_DONE},
    {"capital digits and zeros", "GET",
     CHUNKED "00A\r\n0123456789\r\n000\r\n\r\n", 200, "0123456789", FETCH_DONE,
     FETCH_DONE},
    {"both framings: the chunks count", "GET",
     OK "Content-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n"
        "2\r\nok\r\n0\r\n\r\n",
     200, "ok", FETCH_DONE, FETCH_DONE},
    {"the same length twice", "GET",
     OK "Content-Length: 2\r\nContent-Length: 2\r\n\r\nok", 200, "ok",
     FETCH_DONE, FETCH_DONE},
    {"interim answers first", "GET",
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 x\r\nRetry-After: 5\r\n\r\n"
     "HTTP/1.1 103 x\r\nContent-Length: 7\r\n\r\n" FINE,
     200, "ok", FETCH_DONE, FETCH_DONE},
    {"interim answers and then the end", "GET",
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\n\r\n", 0, "",
     FETCH_CONNECT_FAILED, FETCH_CONNECT_FAILED},
    {"another protocol that nobody asked for", "GET",
     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nok", 0, "",
     FETCH_FAILED, FETCH_FAILED},
    {"an old server without a length", "GET", "HTTP/1.0 200 OK\r\n\r\nok", 200,
     "ok", FETCH_DONE, FETCH_DONE},
    {"no reason", "GET", "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", 200,
     "ok", FETCH_DONE, FETCH_DONE},
    {"a status that nobody knows", "GET",
     "HTTP/1.1 799 x\r\nContent-Length: 2\r\n\r\nok", 799, "ok", FETCH_DONE,
     FETCH_DONE},
    {"no content, with a body", "GET",
     "HTTP/1.1 204 x\r\nContent-Length: 2\r\n\r\nok", 204, "", FETCH_DONE,
     FETCH_DONE},
    {"not modified, with a length", "GET",
     "HTTP/1.1 304 x\r\nContent-Length: 2\r\n\r\n", 304, "", FETCH_DONE,
     FETCH_DONE},
    {"a redirection, which is not followed", "GET",
     "HTTP/1.1 307 x\r\nLocation: http://127.0.0.1:1/\r\n"
     "Content-Length: 2\r\n\r\nok",
     307, "ok", FETCH_DONE, FETCH_DONE},
    {"more than was announced", "GET", FINE FINE FINE, 200, "ok", FETCH_DONE,
     FETCH_DONE},
    {"a body to HEAD", "HEAD", FINE, 200, "", FETCH_DONE, FETCH_DONE},
    {"less than was announced", "GET", OK "Content-Length: 3\r\n\r\nok", 200,
     "ok", FETCH_CUT, FETCH_CUT},
    {"the end announced in mid-answer", "GET",
     OK "Connection: close\r\nContent-Length: 3\r\n\r\nok", 200, "ok",
     FETCH_CUT, FETCH_CUT},
    {"chunks without the last line", "GET", CHUNKED "2\r\nok\r\n0\r\n", 200,
     "ok", FETCH_CUT, FETCH_CUT},
    {"a chunk that is longer than it says", "GET",
     CHUNKED "2\r\nokay\r\n0\r\n\r\n", 200, "ok", FETCH_FAILED, FETCH_CUT},
    {"a chunk size that is too large for any number", "GET",
     CHUNKED "2\r\nok\r\n11111111111111111\r\n", 200, "ok", FETCH_FAILED,
     FETCH_CUT},
    {"a negative chunk size", "GET", CHUNKED "2\r\nok\r\n-1\r\n", 200, "ok",
     FETCH_FAILED, FETCH_CUT},
    {"head and no more", "GET", OK "Content-Le", 0, "", FETCH_CONNECT_FAILED,
     FETCH_CONNECT_FAILED},
    {"half a status line", "GET", "HTTP/1.", 0, "", FETCH_CONNECT_FAILED,
     FETCH_CONNECT_FAILED},
    {"no head at all", "GET", "okay, then\r\n\r\n", 0, "", FETCH_FAILED,
     FETCH_FAILED},
    {"a negative length", "GET", OK "Content-Length: -1\r\n\r\nok", 0, "",
     FETCH_FAILED, FETCH_FAILED},
};

static void
whatever_is_answered_each_way_tells_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases) * WAYS; i++) {
        enum way way = i % WAYS;
        enum fetch_end end =
            way == OURS ? cases[i / WAYS].ours : cases[i / WAYS].libcurls;
        struct asker a;

        answer = cases[i / WAYS].answer;
        ask(&a, way, cases[i / WAYS].method);
        if (a.why != end || a.status != cases[i / WAYS].status ||
            !asker_got(&a, cases[i / WAYS].body)) {
            fail_msg("%s, %s: %s, %d, '%.*s'", cases[i / WAYS].name,
                     way == OURS ? "ours" : "libcurl's", fetch_end_word(a.why),
                     a.status, STR_ARG(buf_str(&a.got)));
        }
        buf_fini(&a.got);
    }
}

static void
no_answer_spoils_the_next_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases) * WAYS; i++) {
        enum way way = i % WAYS;
        struct asker a;

        if (cases[i / WAYS].ours != FETCH_DONE ||
            strstr(cases[i / WAYS].answer, "1.0") != NULL) {
            continue; /* ends with its connection */
        }
        keeps = true;
        answer = cases[i / WAYS].answer;
        ask(&a, way, cases[i / WAYS].method);
        assert_int_equal(a.why, FETCH_DONE);
        buf_fini(&a.got);
        answer = OK "Content-Length: 4\r\n\r\nnext";
        ask(&a, way, "GET");
        if (a.why != FETCH_DONE || !asker_got(&a, "next")) {
            fail_msg("after %s: %s, %d, '%.*s'", cases[i / WAYS].name,
                     fetch_end_word(a.why), a.status, STR_ARG(buf_str(&a.got)));
        }
        buf_fini(&a.got);
    }
}

/* --- floods -------------------------------------------------------------- */

static const char *_Atomic flood;

/* A head, and then the same again and again, as long as somebody reads. */
static bool
send_without_end(struct reply *r)
{
    char block[65536];
    const char *again = flood;
    size_t n = strlen(again);

    for (size_t i = 0; i < sizeof(block); i++) {
        block[i] = again[i % n];
    }
    reply_text(r, answer);
    while (send(r->fd, block, sizeof(block) / n * n, MSG_NOSIGNAL) > 0) {
    }
    return false;
}

static void
what_never_ends_is_given_up(void **state)
{
    static const struct {
        const char *begin;
        const char *again;
    } floods[] = {
        {OK, "Name: value\r\n"}, {OK "Name: ", "v"},
        {"HTTP/1.1 200 ", "r"},  {"HTTP/1.1 200 OK\nA: b\n", "a:\n"},
        {CHUNKED "1;", "e"},     {CHUNKED "0\r\n", "Name: value\r\n"},
        {CHUNKED, "1"},          {"", "HTTP/1.1 103 x\r\n\r\n"},
    };

    (void)state;
    server.run = send_without_end;
    for (size_t i = 0; i < COUNT_OF(floods) * WAYS; i++) {
        struct asker a;
        char url[96];
        struct fetch_request r = {.method = "GET",
                                  .url = url,
                                  .total_timeout_ms =
                                      i % WAYS == OURS ? 0 : 1000};

        answer = floods[i / WAYS].begin;
        flood = floods[i / WAYS].again;
        (void)snprintf(url, sizeof(url), "http://%s127.0.0.1:%u/",
                       i % WAYS == OURS ? "" : "u:p@", server.port);
        asker_init(&a, &f);
        asker_start(&a, &r);
        PUMP_UNTIL(&f, a.ends == 1);
        if (a.why == FETCH_DONE || a.got.n > 0 ||
            (i % WAYS == OURS && a.why != FETCH_FAILED)) {
            fail_msg("flood %zu: %s, %zu bytes", i, fetch_end_word(a.why),
                     a.got.n);
        }
        PUMP_UNTIL(&f, server.open == 0);
        buf_fini(&a.got);
    }
}

/* --- names and addresses -------------------------------------------------- */

/* libcurl asks this one instead of the C library's: "two.test" has a second
 * address that answers, "slow.test" has none before it is let go. */
static atomic_bool may_resolve;

static struct addrinfo *
address(const char *text, unsigned port, struct addrinfo *next)
{
    struct addrinfo *ai = calloc(1, sizeof(*ai) + sizeof(struct sockaddr_in));
    struct sockaddr_in *in = (struct sockaddr_in *)(void *)(ai + 1);

    in->sin_family = AF_INET;
    in->sin_port = htons((uint16_t)port);
    assert_int_equal(inet_pton(AF_INET, text, &in->sin_addr), 1);
    *ai = (struct addrinfo){.ai_family = AF_INET,
                            .ai_socktype = SOCK_STREAM,
                            .ai_protocol = IPPROTO_TCP,
                            .ai_addrlen = sizeof(*in),
                            .ai_addr = (struct sockaddr *)in,
                            .ai_next = next};
    return ai;
}

int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
            struct addrinfo **res)
{
    unsigned port = service != NULL ? (unsigned)strtoul(service, NULL, 10) : 0;

    (void)hints;
    if (strcmp(node, "two.test") == 0) {
        *res = address("127.0.0.2", port, address("127.0.0.1", port, NULL));
        return 0;
    }
    while (strcmp(node, "slow.test") == 0 && !may_resolve) {
        (void)usleep(1000);
    }
    return EAI_NONAME;
}

void
freeaddrinfo(struct addrinfo *ai)
{
    while (ai != NULL) {
        struct addrinfo *next = ai->ai_next;

        free(ai);
        ai = next;
    }
}

/* A listener at 127.0.0.2 that takes no connection any more. */
struct dead_end {
    int listener;
    int stuffing[4];
};

static void
dead_end_open(struct dead_end *d)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons(server.port)};

    assert_int_equal(inet_pton(AF_INET, "127.0.0.2", &a.sin_addr), 1);
    d->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(d->listener, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(d->listener, 0), 0);
    for (size_t i = 0; i < COUNT_OF(d->stuffing); i++) {
        d->stuffing[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(d->stuffing[i], (struct sockaddr *)&a, sizeof(a));
    }
}

static void
dead_end_close(struct dead_end *d)
{
    for (size_t i = 0; i < COUNT_OF(d->stuffing); i++) {
        (void)close(d->stuffing[i]);
    }
    (void)close(d->listener);
}

static void
get(struct asker *a, enum way way, const char *name, uint64_t connect_ms)
{
    char url[96];
    struct fetch_request r = {
        .method = "GET", .url = url, .connect_timeout_ms = connect_ms};

    (void)snprintf(url, sizeof(url), "http://%s%s:%u/",
                   way == OURS ? "" : "u:p@", name, server.port);
    asker_init(a, &f);
    asker_start(a, &r);
}

static void
a_second_address_is_tried_when_the_first_is_dead(void **state)
{
    (void)state;
    answer = FINE;
    for (int i = 0; i < 2 * WAYS; i++) {
        struct dead_end d = {0};
        struct asker a;
        bool silent = i / WAYS == 1; /* else it refuses */

        if (silent) {
            dead_end_open(&d);
        }
        get(&a, i % WAYS, "two.test", 4000);
        PUMP_UNTIL(&f, a.ends == 1);
        assert_int_equal(a.why, FETCH_DONE);
        buf_fini(&a.got);
        if (silent) {
            dead_end_close(&d);
        }
    }
}

static void
a_name_that_is_not_resolved_in_time_is_told_as_one(void **state)
{
    (void)state;
    may_resolve = false;
    for (int way = 0; way < WAYS; way++) {
        struct asker a;

        get(&a, way, "slow.test", 60);
        PUMP_UNTIL(&f, a.ends == 1);
        assert_int_equal(a.why, FETCH_RESOLVE_TIMEOUT);
        buf_fini(&a.got);
    }
    may_resolve = true;
}

static void
an_address_in_brackets_is_reached_as_any_other(void **state)
{
    struct sockaddr_in6 in = {.sin6_family = AF_INET6,
                              .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct server six = {.run = send_answer, .lock = PTHREAD_MUTEX_INITIALIZER};
    socklen_t n = sizeof(in);

    (void)state;
    answer = FINE;
    six.fd = socket(AF_INET6, SOCK_STREAM, 0);
    if (bind(six.fd, (struct sockaddr *)&in, n) != 0) {
        (void)close(six.fd);
        return; /* a machine without IPv6 */
    }
    assert_int_equal(listen(six.fd, 10), 0);
    assert_int_equal(getsockname(six.fd, (struct sockaddr *)&in, &n), 0);
    six.port = ntohs(in.sin6_port);
    assert_int_equal(pthread_create(&six.thread, NULL, server_main, &six), 0);
    for (int way = 0; way < WAYS; way++) {
        struct asker a;
        char url[96], host[64];
        struct fetch_request r = {.method = "GET", .url = url};

        (void)snprintf(url, sizeof(url), "http://%s[::1]:%u/",
                       way == OURS ? "" : "u:p@", six.port);
        (void)snprintf(host, sizeof(host), "\r\nHost: [::1]:%u\r\n", six.port);
        asker_init(&a, &f);
        asker_start(&a, &r);
        PUMP_UNTIL(&f, a.ends == 1);
        assert_int_equal(a.why, FETCH_DONE);
        assert_non_null(strstr(six.last, host));
        buf_fini(&a.got);
    }
    server_stop(&six);
}

static void
a_place_that_is_none_fails_at_once(void **state)
{
    static const char *const urls[] = {
        "http://127.0.0.1:0/", "http://127.0.0.1:65536/", "http:///path",
        "http://[::1/",        "http://127.0.0.1:8o/",    "",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(urls); i++) {
        struct asker a;
        struct fetch_request r = {.method = "GET", .url = urls[i]};

        asker_init(&a, &f);
        asker_start(&a, &r);
        PUMP_UNTIL(&f, a.ends == 1);
        assert_int_not_equal(a.why, FETCH_DONE);
        assert_int_equal(a.heads, 0);
        buf_fini(&a.got);
    }
}

int
main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(whatever_is_answered_each_way_tells_the_same),
        CASE(no_answer_spoils_the_next_one),
        CASE(what_never_ends_is_given_up),
        CASE(a_second_address_is_tried_when_the_first_is_dead),
        CASE(a_name_that_is_not_resolved_in_time_is_told_as_one),
        CASE(an_address_in_brackets_is_reached_as_any_other),
        CASE(a_place_that_is_none_fails_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
