/* SPDX-License-Identifier: MIT */
#include "codec/http1_target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum form { PLAIN, CONNECT, OPTIONS };

static const struct {
    enum form form;
    const char *raw;
    const char *authority;
    const char *path;
    const char *query;
} good[] = {
    {PLAIN, "/", "", "/", ""},
    {PLAIN, "/a/b;c=1,2/~x:@!$&'()*+", "", "/a/b;c=1,2/~x:@!$&'()*+", ""},
    {PLAIN, "/a?b=c?d/e&%41", "", "/a", "b=c?d/e&%41"},
    {PLAIN, "/?", "", "/", ""},
    {PLAIN, "/%E2%82%AC", "", "/%E2%82%AC", ""},
    {PLAIN, "http://h", "h", "/", ""},
    {PLAIN, "http://h?q", "h", "/", "q"},
    {PLAIN, "HtTpS://h:443/p?q", "h:443", "/p", "q"},
    {PLAIN, "http://[::1]:8/", "[::1]:8", "/", ""},
    {PLAIN, "http://h:/x", "h:", "/x", ""},
    {PLAIN, "http://%41b/x", "%41b", "/x", ""},
    {CONNECT, "h:1", "h:1", "", ""},
    {CONNECT, "[::1]:443", "[::1]:443", "", ""},
    {OPTIONS, "*", "", "*", ""},
    {OPTIONS, "/x", "", "/x", ""},
};

static const struct {
    enum form form;
    const char *raw;
} bad[] = {
    {PLAIN, ""},
    {PLAIN, "a"},
    {PLAIN, "*"},
    {PLAIN, "/a b"},
    {PLAIN, "/#"},
    {PLAIN, "/?#"},
    {PLAIN, "/%"},
    {PLAIN, "/%1"},
    {PLAIN, "/%1g"},
    {PLAIN, "/?%"},
    {PLAIN, "/?a=%x1"},
    {PLAIN, "/^"},
    {PLAIN, "/`"},
    {PLAIN, "/{x}"},
    {PLAIN, "/|"},
    {PLAIN, "/[x]"},
    {PLAIN, "/\x80"},
    {PLAIN, "http://"},
    {PLAIN, "http:/h"},
    {PLAIN, "http://?q"},
    {PLAIN, "http://:80/"},
    {PLAIN, "ws://h/"},
    {PLAIN, "http://h#f"},
    {PLAIN, "http://u:p@h/"},
    {PLAIN, "http://%/"},
    {PLAIN, "http://[::1/"},
    {PLAIN, "http://[]/"},
    {CONNECT, "h"},
    {CONNECT, "h:"},
    {CONNECT, "h:99999"},
    {CONNECT, "/"},
    {CONNECT, "http://h/"},
    {CONNECT, ""},
    {OPTIONS, "**"},
    {OPTIONS, "*?x"},
};

static enum err
parse(enum form form, const char *raw, struct http1_target *t)
{
    return http1_target_parse(str_from(raw), form == CONNECT, form == OPTIONS,
                              t);
}

static void
every_form_of_target_is_cut_into_its_pieces(void **state)
{
    struct http1_target t;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_int_equal(parse(good[i].form, good[i].raw, &t), ERR_OK);
        assert_true(str_is(t.raw, good[i].raw));
        assert_true(str_is(t.authority, good[i].authority));
        assert_true(str_is(t.path, good[i].path));
        assert_true(str_is(t.query, good[i].query));
    }
}

static void
every_other_target_is_refused(void **state)
{
    struct http1_target t;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (parse(bad[i].form, bad[i].raw, &t) != ERR_BAD_REQUEST) {
            fail_msg("accepted: %s", bad[i].raw);
        }
    }
}

/* expected NULL: refused. */
static const struct {
    const char *path;
    const char *expected;
} paths[] = {
    {"/", "/"},           {"/a%20b", "/a b"},
    {"/a+b", "/a+b"},     {"/%e2%82%AC", "/\xE2\x82\xAC"},
    {"/a%2eb", "/a.b"},   {"/...", "/..."},
    {"/.a", "/.a"},       {"//", "//"},
    {"/%25", "/%25"},     {"/.", NULL},
    {"/..", NULL},        {"/a/../b", NULL},
    {"/a/./b", NULL},     {"/a/%2e%2E/b", "/a/../b"},
    {"/%2e", "/."},       {"/.%2e", "/.."},
    {"/a/..", NULL},      {"/a%2Fb", "/a%2Fb"},
    {"/a%2fb", "/a%2fb"}, {"/a%5cb", "/a%5cb"},
    {"/%00", NULL},       {"/%0a", NULL},
    {"/%1F", NULL},       {"/%7f", NULL},
    {"/%80", NULL},       {"/%C0%AE", NULL},
    {"/%ED%A0%80", NULL}, {"/%", NULL},
    {"/%4", NULL},        {"/%gg", NULL},
    {"/a b", NULL},
};

static void
paths_decode_to_one_meaning_or_not_at_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct buf out;
        enum err e;

        buf_init(&out, 64);
        e = http1_target_decode_path(str_from(paths[i].path), &out);
        if (paths[i].expected == NULL) {
            assert_int_equal(e, ERR_BAD_REQUEST);
        } else {
            assert_int_equal(e, ERR_OK);
            assert_true(str_is(buf_str(&out), paths[i].expected));
        }
        buf_fini(&out);
    }
}

static void
escaped_slashes_belong_to_a_segment(void **state)
{
    static const struct {
        const char *path;
        const char *name; /* of all behind the first slash */
    } segments[] = {
        {"/a%2Fb", "a/b"},           {"/a%5cb", "a\\b"},
        {"/100%25", "100%"},         {"/%252F", "%2F"},
        {"/%2F..%2F", "/../"},       {"/%25252e", "%252e"},
        {"/%C3%BC%2f", "\xC3\xBC/"}, {"/a+b", "a+b"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(segments); i++) {
        struct buf path, name;

        buf_init(&path, 64);
        buf_init(&name, 64);
        assert_int_equal(
            http1_target_decode_path(str_from(segments[i].path), &path),
            ERR_OK);
        assert_int_equal(
            http1_target_decode_segment(str_from_at(buf_str(&path), 1), &name),
            ERR_OK);
        assert_true(str_is(buf_str(&name), segments[i].name));
        buf_fini(&path);
        buf_fini(&name);
    }
}

static void
a_path_that_does_not_fit_says_so(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 3);
    assert_int_equal(http1_target_decode_path(STR("/abc"), &out), ERR_TOO_BIG);
    buf_fini(&out);
}

/* Pairs written as "key>value;". */
static const struct {
    struct str query;
    struct str expected;
    enum err end;
} queries[] = {
    {{"", 0}, {"", 0}, ERR_NOT_FOUND},
    {{"a=1", 3}, {"a>1;", 4}, ERR_NOT_FOUND},
    {{"a=1&b=2", 7}, {"a>1;b>2;", 8}, ERR_NOT_FOUND},
    {{"&&a&&b=&", 8}, {"a>;b>;", 6}, ERR_NOT_FOUND},
    {{"=x", 2}, {">x;", 3}, ERR_NOT_FOUND},
    {{"a=b=c", 5}, {"a>b=c;", 6}, ERR_NOT_FOUND},
    {{"a+b=c%20d%2B", 12}, {"a b>c d+;", 9}, ERR_NOT_FOUND},
    {{"%61=%26%3D", 10}, {"a>&=;", 5}, ERR_NOT_FOUND},
    {{"a=%00%ff", 8}, {"a>\0\xFF;", 5}, ERR_NOT_FOUND},
    {{"a=1&b=%4", 8}, {"a>1;", 4}, ERR_BAD_REQUEST},
    {{"a%=1", 4}, {"", 0}, ERR_BAD_REQUEST},
};

static void
a_query_is_walked_pair_by_pair(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(queries); i++) {
        struct str rest = queries[i].query;
        struct http1_pair pair;
        struct buf memory;
        struct buf text;
        enum err e;

        buf_init(&memory, 64);
        buf_init(&text, 64);
        while ((e = http1_target_next_pair(&rest, &memory, &pair)) == ERR_OK) {
            buf_put_str(&text, pair.key);
            buf_putc(&text, '>');
            buf_put_str(&text, pair.value);
            buf_putc(&text, ';');
        }
        assert_int_equal(e, queries[i].end);
        assert_true(str_eq(buf_str(&text), queries[i].expected));
        buf_fini(&memory);
        buf_fini(&text);
    }
}

static void
one_key_of_a_query_is_found_and_only_when_it_is_there_once(void **state)
{
    struct str query = STR("a=1&b=x%2By&c=&d=1&d=2&long=0123456789");
    struct str value;
    struct buf out;

    (void)state;
    buf_init(&out, 64);
    assert_int_equal(http1_target_query(query, "a", &out, &value), ERR_OK);
    assert_true(str_is(value, "1"));
    assert_int_equal(http1_target_query(query, "b", &out, &value), ERR_OK);
    assert_true(str_is(value, "x+y"));
    assert_int_equal(http1_target_query(query, "c", &out, &value), ERR_OK);
    assert_int_equal(value.n, 0);
    assert_int_equal(http1_target_query(query, "d", &out, &value),
                     ERR_BAD_REQUEST);
    assert_int_equal(http1_target_query(query, "e", &out, &value),
                     ERR_NOT_FOUND);
    assert_int_equal(http1_target_query(STR("q=%"), "e", &out, &value),
                     ERR_BAD_REQUEST);
    buf_fini(&out);
    buf_init(&out, 4);
    assert_int_equal(http1_target_query(query, "long", &out, &value),
                     ERR_TOO_BIG);
    buf_fini(&out);
}

static const struct {
    const char *authority;
    bool valid;
} authorities[] = {
    {"h", true},         {"h:", true},         {"h:65535", true},
    {"1.2.3.4:5", true}, {"[::1]", true},      {"[::ffff:1.2.3.4]:5", true},
    {"a_b.c", true},     {"%41", true},        {"", false},
    {":", false},        {"h:65536", false},   {"h:1x", false},
    {"h:1:2", false},    {"::1", false},       {"[", false},
    {"[]", false},       {"[g::]", false},     {"[::1]5", false},
    {"a@b", false},      {"a/b", false},       {"a b", false},
    {"%4", false},       {"[::1%25e]", false}, {"h\xC3", false},
};

static void
an_authority_is_a_host_and_perhaps_a_port(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(authorities); i++) {
        struct str s = str_from(authorities[i].authority);

        if (http1_target_authority_valid(s) != authorities[i].valid) {
            fail_msg("wrong for %s", authorities[i].authority);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_target_is_cut_into_its_pieces),
        cmocka_unit_test(every_other_target_is_refused),
        cmocka_unit_test(paths_decode_to_one_meaning_or_not_at_all),
        cmocka_unit_test(escaped_slashes_belong_to_a_segment),
        cmocka_unit_test(a_path_that_does_not_fit_says_so),
        cmocka_unit_test(a_query_is_walked_pair_by_pair),
        cmocka_unit_test(
            one_key_of_a_query_is_found_and_only_when_it_is_there_once),
        cmocka_unit_test(an_authority_is_a_host_and_perhaps_a_port),
    };

    return cmocka_run_group_tests_name("codec/http1_target", tests, NULL, NULL);
}
