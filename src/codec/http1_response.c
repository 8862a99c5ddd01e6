/* SPDX-License-Identifier: MIT */
/* The head of an HTTP/1.x response, the counterpart of http1_head.c: net/fetch
 * feeds it what a provider sends. Only the few headers that net/fetch needs
 * are remembered. Whenever a line has become complete all lines are read from
 * the beginning, so that the verdict is the same however the bytes are cut. */
#include "codec/http1_response.h"

#include "codec/http1_chars.h"

#include <string.h>

/* Says it as soon as the bytes cannot become a status line. */
static bool
could_be_http(struct str bytes)
{
    static const char begin[] = "HTTP/1.";
    size_t n = bytes.n < sizeof(begin) - 1 ? bytes.n : sizeof(begin) - 1;

    return n == 0 || memcmp(bytes.p, begin, n) == 0;
}

/* HTTP-version SP status-code [ SP [ reason ] ]; section 4, but the space
 * before an empty reason is often left out. */
static enum err
parse_status(struct http1_response *r, struct str line)
{
    struct str reason = line;
    struct str version;
    struct str code;
    uint64_t status;

    if (http1_chars_run(line, HTTP1_CHARS_VALUE) < line.n ||
        !str_split(&reason, ' ', &version) || !str_split(&reason, ' ', &code) ||
        (!str_is(version, "HTTP/1.1") && !str_is(version, "HTTP/1.0")) ||
        code.n != 3 || !str_to_u64(code, 999, &status)) {
        return ERR_BAD_REQUEST;
    }
    r->minor = version.p[7] - '0';
    r->status = (int)status;
    return status < 100 || status == 101 ? ERR_BAD_REQUEST : ERR_OK;
}

struct facts {
    struct http1_response *r;
    bool length;
    bool chunked;
    struct http1_persistence connection;
};

/* RFC 9112 section 6.3: the same length said twice is one length. */
static enum err
see_content_length(struct facts *f, struct str value)
{
    struct str item;
    uint64_t n;

    if (value.n == 0) {
        return ERR_BAD_REQUEST;
    }
    while (http1_head_next_item(&value, &item)) {
        if (!str_to_u64(item, INT64_MAX, &n) ||
            (f->length && n != f->r->content_length)) {
            return ERR_BAD_REQUEST;
        }
        f->length = true;
        f->r->content_length = n;
    }
    return f->length ? ERR_OK : ERR_BAD_REQUEST;
}

static enum err
see_transfer_encoding(struct facts *f, struct str value)
{
    if (f->chunked || f->r->minor == 0 || !str_is_nocase(value, "chunked")) {
        return ERR_BAD_REQUEST;
    }
    f->chunked = true;
    return ERR_OK;
}

static enum err
see_connection(struct facts *f, struct str value)
{
    http1_head_see_connection(&f->connection, value);
    return ERR_OK;
}

static enum err
see_content_type(struct facts *f, struct str value)
{
    f->r->content_type = value;
    return ERR_OK;
}

static enum err
see_retry_after(struct facts *f, struct str value)
{
    f->r->retry_after = value;
    return ERR_OK;
}

static const struct {
    const char *name;
    enum err (*see)(struct facts *f, struct str value);
} meanings[] = {
    {"Content-Length", see_content_length},
    {"Transfer-Encoding", see_transfer_encoding},
    {"Connection", see_connection},
    {"Content-Type", see_content_type},
    {"Retry-After", see_retry_after},
};

static enum err
parse_header(struct facts *f, struct str line)
{
    struct str value = line;
    struct str name;

    if (http1_chars_run(line, HTTP1_CHARS_VALUE) < line.n ||
        memchr(line.p, ':', line.n) == NULL || !str_split(&value, ':', &name) ||
        !http1_chars_all(name, HTTP1_CHARS_TOKEN)) {
        return ERR_BAD_REQUEST;
    }
    value = str_trim(value);
    for (size_t i = 0; i < COUNT_OF(meanings); i++) {
        if (str_is_nocase(name, meanings[i].name)) {
            return meanings[i].see(f, value);
        }
    }
    return ERR_OK;
}

/* RFC 9112 section 6.3, in its order. */
static void
conclude(const struct facts *f, bool to_head)
{
    struct http1_response *r = f->r;

    r->keep_alive = http1_head_persists(&f->connection, r->minor);
    if (to_head || r->status < 200 || r->status == 204 || r->status == 304) {
        r->framing = HTTP1_NO_BODY;
    } else if (f->chunked) {
        r->framing = HTTP1_CHUNKED;
        r->keep_alive = r->keep_alive && !f->length;
    } else {
        r->framing = HTTP1_LENGTH;
        r->until_close = !f->length;
        r->content_length = f->length ? r->content_length : INT64_MAX;
        r->keep_alive = r->keep_alive && f->length;
    }
}

/* The next complete line without its end, taking it off *rest. */
static bool
next_line(struct str *rest, struct str *line_out)
{
    const char *lf = rest->n > 0 ? memchr(rest->p, '\n', rest->n) : NULL;

    if (lf == NULL) {
        return false;
    }
    *line_out = (struct str){rest->p, (size_t)(lf - rest->p)};
    *rest = str_from_at(*rest, line_out->n + 1);
    if (line_out->n > 0 && lf[-1] == '\r') {
        line_out->n--;
    }
    return true;
}

/* ERR_OK at the empty line, which *rest begins behind. */
static enum err
parse_lines(struct facts *f, struct str *rest)
{
    struct str line;
    enum err e;

    if (!next_line(rest, &line)) {
        return ERR_AGAIN;
    }
    e = parse_status(f->r, line);
    for (size_t count = 0; e == ERR_OK && next_line(rest, &line); count++) {
        if (line.n == 0) {
            return ERR_OK;
        }
        e = count < HTTP1_RESPONSE_LINES_MAX ? parse_header(f, line)
                                             : ERR_HEADERS_TOO_LARGE;
    }
    return e == ERR_OK ? ERR_AGAIN : e;
}

enum err
http1_response_parse(struct http1_response *r, struct str bytes, bool to_head,
                     size_t *seen, size_t *consumed_out)
{
    struct str head = bytes;
    struct str fresh;
    struct facts facts = {.r = r};
    enum err e = ERR_AGAIN;

    *consumed_out = 0;
    *r = (struct http1_response){0};
    if (head.n > HTTP1_RESPONSE_HEAD_MAX) {
        head.n = HTTP1_RESPONSE_HEAD_MAX;
    }
    if (!could_be_http(head)) {
        return ERR_BAD_REQUEST;
    }
    fresh = str_from_at(head, *seen);
    *seen = head.n;
    if (fresh.n > 0 && memchr(fresh.p, '\n', fresh.n) != NULL) {
        struct str rest = head;

        e = parse_lines(&facts, &rest);
        *consumed_out = e == ERR_OK ? head.n - rest.n : 0;
    }
    if (e == ERR_OK) {
        *seen = 0;
        conclude(&facts, to_head);
    } else if (e == ERR_AGAIN && bytes.n >= HTTP1_RESPONSE_HEAD_MAX) {
        e = ERR_HEADERS_TOO_LARGE;
    }
    return e;
}
