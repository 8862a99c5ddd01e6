/* SPDX-License-Identifier: MIT */
#include "upload/file_type.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define BYTES(literal)                                                         \
    {                                                                          \
        "" literal, sizeof(literal) - 1                                        \
    }
#define GAP "\0\0\0\0"
#define PAGE GAP GAP GAP GAP GAP GAP /* of Ogg, behind its four letters */

static const struct {
    struct str head;
    const char *declared;
    const char *mime; /* NULL: none */
} rows[] = {
    {BYTES("\xff\xd8\xff\xe0"), "", "image/jpeg"},
    {BYTES("\x89PNG\r\n\x1a\n"), "text/html", "image/png"},
    {BYTES("\x89PNG\r\n\x1a"), "image/png", NULL},
    {BYTES("GIF89a"), "", "image/gif"},
    {BYTES("RIFF" GAP "WEBPVP8 "), "", "image/webp"},
    {BYTES("RIFF" GAP "WAVEfmt "), "", "audio/wav"},
    {BYTES("RIFF" GAP "AVI "), "", NULL},
    {BYTES("ID3\x04"), "", "audio/mpeg"},
    {BYTES("\xff\xfb\x90\x64"), "", "audio/mpeg"},
    {BYTES("\xff\xf1\x50\x80"), "audio/mpeg", NULL},
    {BYTES("OggS" PAGE "OpusHead"), "", "audio/ogg"},
    {BYTES("OggS" PAGE "\x80theora"), "audio/ogg", "video/ogg"},
    {BYTES("fLaC"), "", "audio/flac"},
    {BYTES("\0\0\0\x20"
           "ftypisom"),
     "", "video/mp4"},
    {BYTES("\0\0\0\x20"
           "ftypiso5"),
     "audio/mp4;codecs=mp4a", "audio/mp4"},
    {BYTES("\0\0\0\x20"
           "ftypM4A "),
     "video/mp4", "audio/mp4"},
    {BYTES("\0\0\0\x20"
           "ftypavif"),
     "", "image/avif"},
    {BYTES("\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm"), "", "video/webm"},
    {BYTES("\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm"), "audio/webm; codecs=opus",
     "audio/webm"},
    {BYTES("\x1a\x45\xdf\xa3\x9f\x42\x82\x88matroska"), "audio/webm",
     "video/x-matroska"},
    {BYTES("\x1a\x45\xdf\xa3\x9f"), "video/webm", NULL},
    {BYTES("%PDF-1.7"), "", "application/pdf"},
    {BYTES("PK\x03\x04"), "image/png", "application/zip"},
    {BYTES("plain\ttext\r\n\x1b[1m"), "", "text/plain"},
    {BYTES("a,b\n1,2\n"), "text/csv", "text/csv"},
    {BYTES("{}"), "application/json", "application/json"},
    {BYTES("gr\xc3\xbc\xc3\x9f"), "image/png", "text/plain"},
    {BYTES("gr\xfc\xdf"), "text/plain", NULL},
    {BYTES("a\0b"), "text/plain", NULL},
    {BYTES("MZ\x90\0"), "image/png", NULL},
    {BYTES("\x7f"
           "ELF\x02"),
     "text/plain", NULL},
    {BYTES("<svg xmlns=''>"), "image/png", "image/svg+xml"},
    {BYTES("<?xml version='1.0'?>\n<svg>"), "", "image/svg+xml"},
    {BYTES("<?xml version='1.0'?>\n<a>"), "text/plain", "application/xml"},
    {BYTES("\xef\xbb\xbf \r\n<!DOCTYPE html>"), "text/plain", "text/html"},
    {BYTES("<HTML>"), "text/plain", "text/html"},
    {BYTES("<script>alert(1)</script>"), "text/plain", "text/html"},
    {BYTES("<!-- -->"), "text/plain", "text/html"},
    {BYTES("<html5 is text"), "", "text/plain"},
    {BYTES("1 < 2"), "", "text/plain"},
};

/* Neither the name nor the sender. */
static void
the_content_decides(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct file_type *t =
            file_type_of(rows[i].head, str_from(rows[i].declared));

        if (rows[i].mime == NULL) {
            assert_null(t);
        } else {
            assert_non_null(t);
            assert_string_equal(t->mime, rows[i].mime);
            assert_ptr_equal(file_type_find(t->number), t);
        }
    }
}

static void
every_number_is_one_types(void **state)
{
    size_t count = 0;

    (void)state;
    for (unsigned n = 0; n <= 255; n++) {
        const struct file_type *t = file_type_find(n);

        count += t != NULL;
        assert_true(t == NULL || t->number == n);
    }
    assert_int_equal(count, 28); /* as many as there are rows */
    assert_null(file_type_find(0));
    assert_null(file_type_find(256));
}

static void
lists_have_types_and_kinds(void **state)
{
    static const char *const list[] = {"image/*", "Text/Plain", NULL};
    static const char *const none[] = {"image", "audio/mp", "*/*", NULL};
    const struct file_type *png = file_type_of(STR("GIF89a"), STR(""));
    const struct file_type *text = file_type_of(STR("a"), STR(""));
    const struct file_type *pdf = file_type_of(STR("%PDF-"), STR(""));

    (void)state;
    assert_true(file_type_listed(png, list));
    assert_true(file_type_listed(text, list));
    assert_false(file_type_listed(pdf, list));
    assert_false(file_type_listed(png, none));
}

static void
only_harmless_types_are_shown_in_place(void **state)
{
    (void)state;
    for (unsigned n = 0; n <= 255; n++) {
        const struct file_type *t = file_type_find(n);

        if (t == NULL) {
            continue;
        }
        if (strstr(t->mime, "xml") != NULL ||
            strstr(t->mime, "text/") != NULL ||
            strstr(t->mime, "application/") != NULL) {
            assert_false(file_type_is_inline(t) || file_type_is_picture(t));
        } else {
            assert_true(file_type_is_inline(t));
        }
    }
}

static void
a_text_is_one_in_every_byte(void **state)
{
    struct utf8 u = {0};

    (void)state;
    assert_true(file_type_text_feed(&u, STR("a\xc3")));
    assert_false(utf8_complete(&u));
    assert_true(file_type_text_feed(&u, STR("\xa4\n")));
    assert_true(utf8_complete(&u));
    assert_false(file_type_text_feed(&u, (struct str){"\0", 1}));
    assert_true(file_type_is_text(file_type_of(STR("<svg>"), STR(""))));
    assert_false(file_type_is_text(file_type_of(STR("%PDF-"), STR(""))));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_content_decides),
        cmocka_unit_test(every_number_is_one_types),
        cmocka_unit_test(lists_have_types_and_kinds),
        cmocka_unit_test(only_harmless_types_are_shown_in_place),
        cmocka_unit_test(a_text_is_one_in_every_byte),
    };

    return cmocka_run_group_tests_name("upload/file_type", tests, NULL, NULL);
}
