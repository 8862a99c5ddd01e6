/* SPDX-License-Identifier: MIT */
/* Linux, as it is: signalfd, affinity, limits. */
#include "app/process.h"

#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* A limit of 1 rather than 0: core(5), a core_pattern that is a pipe ignores
 * the limit, except for this value. Debuggers can still attach. */
static void
forbid_core_dumps(void)
{
    const struct rlimit limit = {1, 1};

    (void)setrlimit(RLIMIT_CORE, &limit);
}

void
process_hide(void)
{
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static void
raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

void
process_prepare(void)
{
    forbid_core_dumps();
    raise_descriptors();
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* a write that is too far fails instead */
}

int
process_signals_open(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) {
        return -1;
    }
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int
process_signal_next(int fd)
{
    struct signalfd_siginfo info;

    return read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info)
               ? (int)info.ssi_signo
               : 0;
}

unsigned
process_cores(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set) != 0) {
        return 1;
    }
    return CPU_COUNT(&set) > 0 ? (unsigned)CPU_COUNT(&set) : 1;
}
