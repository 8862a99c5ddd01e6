/* SPDX-License-Identifier: MIT */
/* What /proc says of processes (proc(5)); see proc.h. */
#include "base/proc.h"

#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BOOT_FILE "/proc/sys/kernel/random/boot_id"
#define SPACE_LINK "/proc/self/ns/pid"

/* Fields of /proc/<pid>/stat behind the name, which may have anything in it:
 * the state is the first, the start the twentieth. */
#define START_FIELD 19

/* At most size-1 bytes of the beginning; 0 when it cannot be read. */
static size_t
read_begin(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);

    if (fd >= 0) {
        (void)close(fd);
    }
    out[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

/* False when the system does not tell. */
static bool
read_stat(int64_t pid, char *state, int64_t *start)
{
    char path[64], text[1024];
    struct str rest, word = {NULL, 0};
    const char *name_end;
    uint64_t ticks = 0;

    snprintf(path, sizeof(path), "/proc/%" PRId64 "/stat", pid);
    (void)read_begin(path, text, sizeof(text));
    name_end = strrchr(text, ')');
    if (name_end == NULL || strlen(name_end) < 3) {
        return false;
    }
    rest = str_from(name_end + 2);
    *state = rest.p[0];
    for (int i = 0; i <= START_FIELD; i++) {
        if (!str_split(&rest, ' ', &word)) {
            return false;
        }
    }
    if (!str_to_u64(word, INT64_MAX, &ticks)) {
        return false;
    }
    *start = (int64_t)ticks;
    return true;
}

static void
read_place(char out[static PROC_PLACE_SIZE])
{
    char boot[40], space[48];
    ssize_t n = readlink(SPACE_LINK, space, sizeof(space) - 1);
    struct str id = {boot, read_begin(BOOT_FILE, boot, sizeof(boot))};

    out[0] = '\0';
    id = str_trim(id);
    if (n > 0 && id.n > 0) {
        space[n] = '\0';
        snprintf(out, PROC_PLACE_SIZE, "%.*s %s", STR_ARG(id), space);
    }
}

void
proc_self(struct proc_id *out)
{
    char state;

    *out = (struct proc_id){.pid = getpid()};
    read_place(out->place);
    if (!read_stat(out->pid, &state, &out->start)) {
        out->start = 0;
    }
}

bool
proc_lives(const struct proc_id *p)
{
    int64_t start;
    char state;

    if (p->pid <= 0 || p->pid > INT32_MAX ||
        (kill((pid_t)p->pid, 0) != 0 && errno == ESRCH)) {
        return false;
    }
    if (!read_stat(p->pid, &state, &start)) {
        return true;
    }
    return state != 'Z' && state != 'X' && start == p->start;
}
