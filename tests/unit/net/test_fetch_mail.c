/* SPDX-License-Identifier: MIT */
/* Against a mail server that says what it is told, line by line; with TLS and
 * logins a real one is in tests/e2e/test_74_mail.py. */
#include "net/fetch_mail.h"

#include "fetch_fixture.h"
#include "net/fetch_internal.h"

#define HANGS "(hangs)"

/* One connection after the other; each reply but the first answers a line, or
 * the whole message after a 354. */
struct mail_server {
    int fd;
    uint16_t port;
    const char *_Atomic replies[8]; /* NULL: hangs up */
    pthread_t thread;
    char heard[4096];  /* read it up to lines */
    atomic_int lines;  /* heard, a message being one */
    atomic_int talked; /* connections that are over */
    atomic_int connections;
    atomic_int hung; /* clients that hung up on a server that hangs */
};

static struct fixture f;
static struct mail_server server;

static bool
hear_line(int fd, char *line, size_t room)
{
    size_t n = 0;

    do {
        if (n + 1 >= room || recv(fd, line + n, 1, 0) <= 0) {
            return false;
        }
    } while (line[n++] != '\n');
    line[n] = '\0';
    return true;
}

static bool
hear(struct mail_server *s, int fd, bool message)
{
    char line[512];

    do {
        size_t n = strlen(s->heard);

        if (!hear_line(fd, line, sizeof(line))) {
            return false;
        }
        (void)snprintf(s->heard + n, sizeof(s->heard) - n, "%s", line);
    } while (message && strcmp(line, ".\r\n") != 0);
    s->lines++;
    return true;
}

static void
talk(struct mail_server *s, int fd)
{
    char c;

    for (size_t i = 0; s->replies[i] != NULL; i++) {
        const char *reply = s->replies[i];

        if (strcmp(reply, HANGS) == 0) {
            while (recv(fd, &c, 1, 0) > 0) {
            }
            s->hung++;
            return;
        }
        (void)send(fd, reply, strlen(reply), MSG_NOSIGNAL);
        if (!hear(s, fd, reply[0] == '3')) {
            return;
        }
    }
}

static void *
mail_server_main(void *arg)
{
    struct mail_server *s = arg;
    int fd;

    while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
        s->connections++;
        talk(s, fd);
        (void)close(fd);
        s->talked++;
    }
    return NULL;
}

static int
setup(void **state)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t n = sizeof(a);

    (void)state;
    memset(&server, 0, sizeof(server));
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server.fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(server.fd, (struct sockaddr *)&a, n), 0);
    assert_int_equal(listen(server.fd, 10), 0);
    assert_int_equal(getsockname(server.fd, (struct sockaddr *)&a, &n), 0);
    server.port = ntohs(a.sin_port);
    assert_int_equal(
        pthread_create(&server.thread, NULL, mail_server_main, &server), 0);
    fixture_open(&f);
    assert_int_equal(fetch_pool_prepare(), ERR_OK);
    fetch_pool_init(&f.shard);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    assert_int_equal(fetch_pool_active(&f.shard), 0);
    fetch_pool_fini(&f.shard);
    fetch_pool_forget();
    (void)shutdown(server.fd, SHUT_RDWR);
    assert_int_equal(pthread_join(server.thread, NULL), 0);
    (void)close(server.fd);
    fixture_close(&f);
    return 0;
}

static void
says(const char *const *replies)
{
    for (size_t i = 0; i < COUNT_OF(server.replies); i++) {
        server.replies[i] = replies[i];
        if (replies[i] == NULL) {
            return;
        }
    }
}

static const struct fetch_mail_request plain = {
    .host = "127.0.0.1",
    .tls = FETCH_MAIL_NONE,
    .from = "a@b.example",
    .to = "x@y.example",
    .message = {"Subject: hi\r\n\r\n.\r\n", 18},
};

static void
start(struct asker *a, const struct fetch_mail_request *request)
{
    struct fetch_mail_request r = *request;

    r.port = server.port;
    asker_init(a, &f);
    a->fetch = fetch_mail_start(&f.shard, &r, &asker_events, a);
    assert_int_equal(a->heads + a->ends, 0);
}

#define SAYS(...) says((const char *const[]){__VA_ARGS__, NULL})
#define GREETS "220 hi\r\n", "250 hi\r\n"
#define TAKES GREETS, "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "250 taken\r\n"

static void
a_message_is_said_step_by_step(void **state)
{
    struct asker a;
    const char *from;

    (void)state;
    SAYS(TAKES);
    start(&a, &plain);
    PUMP_UNTIL(&f, a.ends > 0);
    assert_int_equal(a.status, 250);
    assert_int_equal(a.why, FETCH_DONE);
    PUMP_UNTIL(&f, server.talked > 0);
    assert_memory_equal(server.heard, "EHLO ", 5);
    from = strchr(server.heard, '\n') + 1;
    assert_string_equal(from, "MAIL FROM:<a@b.example>\r\n"
                              "RCPT TO:<x@y.example>\r\n"
                              "DATA\r\nSubject: hi\r\n\r\n..\r\n.\r\nQUIT\r\n");
    buf_fini(&a.got);
}

static void
what_it_says_is_told(void **state)
{
    static const struct {
        const char *replies[8];
        int status;
        enum fetch_end why;
    } cases[] = {
        {{"554 no\r\n"}, 554, FETCH_DONE},
        {{GREETS, "550 no\r\n"}, 550, FETCH_DONE},
        {{GREETS, "250 ok\r\n", "451-a\r\n451 b\r\n"}, 451, FETCH_DONE},
        {{GREETS, "nonsense\r\n"}, 0, FETCH_FAILED},
        {{GREETS}, 0, FETCH_CUT},
        {{GREETS, "250 ok\r\n", "250 ok\r\n", "354 go\r\n"}, 0, FETCH_CUT},
        {{NULL}, 0, FETCH_CONNECT_FAILED},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct asker a;

        says(cases[i].replies);
        start(&a, &plain);
        PUMP_UNTIL(&f, a.ends > 0);
        assert_int_equal(a.status, cases[i].status);
        assert_int_equal(a.why, cases[i].why);
        buf_fini(&a.got);
    }
}

static void
every_wait_has_its_own_limit(void **state)
{
    static const struct {
        const char *replies[8];
        uint64_t connect_ms, answer_ms, total_ms;
        enum fetch_end why;
    } cases[] = {
        {{HANGS}, 60, 60000, 60000, FETCH_CONNECT_TIMEOUT},
        {{"220 hi\r\n", HANGS}, 60, 60000, 60000, FETCH_CONNECT_TIMEOUT},
        {{GREETS, HANGS}, 60000, 60, 60000, FETCH_FIRST_BYTE_TIMEOUT},
        {{GREETS, "250 ok\r\n", HANGS},
         60000,
         60,
         60000,
         FETCH_FIRST_BYTE_TIMEOUT},
        {{GREETS, "250 ok\r\n", HANGS}, 60000, 60000, 60, FETCH_TOTAL_TIMEOUT},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fetch_mail_request r = plain;
        int hung = server.hung;
        struct asker a;

        r.connect_timeout_ms = cases[i].connect_ms;
        r.answer_timeout_ms = cases[i].answer_ms;
        r.total_timeout_ms = cases[i].total_ms;
        says(cases[i].replies);
        start(&a, &r);
        PUMP_UNTIL(&f, a.ends > 0);
        assert_int_equal(a.why, cases[i].why);
        assert_int_equal(a.heads, 0);
        PUMP_UNTIL(&f, server.hung > hung); /* it was hung up on */
        buf_fini(&a.got);
    }
}

static void
cancel_at_head(struct asker *a)
{
    asker_cancel(a);
}

static void
cancelling_is_silence_at_any_moment(void **state)
{
    static const char *const moments[][8] = {
        {HANGS}, {GREETS, HANGS}, {GREETS, "250 ok\r\n", HANGS}};
    struct asker a;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(moments); i++) {
        int hung = server.hung;
        int connections = server.connections;

        says(moments[i]);
        start(&a, &plain);
        PUMP_UNTIL(&f, server.connections > connections);
        asker_cancel(&a);
        PUMP_UNTIL(&f, fetch_pool_active(&f.shard) == 0);
        PUMP_UNTIL(&f, server.hung > hung || i > 0);
        buf_fini(&a.got);
    }
    SAYS(GREETS, "550 no\r\n");
    start(&a, &plain);
    a.at_head = cancel_at_head;
    PUMP_UNTIL(&f, fetch_pool_active(&f.shard) == 0);
    assert_int_equal(a.heads, 1);
    buf_fini(&a.got);
    SAYS(HANGS);
    start(&a, &plain); /* and in the turn in which it begins */
    asker_cancel(&a);
    PUMP_UNTIL(&f, fetch_pool_active(&f.shard) == 0);
    buf_fini(&a.got);
}

static void
nobody_there_is_connect_failed(void **state)
{
    struct fetch_mail_request r = plain;
    struct asker a;

    (void)state;
    r.host = "127.0.0.2"; /* the server's port there */
    start(&a, &r);
    PUMP_UNTIL(&f, a.ends > 0);
    assert_int_equal(a.why, FETCH_CONNECT_FAILED);
    buf_fini(&a.got);
}

static void
what_runs_at_the_end_is_dropped(void **state)
{
    struct asker a;

    (void)state;
    SAYS(GREETS, HANGS);
    start(&a, &plain);
    PUMP_UNTIL(&f, server.lines == 2); /* EHLO, MAIL */
    fetch_pool_fini(&f.shard);
    fetch_pool_init(&f.shard);
    assert_int_equal(a.heads + a.ends, 0);
    buf_fini(&a.got);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_message_is_said_step_by_step),
        CASE(what_it_says_is_told),
        CASE(every_wait_has_its_own_limit),
        CASE(cancelling_is_silence_at_any_moment),
        CASE(nobody_there_is_connect_failed),
        CASE(what_runs_at_the_end_is_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
