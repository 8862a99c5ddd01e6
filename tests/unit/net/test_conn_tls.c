/* SPDX-License-Identifier: MIT */
#include "net/conn.h"

#include "net/conn_internal.h"
#include "net/tls.h"
#include "tls_fixture.h"

static struct fixture f;
static struct pair_files files;
static struct tls *tls;

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static int
setup(void **state)
{
    char why[256];

    (void)state;
    fixture_open(&f);
    pair_make(&files, "one.example");
    assert_int_equal(tls_new(files.cert, files.key, &tls, why, sizeof(why)),
                     ERR_OK);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    fixture_close(&f);
    tls_free(tls);
    pair_remove(&files);
    return 0;
}

/* A TLS connection of u, and a client that has not begun its handshake. */
static void
open_pair(struct user *u, struct client *c, int version)
{
    int peer = fixture_pair(&f, u, SOCK_STREAM);

    assert_int_equal(conn_tls_start(u->conn, tls), ERR_OK);
    assert_true(conn_is_tls(u->conn));
    client_init(c, peer, version);
}

static void
done(struct user *u, struct client *c)
{
    fixture_drop(&f, u, -1);
    client_fini(c);
}

static void
carries_large_data_both_ways_at_once(void **state)
{
    enum { SIZE = 1 << 20, STEP = 60000 };
    char *sent = pattern(SIZE);
    char *back = xmalloc(SIZE);

    (void)state;
    for (size_t v = 0; v < COUNT_OF(versions); v++) {
        struct user u;
        struct client c;

        open_pair(&u, &c, versions[v]);
        u.echoes = true;
        assert_int_equal(client_connect(&f, &c), 1);
        for (size_t at = 0; at < SIZE; at += STEP) {
            size_t n = SIZE - at < STEP ? SIZE - at : STEP;

            client_send(&f, &c, sent + at, n);
            assert_int_equal(client_recv(&f, &c, back + at, n), n);
        }
        assert_memory_equal(back, sent, SIZE);
        done(&u, &c);
    }
    xfree(sent);
    xfree(back);
}

static void
bytes_that_tls_holds_are_shown_without_another_event(void **state)
{
    enum { SIZE = 64 * 1024 };
    char *sent = pattern(SIZE);

    (void)state;
    for (size_t v = 0; v < COUNT_OF(versions); v++) {
        struct user u;
        struct client c;

        open_pair(&u, &c, versions[v]);
        assert_int_equal(client_connect(&f, &c), 1);
        conn_pause(u.conn);
        for (size_t at = 0; at < SIZE; at += 1024) {
            client_send(&f, &c, sent + at, 1024);
        }
        pump_idle(&f);
        assert_int_equal(u.shown, 0);
        conn_resume(u.conn);
        PUMP_UNTIL(&f, u.got.n == SIZE);
        assert_memory_equal(u.got.p, sent, SIZE);
        done(&u, &c);
    }
    xfree(sent);
}

static void
pause_it(struct user *u)
{
    conn_pause(u->conn);
}

static void
pausing_after_each_record_loses_none_of_those_that_tls_holds(void **state)
{
    enum { SIZE = 16 * 500 }; /* less than one read takes */
    char *sent = pattern(SIZE);

    (void)state;
    for (size_t v = 0; v < COUNT_OF(versions); v++) {
        struct user u;
        struct client c;

        open_pair(&u, &c, versions[v]);
        assert_int_equal(client_connect(&f, &c), 1);
        u.then = pause_it;
        for (size_t at = 0; at < SIZE; at += 500) {
            client_send(&f, &c, sent + at, 500);
        }
        while (u.got.n < SIZE) {
            int before = u.shown;

            conn_resume(u.conn);
            PUMP_UNTIL(&f, u.shown > before);
        }
        assert_memory_equal(u.got.p, sent, SIZE);
        done(&u, &c);
    }
    xfree(sent);
}

static void
many_small_records_in_one_read_are_all_shown(void **state)
{
    enum { COUNT = 100 };

    (void)state;
    for (size_t v = 0; v < COUNT_OF(versions); v++) {
        struct user u;
        struct client c;

        open_pair(&u, &c, versions[v]);
        assert_int_equal(client_connect(&f, &c), 1);
        pump_idle(&f);
        for (int i = 0; i < COUNT; i++) {
            assert_int_equal(SSL_write(c.ssl, "0123456789", 10), 10);
        }
        PUMP_UNTIL(&f, u.got.n == (size_t)COUNT * 10);
        done(&u, &c);
    }
}

static void
a_slow_reader_gets_everything_while_more_is_queued(void **state)
{
    enum { SIZE = 2 << 20 };
    char *bytes = pattern(SIZE);
    char *back = xmalloc(SIZE);

    (void)state;
    for (size_t v = 0; v < COUNT_OF(versions); v++) {
        struct user u;
        struct client c;
        size_t out = 0;
        size_t in = 0;
        unsigned seed = 5;

        open_pair(&u, &c, versions[v]);
        assert_int_equal(client_connect(&f, &c), 1);
        while (in < SIZE) {
            size_t n = (size_t)rand_r(&seed) % 9000 + 1;
            size_t m = (size_t)rand_r(&seed) % 12000 + 1;
            int got;

            n = n < SIZE - out ? n : SIZE - out;
            if (conn_queued(u.conn) < 700000 && n > 0) {
                assert_int_equal(conn_write(u.conn, bytes + out, n), ERR_OK);
                out += n;
            }
            (void)uv_run(&f.shard.loop, UV_RUN_NOWAIT);
            if (out < SIZE && rand_r(&seed) % 3 != 0) {
                continue; /* so that the socket fills */
            }
            ERR_clear_error();
            got = SSL_read(c.ssl, back + in,
                           (int)(m < SIZE - in ? m : SIZE - in));
            assert_true(got > 0 || client_waits(&f, &c, got));
            in += got > 0 ? (size_t)got : 0;
        }
        assert_memory_equal(back, bytes, SIZE);
        done(&u, &c);
    }
    xfree(bytes);
    xfree(back);
}

static void
what_is_queued_before_the_handshake_leaves_after_it(void **state)
{
    (void)state;
    for (size_t v = 0; v < COUNT_OF(versions); v++) {
        struct user u;
        struct client c;
        char text[6] = {0};

        open_pair(&u, &c, versions[v]);
        assert_int_equal(conn_write(u.conn, "hello", 5), ERR_OK);
        pump_idle(&f);
        assert_int_equal(conn_queued(u.conn), 5);
        assert_int_equal(client_connect(&f, &c), 1);
        assert_int_equal(client_recv(&f, &c, text, 5), 5);
        assert_string_equal(text, "hello");
        done(&u, &c);
    }
}

static void
finishing_says_close_notify_after_the_last_byte(void **state)
{
    enum { SIZE = 800000 };
    char *bytes = pattern(SIZE);
    char *back = xmalloc(SIZE + 1);

    (void)state;
    for (size_t v = 0; v < COUNT_OF(versions); v++) {
        struct user u;
        struct client c;

        open_pair(&u, &c, versions[v]);
        assert_int_equal(client_connect(&f, &c), 1);
        assert_int_equal(conn_write(u.conn, bytes, SIZE), ERR_OK);
        conn_finish(u.conn, 60000);
        assert_int_equal(client_recv(&f, &c, back, SIZE + 1), SIZE);
        assert_memory_equal(back, bytes, SIZE);
        assert_int_equal(SSL_get_shutdown(c.ssl), SSL_RECEIVED_SHUTDOWN);
        assert_int_equal(u.closed, 0);
        (void)close(c.fd);
        c.fd = -1;
        PUMP_UNTIL(&f, u.closed);
        assert_int_equal(u.why, CONN_END_LOCAL);
        done(&u, &c);
    }
    xfree(bytes);
    xfree(back);
}

static void
the_peers_close_notify_or_fin_is_its_end_of_file(void **state)
{
    (void)state;
    for (size_t v = 0; v < COUNT_OF(versions); v++) {
        for (int polite = 0; polite < 2; polite++) {
            struct user u;
            struct client c;

            open_pair(&u, &c, versions[v]);
            assert_int_equal(client_connect(&f, &c), 1);
            client_send(&f, &c, "last", 4);
            if (polite) {
                assert_true(SSL_shutdown(c.ssl) >= 0);
            } else {
                assert_int_equal(shutdown(c.fd, SHUT_WR), 0);
            }
            PUMP_UNTIL(&f, u.eofs == 1);
            assert_true(str_is(buf_str(&u.got), "last"));
            conn_finish(u.conn, 1000);
            PUMP_UNTIL(&f, u.closed);
            assert_int_equal(u.why, CONN_END_PEER);
            done(&u, &c);
        }
    }
}

static void
what_is_not_tls_ends_the_connection(void **state)
{
    static const char *const texts[] = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                                        "\x16\x03\x01\xff\xff garbage", "\x80"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct user u;
        struct client c;

        open_pair(&u, &c, TLS1_3_VERSION);
        fixture_send(&f, c.fd, texts[i], strlen(texts[i]));
        (void)shutdown(c.fd, SHUT_WR);
        PUMP_UNTIL(&f, u.closed);
        assert_int_equal(u.why, CONN_END_ERROR);
        assert_int_equal(u.shown, 0);
        done(&u, &c);
    }
}

static void
a_handshake_has_a_time_limit(void **state)
{
    struct user u;
    struct client c;

    (void)state;
    open_pair(&u, &c, TLS1_3_VERSION);
    fixture_send(&f, c.fd, "\x16\x03\x01", 3);
    pump_idle(&f);
    assert_true(timer_armed(&u.conn->timer));
    /* Ten seconds are too long for a test: it is made to be now. */
    timer_start(&f.shard.timers, &u.conn->timer, 0);
    PUMP_UNTIL(&f, u.closed);
    assert_int_equal(u.why, CONN_END_ERROR);
    done(&u, &c);
}

static void
a_finished_handshake_has_no_time_limit_left(void **state)
{
    struct user u;
    struct client c;

    (void)state;
    open_pair(&u, &c, TLS1_3_VERSION);
    assert_int_equal(client_connect(&f, &c), 1);
    PUMP_UNTIL(&f, !u.conn->handshaking);
    assert_false(timer_armed(&u.conn->timer));
    done(&u, &c);
}

static void
refuses_versions_that_are_too_old(void **state)
{
    struct user u;
    struct client c;

    (void)state;
    open_pair(&u, &c, TLS1_1_VERSION);
    SSL_set_security_level(c.ssl, 0);
    assert_int_not_equal(client_connect(&f, &c), 1);
    PUMP_UNTIL(&f, u.closed);
    assert_int_equal(u.why, CONN_END_ERROR);
    done(&u, &c);
}

int
main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(carries_large_data_both_ways_at_once),
        CASE(bytes_that_tls_holds_are_shown_without_another_event),
        CASE(pausing_after_each_record_loses_none_of_those_that_tls_holds),
        CASE(many_small_records_in_one_read_are_all_shown),
        CASE(a_slow_reader_gets_everything_while_more_is_queued),
        CASE(what_is_queued_before_the_handshake_leaves_after_it),
        CASE(finishing_says_close_notify_after_the_last_byte),
        CASE(the_peers_close_notify_or_fin_is_its_end_of_file),
        CASE(what_is_not_tls_ends_the_connection),
        CASE(a_handshake_has_a_time_limit),
        CASE(a_finished_handshake_has_no_time_limit_left),
        CASE(refuses_versions_that_are_too_old),
    };

    (void)signal(SIGPIPE, SIG_IGN); /* the test's client writes plainly */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
