/* SPDX-License-Identifier: MIT */
/* Waiting for a database that another process writes to. Private to the SQLite
 * backend.
 *
 * SQLite has no queue of those who wait: they ask again and again. Its own
 * handler (sqlite3_busy_timeout) asks ten times a second at last, and a server
 * that is busy writes again as soon as it has written: between two
 * transactions the database is free for some hundred microseconds, which who
 * asks so seldom may miss for a minute. So this one asks every millisecond. */
#ifndef CHATBOX_STORE_STORE_SQLITE_BUSY_H
#define CHATBOX_STORE_STORE_SQLITE_BUSY_H

#include <sqlite3.h>
#include <stdint.h>

/* Of one connection, for as long as that is open. */
struct sqlite_busy {
    int patience_ms;
    uint64_t since_ms; /* monotonic: of the first time it asked in vain */
};

/* From now on db's statements wait for another process so long, then they fail
 * with SQLITE_BUSY; 0: at once. Borrows b until db is closed. */
void store_sqlite_busy_wait(sqlite3 *db, struct sqlite_busy *b,
                            int patience_ms);

#endif
