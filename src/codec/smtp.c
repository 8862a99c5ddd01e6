/* SPDX-License-Identifier: MIT */
#include "codec/smtp.h"

#include <string.h>

/* --- commands ----------------------------------------------------------- */

static void
put_path(struct buf *out, const char *command, struct str address)
{
    buf_puts(out, command);
    buf_put_str(out, address);
    buf_puts(out, ">\r\n");
}

/* A line that begins with a dot gets a second one, so that a lone dot is the
 * end (RFC 5321 4.5.2). */
static void
put_message(struct buf *out, struct str message)
{
    struct str rest = message;

    while (rest.n > 0) {
        const char *end = memchr(rest.p, '\n', rest.n);
        size_t n = end != NULL ? (size_t)(end - rest.p) + 1 : rest.n;

        if (rest.p[0] == '.') {
            buf_putc(out, '.');
        }
        buf_put(out, rest.p, n);
        rest = str_from_at(rest, n);
    }
    if (!str_ends(message, STR("\r\n"))) {
        buf_puts(out, "\r\n");
    }
    buf_puts(out, ".\r\n");
}

/* What each step expects, and says when it came. */
static enum err
go_on(struct smtp *s, struct buf *out)
{
    switch (s->step) {
    case SMTP_MAIL:
        put_path(out, "RCPT TO:<", s->mail->to);
        break;
    case SMTP_RCPT:
        buf_puts(out, "DATA\r\n");
        break;
    case SMTP_DATA:
        put_message(out, s->mail->message);
        break;
    case SMTP_MESSAGE:
        buf_puts(out, "QUIT\r\n");
        return ERR_OK;
    }
    s->step++;
    return ERR_AGAIN;
}

static enum err
on_reply(struct smtp *s, struct buf *out)
{
    int wanted = s->step == SMTP_DATA ? 3 : 2;

    s->status = s->code;
    if (s->status / 100 == wanted) {
        return go_on(s, out);
    }
    if (s->status / 100 < 4) {
        return ERR_INVALID_FORMAT; /* agrees to what was not asked */
    }
    buf_puts(out, "QUIT\r\n");
    return ERR_OK;
}

void
smtp_begin(struct smtp *s, const struct smtp_mail *mail, struct buf *out)
{
    *s = (struct smtp){.mail = mail, .step = SMTP_MAIL};
    put_path(out, "MAIL FROM:<", mail->from);
}

/* --- replies ------------------------------------------------------------ */

/* The first four bytes: three digits, then what says whether more lines
 * follow (RFC 5321 4.2). */
static bool
take_code(struct smtp *s, char c)
{
    if (s->line_bytes == 3) {
        s->more = c == '-';
        return c == '-' || c == ' ' || c == '\r';
    }
    s->code = s->line_bytes == 0 ? 0 : s->code * 10;
    s->code += c - '0';
    return c >= (s->line_bytes == 0 ? '2' : '0') &&
           c <= (s->line_bytes == 0 ? '5' : '9');
}

static enum err
end_line(struct smtp *s, struct buf *out)
{
    bool whole = s->line_bytes >= 3;
    bool last = s->line_bytes == 3 || !s->more;

    s->line_bytes = 0;
    if (!whole) {
        return ERR_INVALID_FORMAT;
    }
    if (!last) {
        return ERR_AGAIN;
    }
    s->reply_bytes = 0;
    return on_reply(s, out);
}

static enum err
take(struct smtp *s, char c, struct buf *out)
{
    if (++s->reply_bytes > SMTP_REPLY_MAX) {
        return ERR_INVALID_FORMAT;
    }
    if (c == '\n') {
        return end_line(s, out);
    }
    if (s->line_bytes < 4 && !take_code(s, c)) {
        return ERR_INVALID_FORMAT;
    }
    s->line_bytes++;
    return ERR_AGAIN;
}

enum err
smtp_feed(struct smtp *s, struct str in, struct buf *out)
{
    enum err e = ERR_AGAIN;

    for (size_t i = 0; i < in.n && e == ERR_AGAIN; i++) {
        e = take(s, in.p[i], out);
    }
    return e;
}
