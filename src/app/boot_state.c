/* SPDX-License-Identifier: MIT */
/* How main and the shards hear of each other without a lock. */
#include "app/boot_state.h"

#include "app/boot_reload.h"
#include "app/process.h"
#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct boot *
boot_state_of(struct shard *s)
{
    return CONTAINER_OF(s - s->index, struct boot, shards);
}

void
boot_state_tell(struct boot *b, atomic_uint *counter)
{
    atomic_fetch_add(counter, 1);
    CHECK(eventfd_write(b->wake_fd, 1) == 0);
}

/* Waits for the next signal, wake-up or end of the time. The signal, or 0. */
static int
next_signal(struct boot *b, int timeout_ms)
{
    struct pollfd fds[] = {{.fd = b->signal_fd, .events = POLLIN},
                           {.fd = b->wake_fd, .events = POLLIN}};
    eventfd_t count;

    if (poll(fds, COUNT_OF(fds), timeout_ms) < 0) {
        CHECK(errno == EINTR || errno == ENOMEM);
        return 0; /* whoever waits asks again */
    }
    if (fds[1].revents != 0) {
        (void)eventfd_read(b->wake_fd, &count);
    }
    return fds[0].revents != 0 ? process_signal_next(b->signal_fd) : 0;
}

static int
timeout_until(uint64_t deadline_ms)
{
    uint64_t now_ms = clock_mono_ms();
    uint64_t left = deadline_ms > now_ms ? deadline_ms - now_ms : 0;

    if (deadline_ms == UINT64_MAX) {
        return -1;
    }
    return left < 60000 ? (int)left : 60000;
}

void
boot_state_join(struct boot *b, atomic_uint *counter, unsigned until,
                uint64_t deadline_ms)
{
    while (atomic_load(counter) < until && clock_mono_ms() < deadline_ms) {
        struct pollfd fd = {.fd = b->wake_fd, .events = POLLIN};
        eventfd_t count;

        if (poll(&fd, 1, timeout_until(deadline_ms)) > 0) {
            (void)eventfd_read(b->wake_fd, &count);
        }
    }
}

enum boot_wait
boot_state_wait(struct boot *b, atomic_uint *counter, unsigned until,
                uint64_t deadline_ms)
{
    for (;;) {
        int signal;

        if (counter != NULL && atomic_load(counter) >= until) {
            return BOOT_WAIT_DONE;
        }
        if (clock_mono_ms() >= deadline_ms) {
            return BOOT_WAIT_DEADLINE;
        }
        signal = next_signal(b, timeout_until(deadline_ms));
        if (signal == SIGTERM || signal == SIGINT) {
            return BOOT_WAIT_SIGNAL;
        }
        if (signal == SIGHUP && !b->serving) {
            b->reload_asked = true;
        } else if (signal == SIGHUP && !atomic_load(&b->rooms.draining)) {
            boot_reload(b);
        }
    }
}
