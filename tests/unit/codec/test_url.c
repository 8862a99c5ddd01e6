/* SPDX-License-Identifier: MIT */
#include "codec/url.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
cuts_a_url_into_its_parts(void **state)
{
    static const struct {
        struct str text, host, path, query;
        uint16_t port;
        bool tls;
    } cases[] = {
        {STR("https://a.example"), STR("a.example"), STR(""), STR(""), 443,
         true},
        {STR("HTTP://A.example/"), STR("A.example"), STR("/"), STR(""), 80,
         false},
        {STR("http://a:8080/x/y?b=/c?d"), STR("a"), STR("/x/y"), STR("b=/c?d"),
         8080, false},
        {STR("https://[::1]:99?q"), STR("::1"), STR(""), STR("q"), 99, true},
        {STR("https://[fe80::1]/x"), STR("fe80::1"), STR("/x"), STR(""), 443,
         true},
        {STR("http://a:65535"), STR("a"), STR(""), STR(""), 65535, false},
        {STR("http://a?"), STR("a"), STR(""), STR(""), 80, false},
    };
    struct url u;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_true(url_parse(cases[i].text, &u));
        assert_true(str_eq(u.host, cases[i].host));
        assert_true(str_eq(u.path, cases[i].path));
        assert_true(str_eq(u.query, cases[i].query));
        assert_int_equal(u.port, cases[i].port);
        assert_int_equal(u.tls, cases[i].tls);
        assert_true(str_is_nocase(u.scheme, cases[i].tls ? "https" : "http"));
    }
}

static void
refuses_what_is_no_absolute_url(void **state)
{
    static const struct str cases[] = {
        STR(""),
        STR("a.example"),
        STR("//a.example"),
        STR("ftp://a.example"),
        STR("https:/a.example"),
        STR("https://"),
        STR("https:///x"),
        STR("https://?x"),
        STR("https://:443"),
        STR("https://u@a.example"),
        STR("https://u:p@a.example"),
        STR("https://a.example:"
            "0"),
        STR("https://a.example:65536"),
        STR("https://a.example:080808"),
        STR("https://a.example:+1"),
        STR("https://a.example:1x"),
        STR("https://a.example/#f"),
        STR("https://a.example/ x"),
        STR("https://a.example/\t"),
        STR("https://a.example\\x"),
        STR("https://a.example/\"x"),
        STR("https://a.example/<x>"),
        STR("https://a.example/\xc3\xbc"),
        STR("https://[::1"),
        STR("https://[a]"),
        STR("https://[]"),
        STR("https://[::1]x"),
        STR("https://a[b]"),
        STR("javascript:alert(1)"),
        {"https://a\0b", 11},
    };
    struct url u;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_false(url_parse(cases[i], &u));
    }
}

static void
a_url_cut_anywhere_never_reads_beyond_its_end(void **state)
{
    static const char text[] = "https://[2001:db8::1]:8443/path?query=1";
    struct url u;

    (void)state;
    for (size_t n = 0; n < sizeof(text); n++) {
        char *copy = test_malloc(n + 1);

        memcpy(copy, text, n);
        if (url_parse((struct str){copy, n}, &u)) {
            assert_true(u.host.p >= copy && u.host.p + u.host.n <= copy + n);
            assert_true(u.path.n == 0 || u.path.p + u.path.n <= copy + n);
            assert_true(u.query.n == 0 || u.query.p + u.query.n <= copy + n);
        }
        test_free(copy);
    }
}

static void
knows_what_kind_of_place_a_host_is(void **state)
{
    static const struct {
        struct str host;
        enum url_host kind;
    } cases[] = {
        {STR("a.example"), URL_HOST_PUBLIC},
        {STR("A-1.b_2.example."), URL_HOST_PUBLIC},
        {STR("xn--mnchen-3ya.de"), URL_HOST_PUBLIC},
        {STR("8.8.8.8"), URL_HOST_PUBLIC},
        {STR("172.15.255.255"), URL_HOST_PUBLIC},
        {STR("172.32.0.1"), URL_HOST_PUBLIC},
        {STR("100.63.255.255"), URL_HOST_PUBLIC},
        {STR("223.255.255.255"), URL_HOST_PUBLIC},
        {STR("2606:4700::1111"), URL_HOST_PUBLIC},
        {STR("127.0.0.1"), URL_HOST_LOOPBACK},
        {STR("127.255.255.254"), URL_HOST_LOOPBACK},
        {STR("::1"), URL_HOST_LOOPBACK},
        {STR("::ffff:127.0.0.1"), URL_HOST_LOOPBACK},
        {STR("localhost"), URL_HOST_LOOPBACK},
        {STR("LocalHost."), URL_HOST_LOOPBACK},
        {STR("x.localhost"), URL_HOST_LOOPBACK},
        {STR("10.0.0.1"), URL_HOST_PRIVATE},
        {STR("172.16.0.0"), URL_HOST_PRIVATE},
        {STR("172.31.255.255"), URL_HOST_PRIVATE},
        {STR("192.168.1.1"), URL_HOST_PRIVATE},
        {STR("100.64.0.1"), URL_HOST_PRIVATE},
        {STR("fd00::1"), URL_HOST_PRIVATE},
        {STR("::ffff:10.0.0.1"), URL_HOST_PRIVATE},
        {STR("169.254.169.254"), URL_HOST_LINK_LOCAL},
        {STR("fe80::1"), URL_HOST_LINK_LOCAL},
        {STR("febf::1"), URL_HOST_LINK_LOCAL},
        {STR("0.0.0.0"), URL_HOST_RESERVED},
        {STR("224.0.0.1"), URL_HOST_RESERVED},
        {STR("240.0.0.1"), URL_HOST_RESERVED},
        {STR("255.255.255.255"), URL_HOST_RESERVED},
        {STR("192.0.2.1"), URL_HOST_RESERVED},
        {STR("198.18.0.1"), URL_HOST_RESERVED},
        {STR("198.51.100.1"), URL_HOST_RESERVED},
        {STR("203.0.113.1"), URL_HOST_RESERVED},
        {STR("::"), URL_HOST_RESERVED},
        {STR("ff02::1"), URL_HOST_RESERVED},
        {STR("64:ff9b::7f00:1"), URL_HOST_RESERVED},
        {STR("model"), URL_HOST_LOCAL_NAME},
        {STR("model."), URL_HOST_LOCAL_NAME},
        {STR("a.local"), URL_HOST_LOCAL_NAME},
        {STR("a.INTERNAL"), URL_HOST_LOCAL_NAME},
        {STR("a.b.svc"), URL_HOST_LOCAL_NAME},
        {STR("a.b.svc.cluster.local"), URL_HOST_LOCAL_NAME},
        {STR(""), URL_HOST_BAD},
        {STR("."), URL_HOST_BAD},
        {STR("a..b"), URL_HOST_BAD},
        {STR(".a"), URL_HOST_BAD},
        {STR("-a.example"), URL_HOST_BAD},
        {STR("a-.example"), URL_HOST_BAD},
        {STR("a b"), URL_HOST_BAD},
        {STR("a%2e"), URL_HOST_BAD},
        {STR("134744072"), URL_HOST_BAD},
        {STR("0x7f000001"), URL_HOST_BAD},
        {STR("010.0.0.1"), URL_HOST_BAD},
        {STR("127.1"), URL_HOST_BAD},
        {STR("1.2.3.4."), URL_HOST_BAD},
        {STR("a.1"), URL_HOST_BAD},
        {STR("256.0.0.1"), URL_HOST_BAD},
        {STR(":::"), URL_HOST_BAD},
        {{"a\0b.example", 11}, URL_HOST_BAD},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (url_host_kind(cases[i].host) != cases[i].kind) {
            fail_msg("%.*s is kind %d, not %d", STR_ARG(cases[i].host),
                     (int)url_host_kind(cases[i].host), (int)cases[i].kind);
        }
    }
}

static void
a_label_has_63_bytes_and_a_host_253_at_most(void **state)
{
    char host[300];

    (void)state;
    memset(host, 'a', sizeof(host));
    for (size_t i = 50; i < sizeof(host); i += 50) {
        host[i] = '.';
    }
    assert_int_equal(url_host_kind((struct str){host, 253}), URL_HOST_PUBLIC);
    assert_int_equal(url_host_kind((struct str){host, 254}), URL_HOST_BAD);
    memset(host, 'a', 64);
    memcpy(host + 63, ".de", 3);
    assert_int_equal(url_host_kind((struct str){host, 66}), URL_HOST_PUBLIC);
    memset(host, 'a', 64);
    memcpy(host + 64, ".de", 3);
    assert_int_equal(url_host_kind((struct str){host, 67}), URL_HOST_BAD);
}

static void
public_https_is_nothing_else(void **state)
{
    static const struct {
        struct str text;
        bool ok;
    } cases[] = {
        {STR("https://a.example/x.png"), true},
        {STR("https://a.example:444/x"), true},
        {STR("https://8.8.8.8/"), true},
        {STR("http://a.example/x"), false},
        {STR("https://localhost/x"), false},
        {STR("https://127.0.0.1/x"), false},
        {STR("https://[::1]/x"), false},
        {STR("https://[::ffff:10.0.0.1]/"), false},
        {STR("https://2130706433/"), false},
        {STR("https://intranet/"), false},
        {STR("https://a.example#x"), false},
        {STR(""), false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(url_is_public_https(cases[i].text), cases[i].ok);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_a_url_into_its_parts),
        cmocka_unit_test(refuses_what_is_no_absolute_url),
        cmocka_unit_test(a_url_cut_anywhere_never_reads_beyond_its_end),
        cmocka_unit_test(knows_what_kind_of_place_a_host_is),
        cmocka_unit_test(a_label_has_63_bytes_and_a_host_253_at_most),
        cmocka_unit_test(public_https_is_nothing_else),
    };

    return cmocka_run_group_tests_name("codec/url", tests, NULL, NULL);
}
