/* SPDX-License-Identifier: MIT */
/* When the pages are looked at for what was deleted, and for how long: see
 * store_sqlite_sweep.h. What is deleted during a sweep is another one's. */
#include "store/store_sqlite_sweep.h"

#include "base/clock.h"
#include "store/store_sqlite_scrub.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* A slice is what a message may have to wait for, besides its own write; with
 * its rests a sweep takes a twentieth of the writer's time. */
#define SLICE_MS 5
#define REST_MS 100

/* After a slice that was not possible. */
#define LATER_MS 1000

/* At the end: a gigabyte or more, unless it comes from a slow disk. */
#define END_MS 2000
#define END_REST_MS 5

#define PATH_BYTES 4104 /* of a log file */

bool
store_sqlite_sweep_due(const char *path)
{
    char log_path[PATH_BYTES];

    snprintf(log_path, sizeof(log_path), "%s-wal", path);
    return access(log_path, F_OK) == 0;
}

static bool
is_due(const struct sqlite_link *link)
{
    return link->sweep != NULL || link->unswept;
}

static bool
begin(struct sqlite_link *link)
{
    if (link->sweep == NULL) {
        link->sweep =
            store_sqlite_scrub_open(sqlite3_db_filename(link->db, NULL), 0);
        link->unswept = link->sweep == NULL;
    }
    return link->sweep != NULL;
}

/* Milliseconds until the next slice; -1: that was the last. */
static int
slice(struct sqlite_link *link)
{
    enum store_sqlite_scrub_state state = STORE_SQLITE_SCRUB_LATER;

    if (begin(link)) {
        state = store_sqlite_scrub_slice(link->sweep, SLICE_MS);
    }
    if (state == STORE_SQLITE_SCRUB_MORE) {
        return REST_MS;
    }
    if (state == STORE_SQLITE_SCRUB_LATER) {
        return LATER_MS;
    }
    store_sqlite_scrub_close(link->sweep);
    link->sweep = NULL;
    return link->unswept ? REST_MS : -1;
}

int
store_sqlite_sweep_tend(struct sqlite_link *link)
{
    uint64_t now_ms = clock_mono_ms();
    int wait_ms;

    if (!is_due(link)) {
        return -1;
    }
    if (now_ms < link->sweep_at_ms) {
        return (int)(link->sweep_at_ms - now_ms);
    }
    wait_ms = slice(link);
    link->sweep_at_ms = wait_ms < 0 ? 0 : clock_mono_ms() + (uint64_t)wait_ms;
    return wait_ms;
}

/* An empty log file stays behind. */
void
store_sqlite_sweep_keep(struct sqlite_link *link)
{
    int on = 1;

    if (link->db != NULL) {
        (void)sqlite3_file_control(link->db, NULL, SQLITE_FCNTL_PERSIST_WAL,
                                   &on);
    }
}

void
store_sqlite_sweep_end(struct sqlite_link *link)
{
    struct timespec rest = {.tv_nsec = END_REST_MS * 1000000};
    uint64_t begin_ms = clock_mono_ms();

    while (is_due(link) && clock_mono_ms() - begin_ms < END_MS) {
        if (slice(link) == LATER_MS) {
            (void)nanosleep(&rest, NULL);
        }
    }
    if (is_due(link)) {
        store_sqlite_sweep_keep(link);
    }
    store_sqlite_scrub_close(link->sweep);
    link->sweep = NULL;
}
