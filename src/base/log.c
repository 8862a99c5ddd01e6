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
#define MESSAGE_BYTES 1024

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

/* --- text --------------------------------------------------------------- */

/* How many bytes belong to the character that c begins, behind c. */
static size_t
bytes_behind(unsigned char c)
{
    if (c < 0xc0 || c >= 0xf8) {
        return 0;
    }
    return c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
}

/* A scalar value that needs so many bytes (RFC 3629). */
static bool
is_scalar(uint32_t code, size_t behind)
{
    static const uint32_t bounds[] = {0, 0x80, 0x800, 0x10000, 0x110000};

    return code >= bounds[behind] && code < bounds[behind + 1] &&
           (code < 0xd800 || code >= 0xe000);
}

/* Takes the first character off s; U+FFFD for a byte that begins none. s is
 * not empty. */
static uint32_t
next_char(struct str *s)
{
    unsigned char c = (unsigned char)s->p[0];
    size_t behind = bytes_behind(c), i = 1;
    uint32_t code = behind > 0 ? c & (0x3fu >> behind) : c;

    while (i <= behind && i < s->n && ((unsigned char)s->p[i] & 0xc0) == 0x80) {
        code = code << 6 | ((unsigned char)s->p[i++] & 0x3f);
    }
    if (i <= behind || !is_scalar(code, behind)) {
        code = 0xfffd;
        i = 1;
    }
    *s = str_from_at(*s, i);
    return code;
}

static void
put_unit(struct buf *line, uint32_t unit)
{
    static const char hex[] = "0123456789abcdef";
    char code[6] = {'\\',
                    'u',
                    hex[unit >> 12 & 15],
                    hex[unit >> 8 & 15],
                    hex[unit >> 4 & 15],
                    hex[unit & 15]};

    buf_put(line, code, sizeof(code));
}

/* JSON string content of at most `most` bytes, in ASCII: neither a terminal
 * nor a line-wise reader takes anything in it for a command. A byte of s needs
 * 6 at most. */
static void
put_escaped(struct buf *line, struct str s, size_t most)
{
    s.n = s.n < most ? s.n : most;
    while (s.n > 0) {
        uint32_t c = next_char(&s);

        if (c == '"' || c == '\\') {
            buf_putc(line, '\\');
            buf_putc(line, (char)c);
        } else if (c >= 0x20 && c < 0x7f) {
            buf_putc(line, (char)c);
        } else if (c < 0x10000) {
            put_unit(line, c);
        } else {
            put_unit(line, 0xd7c0 + (c >> 10));
            put_unit(line, 0xdc00 + (c & 0x3ff));
        }
    }
}

/* --- lines -------------------------------------------------------------- */

static void
put_member(struct buf *line, const char *name, struct str value, size_t most)
{
    buf_puts(line, line->n > 0 ? ",\"" : "{\"");
    buf_puts(line, name);
    buf_puts(line, "\":\"");
    put_escaped(line, value, most);
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
            put_member(line, fields->name, fields->text, VALUE_BYTES);
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
            put_escaped(line, fields->text, VALUE_BYTES);
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
        put_member(&line, "ts", str_from(ts), VALUE_BYTES);
        put_member(&line, "level", str_from(level_words[level]), VALUE_BYTES);
        put_member(&line, "event", str_from(words[event]), VALUE_BYTES);
        put_member(&line, "msg", str_from(msg), MESSAGE_BYTES);
        put_fields_json(&line, fields);
    } else {
        buf_printf(&line, "%s %-5s %s: ", ts, level_words[level], words[event]);
        put_escaped(&line, str_from(msg), MESSAGE_BYTES);
        put_fields_text(&line, fields);
    }
    do {
        written = write(STDERR_FILENO, line.p, line.n);
    } while (written < 0 && errno == EINTR);
    (void)written; /* there is nowhere left to tell it */
}
