/* SPDX-License-Identifier: MIT */
#include "net/sys.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* Whatever a build makes of single calls, these hold. */

static void
open_pair(int fds[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds),
                     0);
}

static ssize_t
recv_patiently(int fd, void *into, size_t n)
{
    ssize_t got;

    do {
        got = sys_recv(fd, into, n);
    } while (got < 0 && errno == EAGAIN);
    return got;
}

static ssize_t
send_patiently(int fd, const void *from, size_t n)
{
    ssize_t sent;

    do {
        sent = sys_send(fd, from, n);
    } while (sent < 0 && errno == EAGAIN);
    return sent;
}

static void
bytes_arrive_in_order_and_none_is_lost(void **state)
{
    char sent[5000];
    char got[5000];
    size_t out = 0;
    size_t in = 0;
    int fds[2];

    (void)state;
    open_pair(fds);
    for (size_t i = 0; i < sizeof(sent); i++) {
        sent[i] = (char)(i * 7 + (i >> 8));
    }
    while (out < sizeof(sent)) {
        ssize_t n = send_patiently(fds[0], sent + out, sizeof(sent) - out);

        assert_true(n > 0);
        out += (size_t)n;
    }
    while (in < sizeof(got)) {
        ssize_t n = recv_patiently(fds[1], got + in, sizeof(got) - in);

        assert_true(n > 0);
        in += (size_t)n;
    }
    assert_memory_equal(got, sent, sizeof(sent));
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void
an_empty_socket_is_eagain_and_a_closed_one_the_end(void **state)
{
    char c;
    int fds[2];

    (void)state;
    open_pair(fds);
    assert_int_equal(sys_recv(fds[1], &c, 1), -1);
    assert_int_equal(errno, EAGAIN);
    (void)close(fds[0]);
    assert_int_equal(recv_patiently(fds[1], &c, 1), 0);
    (void)close(fds[1]);
}

static void
sending_to_a_peer_that_is_gone_is_an_error_not_a_signal(void **state)
{
    int fds[2];

    (void)state;
    open_pair(fds);
    (void)close(fds[1]);
    assert_int_equal(send_patiently(fds[0], "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    (void)close(fds[0]);
}

static void
a_silent_socket_has_neither_bytes_nor_an_end(void **state)
{
    char c = 0;
    int fds[2];

    (void)state;
    open_pair(fds);
    assert_true(sys_is_silent(fds[1]));
    assert_int_equal(send_patiently(fds[0], "x", 1), 1);
    assert_false(sys_is_silent(fds[1]));
    assert_int_equal(recv_patiently(fds[1], &c, 1), 1); /* it is still there */
    assert_int_equal(c, 'x');
    assert_true(sys_is_silent(fds[1]));
    (void)close(fds[0]);
    assert_false(sys_is_silent(fds[1]));
    (void)close(fds[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_arrive_in_order_and_none_is_lost),
        cmocka_unit_test(an_empty_socket_is_eagain_and_a_closed_one_the_end),
        cmocka_unit_test(
            sending_to_a_peer_that_is_gone_is_an_error_not_a_signal),
        cmocka_unit_test(a_silent_socket_has_neither_bytes_nor_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
