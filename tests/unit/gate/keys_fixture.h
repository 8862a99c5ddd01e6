/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_TESTS_KEYS_FIXTURE_H
#define CHATBOX_TESTS_KEYS_FIXTURE_H

/* What the tests of published keys share: a clock that only the test moves,
 * two shards whose loops it turns, and a publisher of keys on the same thread.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "codec/jwt.h"
#include "gate/gate_state.h"
#include "guard/jwks.h"
#include "guard/token.h"
#include "loop/shard.h"
#include "net/fetch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* --- the clock ---------------------------------------------------------- */

static uint64_t mono_ms = 1000000;

/* In the place of the C library's, for libuv and libcurl, too: monotonic time
 * stands still until a test moves it. */
int
clock_gettime(clockid_t id, struct timespec *out)
{
    if (id == CLOCK_REALTIME) {
        return (int)syscall(SYS_clock_gettime, id, out);
    }
    out->tv_sec = (time_t)(mono_ms / 1000);
    out->tv_nsec = (long)(mono_ms % 1000) * 1000000;
    return 0;
}

/* --- the publisher ------------------------------------------------------ */

/* One connection at a time. It answers with `answer`, all of it, and closes;
 * while there is none it lets the other side wait. */
struct publisher {
    int fd;
    int conn; /* -1: nobody is there */
    char url[64];
    char head[4096]; /* of the request */
    size_t head_n;
    struct str answer;
    size_t sent;
    bool stays;     /* open behind the answer */
    unsigned asked; /* whole requests */
    bool hung_up;   /* the last one went before it had been answered */
};

static inline void
publisher_open(struct publisher *p)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t n = sizeof(a);

    *p = (struct publisher){.conn = -1};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(p->fd, (struct sockaddr *)&a, n), 0);
    assert_int_equal(listen(p->fd, 10), 0);
    assert_int_equal(getsockname(p->fd, (struct sockaddr *)&a, &n), 0);
    snprintf(p->url, sizeof(p->url), "http://127.0.0.1:%u/jwks",
             ntohs(a.sin_port));
}

static inline void
publisher_hang_up(struct publisher *p)
{
    if (p->conn >= 0) {
        (void)close(p->conn);
    }
    p->conn = -1;
}

static inline void
publisher_close(struct publisher *p)
{
    publisher_hang_up(p);
    (void)close(p->fd);
}

static inline bool
publisher_has_request(const struct publisher *p)
{
    return p->head_n >= 4 &&
           memcmp(p->head + p->head_n - 4, "\r\n\r\n", 4) == 0;
}

static inline void
publisher_read(struct publisher *p)
{
    bool had = publisher_has_request(p);
    ssize_t n = recv(p->conn, p->head + p->head_n, sizeof(p->head) - p->head_n,
                     MSG_DONTWAIT);

    if (n > 0) {
        p->head_n += (size_t)n;
        p->asked += !had && publisher_has_request(p);
    } else if (n == 0 || errno != EAGAIN) {
        p->hung_up = true;
        publisher_hang_up(p);
    }
}

static inline void
publisher_turn(struct publisher *p)
{
    if (p->conn < 0) {
        p->conn = accept(p->fd, NULL, NULL);
        if (p->conn >= 0) {
            p->hung_up = false;
            p->head_n = p->sent = 0;
        }
    }
    if (p->conn >= 0) {
        publisher_read(p);
    }
    if (p->conn < 0 || !publisher_has_request(p) || p->answer.n == 0) {
        return;
    }
    if (p->sent < p->answer.n) {
        ssize_t n = send(p->conn, p->answer.p + p->sent, p->answer.n - p->sent,
                         MSG_DONTWAIT | MSG_NOSIGNAL);

        p->sent += n > 0 ? (size_t)n : 0;
    }
    if (p->sent == p->answer.n && !p->stays) {
        publisher_hang_up(p);
    }
}

/* --- a key, its JWK and its tokens -------------------------------------- */

static inline EVP_PKEY *
make_key(void)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

    assert_non_null(key);
    return key;
}

static inline void
put_jwk(struct buf *b, const EVP_PKEY *key, const char *kid)
{
    unsigned char x[32];
    size_t n = sizeof(x);

    assert_int_equal(EVP_PKEY_get_raw_public_key(key, x, &n), 1);
    buf_puts(b, "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"");
    jwt_put_part(b, (struct str){(const char *)x, n});
    buf_printf(b, "\",\"kid\":\"%s\"}", kid);
}

/* A whole answer with a set of this one key. Gives. */
static inline char *
make_answer(const EVP_PKEY *key, const char *kid)
{
    struct buf body, answer;

    buf_init(&body, 4096);
    buf_init(&answer, 4096);
    buf_puts(&body, "{\"keys\":[");
    put_jwk(&body, key, kid);
    buf_puts(&body, "]}");
    buf_printf(&answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
               body.n);
    buf_put_str(&answer, buf_str(&body));
    buf_fini(&body);
    return buf_give(&answer);
}

/* Gives. */
static inline char *
make_signed(EVP_PKEY *key, const char *kid)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char mark[64];
    size_t n = sizeof(mark);
    struct buf b;
    char header[128];

    snprintf(header, sizeof(header), "{\"alg\":\"EdDSA\",\"kid\":\"%s\"}", kid);
    buf_init(&b, 4096);
    jwt_put_part(&b, str_from(header));
    buf_putc(&b, '.');
    jwt_put_part(&b, STR("{\"user_id\":\"ann\"}"));
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, key), 1);
    assert_int_equal(
        EVP_DigestSign(ctx, mark, &n, (const unsigned char *)b.p, b.n), 1);
    EVP_MD_CTX_free(ctx);
    buf_putc(&b, '.');
    jwt_put_part(&b, (struct str){(const char *)mark, n});
    return buf_give(&b);
}

/* --- the house ---------------------------------------------------------- */

enum { SHARDS = 2 };

struct house {
    struct shard shards[SHARDS];
    struct gate gates[SHARDS]; /* as far as keys know them */
    struct gate_settings settings;
    struct token_rules rules;
    atomic_uint keyed;
    struct publisher publisher;
};

static inline void
house_turn(struct house *h)
{
    publisher_turn(&h->publisher);
    for (int i = 0; i < SHARDS; i++) {
        (void)uv_run(&h->shards[i].loop, UV_RUN_NOWAIT);
    }
}

/* A minute at the most, of real time. */
#define WAIT_FOR(h, what)                                                      \
    do {                                                                       \
        time_t give_up_ = time(NULL) + 60;                                     \
                                                                               \
        while (!(what)) {                                                      \
            house_turn(h);                                                     \
            if (time(NULL) > give_up_) {                                       \
                fail_msg("never came true: %s", #what);                        \
            }                                                                  \
        }                                                                      \
    } while (0)

/* Everything that can happen without time passing has happened. */
static inline void
house_settle(struct house *h)
{
    for (int i = 0; i < 200; i++) {
        house_turn(h);
    }
}

static inline void
house_skip(struct house *h, uint64_t ms)
{
    mono_ms += ms;
    house_settle(h);
}

static inline void
house_open(struct house *h)
{
    memset(h, 0, sizeof(*h));
    log_set_level(LOG_ERROR);
    metrics_thread_init();
    publisher_open(&h->publisher);
    h->settings = (struct gate_settings){.jwks_url = h->publisher.url,
                                         .token_rules = &h->rules,
                                         .shards = h->shards,
                                         .shard_count = SHARDS,
                                         .keyed_shards = &h->keyed};
    for (unsigned i = 0; i < SHARDS; i++) {
        assert_int_equal(shard_init(&h->shards[i], i), ERR_OK);
        fetch_pool_init(&h->shards[i]);
        h->gates[i].shard = &h->shards[i];
        h->gates[i].settings = &h->settings;
        h->shards[i].gate = &h->gates[i];
    }
}

static inline void
house_close(struct house *h)
{
    house_settle(h);
    for (int i = 0; i < SHARDS; i++) {
        fetch_pool_fini(&h->shards[i]);
        shard_fini(&h->shards[i]);
    }
    publisher_close(&h->publisher);
    metrics_fini();
}

#endif
