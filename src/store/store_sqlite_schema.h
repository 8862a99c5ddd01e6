/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_SQLITE_SCHEMA_H
#define CHATBOX_STORE_STORE_SQLITE_SCHEMA_H

#include "base/err.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Tables, indexes, and how an older database becomes a current one. */

/* "chat" in ASCII: marks our files for file(1) and against mistakes. */
#define STORE_SQLITE_APPLICATION_ID 0x63686174

/* Step i leads from schema version i to i + 1; never changed once released,
 * only added to. */
extern const char *const store_sqlite_schema_steps[];
extern const int store_sqlite_schema_version; /* of this program */

/* A connection's pragmas. An SQLite result code. */
int store_sqlite_schema_configure(sqlite3 *db, bool writer) MUST_CHECK;

/* Puts the file into WAL mode and brings it to this program's version, each
 * step in a transaction of its own. A file of a newer version, or of another
 * program, is refused with one sentence. path is for that sentence. */
enum err store_sqlite_schema_migrate(sqlite3 *db, const char *path, char *why,
                                     size_t why_size) MUST_CHECK;

/* The same with any steps; for tests. */
enum err store_sqlite_schema_migrate_by(sqlite3 *db, const char *const *steps,
                                        int version, char *why,
                                        size_t why_size) MUST_CHECK;

/* The database's version; -1 when that cannot be read. */
int64_t store_sqlite_schema_version_of(sqlite3 *db);

/* Whether that is this program's. */
bool store_sqlite_schema_is_current(sqlite3 *db);

/* A small durable write that changes nothing. An SQLite result code. */
int store_sqlite_schema_touch(sqlite3 *db) MUST_CHECK;

#endif
