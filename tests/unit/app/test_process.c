/* SPDX-License-Identifier: MIT */
#include "app/process.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static void
there_is_at_least_one_core(void **state)
{
    (void)state;
    assert_true(process_cores() >= 1);
}

static void
a_prepared_process_dumps_no_core(void **state)
{
    struct rlimit limit;

    (void)state;
    process_prepare();
    assert_int_equal(getrlimit(RLIMIT_CORE, &limit), 0);
    assert_int_equal(limit.rlim_max, 1);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(limit.rlim_cur, limit.rlim_max);
    assert_ptr_equal(signal(SIGPIPE, SIG_IGN), SIG_IGN);
    assert_ptr_equal(signal(SIGXFSZ, SIG_IGN), SIG_IGN);
}

static void
a_hidden_process_cannot_be_dumped(void **state)
{
    (void)state;
    assert_int_equal(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 1);
    process_hide();
    assert_int_equal(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
    assert_int_equal(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), 0);
}

static void
signals_are_read_one_at_a_time(void **state)
{
    int fd = process_signals_open();

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(process_signal_next(fd), 0);
    assert_int_equal(raise(SIGTERM), 0);
    assert_int_equal(process_signal_next(fd), SIGTERM);
    assert_int_equal(raise(SIGHUP), 0);
    assert_int_equal(process_signal_next(fd), SIGHUP);
    assert_int_equal(process_signal_next(fd), 0);
    close(fd);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_is_at_least_one_core),
        cmocka_unit_test(a_prepared_process_dumps_no_core),
        cmocka_unit_test(a_hidden_process_cannot_be_dumped),
        cmocka_unit_test(signals_are_read_one_at_a_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
