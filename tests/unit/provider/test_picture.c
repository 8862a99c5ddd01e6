/* SPDX-License-Identifier: MIT */
#include "provider/picture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
data_urls_of_pictures_are_read(void **state)
{
    static const struct {
        const char *url;
        const char *type;
        const char *base64;
    } rows[] = {
        {"data:image/png;base64,QUJD", "image/png", "QUJD"},
        {"DATA:IMAGE/JPEG;BASE64,QUI=", "image/jpeg", "QUI="},
        {"data:image/gif;base64,QQ==", "image/gif", "QQ=="},
        {"data:image/webp;base64,+/+/", "image/webp", "+/+/"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct picture p;

        assert_true(picture_read(str_from(rows[i].url), &p));
        assert_true(str_is(p.type, rows[i].type));
        assert_true(str_is(p.base64, rows[i].base64));
        assert_int_equal(p.url.n, 0);
    }
}

static void
links_are_read_and_not_followed(void **state)
{
    struct picture p;

    (void)state;
    assert_true(picture_read(STR("https://pictures.example.com/a?b=1"), &p));
    assert_true(str_is(p.url, "https://pictures.example.com/a?b=1"));
    assert_int_equal(p.base64.n, 0);
}

static void
all_else_is_refused(void **state)
{
    static const char *const urls[] = {
        "",
        "data:",
        "data:image/png",
        "data:image/png;base64",
        "data:image/png;base64,",
        "data:image/png,QUJD",
        "data:image/svg+xml;base64,QUJD",
        "data:text/plain;base64,QUJD",
        "data:image/png;charset=x;base64,QUJD",
        "data:image/png;base64,QUJ",
        "data:image/png;base64,QU=D",
        "data:image/png;base64,Q===",
        "data:image/png;base64,====",
        "data:image/png;base64,QU-D",
        "data:image/png;base64,QUJD\n",
        "data:image/png;base64,QUJD\"}",
        "http://pictures.example.com/a.png",
        "https://127.0.0.1/a.png",
        "https://10.0.0.1/a.png",
        "https://[::1]/a.png",
        "https://169.254.169.254/a.png",
        "https://intranet/a.png",
        "https://a.internal/a.png",
        "file:///a.png",
        "a.png",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct picture p;

        if (picture_read(str_from(urls[i]), &p) ||
            picture_read_link(str_from(urls[i]), &p)) {
            fail_msg("%s is a picture", urls[i]);
        }
    }
}

/* Cut anywhere it is a shorter one at most, and nothing behind it is looked
 * at. */
static void
a_url_that_was_cut_is_none_or_its_beginning(void **state)
{
    static const char whole[] = "data:image/png;base64,QUJDREVGR0g=";
    size_t good = 0;

    (void)state;
    for (size_t n = 0; n < sizeof(whole) - 1; n++) {
        char *copy = test_malloc(n + (n == 0));
        struct picture p;

        memcpy(copy, whole, n);
        if (picture_read((struct str){copy, n}, &p)) {
            assert_true(p.base64.n % 4 == 0 &&
                        p.base64.p + p.base64.n == copy + n);
            good++;
        }
        test_free(copy);
    }
    assert_int_equal(good, 2);
}

static void
a_link_says_by_its_name_what_it_leads_to(void **state)
{
    static const struct {
        const char *url;
        const char *type; /* NULL: not known */
    } rows[] = {
        {"https://example.com/a.png", "image/png"},
        {"https://example.com/a.b.JPG?size=1", "image/jpeg"},
        {"https://example.com/a.jpeg", "image/jpeg"},
        {"https://example.com/a.gif", "image/gif"},
        {"https://example.com/a.webp", "image/webp"},
        {"https://example.com/a.pdf", NULL},
        {"https://example.com/a?b.png", NULL},
        {"https://example.com/png", NULL},
        {"https://example.com", NULL},
        {"data:image/png;base64,QUJD", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct picture p;
        bool known = picture_read_link(str_from(rows[i].url), &p);

        assert_int_equal(known, rows[i].type != NULL);
        if (known) {
            assert_true(str_is(p.type, rows[i].type));
            assert_true(str_is(p.url, rows[i].url));
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_urls_of_pictures_are_read),
        cmocka_unit_test(links_are_read_and_not_followed),
        cmocka_unit_test(all_else_is_refused),
        cmocka_unit_test(a_url_that_was_cut_is_none_or_its_beginning),
        cmocka_unit_test(a_link_says_by_its_name_what_it_leads_to),
    };

    return cmocka_run_group_tests_name("provider/picture", tests, NULL, NULL);
}
