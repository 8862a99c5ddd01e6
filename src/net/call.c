/* SPDX-License-Identifier: MIT */
/* A libcurl transfer that its thread waits for. Handles with their connections
 * lie in a few places between calls; who takes one out has it alone. */
#include "net/call.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "net/policy.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define KEPT 16 /* as many as threads wait at one time */
#define SIGNS_SINCE 0x075800U
#define BUFFER_BYTES 65536L

struct call_pool {
    _Atomic(CURL *) kept[KEPT];
};

/* One call under way. */
struct call {
    const struct call_request *request;
    struct call_answer *answer;
    CURL *easy;
    struct curl_slist *headers;
    uint64_t sent;     /* of the body */
    curl_off_t moved;  /* bytes, both ways, when we last looked */
    uint64_t moved_ms; /* and when that had changed */
    const char *why;   /* it was we who ended it */
    bool headed;       /* the head of an answer that is none in between */
    bool ok;           /* libcurl had memory for all of it */
};

/* --- handles ------------------------------------------------------------ */

struct call_pool *
call_pool_new(void)
{
    return xcalloc(1, sizeof(struct call_pool));
}

void
call_pool_free(struct call_pool *p)
{
    for (size_t i = 0; p != NULL && i < KEPT; i++) {
        curl_easy_cleanup(atomic_load(&p->kept[i]));
    }
    xfree(p);
}

static CURL *
take(struct call_pool *p)
{
    for (size_t i = 0; i < KEPT; i++) {
        CURL *easy = atomic_exchange(&p->kept[i], NULL);

        if (easy != NULL) {
            return easy;
        }
    }
    return curl_easy_init();
}

static void
give_back(struct call_pool *p, CURL *easy)
{
    if (easy == NULL) {
        return;
    }
    curl_easy_reset(easy); /* keeps its connections */
    for (size_t i = 0; i < KEPT; i++) {
        CURL *none = NULL;

        if (atomic_compare_exchange_strong(&p->kept[i], &none, easy)) {
            return;
        }
    }
    curl_easy_cleanup(easy);
}

bool
call_can_sign(void)
{
    return curl_version_info(CURLVERSION_NOW)->version_num >= SIGNS_SINCE;
}

/* --- while it runs ------------------------------------------------------ */

/* libcurl takes a head that is cut between two lines for a whole one. */
static size_t
on_header(char *bytes, size_t size, size_t count, void *arg)
{
    struct call *c = arg;
    size_t n = size * count;
    long status = 0;

    (void)curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
    c->headed =
        c->headed || (status >= 200 && n > 0 && n <= 2 && bytes[n - 1] == '\n');
    return n;
}

static size_t
on_answer(char *bytes, size_t size, size_t count, void *arg)
{
    struct call *c = arg;
    struct call_answer *a = c->answer;
    size_t n = size * count, left = sizeof(a->fault) - a->fault_n;
    long status = 0;

    (void)curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 300) {
        left = n < left ? n : left;
        memcpy(a->fault + a->fault_n, bytes, left);
        a->fault_n += left;
        return n;
    }
    if (n > c->request->room_bytes - a->n) {
        c->why = "the answer is larger than it should be";
        return CURL_WRITEFUNC_ERROR;
    }
    if (n > 0) {
        memcpy(c->request->room + a->n, bytes, n);
        a->n += n;
    }
    return n;
}

static size_t
on_body(char *out, size_t size, size_t count, void *arg)
{
    struct call *c = arg;
    uint64_t left = c->request->body_bytes - c->sent;
    size_t n = size * count;
    ssize_t got;

    n = left < n ? (size_t)left : n;
    do {
        got = pread(c->request->body_fd, out, n, (off_t)c->sent);
    } while (got < 0 && errno == EINTR);
    if (got < 0 || (got == 0 && n > 0)) {
        c->why = "the file to send cannot be read";
        return CURL_READFUNC_ABORT;
    }
    c->sent += (uint64_t)got;
    return (size_t)got;
}

static int
on_seek(void *arg, curl_off_t offset, int origin)
{
    struct call *c = arg;

    if (origin != SEEK_SET || offset < 0) {
        return CURL_SEEKFUNC_FAIL;
    }
    c->sent = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* Called about once a second when nothing else happens. */
static int
on_progress(void *arg, curl_off_t down_of, curl_off_t down, curl_off_t up_of,
            curl_off_t up)
{
    struct call *c = arg;
    const struct call_request *r = c->request;
    uint64_t now_ms = clock_mono_ms();

    (void)down_of;
    (void)up_of;
    if (down + up != c->moved) {
        c->moved = down + up;
        c->moved_ms = now_ms;
    }
    if (r->stop != NULL && atomic_load(r->stop)) {
        c->why = "the server is being stopped";
    } else if (now_ms - c->moved_ms >= r->idle_timeout_ms) {
        c->why = "nothing came for too long";
    }
    return c->why != NULL;
}

/* --- making ------------------------------------------------------------- */

#define SET(c, option, value)                                                  \
    ((c)->ok =                                                                 \
         curl_easy_setopt((c)->easy, option, value) == CURLE_OK && (c)->ok)

static void
set_headers(struct call *c)
{
    const char *const *line = c->request->headers;

    for (; line != NULL && *line != NULL; line++) {
        struct curl_slist *longer = curl_slist_append(c->headers, *line);

        c->ok = longer != NULL && c->ok;
        c->headers = longer != NULL ? longer : c->headers;
    }
    SET(c, CURLOPT_HTTPHEADER, c->headers);
}

static void
set_method(struct call *c)
{
    const struct call_request *r = c->request;

    if (strcmp(r->method, "HEAD") == 0) {
        SET(c, CURLOPT_NOBODY, 1L);
    } else if (strcmp(r->method, "PUT") == 0) {
        SET(c, CURLOPT_UPLOAD, 1L);
        SET(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)r->body_bytes);
        SET(c, CURLOPT_READFUNCTION, on_body);
        SET(c, CURLOPT_READDATA, c);
        SET(c, CURLOPT_SEEKFUNCTION, on_seek);
        SET(c, CURLOPT_SEEKDATA, c);
        SET(c, CURLOPT_UPLOAD_BUFFERSIZE, BUFFER_BYTES);
    } else if (strcmp(r->method, "GET") != 0) {
        SET(c, CURLOPT_CUSTOMREQUEST, r->method);
    }
}

static void
set_signature(struct call *c)
{
    const struct call_signature *s = c->request->signature;

    if (s != NULL) {
        SET(c, CURLOPT_AWS_SIGV4, s->scheme);
        SET(c, CURLOPT_USERNAME, s->key_id);
        SET(c, CURLOPT_PASSWORD, s->secret);
    }
}

static void
set_all(struct call *c)
{
    const struct call_request *r = c->request;

    c->ok = policy_set(c->easy, NULL);
    SET(c, CURLOPT_URL, r->url);
    SET(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(c, CURLOPT_CONNECTTIMEOUT_MS, (long)r->connect_timeout_ms);
    SET(c, CURLOPT_TIMEOUT_MS, (long)r->total_timeout_ms);
    SET(c, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
    SET(c, CURLOPT_MAXCONNECTS, 1L);
    SET(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(c, CURLOPT_HEADERFUNCTION, on_header);
    SET(c, CURLOPT_HEADERDATA, c);
    SET(c, CURLOPT_WRITEFUNCTION, on_answer);
    SET(c, CURLOPT_WRITEDATA, c);
    SET(c, CURLOPT_NOPROGRESS, 0L);
    SET(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(c, CURLOPT_XFERINFODATA, c);
    set_headers(c);
    set_method(c);
    set_signature(c);
}

/* An answer that says no counts also when its end is missing: whoever refuses a
 * body need not read it. */
static void
judge(struct call *c, CURLcode result)
{
    curl_off_t length = -1;
    long status = 0;

    (void)curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(c->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T,
                            &length);
    if (c->why == NULL && c->headed && (result == CURLE_OK || status >= 300)) {
        c->answer->status = (int)status;
        c->answer->length = length > 0 ? (uint64_t)length : 0;
    } else {
        c->answer->why = c->why != NULL       ? c->why
                         : result == CURLE_OK ? "the answer has no end"
                                              : curl_easy_strerror(result);
    }
}

void
call_make(struct call_pool *p, const struct call_request *request,
          struct call_answer *out)
{
    struct call c = {.request = request, .answer = out, .easy = take(p)};

    out->status = 0;
    out->length = 0;
    out->n = out->fault_n = 0;
    out->why = "no memory";
    c.moved_ms = clock_mono_ms();
    set_all(&c);
    if (c.ok) {
        judge(&c, curl_easy_perform(c.easy));
    }
    give_back(p, c.easy);
    curl_slist_free_all(c.headers);
}
