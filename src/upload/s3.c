/* SPDX-License-Identifier: MIT */
/* Requests to S3. Which bucket and which key is in the path; what a body is, is
 * signed with it (its SHA-256), so that what arrives is what was meant also
 * without TLS. */
#include "upload/s3.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/rand.h"
#include "base/xalloc.h"
#include "net/call.h"
#include "upload/s3_wire.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BUCKET_BYTES 4096
#define URL_BYTES (BUCKET_BYTES + 4 * TOKEN_BYTES)
#define SCHEME_BYTES 300
#define SHA_CHARS 64
#define HEADER_BYTES 128

#define ATTEMPTS 3
#define PAUSE_MS 200 /* before the second one; twice that before the third */

#define CONNECT_MS 5000
#define IDLE_MS 10000
#define TOTAL_MS 30000 /* of all attempts; a body has more time */
#define BODY_IDLE_MS 60000
#define BODY_BYTES_PER_MS 64
#define CHECK_MS 10000

#define PAGE_KEYS 1000
#define PAGE_BYTES ((size_t)4 << 20)
#define TOKEN_BYTES 4096

#define EMPTY_SHA                                                              \
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct s3 {
    struct call_pool *calls;
    struct call_signature signature;
    char *bucket; /* its URL */
    const atomic_bool *stop;
    char scheme[SCHEME_BYTES];
};

/* A request and what came of it. From ask_init to ask_end. */
struct ask {
    struct call_request request;
    struct call_answer answer;
    unsigned attempts;
    struct buf url;
    char sha[HEADER_BYTES];
    char range[HEADER_BYTES]; /* or empty */
    const char *headers[3];
};

/* --- the bucket --------------------------------------------------------- */

struct s3 *
s3_new(const struct s3_settings *settings)
{
    struct s3 *s = xcalloc(1, sizeof(*s));
    struct buf url;

    buf_init(&url, BUCKET_BYTES);
    s3_wire_put_bucket(str_from(settings->endpoint), str_from(settings->region),
                       str_from(settings->bucket), &url);
    CHECK(!url.failed); /* the settings have maxima */
    s->bucket = buf_give(&url);
    (void)snprintf(s->scheme, sizeof(s->scheme), "aws:amz:%s:s3",
                   settings->region);
    s->signature =
        (struct call_signature){s->scheme, settings->key_id, settings->secret};
    s->stop = settings->stop;
    s->calls = call_pool_new();
    return s;
}

void
s3_free(struct s3 *s)
{
    if (s != NULL) {
        call_pool_free(s->calls);
        xfree(s->bucket);
        xfree(s);
    }
}

/* --- asking ------------------------------------------------------------- */

static void
ask_init(struct ask *a, const struct s3 *s, const char *method, struct str key)
{
    memset(a, 0, sizeof(*a));
    a->attempts = ATTEMPTS;
    a->request = (struct call_request){.method = method,
                                       .headers = a->headers,
                                       .signature = &s->signature,
                                       .body_fd = -1,
                                       .connect_timeout_ms = CONNECT_MS,
                                       .idle_timeout_ms = IDLE_MS,
                                       .total_timeout_ms = TOTAL_MS,
                                       .stop = s->stop};
    buf_init(&a->url, URL_BYTES);
    buf_puts(&a->url, s->bucket);
    buf_putc(&a->url, '/');
    buf_put_str(&a->url, key);
    (void)snprintf(a->sha, sizeof(a->sha), "x-amz-content-sha256: " EMPTY_SHA);
    a->headers[0] = a->sha;
}

static bool
passes(const struct call_answer *a)
{
    return a->status == 0 || a->status == 408 || a->status == 429 ||
           a->status >= 500;
}

static bool
stopped(const struct ask *a)
{
    return a->request.stop != NULL && atomic_load(a->request.stop);
}

/* Half of it always, the rest by chance: they do not all come back at once. */
static void
pause_before(unsigned attempt)
{
    uint64_t ms = (uint64_t)PAUSE_MS << (attempt - 1);
    struct timespec t;

    ms = ms / 2 + rand_below(ms / 2 + 1);
    t = (struct timespec){0, (long)ms * 1000000};
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
}

/* Until an answer that stays, the last attempt, or the end of its time. */
static void
ask_send(struct ask *a, struct s3 *s)
{
    uint64_t end_ms = clock_mono_ms() + a->request.total_timeout_ms;

    buf_putc(&a->url, '\0');
    CHECK(!a->url.failed); /* all parts of it have maxima */
    a->request.url = a->url.p;
    for (unsigned attempt = 1;; attempt++) {
        uint64_t now_ms;

        call_make(s->calls, &a->request, &a->answer);
        if (!passes(&a->answer) || attempt == a->attempts || stopped(a)) {
            return;
        }
        pause_before(attempt);
        now_ms = clock_mono_ms();
        if (now_ms >= end_ms) {
            return;
        }
        a->request.total_timeout_ms = end_ms - now_ms;
    }
}

static void
explain(const struct call_answer *a, char why[static S3_WHY_BYTES])
{
    struct str code = s3_wire_code((struct str){a->fault, a->fault_n});

    if (a->status == 0) {
        (void)snprintf(why, S3_WHY_BYTES, "%s", a->why);
    } else if (code.n > 0) {
        (void)snprintf(why, S3_WHY_BYTES, "%.*s (%d)", STR_ARG(code),
                       a->status);
    } else {
        (void)snprintf(why, S3_WHY_BYTES, "status %d", a->status);
    }
}

static enum err
verdict(const struct call_answer *a, char why[static S3_WHY_BYTES])
{
    if (a->status >= 200 && a->status < 300) {
        return ERR_OK;
    }
    explain(a, why);
    return a->status == 404 ? ERR_NOT_FOUND : ERR_IO;
}

/* What came of it. */
static enum err
ask_end(struct ask *a, char why[static S3_WHY_BYTES])
{
    buf_fini(&a->url);
    return verdict(&a->answer, why);
}

/* --- one file ----------------------------------------------------------- */

static bool
hash(int fd, uint64_t size, char out[static SHA_CHARS + 1])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    char *bytes = xmalloc(65536);
    uint64_t at = 0;
    ssize_t got = 1;
    bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;

    while (ok && at < size && got > 0) {
        got = pread(fd, bytes, 65536, (off_t)at);
        at += got > 0 ? (uint64_t)got : 0;
        ok = got > 0 && EVP_DigestUpdate(ctx, bytes, (size_t)got) == 1;
    }
    ok = ok && at == size && EVP_DigestFinal_ex(ctx, digest, NULL) == 1;
    for (size_t i = 0; ok && i < SHA_CHARS / 2; i++) {
        (void)snprintf(out + 2 * i, 3, "%02x", digest[i]);
    }
    EVP_MD_CTX_free(ctx);
    xfree(bytes);
    return ok;
}

enum err
s3_put(struct s3 *s, struct str key, int fd, char why[static S3_WHY_BYTES])
{
    char sha[SHA_CHARS + 1];
    struct stat st;
    struct ask a;

    if (fstat(fd, &st) != 0 || !hash(fd, (uint64_t)st.st_size, sha)) {
        (void)snprintf(why, S3_WHY_BYTES, "the file to send cannot be read");
        return ERR_IO;
    }
    ask_init(&a, s, "PUT", key);
    (void)snprintf(a.sha, sizeof(a.sha), "x-amz-content-sha256: %s", sha);
    a.request.body_fd = fd;
    a.request.body_bytes = (uint64_t)st.st_size;
    a.request.idle_timeout_ms = BODY_IDLE_MS;
    a.request.total_timeout_ms +=
        BODY_IDLE_MS + (uint64_t)st.st_size / BODY_BYTES_PER_MS;
    ask_send(&a, s);
    return ask_end(&a, why);
}

enum err
s3_size(struct s3 *s, struct str key, uint64_t *size_out,
        char why[static S3_WHY_BYTES])
{
    struct ask a;

    ask_init(&a, s, "HEAD", key);
    ask_send(&a, s);
    *size_out = a.answer.length;
    return ask_end(&a, why);
}

enum err
s3_read(struct s3 *s, struct str key, const struct s3_part *part,
        char why[static S3_WHY_BYTES])
{
    struct ask a;
    enum err e;

    ask_init(&a, s, "GET", key);
    (void)snprintf(a.range, sizeof(a.range), "Range: bytes=%llu-%llu",
                   (unsigned long long)part->at,
                   (unsigned long long)(part->at + part->n - 1));
    a.headers[1] = a.range;
    a.request.room = part->out;
    a.request.room_bytes = part->n;
    ask_send(&a, s);
    e = ask_end(&a, why);
    if (e == ERR_OK && a.answer.n != part->n) {
        (void)snprintf(why, S3_WHY_BYTES, "the answer is shorter than asked");
        e = ERR_IO;
    }
    return e;
}

enum err
s3_remove(struct s3 *s, struct str key, char why[static S3_WHY_BYTES])
{
    struct ask a;
    enum err e;

    ask_init(&a, s, "DELETE", key);
    ask_send(&a, s);
    e = ask_end(&a, why);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* --- the whole bucket --------------------------------------------------- */

static void
ask_list(struct ask *a, struct s3 *s, struct str token, unsigned max_keys)
{
    ask_init(a, s, "GET", (struct str){NULL, 0});
    a->url.n--; /* of the bucket itself */
    s3_wire_put_list(token, max_keys, &a->url);
    a->request.room = xmalloc(PAGE_BYTES);
    a->request.room_bytes = PAGE_BYTES;
}

enum err
s3_check(struct s3 *s, bool *sure_out, char why[static S3_WHY_BYTES])
{
    struct ask a;

    *sure_out = !call_can_sign();
    if (*sure_out) {
        (void)snprintf(why, S3_WHY_BYTES, "it needs libcurl 7.88 or newer");
        return ERR_IO;
    }
    ask_list(&a, s, (struct str){NULL, 0}, 1);
    a.attempts = 1;
    a.request.total_timeout_ms = CHECK_MS;
    ask_send(&a, s);
    xfree(a.request.room);
    *sure_out = !passes(&a.answer);
    return ask_end(&a, why) == ERR_OK ? ERR_OK : ERR_IO;
}

static enum err
visit(struct str page, const struct s3_visitor *visitor)
{
    struct s3_wire_entry entry;
    enum err e = ERR_OK;

    while (e == ERR_OK && s3_wire_next(&page, &entry)) {
        e = visitor->each(visitor->cookie, entry.key, entry.bytes);
    }
    return e;
}

/* One page; token is that of the next one afterwards, empty after the last. */
static enum err
list_page(struct s3 *s, const struct s3_visitor *visitor, struct buf *token,
          char why[static S3_WHY_BYTES])
{
    struct ask a;
    struct str page;
    bool bad = false;
    enum err e;

    ask_list(&a, s, buf_str(token), PAGE_KEYS);
    ask_send(&a, s);
    page = (struct str){a.request.room, a.answer.n};
    e = ask_end(&a, why);
    buf_reset(token, TOKEN_BYTES);
    if (e == ERR_OK) {
        (void)s3_wire_more(page, token, &bad);
        e = bad ? ERR_IO : visit(page, visitor);
    }
    if (bad) {
        (void)snprintf(why, S3_WHY_BYTES, "the list of files is none");
    }
    xfree(a.request.room);
    return e == ERR_NOT_FOUND ? ERR_IO : e;
}

enum err
s3_list(struct s3 *s, const struct s3_visitor *visitor,
        char why[static S3_WHY_BYTES])
{
    struct buf token;
    enum err e;

    buf_init(&token, TOKEN_BYTES);
    do {
        e = list_page(s, visitor, &token, why);
    } while (e == ERR_OK && token.n > 0);
    buf_fini(&token);
    return e;
}
