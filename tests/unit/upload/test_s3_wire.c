/* SPDX-License-Identifier: MIT */
#include "upload/s3_wire.h"

#include "base/check.h"
#include "base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PAGE                                                                   \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"                             \
    "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"     \
    "<Name>b</Name><IsTruncated>true</IsTruncated><Contents><Key>a&amp;b"      \
    "</Key><ETag>&quot;x&quot;</ETag><Size>7</Size></Contents>\n<Contents>"    \
    "<Size>18446744073709551615</Size><Key>k2</Key></Contents>"                \
    "<NextContinuationToken>1/&amp;&lt;&gt;&quot;&apos;&#34;&#39;&x;=="        \
    "</NextContinuationToken></ListBucketResult>"

static void
assert_text(struct str s, const char *expected)
{
    if (!str_is(s, expected)) {
        fail_msg("\"%.*s\" instead of \"%s\"", STR_ARG(s), expected);
    }
}

static void
a_bucket_is_a_path_or_a_part_of_amazons_host(void **state)
{
    static const struct {
        const char *endpoint, *region, *bucket, *url;
    } cases[] = {
        {"http://minio:9000", "r", "b", "http://minio:9000/b"},
        {"https://s3.example.org//", "r", "b.c", "https://s3.example.org/b.c"},
        {"https://h/base/", "r", "b", "https://h/base/b"},
        {"", "eu-west-1", "b", "https://b.s3.eu-west-1.amazonaws.com"},
        {"", "us-east-1", "b.c", "https://s3.us-east-1.amazonaws.com/b.c"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf out;

        buf_init(&out, 200);
        s3_wire_put_bucket(str_from(cases[i].endpoint),
                           str_from(cases[i].region), str_from(cases[i].bucket),
                           &out);
        assert_text(buf_str(&out), cases[i].url);
        buf_fini(&out);
    }
}

static void
a_name_has_nothing_that_ends_a_part_of_an_address(void **state)
{
    static const char *const bad[] = {"",    "a/b", "a b", "a:b",     "a?b",
                                      "a#b", "a@b", "a%b", "\xc3\xbc"};
    char longest[257];

    (void)state;
    assert_true(s3_wire_name_good(STR("My_bucket-1.example")));
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_false(s3_wire_name_good(str_from(bad[i])));
    }
    memset(longest, 'a', sizeof(longest));
    assert_true(s3_wire_name_good((struct str){longest, 255}));
    assert_false(s3_wire_name_good((struct str){longest, 256}));
}

static void
a_list_is_asked_for_in_the_order_of_its_signature(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 200);
    s3_wire_put_list((struct str){NULL, 0}, 1, &out);
    assert_text(buf_str(&out), "?list-type=2&max-keys=1");
    buf_reset(&out, 0);
    s3_wire_put_list(STR("a/+ =\xff~_.-Z9"), 1000, &out);
    assert_text(buf_str(&out), "?continuation-token=a%2F%2B%20%3D%FF~_.-Z9"
                               "&list-type=2&max-keys=1000");
    buf_fini(&out);
}

static size_t
entries(struct str page)
{
    struct s3_wire_entry e;
    size_t n = 0;

    while (s3_wire_next(&page, &e)) {
        assert_text(e.key, n == 0 ? "a&amp;b" : "k2");
        assert_true(e.bytes == (n == 0 ? 7 : UINT64_MAX));
        n++;
    }
    return n;
}

static void
a_page_has_its_entries_and_what_comes_next(void **state)
{
    struct str page = STR(PAGE);
    struct buf token;
    bool bad;

    (void)state;
    buf_init(&token, 100);
    assert_int_equal(entries(page), 2);
    assert_true(s3_wire_more(page, &token, &bad));
    assert_false(bad);
    assert_text(buf_str(&token), "1/&<>\"'\"'&x;==");
    buf_fini(&token);
    buf_init(&token, 3);
    assert_false(s3_wire_more(page, &token, &bad));
    assert_true(bad); /* a token that is too long */
    buf_fini(&token);
}

/* Wherever it ends, in a buffer of its own: entries that are complete, and no
 * end of the list that is none. */
static void
a_page_may_be_cut_anywhere(void **state)
{
    (void)state;
    for (size_t n = 0; n < strlen(PAGE); n++) {
        char *copy = xmemdup(PAGE, n);
        struct str page = {copy, n};
        struct buf token;
        size_t ends = 0;
        bool bad;

        for (const char *p = copy; (p = strstr(p, "</Contents>")) != NULL;
             p++) {
            ends++;
        }
        assert_int_equal(entries(page), ends);
        buf_init(&token, 100);
        assert_true(s3_wire_more(page, &token, &bad) ||
                    bad); /* it says that there is more */
        buf_fini(&token);
        xfree(copy);
    }
}

static void
what_is_no_page_is_not_the_end_of_a_list(void **state)
{
    static const struct {
        const char *page;
        bool bad;
    } cases[] = {
        {"<IsTruncated>false</IsTruncated>", false},
        {"<IsTruncated>false</IsTruncated><NextContinuationToken>t"
         "</NextContinuationToken>",
         false},
        {"<IsTruncated>true</IsTruncated>", true},
        {"<IsTruncated>true</IsTruncated><NextContinuationToken>"
         "</NextContinuationToken>",
         true},
        {"<IsTruncated></IsTruncated>", true},
        {"<IsTruncated>maybe</IsTruncated>", true},
        {"<html>", true},
        {"", true},
    };
    struct buf token;
    bool bad;

    (void)state;
    buf_init(&token, 100);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_false(s3_wire_more(str_from(cases[i].page), &token, &bad));
        assert_int_equal(bad, cases[i].bad);
    }
    buf_fini(&token);
}

static void
a_refusal_has_a_word_or_none(void **state)
{
    static const struct {
        const char *body, *code;
    } cases[] = {
        {"<Error><Code>SlowDown</Code><Message>m</Message></Error>",
         "SlowDown"},
        {"<Code>a b</Code>", ""},
        {"<Code>a\nb</Code>", ""},
        {"<Code></Code>", ""},
        {"<Code>SlowDown", ""},
        {"<Code>"
         "1234567890123456789012345678901234567890123456789012345678901234"
         "</Code>",
         "1234567890123456789012345678901234567890123456789012345678901234"},
        {"<Code>"
         "1234567890123456789012345678901234567890123456789012345678901234"
         "5</Code>",
         ""},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_text(s3_wire_code(str_from(cases[i].body)), cases[i].code);
    }
    assert_int_equal(s3_wire_code((struct str){NULL, 0}).n, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_is_a_path_or_a_part_of_amazons_host),
        cmocka_unit_test(a_name_has_nothing_that_ends_a_part_of_an_address),
        cmocka_unit_test(a_list_is_asked_for_in_the_order_of_its_signature),
        cmocka_unit_test(a_page_has_its_entries_and_what_comes_next),
        cmocka_unit_test(a_page_may_be_cut_anywhere),
        cmocka_unit_test(what_is_no_page_is_not_the_end_of_a_list),
        cmocka_unit_test(a_refusal_has_a_word_or_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
