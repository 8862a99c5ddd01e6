/* SPDX-License-Identifier: MIT */
/* The logger: builds a line in a buffer on the stack and writes it at once.
 * A value that is too long for a line is cut, never the line's end. Its level
 * and format are the only mutable globals of the program. */
#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define LINE_BYTES 4096
#define VALUE_BYTES 512

static atomic_int current_level = LOG_INFO;
static atomic_int current_format = LOG_JSON;
static _Thread_local int current_shard = -1;

static const char *const words[EVENT_COUNT] = {
#define EVENT(NAME, word, meaning) word,
#include "base/event.def"
#undef EVENT
};

static const char *const level_words[] = {"error", "warn", "info", "debug"};

void
log_set_level(enum log_level level)
{
    atomic_store_explicit(&current_level, (int)level, memory_order_relaxed);
}

void
log_set_format(enum log_format format)
{
    atomic_store_explicit(&current_format, (int)format, memory_order_relaxed);
}

bool
log_enabled(enum log_level level)
{
    return (int)level <=
           atomic_load_explicit(&current_level, memory_order_relaxed);
}

void
log_set_shard(int shard)
{
    current_shard = shard;
}

/* JSON string content; bytes outside ASCII go through when they are printable
 * UTF-8 lead or continuation bytes, control characters as \u00xx. */
static void
put_escaped(struct buf *line, struct str s)
{
    static const char hex[] = "0123456789abcdef";

    s.n = s.n < VALUE_BYTES ? s.n : VALUE_BYTES;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c == '"' || c == '\\') {
            buf_putc(line, '\\');
            buf_putc(line, (char)c);
        } else if (c < 0x20 || c >= 0x7f) {
            char code[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};

            buf_put(line, code, sizeof(code));
        } else {
            buf_putc(line, (char)c);
        }
    }
}

static void
put_member(struct buf *line, const char *name, struct str value)
{
    buf_puts(line, line->n > 0 ? ",\"" : "{\"");
    buf_puts(line, name);
    buf_puts(line, "\":\"");
    put_escaped(line, value);
    buf_putc(line, '"');
}

static void
put_number(struct buf *line, const char *name, int64_t value)
{
    buf_puts(line, line->n > 0 ? ",\"" : "{\"");
    buf_puts(line, name);
    buf_puts(line, "\":");
    buf_put_i64(line, value);
}

static void
put_fields_json(struct buf *line, const struct log_field *fields)
{
    if (current_shard >= 0) {
        put_number(line, "shard", current_shard);
    }
    for (; fields->name != NULL; fields++) {
        if (line->n > LINE_BYTES - VALUE_BYTES * 6 - 64 &&
            fields->text.p != NULL) {
            continue;
        }
        if (fields->text.p != NULL) {
            put_member(line, fields->name, fields->text);
        } else {
            put_number(line, fields->name, fields->number);
        }
    }
    buf_puts(line, "}\n");
}

static void
put_fields_text(struct buf *line, const struct log_field *fields)
{
    for (; fields->name != NULL; fields++) {
        buf_putc(line, ' ');
        buf_puts(line, fields->name);
        buf_putc(line, '=');
        if (fields->text.p != NULL) {
            put_escaped(line, fields->text);
        } else {
            buf_put_i64(line, fields->number);
        }
    }
    buf_putc(line, '\n');
}

void
log_write(enum log_level level, enum event event, const char *msg,
          const struct log_field *fields)
{
    char ts[CLOCK_TEXT_SIZE];
    char room[2 * LINE_BYTES];
    struct buf line = {.p = room, .cap = sizeof(room), .max = sizeof(room)};
    ssize_t written;

    clock_format(clock_wall_ms(), ts);
    if (atomic_load_explicit(&current_format, memory_order_relaxed) ==
        LOG_JSON) {
        put_member(&line, "ts", str_from(ts));
        put_member(&line, "level", str_from(level_words[level]));
        put_member(&line, "event", str_from(words[event]));
        put_member(&line, "msg", str_from(msg));
        put_fields_json(&line, fields);
    } else {
        buf_printf(&line, "%s %-5s %s: ", ts, level_words[level], words[event]);
        put_escaped(&line, str_from(msg));
        put_fields_text(&line, fields);
    }
    do {
        written = write(STDERR_FILENO, line.p, line.n);
    } while (written < 0 && errno == EINTR);
    (void)written; /* there is nowhere left to tell it */
}
