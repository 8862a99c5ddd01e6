/* SPDX-License-Identifier: MIT */
#include "store/seal.h"

#include "base/rand.h"
#include "base/xalloc.h"
#include "codec/base64.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROOM (1 << 20)

static const unsigned char key_a[SEAL_KEY_BYTES] =
    "an encryption key of 32 bytes: a";
static const unsigned char key_b[SEAL_KEY_BYTES] =
    "an encryption key of 32 bytes: b";
static const struct seal_place place = {{"session-1", 9}, 7, {NULL, 0}};

static struct seal_ring *
ring_of(const char *id, const unsigned char *key)
{
    struct seal_ring *ring = seal_ring_new();

    assert_int_equal(seal_ring_add(ring, str_from(id), key), ERR_OK);
    return ring;
}

static struct str
sealed(struct seal *s, struct str text, struct buf *out)
{
    buf_init(out, ROOM);
    assert_int_equal(seal_put(s, &place, text, out), ERR_OK);
    assert_true(out->n <= SEAL_SIZE(text.n));
    return buf_str(out);
}

/* What opening gives, with nothing in out unless it opened. */
static enum seal_form
opened(struct seal *s, const struct seal_place *at, struct str stored,
       struct buf *out)
{
    enum seal_form form;

    buf_init(out, ROOM);
    form = seal_open(s, at, stored, out);
    if (form == SEAL_BROKEN || form == SEAL_UNKNOWN_KEY) {
        assert_int_equal(out->n, 0);
    }
    return form;
}

static void
what_was_sealed_opens_at_its_place(void **state)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 1000, 300000};
    struct seal_ring *ring = ring_of("k1", key_a);
    struct seal *s = seal_new(ring);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        char *text = xmalloc(sizes[i] + 1);
        struct buf there, back;

        rand_bytes(text, sizes[i] + 1);
        (void)sealed(s, (struct str){text, sizes[i]}, &there);
        assert_true(str_starts(buf_str(&there), STR("v1.k1.")));
        assert_int_equal(opened(s, &place, buf_str(&there), &back),
                         SEAL_OPENED);
        assert_true(str_eq(buf_str(&back), (struct str){text, sizes[i]}));
        buf_fini(&there);
        buf_fini(&back);
        xfree(text);
    }
    seal_free(s);
    seal_ring_free(ring);
}

/* By OpenSSL alone and the form that the header promises. */
static void
another_program_opens_it_with_the_key_and_the_place(void **state)
{
    struct seal_ring *ring = ring_of("k1", key_a);
    struct seal *s = seal_new(ring);
    unsigned char raw[64], plain[64];
    const unsigned char aad[] = "session-1\0\0\0\0\0\0\0\0\7";
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    struct buf text;
    size_t n;
    int got, last;

    (void)state;
    (void)sealed(s, STR("hello"), &text);
    assert_int_equal(
        base64_decode(str_from_at(buf_str(&text), 6), raw, sizeof(raw), &n),
        ERR_OK);
    assert_int_equal(n, SEAL_NONCE_BYTES + 5 + SEAL_TAG_BYTES);
    assert_int_equal(
        EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key_a, raw), 1);
    assert_int_equal(EVP_DecryptUpdate(ctx, NULL, &got, aad, 18), 1);
    assert_int_equal(EVP_DecryptUpdate(ctx, plain, &got, raw + 12, 5), 1);
    assert_int_equal(
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, 16, raw + 17), 1);
    assert_int_equal(EVP_DecryptFinal_ex(ctx, plain + 5, &last), 1);
    assert_memory_equal(plain, "hello", 5);
    EVP_CIPHER_CTX_free(ctx);
    buf_fini(&text);
    seal_free(s);
    seal_ring_free(ring);
}

/* Another place or a damaged text is never opened, nor shown. */
static void
it_opens_nowhere_else(void **state)
{
    static const struct seal_place others[] = {
        {{"session-1", 9}, 8, {NULL, 0}},
        {{"session-1", 9}, 0, {NULL, 0}},
        {{"session-2", 9}, 7, {NULL, 0}},
        {{"session-", 8}, 7, {NULL, 0}},
        {{"session-1\0", 10}, 7, {NULL, 0}},
        {{"session-1", 9}, 7 + (INT64_C(1) << 32), {NULL, 0}},
        {{NULL, 0}, 7, {NULL, 0}},
        {{"session-1", 9}, 7, {"name", 4}},
        {{"session-1", 9}, 7, {"\0", 1}},
    };
    struct seal_ring *ring = ring_of("k1", key_a);
    struct seal *s = seal_new(ring);
    struct buf there, back;

    (void)state;
    (void)sealed(s, STR("the text"), &there);
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        assert_int_equal(opened(s, &others[i], buf_str(&there), &back),
                         SEAL_BROKEN);
        buf_fini(&back);
    }
    buf_fini(&there);
    seal_free(s);
    seal_ring_free(ring);
}

/* Every byte turned into each other one, and every cut. */
static void
no_damage_goes_unnoticed(void **state)
{
    struct seal_ring *ring = ring_of("k1", key_a);
    struct seal *s = seal_new(ring);
    struct buf there, back;

    (void)state;
    (void)sealed(s, STR("a text of some length, sealed"), &there);
    for (size_t i = 0; i < there.n; i++) {
        for (int flip = 1; flip < 256; flip++) {
            enum seal_form form;

            there.p[i] = (char)(there.p[i] ^ flip);
            form = opened(s, &place, buf_str(&there), &back);
            /* In the key's name it may become another key's text. */
            assert_true(form == SEAL_BROKEN ||
                        (form == SEAL_UNKNOWN_KEY && (i == 3 || i == 4)));
            buf_fini(&back);
            there.p[i] = (char)(there.p[i] ^ flip);
        }
    }
    for (size_t i = 6; i < there.n; i++) {
        assert_int_equal(opened(s, &place, (struct str){there.p, i}, &back),
                         SEAL_BROKEN);
        buf_fini(&back);
    }
    assert_int_equal(opened(s, &place, buf_str(&there), &back), SEAL_OPENED);
    buf_fini(&back);
    buf_fini(&there);
    seal_free(s);
    seal_ring_free(ring);
}

static void
the_first_key_seals_and_all_of_them_open(void **state)
{
    struct seal_ring *before = ring_of("old", key_a);
    struct seal_ring *after = ring_of("new", key_b);
    struct seal *s = seal_new(before), *t = seal_new(after);
    struct buf first, second, back;

    (void)state;
    (void)sealed(s, STR("then"), &first);
    assert_true(seal_is_current(s, buf_str(&first)));
    assert_false(seal_is_current(t, buf_str(&first)));
    assert_int_equal(opened(t, &place, buf_str(&first), &back),
                     SEAL_UNKNOWN_KEY);
    buf_fini(&back);
    assert_int_equal(seal_ring_add(after, STR("old"), key_a), ERR_OK);
    assert_int_equal(opened(t, &place, buf_str(&first), &back), SEAL_OPENED);
    assert_true(str_is(buf_str(&back), "then"));
    buf_fini(&back);
    (void)sealed(t, STR("now"), &second);
    assert_true(str_is(seal_key_of(buf_str(&second)), "new"));
    buf_fini(&first);
    buf_fini(&second);
    seal_free(s);
    seal_free(t);
    seal_ring_free(before);
    seal_ring_free(after);
}

static void
a_wrong_key_of_the_same_name_does_not_open(void **state)
{
    struct seal_ring *a = ring_of("k1", key_a), *b = ring_of("k1", key_b);
    struct seal *s = seal_new(a), *t = seal_new(b);
    struct buf there, back;

    (void)state;
    (void)sealed(s, STR("x"), &there);
    assert_int_equal(opened(t, &place, buf_str(&there), &back), SEAL_BROKEN);
    buf_fini(&there);
    buf_fini(&back);
    seal_free(s);
    seal_free(t);
    seal_ring_free(a);
    seal_ring_free(b);
}

static void
plain_text_stays_what_it_is(void **state)
{
    static const char *const texts[] = {
        "",
        "hello",
        "v1.2.3",
        "v1.",
        "v1..",
        "v1.k9.",
        "v1.a b.AAAAAAAAAAAAAAAAAAAAAAAA",
        "v1.2 is out. It has much that is new",
        "v1.x.not base64, but a sentence",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
        "QSB0ZXh0IHRoYXQgc29tZWJvZHkgcGFzdGVkIGluIGJhc2U2NC4=",
        "u1.k1 is not v1.k1.",
    };
    struct seal_ring *ring = ring_of("k1", key_a);
    struct seal *s = seal_new(ring);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct buf back;

        assert_int_equal(opened(s, &place, str_from(texts[i]), &back),
                         SEAL_PLAIN);
        assert_true(str_is(buf_str(&back), texts[i]));
        buf_fini(&back);
    }
    seal_free(s);
    seal_ring_free(ring);
}

/* Made by another program: key_b, nonce "123456789012", text "from before". */
static void
the_older_form_opens_with_its_key(void **state)
{
    unsigned char raw[SEAL_NONCE_BYTES + 11 + SEAL_TAG_BYTES] = "123456789012";
    char text[BASE64_SIZE(sizeof(raw))];
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    struct seal_ring *ring = ring_of("k1", key_a);
    struct seal *s = seal_new(ring);
    struct str stored = {text, sizeof(text)};
    enum seal_form form;
    struct buf back;
    int n;

    (void)state;
    assert_int_equal(
        EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key_b, raw), 1);
    assert_int_equal(
        EVP_EncryptUpdate(ctx, raw + 12, &n, (const void *)"from before", 11),
        1);
    assert_int_equal(EVP_EncryptFinal_ex(ctx, raw + 23, &n), 1);
    assert_int_equal(
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, 16, raw + 23), 1);
    stored.n = base64_encode((struct str){(char *)raw, sizeof(raw)}, text);
    assert_int_equal(opened(s, &place, stored, &back), SEAL_BROKEN);
    buf_fini(&back);
    assert_int_equal(seal_ring_add(ring, STR("before"), key_b), ERR_OK);
    assert_int_equal(opened(s, &place, stored, &back), SEAL_OPENED);
    assert_true(str_is(buf_str(&back), "from before"));
    buf_fini(&back);
    for (size_t i = 0; i < stored.n; i++) { /* nor is a damaged one a text */
        text[i] = text[i] == 'A' ? 'B' : 'A';
        assert_int_equal(opened(s, &place, stored, &back), SEAL_BROKEN);
        buf_fini(&back);
        stored.n = base64_encode((struct str){(char *)raw, sizeof(raw)}, text);
    }
    for (; stored.n >= 40; stored.n--) { /* nor one that was cut */
        form = opened(s, &place, stored, &back);
        assert_true(form == (stored.n == 52 ? SEAL_OPENED : SEAL_BROKEN));
        buf_fini(&back);
    }
    EVP_CIPHER_CTX_free(ctx);
    seal_free(s);
    seal_ring_free(ring);
}

static void
what_is_sealed_is_seen_without_a_key(void **state)
{
    struct seal_ring *ring = ring_of("k1", key_a);
    struct seal *s = seal_new(ring);
    struct buf there;

    (void)state;
    (void)sealed(s, STR("some text"), &there);
    assert_true(seal_is_sealed(buf_str(&there)));
    assert_false(seal_is_sealed(str_from_at(buf_str(&there), 6)));
    assert_false(seal_is_sealed(STR("v1.k1.hello")));
    assert_false(seal_is_sealed(
        STR("v1.k1.QSB0ZXh0IHRoYXQgc29tZWJvZHkgcGFzdGVkIGluIGJhc2U2NC4=")));
    buf_fini(&there);
    seal_free(s);
    seal_ring_free(ring);
}

static void
a_ring_refuses_ids_that_cannot_stand_in_the_text(void **state)
{
    static const char *const bad[] = {
        "",
        "a.b",
        "a b",
        "a:b",
        "\xc3\xa4",
        "0123456789012345678901234567890123456789012345678901234567890123x"};
    struct seal_ring *ring = ring_of("k-1_Z", key_a);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(seal_ring_add(ring, str_from(bad[i]), key_b),
                         ERR_INVALID_FORMAT);
    }
    assert_int_equal(seal_ring_add(ring, (struct str){"a\0b", 3}, key_b),
                     ERR_INVALID_FORMAT);
    assert_int_equal(seal_ring_add(ring, STR("k-1_Z"), key_b), ERR_CONFLICT);
    seal_ring_free(ring);
    seal_ring_free(NULL);
}

static void
a_key_without_a_name_is_named_by_its_digest(void **state)
{
    char a[10], again[10], b[10];

    (void)state;
    seal_key_id(key_a, a);
    seal_key_id(key_a, again);
    seal_key_id(key_b, b);
    assert_string_equal(a, again);
    assert_string_not_equal(a, b);
    assert_int_equal(strlen(a), 9);
    assert_int_equal(a[0], 'k');
}

/* --- nonces ------------------------------------------------------------- */

#define NONCES 200000

/* The first start seals so much that two bytes of the counter are carried on,
 * a hundred others so much that one is. */
#define LITTLE 1000
#define MUCH 70000

static int
by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, SEAL_NONCE_BYTES);
}

/* The nonces of n texts that one start seals. */
static void
seal_some(const struct seal_ring *ring,
          unsigned char (*nonces)[SEAL_NONCE_BYTES], size_t n)
{
    struct seal *s = seal_new(ring);

    for (size_t i = 0; i < n; i++) {
        unsigned char raw[64];
        struct buf text;
        size_t size;

        (void)sealed(s, STR("same"), &text);
        assert_int_equal(base64_decode(str_from_at(buf_str(&text), 6), raw,
                                       sizeof(raw), &size),
                         ERR_OK);
        memcpy(nonces[i], raw, SEAL_NONCE_BYTES);
        buf_fini(&text);
    }
    seal_free(s);
}

static void
no_nonce_comes_twice(void **state)
{
    unsigned char(*seen)[SEAL_NONCE_BYTES] = xcalloc(NONCES, sizeof(*seen));
    struct seal_ring *ring = ring_of("k1", key_a);

    (void)state;
    seal_some(ring, seen, MUCH);
    for (size_t i = MUCH; i < NONCES; i += LITTLE) {
        seal_some(ring, seen + i, LITTLE);
    }
    qsort(seen, NONCES, sizeof(*seen), by_bytes);
    for (size_t i = 1; i < NONCES; i++) {
        assert_memory_not_equal(seen[i - 1], seen[i], SEAL_NONCE_BYTES);
    }
    xfree(seen);
    seal_ring_free(ring);
}

static void
a_full_buffer_is_an_error(void **state)
{
    struct seal_ring *ring = ring_of("k1", key_a);
    struct seal *s = seal_new(ring);
    struct buf there, small;

    (void)state;
    (void)sealed(s, STR("0123456789"), &there);
    for (size_t max = 0; max < there.n; max++) {
        buf_init(&small, max);
        assert_int_equal(seal_put(s, &place, STR("0123456789"), &small),
                         ERR_TOO_BIG);
        buf_fini(&small);
    }
    buf_init(&small, 9);
    assert_int_equal(seal_open(s, &place, buf_str(&there), &small),
                     SEAL_BROKEN);
    assert_int_equal(small.n, 0);
    buf_fini(&small);
    buf_fini(&there);
    seal_free(s);
    seal_ring_free(ring);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_sealed_opens_at_its_place),
        cmocka_unit_test(another_program_opens_it_with_the_key_and_the_place),
        cmocka_unit_test(it_opens_nowhere_else),
        cmocka_unit_test(no_damage_goes_unnoticed),
        cmocka_unit_test(the_first_key_seals_and_all_of_them_open),
        cmocka_unit_test(a_wrong_key_of_the_same_name_does_not_open),
        cmocka_unit_test(plain_text_stays_what_it_is),
        cmocka_unit_test(the_older_form_opens_with_its_key),
        cmocka_unit_test(what_is_sealed_is_seen_without_a_key),
        cmocka_unit_test(a_ring_refuses_ids_that_cannot_stand_in_the_text),
        cmocka_unit_test(a_key_without_a_name_is_named_by_its_digest),
        cmocka_unit_test(no_nonce_comes_twice),
        cmocka_unit_test(a_full_buffer_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
