/* SPDX-License-Identifier: MIT */
#include "store/store_sqlite_busy.h"

#include "base/check.h"
#include "base/clock.h"

#include <time.h>

#define ASK_NS 1000000

/* Runs on the thread that waits; 0 gives up. */
static int
on_busy(void *arg, int asked)
{
    struct timespec rest = {.tv_nsec = ASK_NS};
    struct sqlite_busy *b = arg;
    uint64_t now_ms = clock_mono_ms();

    b->since_ms = asked == 0 ? now_ms : b->since_ms;
    if (now_ms - b->since_ms >= (uint64_t)b->patience_ms) {
        return 0;
    }
    (void)nanosleep(&rest, NULL);
    return 1;
}

void
store_sqlite_busy_wait(sqlite3 *db, struct sqlite_busy *b, int patience_ms)
{
    b->patience_ms = patience_ms;
    CHECK(sqlite3_busy_handler(db, on_busy, b) == SQLITE_OK);
}
