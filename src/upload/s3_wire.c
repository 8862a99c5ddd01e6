/* SPDX-License-Identifier: MIT */
/* The few elements of S3's XML that we look for. It has no attributes in them,
 * no comments and no CDATA; what is not found is not there. */
#include "upload/s3_wire.h"

#include "base/check.h"

#include <string.h>

#define NAME_MAX_BYTES 255
#define CODE_MAX_BYTES 64

static bool
is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z');
}

static bool
is_one_of(char c, const char *marks)
{
    return c != '\0' && strchr(marks, c) != NULL;
}

bool
s3_wire_name_good(struct str name)
{
    for (size_t i = 0; i < name.n; i++) {
        if (!is_alnum(name.p[i]) && !is_one_of(name.p[i], "._-")) {
            return false;
        }
    }
    return name.n > 0 && name.n <= NAME_MAX_BYTES;
}

/* --- what is asked ------------------------------------------------------ */

static void
put_amazon(struct str region, struct str bucket, struct buf *out)
{
    bool dotted = memchr(bucket.p, '.', bucket.n) != NULL;

    buf_puts(out, "https://");
    if (!dotted) {
        buf_put_str(out, bucket);
        buf_putc(out, '.');
    }
    buf_puts(out, "s3.");
    buf_put_str(out, region);
    buf_puts(out, ".amazonaws.com");
    if (dotted) {
        buf_putc(out, '/');
        buf_put_str(out, bucket);
    }
}

void
s3_wire_put_bucket(struct str endpoint, struct str region, struct str bucket,
                   struct buf *out)
{
    if (endpoint.n == 0) {
        put_amazon(region, bucket, out);
        return;
    }
    while (endpoint.n > 0 && endpoint.p[endpoint.n - 1] == '/') {
        endpoint.n--;
    }
    buf_put_str(out, endpoint);
    buf_putc(out, '/');
    buf_put_str(out, bucket);
}

/* All but what RFC 3986, 2.3 leaves as it is. */
static void
put_escaped(struct str s, struct buf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        if (is_alnum(s.p[i]) || is_one_of(s.p[i], "-._~")) {
            buf_putc(out, s.p[i]);
        } else {
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)s.p[i]);
        }
    }
}

void
s3_wire_put_list(struct str token, unsigned max_keys, struct buf *out)
{
    buf_putc(out, '?');
    if (token.n > 0) {
        buf_puts(out, "continuation-token=");
        put_escaped(token, out);
        buf_putc(out, '&');
    }
    buf_printf(out, "list-type=2&max-keys=%u", max_keys);
}

/* --- what is said ------------------------------------------------------- */

/* Where the next "<NAME>" or, after a slash, "</NAME>" is; NULL: nowhere. */
static const char *
find_tag(struct str in, const char *tag)
{
    size_t n = strlen(tag);
    const char *p = in.p, *end = in.p + in.n;

    while (p != NULL && (p = memchr(p, '<', (size_t)(end - p))) != NULL) {
        if ((size_t)(end - p) > n + 1 && memcmp(p + 1, tag, n) == 0 &&
            p[n + 1] == '>') {
            return p;
        }
        p++;
    }
    return NULL;
}

/* The text of the next element of this name, moving *rest behind it. tag is
 * "/NAME". */
static bool
element(struct str *rest, const char *tag, struct str *out)
{
    const char *end = rest->p + rest->n, *open = find_tag(*rest, tag + 1);
    const char *close = NULL, *text;

    if (open != NULL) {
        text = open + strlen(tag) + 1;
        close = find_tag((struct str){text, (size_t)(end - text)}, tag);
    }
    if (close == NULL) {
        return false;
    }
    *out = (struct str){text, (size_t)(close - text)};
    text = close + strlen(tag) + 2;
    *rest = (struct str){text, (size_t)(end - text)};
    return true;
}

static struct str
only(struct str of, const char *tag)
{
    struct str out;

    return element(&of, tag, &out) ? out : (struct str){NULL, 0};
}

bool
s3_wire_next(struct str *rest, struct s3_wire_entry *out)
{
    struct str contents;

    if (!element(rest, "/Contents", &contents)) {
        return false;
    }
    out->key = only(contents, "/Key");
    if (!str_to_u64(only(contents, "/Size"), UINT64_MAX, &out->bytes)) {
        out->bytes = 0;
    }
    return true;
}

static void
put_plain(struct str s, struct buf *out)
{
    static const struct {
        struct str name;
        char is;
    } escapes[] = {{STR("&amp;"), '&'}, {STR("&lt;"), '<'},
                   {STR("&gt;"), '>'},  {STR("&quot;"), '"'},
                   {STR("&#34;"), '"'}, {STR("&apos;"), '\''},
                   {STR("&#39;"), '\''}};

    while (s.n > 0) {
        char c = s.p[0];
        size_t n = 1;

        for (size_t i = 0; c == '&' && i < COUNT_OF(escapes); i++) {
            if (str_starts(s, escapes[i].name)) {
                c = escapes[i].is;
                n = escapes[i].name.n;
            }
        }
        buf_putc(out, c);
        s = str_from_at(s, n);
    }
}

bool
s3_wire_more(struct str page, struct buf *token_out, bool *bad_out)
{
    struct str cut = only(page, "/IsTruncated");
    struct str token = only(page, "/NextContinuationToken");

    *bad_out = !str_is(cut, "false") && (!str_is(cut, "true") || token.n == 0);
    if (*bad_out || token.n == 0 || str_is(cut, "false")) {
        return false;
    }
    put_plain(token, token_out);
    *bad_out = token_out->failed;
    return !*bad_out;
}

struct str
s3_wire_code(struct str body)
{
    struct str code = only(body, "/Code");

    for (size_t i = 0; i < code.n; i++) {
        if (!is_alnum(code.p[i])) {
            return (struct str){NULL, 0};
        }
    }
    return code.n <= CODE_MAX_BYTES ? code : (struct str){NULL, 0};
}
