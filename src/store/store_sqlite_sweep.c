/* SPDX-License-Identifier: MIT */
/* When the pages are looked at for what was deleted, and for how long: see
 * store_sqlite_sweep.h. What is deleted during a sweep is another one's. */
#include "store/store_sqlite_sweep.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "store/store_sqlite_folder.h"
#include "store/store_sqlite_scrub.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* A slice is what a message may have to wait for, besides its own write; with
 * its rests a sweep takes a twentieth of the writer's time. */
#define SLICE_MS 5
#define REST_MS 100

/* After a slice that was not possible; and if that failed, each time twice as
 * long. */
#define LATER_MS 1000
#define LATER_MS_MAX 60000

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

/* -- what is told -- */

void
store_sqlite_sweep_note(bool *fails, int rc, const char *file)
{
    if (rc != SQLITE_OK) {
        metric_count(METRIC_STORE_SWEEP_ERRORS);
    }
    if (rc != SQLITE_OK && !*fails) {
        log_error(EVENT_STORE_SWEEP,
                  "What was deleted cannot be removed from a file; it is tried "
                  "again.",
                  log_cstr("file", file), log_cstr("why", sqlite3_errstr(rc)),
                  log_int("number", rc));
    } else if (rc == SQLITE_OK && *fails) {
        log_info(EVENT_STORE_SWEEP,
                 "What was deleted can be removed from the file again.",
                 log_cstr("file", file));
    }
    *fails = rc != SQLITE_OK;
}

static void
note_size(struct sqlite_link *link, bool too_large)
{
    if (too_large) {
        metric_count(METRIC_STORE_SWEEP_ERRORS);
    }
    if (too_large && !link->too_large) {
        log_warn(EVENT_STORE_SWEEP,
                 "The database is too large for what was deleted to be "
                 "overwritten in unused parts of its pages: copies may stay.",
                 log_cstr("file", STORE_SQLITE_FILE));
    }
    link->too_large = too_large;
}

/* -- slices -- */

/* Milliseconds until a slice that failed is tried again. */
static int
back_off(struct sqlite_link *link)
{
    int wait_ms = link->sweep_fails ? 2 * link->sweep_wait_ms : LATER_MS;

    store_sqlite_sweep_note(&link->sweep_fails,
                            store_sqlite_scrub_fault(link->sweep),
                            STORE_SQLITE_FILE);
    link->sweep_wait_ms = wait_ms < LATER_MS_MAX ? wait_ms : LATER_MS_MAX;
    return link->sweep_wait_ms;
}

/* Milliseconds until the next slice; -1: that was the last. */
static int
slice(struct sqlite_link *link)
{
    enum store_sqlite_scrub_state state;

    if (link->sweep == NULL) {
        link->sweep =
            store_sqlite_scrub_open(sqlite3_db_filename(link->db, NULL), 0);
        link->unswept = false;
    }
    state = store_sqlite_scrub_slice(link->sweep, SLICE_MS);
    if (state == STORE_SQLITE_SCRUB_LATER) {
        return LATER_MS;
    }
    if (state == STORE_SQLITE_SCRUB_FAILED) {
        return back_off(link);
    }
    store_sqlite_sweep_note(&link->sweep_fails, SQLITE_OK, STORE_SQLITE_FILE);
    if (state == STORE_SQLITE_SCRUB_MORE) {
        return REST_MS;
    }
    note_size(link, state == STORE_SQLITE_SCRUB_NEVER);
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
        int wait_ms = slice(link);

        if (link->sweep_fails) {
            break;
        }
        if (wait_ms == LATER_MS) {
            (void)nanosleep(&rest, NULL);
        }
    }
    if (is_due(link)) {
        store_sqlite_sweep_keep(link);
    }
    store_sqlite_scrub_close(link->sweep);
    link->sweep = NULL;
}
