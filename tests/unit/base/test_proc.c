/* SPDX-License-Identifier: MIT */
#include "base/proc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void
this_process_lives(void **state)
{
    struct proc_id self, again;

    (void)state;
    proc_self(&self);
    proc_self(&again);
    assert_int_equal(self.pid, getpid());
    assert_true(self.start > 0);
    assert_true(self.place[0] != '\0');
    assert_string_equal(self.place, again.place);
    assert_int_equal(self.start, again.start);
    assert_true(proc_lives(&self));
}

static void
the_same_number_with_another_start_is_another_process(void **state)
{
    struct proc_id self;

    (void)state;
    proc_self(&self);
    self.start++;
    assert_false(proc_lives(&self));
}

/* The child tells who it is, and waits until it is killed. */
static void
tell_and_wait(int fd)
{
    struct proc_id self;

    proc_self(&self);
    if (write(fd, &self, sizeof(self)) != (ssize_t)sizeof(self)) {
        _exit(1);
    }
    for (;;) {
        pause();
    }
}

static void
a_child_lives_until_it_has_ended(void **state)
{
    struct proc_id child, self;
    siginfo_t info;
    int fds[2];
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(fds), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        tell_and_wait(fds[1]);
    }
    assert_int_equal(read(fds[0], &child, sizeof(child)), sizeof(child));
    proc_self(&self);
    assert_int_equal(child.pid, pid);
    assert_string_equal(child.place, self.place);
    assert_true(proc_lives(&child));

    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_false(proc_lives(&child)); /* nobody has asked how it ended yet */
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_false(proc_lives(&child));
    close(fds[0]);
    close(fds[1]);
}

static void
numbers_that_nobody_has_do_not_live(void **state)
{
    static const int64_t pids[] = {0, -1, INT64_MIN, (int64_t)INT32_MAX + 1,
                                   INT64_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(pids) / sizeof(pids[0]); i++) {
        assert_false(proc_lives(&(struct proc_id){.pid = pids[i]}));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(this_process_lives),
        cmocka_unit_test(the_same_number_with_another_start_is_another_process),
        cmocka_unit_test(a_child_lives_until_it_has_ended),
        cmocka_unit_test(numbers_that_nobody_has_do_not_live),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
