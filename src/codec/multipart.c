/* SPDX-License-Identifier: MIT */
/* Forms with files. A delimiter begins with CR, and no other byte of it is
 * one: where it does not go on, nothing but a CR at that very place can begin
 * another, so the bytes that were held back are given as they stand in
 * m->delimiter. */
#include "codec/multipart.h"

#include "codec/http1_chars.h"

#include <string.h>

enum state {
    S_BAD,
    S_PREAMBLE, /* before the first delimiter */
    S_DATA,
    S_TAIL,     /* behind a delimiter */
    S_TAIL_PAD, /* white space behind it */
    S_TAIL_LF,
    S_CLOSE, /* behind a delimiter and "-" */
    S_HEADERS,
    S_EPILOGUE
};

/* --- parameters --------------------------------------------------------- */

/* A quoted string at the front of *rest (behind its first quote), unescaped in
 * place. */
static bool
take_quoted(char *p, size_t n, size_t *used, struct str *out)
{
    size_t at = 0, put = 0;

    while (at < n && p[at] != '"') {
        at += p[at] == '\\' && at + 1 < n;
        if (!http1_chars_is(p[at], HTTP1_CHARS_VALUE)) {
            return false;
        }
        p[put++] = p[at++];
    }
    *out = (struct str){p, put};
    *used = at + 1;
    return at < n;
}

static size_t
blanks(const char *p, size_t n)
{
    size_t at = 0;

    while (at < n && (p[at] == ' ' || p[at] == '\t')) {
        at++;
    }
    return at;
}

/* What is left of a header's value; the bytes are the parser's own. */
struct rest {
    char *p;
    size_t n;
};

static void
skip(struct rest *r, size_t n)
{
    r->p += n;
    r->n -= n;
}

static bool
take_value(struct rest *r, struct str *out)
{
    size_t used;

    if (r->n > 0 && r->p[0] == '"') {
        skip(r, 1);
        if (!take_quoted(r->p, r->n, &used, out)) {
            return false;
        }
        skip(r, used);
        return true;
    }
    *out = (struct str){
        r->p, http1_chars_run((struct str){r->p, r->n}, HTTP1_CHARS_TOKEN)};
    skip(r, out->n);
    return out->n > 0;
}

/* `; name=value` at the front; false: it is something else. */
static bool
take_parameter(struct rest *r, struct str *name, struct str *value)
{
    skip(r, blanks(r->p, r->n));
    if (r->n == 0 || r->p[0] != ';') {
        return false;
    }
    skip(r, 1);
    skip(r, blanks(r->p, r->n));
    *name = (struct str){
        r->p, http1_chars_run((struct str){r->p, r->n}, HTTP1_CHARS_TOKEN)};
    skip(r, name->n);
    if (name->n == 0 || r->n == 0 || r->p[0] != '=') {
        return false;
    }
    skip(r, 1);
    return take_value(r, value);
}

struct wanted {
    const char *name;
    struct str *out; /* p == NULL until it is found */
};

static bool
note(const struct wanted *wanted, struct str name, struct str value)
{
    for (; wanted->name != NULL; wanted++) {
        if (str_is_nocase(name, wanted->name)) {
            if (wanted->out->p != NULL) {
                return false; /* which of them would others take? */
            }
            *wanted->out = value;
        }
    }
    return true;
}

/* All parameters of a value, behind its first word. */
static bool
read_parameters(struct rest r, const struct wanted *wanted)
{
    struct str name, value;

    while (blanks(r.p, r.n) < r.n) {
        if (!take_parameter(&r, &name, &value) || !note(wanted, name, value)) {
            return false;
        }
    }
    return true;
}

/* --- the boundary ------------------------------------------------------- */

/* bchars of RFC 2046; a space, but not as the last one. */
static bool
is_boundary(struct str s)
{
    static const char marks[] = "'()+_,-./:=? ";

    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        if (!letter && !(c >= '0' && c <= '9') &&
            memchr(marks, c, sizeof(marks) - 1) == NULL) {
            return false;
        }
    }
    return s.n > 0 && s.n <= MULTIPART_BOUNDARY_MAX && s.p[s.n - 1] != ' ';
}

static enum err
find_boundary(struct buf *type, struct str *out)
{
    static const struct str wanted_type = STR("multipart/form-data");
    struct wanted wanted[] = {{"boundary", out}, {NULL, NULL}};
    struct str all = buf_str(type);

    *out = (struct str){NULL, 0};
    if (all.n < wanted_type.n ||
        !str_eq_nocase((struct str){all.p, wanted_type.n}, wanted_type) ||
        (all.n > wanted_type.n && all.p[wanted_type.n] != ';' &&
         blanks(all.p + wanted_type.n, 1) == 0)) {
        return ERR_UNSUPPORTED_MEDIA_TYPE;
    }
    return read_parameters(
               (struct rest){type->p + wanted_type.n, all.n - wanted_type.n},
               wanted) &&
                   is_boundary(*out)
               ? ERR_OK
               : ERR_BAD_REQUEST;
}

enum err
multipart_init(struct multipart *m, struct str content_type)
{
    struct str boundary;
    struct buf type;
    enum err e;

    *m = (struct multipart){.state = S_PREAMBLE, .matched = 2};
    buf_init(&m->headers, MULTIPART_HEADERS_MAX);
    buf_init(&type, MULTIPART_HEADERS_MAX);
    buf_put_str(&type, str_trim(content_type));
    e = find_boundary(&type, &boundary);
    if (e == ERR_OK) {
        memcpy(m->delimiter, "\r\n--", 4);
        memcpy(m->delimiter + 4, boundary.p, boundary.n);
        m->delimiter_n = (uint8_t)(4 + boundary.n);
    } else {
        m->state = S_BAD;
    }
    buf_fini(&type);
    return e;
}

void
multipart_fini(struct multipart *m)
{
    buf_fini(&m->headers);
}

bool
multipart_complete(const struct multipart *m)
{
    return m->state == S_EPILOGUE;
}

/* --- a part's header ---------------------------------------------------- */

static bool
read_disposition(struct multipart *m, struct rest value)
{
    static const struct str form = STR("form-data");
    struct wanted wanted[] = {
        {"name", &m->part.name}, {"filename", &m->part.filename}, {NULL, NULL}};

    if (m->part.name.p != NULL || value.n < form.n ||
        !str_eq_nocase((struct str){value.p, form.n}, form)) {
        return false;
    }
    skip(&value, form.n);
    return read_parameters(value, wanted) && m->part.name.p != NULL;
}

/* One line without its end. */
static bool
read_line(struct multipart *m, char *p, size_t n)
{
    size_t name_n = http1_chars_run((struct str){p, n}, HTTP1_CHARS_TOKEN);
    struct str name = {p, name_n};
    struct str value;

    if (name_n == 0 || name_n >= n || p[name_n] != ':') {
        return false;
    }
    value = str_trim((struct str){p + name_n + 1, n - name_n - 1});
    if (http1_chars_run(value, HTTP1_CHARS_VALUE) != value.n) {
        return false;
    }
    if (str_is_nocase(name, "Content-Type")) {
        m->part.type = value;
    }
    return !str_is_nocase(name, "Content-Disposition") ||
           read_disposition(
               m, (struct rest){p + (value.p - (const char *)p), value.n});
}

/* The lines are complete; the last one is empty. */
static bool
read_headers(struct multipart *m)
{
    char *p = m->headers.p;
    char *end = p + m->headers.n - 2;

    m->part = (struct multipart_part){.type = {NULL, 0}};
    while (p < end) {
        char *cr = memmem(p, (size_t)(end - p), "\r\n", 2);

        if (cr == NULL || !read_line(m, p, (size_t)(cr - p))) {
            return false;
        }
        p = cr + 2;
    }
    return m->part.name.p != NULL;
}

static bool
headers_end(const struct buf *b)
{
    struct str s = buf_str(b);

    return str_eq(s, STR("\r\n")) || str_ends(s, STR("\r\n\r\n"));
}

static enum multipart_result
feed_headers(struct multipart *m, struct str *bytes)
{
    while (bytes->n > 0 && !m->headers.failed) {
        buf_putc(&m->headers, bytes->p[0]);
        *bytes = str_from_at(*bytes, 1);
        if (headers_end(&m->headers)) {
            m->state = read_headers(m) ? S_DATA : S_BAD;
            m->matched = 0;
            return m->state == S_BAD ? MULTIPART_BAD : MULTIPART_PART;
        }
    }
    m->state = m->headers.failed ? S_BAD : S_HEADERS;
    return m->headers.failed ? MULTIPART_BAD : MULTIPART_MORE;
}

/* --- delimiters --------------------------------------------------------- */

static void
begin_headers(struct multipart *m)
{
    buf_reset(&m->headers, MULTIPART_HEADERS_MAX);
    m->state = ++m->parts > MULTIPART_PARTS_MAX ? S_BAD : S_HEADERS;
}

/* One byte of the line that a delimiter begins. */
static void
step(struct multipart *m, char c)
{
    bool blank = c == ' ' || c == '\t';

    if (m->state == S_TAIL_LF && c == '\n') {
        begin_headers(m);
    } else if (m->state == S_CLOSE) {
        m->state = c == '-' ? S_EPILOGUE : S_BAD;
    } else if (m->state == S_TAIL && c == '-') {
        m->state = S_CLOSE;
    } else if (m->state != S_TAIL_LF && c == '\r') {
        m->state = S_TAIL_LF;
    } else {
        m->state = m->state != S_TAIL_LF && blank ? S_TAIL_PAD : S_BAD;
    }
}

/* Goes on with the delimiter; what turns out to be none of it is *held, bytes
 * of the delimiter. */
static void
match(struct multipart *m, struct str *bytes, struct str *held)
{
    *held = (struct str){NULL, 0};
    while (bytes->n > 0 && m->matched < m->delimiter_n) {
        if (bytes->p[0] != m->delimiter[m->matched]) {
            *held = (struct str){m->delimiter, m->matched};
            m->matched = 0;
            return;
        }
        m->matched++;
        *bytes = str_from_at(*bytes, 1);
    }
}

/* The run up to what may be a delimiter; of the preamble it is passed over.
 * The two bytes that stand for the line break in front of the first line never
 * came. */
static enum multipart_result
feed_data(struct multipart *m, struct str *bytes, struct str *data)
{
    bool shown = m->state == S_DATA;

    while (bytes->n > 0) {
        const char *cr;

        if (m->matched > 0) {
            match(m, bytes, data);
        }
        if (m->matched == m->delimiter_n) {
            m->state = S_TAIL;
            return shown ? MULTIPART_END : MULTIPART_MORE;
        }
        if (data->n == 0 && m->matched == 0) {
            cr = memchr(bytes->p, '\r', bytes->n);
            *data = (struct str){bytes->p, cr != NULL ? (size_t)(cr - bytes->p)
                                                      : bytes->n};
            *bytes = str_from_at(*bytes, data->n);
            m->matched = cr != NULL;
            *bytes = str_from_at(*bytes, m->matched);
        }
        if (shown && data->n > 0) {
            return MULTIPART_DATA;
        }
        *data = (struct str){NULL, 0};
    }
    return MULTIPART_MORE;
}

static enum multipart_result
feed_once(struct multipart *m, struct str *bytes, struct str *data)
{
    if (m->state == S_DATA || m->state == S_PREAMBLE) {
        return feed_data(m, bytes, data);
    }
    if (m->state == S_HEADERS) {
        return feed_headers(m, bytes);
    }
    if (m->state == S_EPILOGUE) {
        *bytes = (struct str){NULL, 0};
    } else if (m->state != S_BAD) {
        step(m, bytes->p[0]);
        *bytes = str_from_at(*bytes, 1);
    }
    return m->state == S_BAD ? MULTIPART_BAD : MULTIPART_MORE;
}

enum multipart_result
multipart_feed(struct multipart *m, struct str *bytes, struct str *data)
{
    enum multipart_result r =
        m->state == S_BAD ? MULTIPART_BAD : MULTIPART_MORE;

    *data = (struct str){NULL, 0};
    while (r == MULTIPART_MORE && bytes->n > 0) {
        r = feed_once(m, bytes, data);
    }
    return r;
}
