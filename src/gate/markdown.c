/* SPDX-License-Identifier: MIT */
/* Export for people. Texts in one line (names, ids) are escaped instead of
 * fenced: a backslash before every ASCII punctuation character is that
 * character and nothing else (CommonMark 0.31, 2.4). */
#include "gate/markdown.h"

#include "base/clock.h"

#include <string.h>

#define FENCE_MIN 3

static bool
is_punctuation(unsigned char c)
{
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') ||
           (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

/* One line of plain text. */
static void
put_line(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];

        if (is_punctuation(c)) {
            buf_putc(out, '\\');
        }
        buf_putc(out, c < ' ' || c == 0x7f ? ' ' : (char)c);
    }
}

static size_t
longest_run(struct str text)
{
    size_t longest = 0, run = 0;

    for (size_t i = 0; i < text.n; i++) {
        run = text.p[i] == '`' ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    return longest;
}

static void
put_fence(struct buf *out, size_t n)
{
    char *p = buf_reserve(out, n);

    if (p != NULL) {
        memset(p, '`', n);
        out->n += n;
    }
}

static void
put_block(struct buf *out, struct str text)
{
    size_t fence = longest_run(text) + 1;

    fence = fence > FENCE_MIN ? fence : FENCE_MIN;
    put_fence(out, fence);
    buf_puts(out, "markdown\n");
    buf_put_str(out, text);
    if (text.n > 0 && text.p[text.n - 1] != '\n') {
        buf_putc(out, '\n');
    }
    put_fence(out, fence);
    buf_putc(out, '\n');
}

static void
put_item(struct buf *out, const char *name, struct str value)
{
    buf_puts(out, "- ");
    buf_puts(out, name);
    buf_puts(out, ": ");
    put_line(out, value);
    buf_putc(out, '\n');
}

static void
put_time(struct buf *out, const char *name, int64_t at_ms)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format(at_ms, text);
    put_item(out, name, str_from(text));
}

void
markdown_session(struct buf *out, const struct session_record *s,
                 int64_t now_ms)
{
    struct str name = str_trim(str_from(s->name));

    buf_puts(out, "# ");
    put_line(out, name.n > 0 ? name : STR("Conversation"));
    buf_puts(out, "\n\n");
    put_item(out, "Session", str_from(s->sid));
    put_item(out, "Model", str_from(s->model_id));
    put_time(out, "Started", s->start_ms);
    if (s->end_ms > 0) {
        put_time(out, "Ended", s->end_ms);
    }
    put_time(out, "Exported", now_ms);
}

static const char *
heading_of(enum sender sender)
{
    static const char *const names[] = {[SENDER_USER] = "User",
                                        [SENDER_AI] = "Assistant",
                                        [SENDER_ADMIN] = "Operator",
                                        [SENDER_SYSTEM] = "System"};

    return names[sender];
}

void
markdown_message(struct buf *out, const struct message_record *m)
{
    char at[CLOCK_TEXT_SIZE];

    clock_format(m->at_ms, at);
    buf_puts(out, "\n## ");
    buf_puts(out, heading_of(m->sender));
    buf_puts(out, ", ");
    buf_puts(out, at);
    if (m->status != STATUS_COMPLETE) {
        buf_puts(out, ", ");
        buf_puts(out, status_word(m->status));
    }
    if (m->superseded) {
        buf_puts(out, ", replaced by a later answer");
    }
    buf_puts(out, "\n\n");
    if (m->file_id != NULL) {
        put_item(out, "File", str_from(m->file_id));
        buf_putc(out, '\n');
    }
    if (m->unreadable) {
        put_line(out, STR(RECORD_UNREADABLE));
        buf_putc(out, '\n');
    } else {
        put_block(out, (struct str){m->content, m->content_n});
    }
}
