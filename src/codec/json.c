/* SPDX-License-Identifier: MIT */
/* The scanner of the token path: see json.h. Each model token comes in as a
 * JSON text of a few hundred bytes; a document built and freed for each would
 * cost more than all the rest of its way. json_put.c writes. */
#include "codec/json.h"

#include "codec/json_plain.h"
#include "codec/utf8.h"

/* --- scanning ----------------------------------------------------------- */

void
json_scan_init(struct json_scan *s, struct str text)
{
    *s = (struct json_scan){.p = text.p, .end = text.p};
    if (text.n > 0) {
        s->end = text.p + text.n;
    }
}

/* At the end nothing is found any more, so one test of failed is enough. */
static bool
fail(struct json_scan *s)
{
    s->p = s->end;
    s->failed = true;
    return false;
}

void
json_scan_fail(struct json_scan *s)
{
    fail(s);
}

/* The functions below that return where something ends return NULL when it is
 * not there. They work on pointers of their own, because going through
 * s->p at each step is what costs the time. */

static inline const char *
space_end(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) {
        p++;
    }
    return p;
}

/* The scan is behind `after`, or failed when that is NULL. */
static inline bool
move(struct json_scan *s, const char *after)
{
    if (after == NULL) {
        return fail(s);
    }
    s->p = after;
    return true;
}

char
json_scan_peek(struct json_scan *s)
{
    s->p = space_end(s->p, s->end);
    return s->p < s->end ? *s->p : '\0';
}

bool
json_scan_enter(struct json_scan *s, char open)
{
    if (s->depth == JSON_DEPTH_MAX || json_scan_peek(s) != open) {
        return fail(s);
    }
    s->p++;
    s->depth++;
    s->fresh = true;
    return true;
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hexadecimal digits, or -1. */
static int
hex4(const char *p, const char *end)
{
    int value = 0;

    if (end - p < 4) {
        return -1;
    }
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(p[i]);

        if (digit < 0) {
            return -1;
        }
        value = value << 4 | digit;
    }
    return value;
}

static bool
is_high_surrogate(int unit)
{
    return (unit & 0xFC00) == 0xD800;
}

static bool
is_low_surrogate(int unit)
{
    return (unit & 0xFC00) == 0xDC00;
}

/* Behind a \u: the whole character, with its second half (RFC 8259, section
 * 7). Returns what follows, NULL if it is none. */
static const char *
unicode_escape(const char *p, const char *end, uint32_t *out)
{
    int unit = hex4(p, end), low;

    if (unit < 0 || is_low_surrogate(unit)) {
        return NULL;
    }
    *out = (uint32_t)unit;
    if (!is_high_surrogate(unit)) {
        return p + 4;
    }
    if (end - p < 10 || p[4] != '\\' || p[5] != 'u') {
        return NULL;
    }
    low = hex4(p + 6, end);
    if (low < 0 || !is_low_surrogate(low)) {
        return NULL;
    }
    *out = 0x10000 + (((uint32_t)unit & 0x3FF) << 10 | ((uint32_t)low & 0x3FF));
    return p + 10;
}

/* p at a backslash. Returns what follows the escape, NULL if it is none. */
static const char *
escape_end(const char *p, const char *end)
{
    uint32_t ignored;

    if (end - p < 2) {
        return NULL;
    }
    if (p[1] == 'u') {
        return unicode_escape(p + 2, end, &ignored);
    }
    return p[1] != '\0' && strchr("\"\\/bfnrt", p[1]) != NULL ? p + 2 : NULL;
}

static inline const char *
string_end(const char *p, const char *end, struct json_text *out)
{
    const char *begin = p + 1;
    bool high = false;

    if (p == end || *p != '"') {
        return NULL;
    }
    out->escaped = false;
    for (p = begin;; out->escaped = true) {
        p = json_plain_end(p, end, &high);
        if (p == end || (unsigned char)*p < 0x20) {
            return NULL;
        }
        if (*p == '"') {
            break;
        }
        p = escape_end(p, end);
        if (p == NULL) {
            return NULL;
        }
    }
    out->raw = (struct str){begin, (size_t)(p - begin)};
    return high && !utf8_valid(out->raw) ? NULL : p + 1;
}

bool
json_scan_string(struct json_scan *s, struct json_text *out)
{
    return move(s, string_end(space_end(s->p, s->end), s->end, out));
}

/* Moves to the next member or element of the container. False at its end,
 * which is left, and when there is none (then failed is set). */
static inline bool
next(struct json_scan *s, char close)
{
    const char *p = space_end(s->p, s->end);

    if (p < s->end && *p == close && s->depth > 0) {
        s->p = p + 1;
        s->depth--;
        s->fresh = false;
        return false;
    }
    if (!s->fresh) {
        if (p == s->end || *p != ',') {
            return fail(s);
        }
        p = space_end(p + 1, s->end);
    }
    s->fresh = false;
    return p < s->end ? move(s, p) : fail(s);
}

bool
json_scan_member(struct json_scan *s, struct json_text *key)
{
    const char *p;

    if (!next(s, '}')) {
        return false;
    }
    p = string_end(s->p, s->end, key);
    if (p == NULL) {
        return fail(s);
    }
    p = space_end(p, s->end);
    return move(s, p < s->end && *p == ':' ? p + 1 : NULL);
}

bool
json_scan_element(struct json_scan *s)
{
    return next(s, ']');
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Moves over digits; false if there is none. */
static bool
digits(const char **p, const char *end)
{
    const char *begin = *p;

    while (*p < end && is_digit(**p)) {
        ++*p;
    }
    return *p > begin;
}

/* What follows the fraction and exponent at p, if they are there; NULL when
 * one is begun and not finished. */
static const char *
fraction_end(const char *p, const char *end)
{
    if (p < end && *p == '.') {
        p++;
        if (!digits(&p, end)) {
            return NULL;
        }
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        p += p < end && (*p == '+' || *p == '-');
        if (!digits(&p, end)) {
            return NULL;
        }
    }
    return p;
}

/* What follows the number at p, NULL if it is none (RFC 8259, section 6). */
static const char *
number_end(const char *p, const char *end)
{
    const char *first;

    p += p < end && *p == '-';
    first = p;
    if (!digits(&p, end) || (*first == '0' && p - first > 1)) {
        return NULL;
    }
    return fraction_end(p, end);
}

bool
json_scan_number(struct json_scan *s, struct str *out)
{
    const char *begin = space_end(s->p, s->end);
    const char *after = number_end(begin, s->end);

    *out =
        (struct str){begin, (size_t)((after != NULL ? after : begin) - begin)};
    return move(s, after);
}

static const char *
word_end(const char *p, const char *end, struct str word)
{
    return (size_t)(end - p) >= word.n && memcmp(p, word.p, word.n) == 0
               ? p + word.n
               : NULL;
}

bool
json_scan_bool(struct json_scan *s, bool *out)
{
    *out = json_scan_peek(s) == 't';
    return move(s, word_end(s->p, s->end, *out ? STR("true") : STR("false")));
}

bool
json_scan_null(struct json_scan *s)
{
    return move(s, word_end(space_end(s->p, s->end), s->end, STR("null")));
}

static const char *
scalar_end(const char *p, const char *end)
{
    struct json_text text;

    switch (p < end ? *p : '\0') {
    case '"':
        return string_end(p, end, &text);
    case 'n':
        return word_end(p, end, STR("null"));
    case 't':
        return word_end(p, end, STR("true"));
    case 'f':
        return word_end(p, end, STR("false"));
    default:
        return number_end(p, end);
    }
}

/* Whether the container that the scan is in has one more value. */
static bool
next_value(struct json_scan *s, uint64_t objects)
{
    struct json_text key;

    return (objects >> (s->depth - 1) & 1) != 0 ? json_scan_member(s, &key)
                                                : json_scan_element(s);
}

/* Bit d - 1 of objects says what the container at depth d is; this is why
 * JSON_DEPTH_MAX is 64. */
bool
json_scan_skip(struct json_scan *s)
{
    uint64_t objects = 0;
    unsigned base = s->depth;

    do {
        char c = json_scan_peek(s);

        if (c == '{' || c == '[') {
            if (!json_scan_enter(s, c)) {
                return false;
            }
            objects &= ~(UINT64_C(1) << (s->depth - 1));
            objects |= (uint64_t)(c == '{') << (s->depth - 1);
        } else if (!move(s, scalar_end(s->p, s->end))) {
            return false;
        }
        while (s->depth > base && !next_value(s, objects)) {
            if (s->failed) {
                return false;
            }
        }
    } while (s->depth > base);
    return true;
}

bool
json_scan_value(struct json_scan *s, struct str *out)
{
    bool found;

    (void)json_scan_peek(s);
    out->p = s->p;
    found = json_scan_skip(s);
    out->n = (size_t)(s->p - out->p);
    return found;
}

bool
json_scan_end(struct json_scan *s)
{
    json_scan_peek(s);
    return !s->failed && s->depth == 0 && s->p == s->end;
}

bool
json_valid(struct str text, unsigned max_depth)
{
    struct json_scan s;

    CHECK(max_depth <= JSON_DEPTH_MAX);
    json_scan_init(&s, text);
    s.depth = JSON_DEPTH_MAX - max_depth;
    json_scan_skip(&s);
    json_scan_peek(&s);
    return !s.failed && s.p == s.end;
}

/* --- values ------------------------------------------------------------- */

static size_t
utf8_put(uint32_t c, char out[static 4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

/* The byte that a one-letter escape stands for. */
static char
short_escape(char letter)
{
    static const char letters[] = "bfnrt", bytes[] = "\b\f\n\r\t";
    const char *at = strchr(letters, letter);

    return at != NULL ? bytes[at - letters] : letter;
}

/* p at a backslash of a checked string. Returns what follows. */
static const char *
put_unescaped(const char *p, const char *end, struct buf *out)
{
    uint32_t c;
    char bytes[4];

    if (p[1] != 'u') {
        buf_putc(out, short_escape(p[1]));
        return p + 2;
    }
    p = unicode_escape(p + 2, end, &c);
    CHECK(p != NULL);
    buf_put(out, bytes, utf8_put(c, bytes));
    return p;
}

void
json_unescape(const struct json_text *t, struct buf *out)
{
    const char *p = t->raw.p, *end = p + t->raw.n;

    while (p < end) {
        const char *slash = memchr(p, '\\', (size_t)(end - p));
        const char *stop = slash != NULL ? slash : end;

        buf_put(out, p, (size_t)(stop - p));
        p = slash != NULL ? put_unescaped(slash, end, out) : end;
    }
}

bool
json_text_is_escaped(const struct json_text *t, struct str plain)
{
    struct buf text;
    bool equal;

    buf_init(&text, t->raw.n);
    json_unescape(t, &text);
    equal = str_eq(buf_str(&text), plain);
    buf_fini(&text);
    return equal;
}

bool
json_to_i64(struct str number, int64_t *out)
{
    bool minus = number.n > 0 && number.p[0] == '-';
    uint64_t limit = (uint64_t)INT64_MAX + minus, value;

    if (!str_to_u64(str_from_at(number, minus), limit, &value)) {
        return false;
    }
    *out = minus ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}
