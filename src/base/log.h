/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_BASE_LOG_H
#define CHATBOX_BASE_LOG_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* One line per event on standard error: {"ts","level","event","msg", fields}.
 * Never content, tokens or keys. Any thread; a line is one write(2).
 *
 *     log_warn(EVENT_RATE_LIMITED, "too many messages",
 *              log_str("user_id", user), log_int("wait_ms", wait));
 */
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

enum log_format { LOG_JSON, LOG_TEXT };

enum event {
#define EVENT(NAME, word, meaning) EVENT_##NAME,
#include "base/event.def"
#undef EVENT
    EVENT_COUNT
};

struct log_field {
    const char *name; /* NULL ends the list */
    struct str text;  /* text.p == NULL: the number counts */
    int64_t number;
};

static inline struct log_field
log_str(const char *name, struct str value)
{
    return (struct log_field){name, value.p ? value : (struct str){"", 0}, 0};
}

static inline struct log_field
log_cstr(const char *name, const char *value)
{
    return log_str(name, str_from(value));
}

static inline struct log_field
log_int(const char *name, int64_t value)
{
    return (struct log_field){name, {NULL, 0}, value};
}

/* Process-wide; may be called at any time (reload). */
void log_set_level(enum log_level level);
void log_set_format(enum log_format format);
bool log_enabled(enum log_level level);

/* The shard number that lines of this thread carry; -1 (the default): none. */
void log_set_shard(int shard);

/* Borrows everything. Use the macros. */
void log_write(enum log_level level, enum event event, const char *msg,
               const struct log_field *fields);

#define LOG_AT(level, event, msg, ...)                                         \
    do {                                                                       \
        if (log_enabled(level)) {                                              \
            log_write(level, event, msg,                                       \
                      (struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}});    \
        }                                                                      \
    } while (0)

#define log_error(event, msg, ...)                                             \
    LOG_AT(LOG_ERROR, event, msg __VA_OPT__(, ) __VA_ARGS__)
#define log_warn(event, msg, ...)                                              \
    LOG_AT(LOG_WARN, event, msg __VA_OPT__(, ) __VA_ARGS__)
#define log_info(event, msg, ...)                                              \
    LOG_AT(LOG_INFO, event, msg __VA_OPT__(, ) __VA_ARGS__)
#define log_debug(event, msg, ...)                                             \
    LOG_AT(LOG_DEBUG, event, msg __VA_OPT__(, ) __VA_ARGS__)

#endif
