/* SPDX-License-Identifier: MIT */
#include "codec/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* RFC 4648 section 10, and the two characters that differ. */
static const struct {
    struct str bytes;
    const char *standard;
    const char *url;
} pairs[] = {
    {{"", 0}, "", ""},
    {{"f", 1}, "Zg==", "Zg"},
    {{"fo", 2}, "Zm8=", "Zm8"},
    {{"foo", 3}, "Zm9v", "Zm9v"},
    {{"foob", 4}, "Zm9vYg==", "Zm9vYg"},
    {{"fooba", 5}, "Zm9vYmE=", "Zm9vYmE"},
    {{"foobar", 6}, "Zm9vYmFy", "Zm9vYmFy"},
    {{"\xFB\xEF\xBE", 3}, "++++", "----"},
    {{"\xFF\xFF\xFF\0", 4}, "////AA==", "____AA"},
};

static const char *const bad_standard[] = {
    "Z",    "Zg",       "Zg=",   "Z===",   "====",  "=",
    "Zh==", "Zm9=",     "Zg= =", "Zg==\n", " Zg==", "Zm-v",
    "Zm_v", "Zg==Zg==", "Zm8",   "Z=g=",   "Zm9v=", "Zm9v====",
};

static const char *const bad_url[] = {
    "Z", "Zg==", "Zm8=", "Zm9v=", "Zh", "Zm9", "Zm+v", "Zm/v", "Zg\n", "Zm 9v",
};

static void
encodes_and_decodes_the_known_pairs(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        char text[16];
        char bytes[16];
        size_t n = base64_encode(pairs[i].bytes, text);

        assert_true(str_is((struct str){text, n}, pairs[i].standard));
        assert_int_equal(n, BASE64_SIZE(pairs[i].bytes.n));
        assert_int_equal(
            base64_decode((struct str){text, n}, bytes, sizeof(bytes), &n),
            ERR_OK);
        assert_true(str_eq((struct str){bytes, n}, pairs[i].bytes));

        n = base64_encode_url(pairs[i].bytes, text);
        assert_true(str_is((struct str){text, n}, pairs[i].url));
        assert_int_equal(
            base64_decode_url((struct str){text, n}, text, sizeof(text), &n),
            ERR_OK);
        assert_true(str_eq((struct str){text, n}, pairs[i].bytes));
    }
}

static void
every_byte_survives_there_and_back(void **state)
{
    unsigned char all[256];
    char text[BASE64_SIZE(256)];
    unsigned char back[BASE64_BYTES(BASE64_SIZE(256))];

    (void)state;
    for (size_t i = 0; i < sizeof(all); i++) {
        all[i] = (unsigned char)(i * 7);
    }
    for (size_t n = 0; n <= sizeof(all); n++) {
        struct str bytes = {(const char *)all, n};
        size_t size = base64_encode_url(bytes, text);
        size_t got;

        assert_int_equal(base64_decode_url((struct str){text, size}, back,
                                           sizeof(back), &got),
                         ERR_OK);
        assert_int_equal(got, n);
        assert_memory_equal(back, all, n);
    }
}

static void
refuses_every_text_that_is_not_canonical(void **state)
{
    char out[16];
    size_t n;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad_standard); i++) {
        assert_int_equal(
            base64_decode(str_from(bad_standard[i]), out, sizeof(out), &n),
            ERR_INVALID_FORMAT);
        assert_int_equal(n, 0);
    }
    for (size_t i = 0; i < COUNT_OF(bad_url); i++) {
        assert_int_equal(
            base64_decode_url(str_from(bad_url[i]), out, sizeof(out), &n),
            ERR_INVALID_FORMAT);
        assert_int_equal(n, 0);
    }
}

/* Each of the 256 at each place, whole groups and the end. */
static void
takes_the_characters_of_its_alphabet_and_no_other(void **state)
{
    static const char common[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrs"
                                 "tuvwxyz0123456789";
    char text[11], out[16];
    size_t n;

    (void)state;
    for (size_t at = 0; at < sizeof(text) - 1; at++) {
        for (int c = 0; c < 256; c++) {
            bool both = c != 0 && strchr(common, c) != NULL;
            enum err url, standard;

            memcpy(text, "AAAAAAAAAAA", sizeof(text));
            text[at] = (char)c;
            url =
                base64_decode_url((struct str){text, 11}, out, sizeof(out), &n);
            assert_int_equal(url == ERR_OK, both || c == '-' || c == '_');
            standard =
                base64_decode((struct str){text, 8}, out, sizeof(out), &n);
            assert_int_equal(standard == ERR_OK, at >= 8 || both || c == '+' ||
                                                     c == '/' ||
                                                     (at == 7 && c == '='));
        }
    }
}

static void
never_writes_beyond_the_room_it_was_given(void **state)
{
    char out[3] = {'x', 'x', 'x'};
    size_t n;

    (void)state;
    assert_int_equal(base64_decode(STR("Zm9v"), out, 2, &n), ERR_TOO_BIG);
    assert_int_equal(base64_decode(STR("Zm8="), out, 1, &n), ERR_TOO_BIG);
    assert_int_equal(out[0], 'x');
    assert_int_equal(base64_decode(STR("Zm8="), out, 2, &n), ERR_OK);
    assert_int_equal(out[2], 'x');
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodes_and_decodes_the_known_pairs),
        cmocka_unit_test(every_byte_survives_there_and_back),
        cmocka_unit_test(refuses_every_text_that_is_not_canonical),
        cmocka_unit_test(takes_the_characters_of_its_alphabet_and_no_other),
        cmocka_unit_test(never_writes_beyond_the_room_it_was_given),
    };

    return cmocka_run_group_tests_name("codec/base64", tests, NULL, NULL);
}
