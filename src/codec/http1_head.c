/* SPDX-License-Identifier: MIT */
/* The head of an HTTP/1.x request, read strictly: gate/ feeds it what a
 * connection has kept, ws_handshake.c looks into its result. Two passes over
 * each line: check_line judges bytes in their order, complete line or not, so
 * that the verdict is the same however the bytes are cut; only then the line
 * is taken apart. It does not decode the target (http1_target.c) nor read the
 * body (http1_body.c). */
#include "codec/http1_head.h"

#include "codec/http1_chars.h"

#include <string.h>

static const struct {
    const char *name;
    enum http1_method method;
} methods[] = {
    {"GET", HTTP1_GET},         {"HEAD", HTTP1_HEAD},
    {"POST", HTTP1_POST},       {"PUT", HTTP1_PUT},
    {"PATCH", HTTP1_PATCH},     {"DELETE", HTTP1_DELETE},
    {"OPTIONS", HTTP1_OPTIONS}, {"CONNECT", HTTP1_CONNECT},
    {"TRACE", HTTP1_TRACE},
};

static enum http1_method
method_of(struct str name)
{
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        if (str_is(name, methods[i].name)) {
            return methods[i].method;
        }
    }
    return HTTP1_OTHER;
}

/* What the line that begins at scan->line may hold, without its CRLF. */
static size_t
line_limit(const struct http1_scan *scan)
{
    size_t used = (size_t)(scan->line - scan->headers) + 2;

    if (scan->headers == 0) {
        return HTTP1_LINE_MAX;
    }
    if (scan->count >= HTTP1_HEADERS_MAX || used > HTTP1_HEADER_BYTES_MAX) {
        return 0;
    }
    return HTTP1_HEADER_BYTES_MAX - used;
}

/* A byte that may stand in the request line, or in a header line. */
static size_t
good_run(struct str s, bool request_line)
{
    size_t i = 0;

    if (!request_line) {
        return http1_chars_run(s, HTTP1_CHARS_VALUE);
    }
    while (i < s.n && s.p[i] >= 0x20 && s.p[i] < 0x7F) {
        i++;
    }
    return i;
}

/* Judges line, or the beginning of one, without its CRLF; bytes before
 * `from` were judged before. Only bytes within the limit are looked at, so
 * that the first fault decides however much is there. */
static enum err
check_line(const struct http1_scan *scan, struct str line, size_t from)
{
    size_t limit = line_limit(scan);
    struct str within = {line.p, line.n < limit ? line.n : limit};
    bool request_line = scan->headers == 0;

    if (line.n > 0 && !http1_chars_is(line.p[0], HTTP1_CHARS_TOKEN)) {
        return ERR_BAD_REQUEST;
    }
    within = str_from_at(within, from);
    if (good_run(within, request_line) < within.n) {
        return ERR_BAD_REQUEST;
    }
    if (line.n > limit) {
        return request_line ? ERR_URI_TOO_LONG : ERR_HEADERS_TOO_LARGE;
    }
    return ERR_OK;
}

/* The line at scan->line, checked, moving scan->line behind it. */
static enum err
next_line(struct http1_scan *scan, struct str bytes, struct str *line_out)
{
    struct str rest = str_from_at(bytes, scan->line);
    const char *lf = rest.n > 0 ? memchr(rest.p, '\n', rest.n) : NULL;
    size_t n = lf != NULL ? (size_t)(lf - rest.p) : 0;
    bool crlf = n > 0 && rest.p[n - 1] == '\r';
    enum err e;

    if (lf == NULL) {
        return ERR_AGAIN;
    }
    *line_out = (struct str){rest.p, crlf ? n - 1 : n};
    e = check_line(scan, *line_out, 0);
    if (e == ERR_OK && !crlf) {
        e = ERR_BAD_REQUEST;
    }
    scan->line = (uint16_t)(scan->line + (e == ERR_OK ? n + 1 : 0));
    return e;
}

/* method SP request-target SP HTTP-version, each space exactly one. */
static enum err
parse_request_line(struct http1_head *head, struct str line)
{
    struct str rest = line;
    struct str method;
    struct str target;

    if (!str_split(&rest, ' ', &method) || !str_split(&rest, ' ', &target) ||
        !http1_chars_all(method, HTTP1_CHARS_TOKEN)) {
        return ERR_BAD_REQUEST;
    }
    if (!str_is(rest, "HTTP/1.1") && !str_is(rest, "HTTP/1.0")) {
        return ERR_BAD_REQUEST;
    }
    head->minor = rest.p[7] - '0';
    head->method_text = method;
    head->method = method_of(method);
    return http1_target_parse(target, head->method == HTTP1_CONNECT,
                              head->method == HTTP1_OPTIONS, &head->target);
}

static struct str
trim_blanks(struct str s)
{
    while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
        s = str_from_at(s, 1);
    }
    while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t')) {
        s.n--;
    }
    return s;
}

static enum err
parse_header(struct http1_head *head, struct str line)
{
    const char *colon = memchr(line.p, ':', line.n);
    size_t n = colon != NULL ? (size_t)(colon - line.p) : 0;
    struct str name = {line.p, n};

    if (!http1_chars_all(name, HTTP1_CHARS_TOKEN)) {
        return ERR_BAD_REQUEST;
    }
    head->headers[head->header_count++] =
        (struct http1_header){name, trim_blanks(str_from_at(line, n + 1))};
    return ERR_OK;
}

/* What the headers say, while they are gone through. */
struct facts {
    struct http1_head *head;
    bool host;
    bool length;
    struct http1_persistence connection;
    bool unknown_expectation;
};

/* RFC 9112 section 3.2: exactly one and valid. The authority of an
 * absolute-form target overrides it (section 3.2.2). */
static enum err
see_host(struct facts *f, struct str value)
{
    if (f->host || !http1_target_authority_valid(value)) {
        return ERR_BAD_REQUEST;
    }
    f->host = true;
    f->head->host = value;
    return ERR_OK;
}

/* RFC 9112 section 6.3. Lists and repetitions, even of one value, are what
 * request smuggling is made of. */
static enum err
see_content_length(struct facts *f, struct str value)
{
    if (f->length || f->head->framing == HTTP1_CHUNKED ||
        !str_to_u64(value, INT64_MAX, &f->head->content_length)) {
        return ERR_BAD_REQUEST;
    }
    f->length = true;
    f->head->framing = HTTP1_LENGTH;
    return ERR_OK;
}

/* RFC 9112 section 6.1: we know one coding; in HTTP/1.0 there is none. */
static enum err
see_transfer_encoding(struct facts *f, struct str value)
{
    if (f->head->framing != HTTP1_NO_BODY || f->head->minor == 0 ||
        !str_is_nocase(value, "chunked")) {
        return ERR_BAD_REQUEST;
    }
    f->head->framing = HTTP1_CHUNKED;
    return ERR_OK;
}

void
http1_head_see_connection(struct http1_persistence *p, struct str value)
{
    struct str item;

    while (http1_head_next_item(&value, &item)) {
        p->close = p->close || str_is_nocase(item, "close");
        p->keep_alive = p->keep_alive || str_is_nocase(item, "keep-alive");
    }
}

bool
http1_head_persists(const struct http1_persistence *p, int minor)
{
    return !p->close && (minor == 1 || p->keep_alive);
}

static enum err
see_connection(struct facts *f, struct str value)
{
    http1_head_see_connection(&f->connection, value);
    return ERR_OK;
}

/* RFC 9110 section 10.1.1; an HTTP/1.0 client cannot mean it. */
static enum err
see_expect(struct facts *f, struct str value)
{
    struct str item;

    while (f->head->minor > 0 && http1_head_next_item(&value, &item)) {
        if (str_is_nocase(item, "100-continue")) {
            f->head->expect_continue = true;
        } else {
            f->unknown_expectation = true;
        }
    }
    return ERR_OK;
}

static const struct {
    const char *name;
    enum err (*see)(struct facts *f, struct str value);
} meanings[] = {
    {"Host", see_host},
    {"Content-Length", see_content_length},
    {"Transfer-Encoding", see_transfer_encoding},
    {"Connection", see_connection},
    {"Expect", see_expect},
};

static enum err
see_header(struct facts *f, const struct http1_header *header)
{
    for (size_t i = 0; i < COUNT_OF(meanings); i++) {
        if (str_is_nocase(header->name, meanings[i].name)) {
            return meanings[i].see(f, header->value);
        }
    }
    return ERR_OK;
}

/* All lines are there: what do they say together? */
static enum err
conclude(struct facts *f)
{
    struct http1_head *head = f->head;

    if (head->minor == 1 && !f->host) {
        return ERR_BAD_REQUEST;
    }
    if (head->target.authority.n > 0) {
        head->host = head->target.authority;
    }
    head->keep_alive = http1_head_persists(&f->connection, head->minor);
    if (head->framing != HTTP1_CHUNKED && head->content_length == 0) {
        head->expect_continue = false;
    }
    return f->unknown_expectation ? ERR_EXPECTATION_FAILED : ERR_OK;
}

static enum err
parse_headers(struct http1_head *head, struct http1_scan *scan,
              struct str bytes)
{
    struct facts facts = {.head = head};

    for (;;) {
        struct str line;
        enum err e = next_line(scan, bytes, &line);

        if (e == ERR_OK && line.n == 0) {
            return conclude(&facts);
        }
        if (e == ERR_OK) {
            e = parse_header(head, line);
            scan->count++;
        }
        if (e == ERR_OK) {
            e = see_header(&facts, &head->headers[head->header_count - 1]);
        }
        if (e != ERR_OK) {
            return e;
        }
    }
}

/* All complete lines from the beginning. One empty line in front is passed
 * over, as RFC 9112 section 2.2 asks. */
static enum err
parse_lines(struct http1_head *head, struct http1_scan *scan, struct str bytes)
{
    struct str line;
    enum err e;

    memset(head, 0, offsetof(struct http1_head, headers));
    *scan = (struct http1_scan){.line = str_starts(bytes, STR("\r\n")) ? 2 : 0};
    e = next_line(scan, bytes, &line);
    if (e == ERR_OK) {
        e = parse_request_line(head, line);
    }
    if (e != ERR_OK) {
        return e;
    }
    scan->headers = scan->line;
    return parse_headers(head, scan, bytes);
}

/* The last line, whose end is not there; its new bytes begin at scan->seen.
 * A CR at the very end may be half of its CRLF. */
static enum err
check_open_line(const struct http1_scan *scan, struct str bytes)
{
    struct str line = str_from_at(bytes, scan->line);
    size_t from =
        scan->seen > scan->line ? (size_t)(scan->seen - scan->line) : 0;
    enum err e;

    if (line.n > 0 && line.p[line.n - 1] == '\r') {
        line.n--;
    }
    /* The CR that was forgiven last time is looked at again. */
    e = check_line(scan, line, from > 0 ? from - 1 : 0);
    return e == ERR_OK ? ERR_AGAIN : e;
}

enum err
http1_head_parse(struct http1_head *head, struct http1_scan *scan,
                 struct str bytes, size_t *consumed_out)
{
    struct str fresh = str_from_at(bytes, scan->seen);
    enum err e = ERR_AGAIN;

    *consumed_out = 0;
    if (fresh.n > 0 && memchr(fresh.p, '\n', fresh.n) != NULL) {
        e = parse_lines(head, scan, bytes);
    }
    if (e == ERR_OK) {
        *consumed_out = scan->line;
        *scan = (struct http1_scan){0};
        return ERR_OK;
    }
    if (e == ERR_AGAIN) {
        e = check_open_line(scan, bytes);
        scan->seen = (uint16_t)bytes.n;
    }
    return e;
}

const struct http1_header *
http1_head_next(const struct http1_head *head, const char *name, size_t *at)
{
    while (*at < head->header_count) {
        const struct http1_header *header = &head->headers[(*at)++];

        if (str_is_nocase(header->name, name)) {
            return header;
        }
    }
    return NULL;
}

enum err
http1_head_single(const struct http1_head *head, const char *name,
                  struct str *value_out)
{
    size_t at = 0;
    const struct http1_header *only = http1_head_next(head, name, &at);

    *value_out = (struct str){NULL, 0};
    if (only == NULL) {
        return ERR_NOT_FOUND;
    }
    if (http1_head_next(head, name, &at) != NULL) {
        return ERR_BAD_REQUEST;
    }
    *value_out = only->value;
    return ERR_OK;
}

bool
http1_head_next_item(struct str *rest, struct str *item_out)
{
    while (str_split(rest, ',', item_out)) {
        *item_out = trim_blanks(*item_out);
        if (item_out->n > 0) {
            return true;
        }
    }
    return false;
}

bool
http1_head_lists(const struct http1_head *head, const char *name,
                 const char *token)
{
    const struct http1_header *header;
    size_t at = 0;

    while ((header = http1_head_next(head, name, &at)) != NULL) {
        struct str rest = header->value;
        struct str item;

        while (http1_head_next_item(&rest, &item)) {
            if (str_is_nocase(item, token)) {
                return true;
            }
        }
    }
    return false;
}
