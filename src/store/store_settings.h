/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_SETTINGS_H
#define CHATBOX_STORE_STORE_SETTINGS_H

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

struct store_settings {
    const char *data_dir;                     /* SQLite */
    const struct store_mongo_settings *mongo; /* NULL: SQLite */
    size_t queue_max;             /* most writes, and most reads, that wait */
    unsigned readers;             /* threads, >= 1 */
    unsigned writers;             /* threads, where the database can have more
                                   * than one; 0 means 1 */
    unsigned response_times;      /* of a session's average; 0 means 100 */
    const struct seal_ring *keys; /* borrowed until close; NULL: plain text */
};

#endif
