/* SPDX-License-Identifier: MIT */
#include "codec/mime.h"

#include "codec/base64.h"
#include "codec/utf8.h"

#include <string.h>
#include <time.h>

#define REPLACEMENT "\xef\xbf\xbd"

/* Of text that an encoded word holds: "=?UTF-8?B?" and "?=" leave 63 of the 75
 * that RFC 2047 allows, and four characters carry three bytes. */
#define WORD_BYTES 45

/* --- texts -------------------------------------------------------------- */

/* How many bytes the valid character at the front of text has; 0: none. */
static size_t
character(struct str text)
{
    for (size_t n = 1; n <= 4 && n <= text.n; n++) {
        if (utf8_valid((struct str){text.p, n})) {
            return n;
        }
    }
    return 0;
}

/* The next character of *rest, with a replacement for a byte that is none. */
static struct str
next(struct str *rest)
{
    size_t n = character(*rest);
    struct str c = n > 0 ? (struct str){rest->p, n} : STR(REPLACEMENT);

    *rest = str_from_at(*rest, n > 0 ? n : 1);
    return c;
}

static bool
is_control(struct str c)
{
    return c.n == 1 && ((unsigned char)c.p[0] < ' ' || c.p[0] == 0x7f);
}

/* --- headers ------------------------------------------------------------ */

void
mime_put_line(struct buf *out, struct str text)
{
    while (text.n > 0) {
        struct str c = next(&text);

        buf_put_str(out, is_control(c) ? STR(" ") : c);
    }
}

/* It may stand in a header as it is: printable, short, and nothing that a
 * reader takes for an encoded word. */
static bool
is_plain(struct str text, size_t room)
{
    for (size_t i = 0; i < text.n; i++) {
        if ((unsigned char)text.p[i] < ' ' || (unsigned char)text.p[i] > '~') {
            return false;
        }
    }
    return text.n <= room && !str_contains_nocase(text, STR("=?")) &&
           str_trim(text).n == text.n;
}

static void
put_word(struct buf *out, struct str text)
{
    char encoded[BASE64_SIZE(WORD_BYTES)];
    size_t n = base64_encode(text, encoded);

    buf_puts(out, "=?UTF-8?B?");
    buf_put(out, encoded, n);
    buf_puts(out, "?=");
}

/* Each on a line of its own: a reader joins them without the space. */
static void
put_words(struct buf *out, struct str text)
{
    while (text.n > 0) {
        struct str part = utf8_cut(text, WORD_BYTES);

        buf_puts(out, "\r\n ");
        put_word(out, part);
        text = str_from_at(text, part.n);
    }
}

void
mime_put_header(struct buf *out, const char *name, struct str text)
{
    struct buf clean;

    buf_init(&clean, SIZE_MAX / 2);
    mime_put_line(&clean, text);
    buf_puts(out, name);
    buf_putc(out, ':');
    if (is_plain(buf_str(&clean), MIME_LINE_MAX - strlen(name) - 2)) {
        buf_putc(out, ' ');
        buf_put_str(out, buf_str(&clean));
    } else {
        put_words(out, buf_str(&clean));
    }
    buf_puts(out, "\r\n");
    buf_fini(&clean);
}

void
mime_put_date(struct buf *out, int64_t wall_ms)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm t = {.tm_mday = 1};

    (void)gmtime_r(&seconds, &t);
    buf_printf(out, "Date: %.3s, %02d %.3s %04d %02d:%02d:%02d +0000\r\n",
               days + (size_t)t.tm_wday * 3, t.tm_mday,
               months + (size_t)t.tm_mon * 3, t.tm_year + 1900, t.tm_hour,
               t.tm_min, t.tm_sec);
}

/* --- quoted-printable (RFC 2045 6.7) ------------------------------------ */

struct quoted {
    struct buf *out;
    size_t column;
};

static void
put_piece(struct quoted *q, const char *piece, size_t n)
{
    if (q->column + n > MIME_LINE_MAX - 1) { /* room for the soft break's = */
        buf_puts(q->out, "=\r\n");
        q->column = 0;
    }
    buf_put(q->out, piece, n);
    q->column += n;
}

static void
put_byte(struct quoted *q, unsigned char byte, bool as_it_is)
{
    static const char hex[] = "0123456789ABCDEF";
    char piece[] = {'=', hex[byte >> 4], hex[byte & 15]};

    if (as_it_is) {
        piece[0] = (char)byte;
    }
    put_piece(q, piece, as_it_is ? 1 : sizeof(piece));
}

/* A line without its end. A space at the end would be lost on the way. */
static void
put_line(struct buf *out, struct str line)
{
    struct quoted q = {.out = out};

    while (line.n > 0) {
        struct str c = next(&line);

        for (size_t i = 0; i < c.n; i++) {
            unsigned char byte = (unsigned char)c.p[i];
            bool space = byte == ' ' || byte == '\t';

            put_byte(&q, byte,
                     (byte > ' ' && byte <= '~' && byte != '=') ||
                         (space && line.n > 0));
        }
    }
    buf_puts(out, "\r\n");
}

void
mime_put_quoted(struct buf *out, struct str text)
{
    struct str line;

    if (str_ends(text, STR("\n"))) {
        text.n--;
    }
    while (str_split(&text, '\n', &line)) {
        if (text.p != NULL && str_ends(line, STR("\r"))) {
            line.n--;
        }
        put_line(out, line);
    }
}

/* --- HTML --------------------------------------------------------------- */

static struct str
entity(struct str c)
{
    switch (c.p[0]) {
    case '&':
        return STR("&amp;");
    case '<':
        return STR("&lt;");
    case '>':
        return STR("&gt;");
    case '"':
        return STR("&quot;");
    case '\'':
        return STR("&#39;");
    default:
        return is_control(c) && c.p[0] != '\n' ? STR(" ") : c;
    }
}

void
mime_put_html(struct buf *out, struct str text)
{
    while (text.n > 0) {
        buf_put_str(out, entity(next(&text)));
    }
}
