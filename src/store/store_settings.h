/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_SETTINGS_H
#define CHATBOX_STORE_STORE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct seal_ring;

/* Of MongoDB; every member set. */
struct store_mongo_settings {
    const char *uri; /* with its password */
    const char *database;
    const char *collection; /* of the sessions */
    uint64_t connect_timeout_ms;
    unsigned pool_size;
    unsigned retry_attempts;
    uint64_t retry_delay_ms;
    uint64_t retry_max_delay_ms;
};

/* Of an address with its port. */
#define STORE_ADDRESS_SIZE 64

/* Several servers on one database: one has it, the others wait for it. */
struct store_peers {
    const char *address; /* where the others reach this one */
    /* Another server has the database, reached at this address; NULL: nobody
     * is known who has it, or the database does not answer. Returns after a
     * short while: true to look again, false to wait no longer, and then
     * store_open ends with ERR_CONFLICT. On store_open's thread. */
    bool (*held)(void *cookie, const char *address);
    /* Another server has taken the database over: nothing is stored any more.
     * At most once; on a thread of the store's. */
    void (*lost)(void *cookie);
    void *cookie;
};

struct store_settings {
    const char *data_dir;                     /* SQLite */
    const struct store_mongo_settings *mongo; /* NULL: SQLite */
    const struct store_peers *peers; /* of MongoDB; NULL: alone. Borrowed */
    size_t queue_max;             /* most writes, and most reads, that wait */
    unsigned readers;             /* threads, >= 1 */
    unsigned writers;             /* threads, where the database can have more
                                   * than one; 0 means 1 */
    unsigned response_times;      /* of a session's average; 0 means 100 */
    const struct seal_ring *keys; /* borrowed until close; NULL: plain text */
};

#endif
