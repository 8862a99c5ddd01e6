/* SPDX-License-Identifier: MIT */
/* What sealing a text costs (store/seal.h), and opening it again, by size;
 * beside it the cipher alone: OpenSSL's AES-256-GCM over the same bytes, with
 * nothing made, encoded or named.
 *
 *     seal [SECONDS] */
#include "store/seal.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/xalloc.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const unsigned char key[SEAL_KEY_BYTES] =
    "the same key in every program...";

static const struct seal_place place = {
    {"0123456789abcdef0123456789abcdef", 32}, 1, {NULL, 0}};

struct work {
    struct seal *seal;
    EVP_CIPHER_CTX *ctx;
    struct str text;
    struct buf sealed, out;
    unsigned char *raw;
};

static void
do_seal(struct work *w)
{
    buf_reset(&w->sealed, w->sealed.max);
    CHECK(seal_put(w->seal, &place, w->text, &w->sealed) == ERR_OK);
}

static void
do_open(struct work *w)
{
    buf_reset(&w->out, w->out.max);
    CHECK(seal_open(w->seal, &place, buf_str(&w->sealed), &w->out) ==
          SEAL_OPENED);
}

static void
do_cipher(struct work *w)
{
    static unsigned char nonce[SEAL_NONCE_BYTES];
    int n;

    nonce[0]++;
    CHECK(EVP_EncryptInit_ex(w->ctx, NULL, NULL, NULL, nonce) == 1);
    CHECK(EVP_EncryptUpdate(w->ctx, NULL, &n, (const void *)place.sid.p,
                            (int)place.sid.n) == 1);
    CHECK(EVP_EncryptUpdate(w->ctx, w->raw, &n, (const void *)w->text.p,
                            (int)w->text.n) == 1);
    CHECK(EVP_EncryptFinal_ex(w->ctx, w->raw + n, &n) == 1);
    CHECK(EVP_CIPHER_CTX_ctrl(w->ctx, EVP_CTRL_GCM_GET_TAG, SEAL_TAG_BYTES,
                              w->raw + w->text.n) == 1);
}

static double
cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
time_it(struct work *w, const char *name, void (*once)(struct work *),
        double seconds)
{
    uint64_t done = 0;
    double began, took;

    once(w); /* the memory is there */
    began = cpu_seconds();
    do {
        for (int i = 0; i < 64; i++) {
            once(w);
        }
        done += 64;
        took = cpu_seconds() - began;
    } while (took < seconds);
    printf("  %s %7.2f us %6.0f MB/s", name, took * 1e6 / (double)done,
           (double)done * (double)w->text.n / took / 1e6);
}

static void
measure(struct seal *seal, EVP_CIPHER_CTX *ctx, size_t n, double seconds)
{
    char *text = xmalloc(n);
    struct work w = {.seal = seal, .ctx = ctx, .text = {text, n}};

    memset(text, 'x', n);
    w.raw = xmalloc(n + SEAL_TAG_BYTES);
    buf_init(&w.sealed, SEAL_SIZE(n));
    buf_init(&w.out, SEAL_SIZE(n));
    printf("%7zu bytes:", n);
    time_it(&w, "cipher", do_cipher, seconds);
    time_it(&w, "seal", do_seal, seconds);
    time_it(&w, "open", do_open, seconds);
    printf("\n");
    buf_fini(&w.sealed);
    buf_fini(&w.out);
    xfree(w.raw);
    xfree(text);
}

int
main(int argc, char **argv)
{
    static const size_t sizes[] = {200, 2048, 10000, 1 << 20};
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 1;
    struct seal_ring *ring = seal_ring_new();
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    struct seal *seal;

    CHECK(ctx != NULL);
    CHECK(EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, NULL) == 1);
    CHECK(seal_ring_add(ring, STR("k"), key) == ERR_OK);
    seal = seal_new(ring);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        measure(seal, ctx, sizes[i], seconds);
    }
    seal_free(seal);
    seal_ring_free(ring);
    EVP_CIPHER_CTX_free(ctx);
    return 0;
}
