/* SPDX-License-Identifier: MIT */
/* The event stream parser (sse.h): between net/fetch's pieces and a provider's
 * events. A line is looked for, taken apart, and added to the event; a blank
 * line ends the event. Whatever a server sends, no more than the cap is kept:
 * the bytes of a line or event beyond it are passed over. */
#include "codec/sse.h"

#include <endian.h>
#include <string.h>

#define ONES UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

void
sse_init(struct sse *s, size_t max_event_bytes)
{
    *s = (struct sse){0};
    buf_init(&s->line, max_event_bytes);
    buf_init(&s->data, max_event_bytes);
    buf_init(&s->name, max_event_bytes);
    buf_init(&s->id, max_event_bytes);
}

void
sse_fini(struct sse *s)
{
    buf_fini(&s->line);
    buf_fini(&s->data);
    buf_fini(&s->name);
    buf_fini(&s->id);
}

static uint64_t
bytes_equal(uint64_t word, char c)
{
    uint64_t x = word ^ (ONES * (unsigned char)c);

    return (x - ONES) & ~x & HIGHS;
}

/* Index of the first CR or LF, or n. One pass for both, so that a stream of
 * CRs alone costs no more than another. */
static size_t
line_length(const char *p, size_t n)
{
    size_t i = 0;

    for (; n - i >= 8; i += 8) {
        uint64_t word, ends;

        memcpy(&word, p + i, 8);
        word = le64toh(word);
        ends = bytes_equal(word, '\n') | bytes_equal(word, '\r');
        if (ends != 0) {
            return i + (size_t)__builtin_ctzll(ends) / 8;
        }
    }
    while (i < n && p[i] != '\n' && p[i] != '\r') {
        i++;
    }
    return i;
}

/* The event is over: nothing of it is left but the id. */
static void
clear_event(struct sse *s)
{
    buf_reset(&s->data, s->data.cap);
    buf_reset(&s->name, s->name.cap);
    s->whole = (struct str){NULL, 0};
    s->has_data = s->overflow = false;
}

/* A single line that was borrowed has to outlive its piece, or gets company. */
static void
settle(struct sse *s)
{
    if (s->whole.p != NULL) {
        buf_put_str(&s->data, s->whole);
        s->whole = (struct str){NULL, 0};
    }
}

static void
add_data(struct sse *s, struct str value, bool borrowable)
{
    if (!s->has_data && borrowable && value.n <= s->data.max) {
        s->whole = value;
    } else {
        settle(s);
        if (s->has_data) {
            buf_putc(&s->data, '\n');
        }
        buf_put_str(&s->data, value);
        s->overflow |= s->data.failed;
    }
    s->has_data = true;
}

static void
set(struct sse *s, struct buf *field, struct str value)
{
    buf_reset(field, field->cap);
    buf_put_str(field, value);
    s->overflow |= field->failed;
}

/* One line that is not blank. borrowable: it lies in the current piece. Other
 * fields than these three mean nothing to us. */
static void
take_line(struct sse *s, struct str line, bool borrowable)
{
    struct str name, value = line;

    str_split(&value, ':', &name);
    if (value.n > 0 && value.p[0] == ' ') {
        value = str_from_at(value, 1);
    }
    if (str_eq(name, STR("data"))) {
        add_data(s, value.p != NULL ? value : str_from_at(line, line.n),
                 borrowable);
    } else if (str_eq(name, STR("event"))) {
        set(s, &s->name, value);
    } else if (str_eq(name, STR("id")) &&
               (value.n == 0 || memchr(value.p, '\0', value.n) == NULL)) {
        set(s, &s->id, value);
    }
}

/* Blank line: SSE_MORE when there is nothing to give. */
static enum sse_result
end_event(struct sse *s, struct sse_event *event)
{
    s->given = true;
    if (s->overflow) {
        return SSE_DROPPED;
    }
    if (!s->has_data) {
        return SSE_MORE;
    }
    event->name = buf_str(&s->name);
    event->id = buf_str(&s->id);
    event->data = s->whole.p != NULL ? s->whole : buf_str(&s->data);
    return SSE_EVENT;
}

static struct str
without_bom(struct sse *s, struct str line)
{
    bool first = !s->begun;

    s->begun = true;
    return first && str_starts(line, STR("\xEF\xBB\xBF")) ? str_from_at(line, 3)
                                                          : line;
}

/* Comments may be of any length; the first line may begin with a BOM, so it
 * is not looked at before it is whole. */
static bool
is_comment(const struct sse *s, struct str begin)
{
    return s->begun && begin.n > 0 && begin.p[0] == ':';
}

/* A whole line has come; its end in the piece is already gone. */
static enum sse_result
end_line(struct sse *s, struct str tail, struct sse_event *event)
{
    bool kept = s->line.n > 0, skipped = s->in_skip, too_long = false;
    struct str line = tail;
    enum sse_result result = SSE_MORE;

    s->in_skip = false;
    if (!skipped && kept) {
        buf_put_str(&s->line, tail);
        too_long = s->line.failed;
        line = buf_str(&s->line);
    } else if (!skipped) {
        too_long = tail.n > s->line.max && !is_comment(s, tail);
    }
    s->overflow |= too_long;
    if (!skipped && !too_long) {
        line = without_bom(s, line);
        if (line.n == 0) {
            result = end_event(s, event);
        } else {
            take_line(s, line, !kept);
        }
    }
    buf_reset(&s->line, s->line.cap);
    return result;
}

/* The piece ends inside a line. */
static void
keep(struct sse *s, struct str part)
{
    bool comment = s->line.n == 0 && is_comment(s, part);

    if (s->in_skip || part.n == 0) {
        return;
    }
    if (!comment) {
        buf_put_str(&s->line, part);
        s->overflow |= s->line.failed;
    }
    s->in_skip = comment || s->line.failed;
}

static void
begin_call(struct sse *s)
{
    if (s->given) {
        clear_event(s);
        s->given = false;
    }
}

/* Takes the next line off, or what there is of it. */
static struct str
next_line(struct sse *s, struct str *bytes, bool *ended)
{
    size_t n = line_length(bytes->p, bytes->n);
    struct str line = {bytes->p, n};

    *ended = n < bytes->n;
    if (*ended) {
        s->after_cr = bytes->p[n] == '\r';
        n++;
    }
    *bytes = str_from_at(*bytes, n);
    return line;
}

enum sse_result
sse_feed(struct sse *s, struct str *bytes, struct sse_event *event)
{
    enum sse_result result = SSE_MORE;

    begin_call(s);
    while (bytes->n > 0 && result == SSE_MORE) {
        struct str line;
        bool ended;

        if (s->after_cr && bytes->p[0] == '\n') {
            *bytes = str_from_at(*bytes, 1);
            s->after_cr = false;
            continue;
        }
        s->after_cr = false;
        line = next_line(s, bytes, &ended);
        if (!ended) {
            keep(s, line);
            break;
        }
        result = end_line(s, line, event);
        if (result == SSE_MORE) {
            begin_call(s);
        }
    }
    if (result == SSE_MORE) {
        settle(s);
    }
    return result;
}

enum sse_result
sse_end(struct sse *s, struct sse_event *event)
{
    begin_call(s);
    if (s->line.n > 0 || s->in_skip) {
        clear_event(s);
        return SSE_MORE;
    }
    return end_event(s, event);
}
