/* SPDX-License-Identifier: MIT */
#include "guard/origin.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct str valid[] = {
    STR("*"),
    STR("null"),
    STR("https://example.com"),
    STR("HTTPS://Example.COM"),
    STR("http://localhost:8080"),
    STR("https://example.com:443"),
    STR("https://example.com:1"),
    STR("https://example.com:65535"),
    STR("http://127.0.0.1:3000"),
    STR("http://[::1]"),
    STR("http://[2001:db8::1]:8080"),
    STR("http://[::ffff:1.2.3.4]"),
    STR("https://xn--bcher-kva.example"),
    STR("https://my_host.example."),
    STR("chrome-extension://abcdefghijklmnop"),
    STR("capacitor://localhost"),
};

static const struct str invalid[] = {
    STR(""),
    STR("Null"),
    STR("**"),
    STR("example.com"),
    STR("//example.com"),
    STR("https:example.com"),
    STR("https:/example.com"),
    STR("https://"),
    STR("https://:443"),
    STR("://example.com"),
    STR("https://example.com/"),
    STR("https://example.com/path"),
    STR("https://example.com?x"),
    STR("https://example.com#x"),
    STR("https://user@example.com"),
    STR("https://*.example.com"),
    STR("https://example.com:"),
    STR("https://example.com:0"),
    STR("https://example.com:0443"),
    STR("https://example.com:65536"),
    STR("https://example.com:99999999999999999999"),
    STR("https://example.com:-1"),
    STR("https://example.com:4 43"),
    STR("https://example.com:443:443"),
    STR("https://exa mple.com"),
    STR(" https://example.com"),
    STR("https://example.com "),
    STR("https://example.com\n"),
    STR("https://a.example,https://b.example"),
    STR("https://a.example https://b.example"),
    STR("https://b\xC3\xBC"
        "cher.example"),
    STR("https://exa\0mple.com"),
    STR("https://example.com\0"),
    STR("https://example.com\\@evil.example"),
    STR("https://%65xample.com"),
    STR("http://[::1"),
    STR("http://::1"),
    STR("http://[::g]"),
    STR("http://[]"),
    STR("http://[127.0.0.1]"),
    STR("http://[::1]x"),
    STR("http://[::1]:"),
    STR("http://[fe80::1%eth0]"),
    STR("1:2:3:4"),
};

static void
only_what_a_browser_can_send_is_an_origin(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(valid); i++) {
        if (!origin_valid(valid[i])) {
            fail_msg("refused: %.*s", STR_ARG(valid[i]));
        }
    }
    for (size_t i = 0; i < COUNT_OF(invalid); i++) {
        if (origin_valid(invalid[i])) {
            fail_msg("accepted: %.*s", STR_ARG(invalid[i]));
        }
    }
}

#define NO_HEADER                                                              \
    {                                                                          \
        NULL, 0                                                                \
    }

/* Our side is https://chat.example unless a row says otherwise; listed is
 * one item or nothing. */
static const struct row {
    struct str listed;
    struct str origin;
    struct str scheme;
    struct str host;
    bool allowed;
} rows[] = {
    /* no header */
    {NO_HEADER, NO_HEADER, STR("https"), STR("chat.example"), true},
    {NO_HEADER, STR(""), STR("https"), STR("chat.example"), false},
/* same origin */
#define SAME(origin, scheme, host, ok)                                         \
    {                                                                          \
        NO_HEADER, STR(origin), STR(scheme), STR(host), ok                     \
    }
    SAME("https://chat.example", "https", "chat.example", true),
    SAME("https://chat.example:443", "https", "chat.example", true),
    SAME("https://chat.example", "https", "chat.example:443", true),
    SAME("https://CHAT.example", "https", "chat.EXAMPLE", true),
    SAME("http://chat.example", "http", "chat.example:80", true),
    SAME("http://chat.example:8080", "http", "chat.example:8080", true),
    SAME("http://[::1]:8080", "http", "[0:0::1]:8080", true),
    SAME("http://127.0.0.1", "http", "127.0.0.1", true),
    SAME("http://chat.example", "https", "chat.example", false),
    SAME("https://chat.example", "http", "chat.example", false),
    SAME("https://chat.example:80", "https", "chat.example", false),
    SAME("https://chat.example:8443", "https", "chat.example", false),
    SAME("https://chat.example", "https", "chat.example:8443", false),
    SAME("https://evil.example", "https", "chat.example", false),
    SAME("https://chat.example.evil.example", "https", "chat.example", false),
    SAME("https://chat.examplee", "https", "chat.example", false),
    SAME("https://hat.example", "https", "chat.example", false),
    SAME("https://chat.example.", "https", "chat.example", false),
    SAME("https://chat.example/", "https", "chat.example", false),
    SAME("null", "https", "chat.example", false),
    SAME("null", "https", "", false),
    SAME("null", "https", "null", false),
    SAME("*", "https", "chat.example", false),
    SAME("https://chat.example", "https", "", false),
    SAME("https://chat.example", "https", "chat.example/x", false),
    SAME("http://[::1]", "http", "[::2]", false),
/* listed */
#define LIST(item, origin, ok)                                                 \
    {                                                                          \
        STR(item), STR(origin), STR("https"), STR("chat.example"), ok          \
    }
    LIST("https://a.example", "https://a.example", true),
    LIST("https://a.example", "https://chat.example", true),
    LIST("https://a.example:443", "https://a.example", true),
    LIST("HTTPS://A.Example", "https://a.EXAMPLE:443", true),
    LIST("http://a.example", "http://a.example:80", true),
    LIST("http://[2001:DB8::1]", "http://[2001:db8:0::1]:80", true),
    LIST("chrome-extension://abc", "chrome-extension://abc", true),
    LIST("null", "null", true),
    LIST("*", "https://anything.example", true),
    LIST("*", "null", true),
    LIST("*", "not an origin", true),
    LIST("https://a.example", "http://a.example", false),
    LIST("https://a.example", "https://a.example:8443", false),
    LIST("https://a.example:8443", "https://a.example", false),
    LIST("https://a.example", "https://b.a.example", false),
    LIST("https://a.example", "https://a.example.evil", false),
    LIST("https://a.example", "https://aaexample", false),
    LIST("https://a.example", "null", false),
    LIST("https://a.example", "*", false),
    LIST("null", "https://null", false),
    LIST("https://null", "null", false),
    LIST("null", "NULL", false),
    LIST("http://1.2.3.4", "http://[::ffff:1.2.3.4]", false),
};

static void
origins_are_compared_exactly(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row *r = &rows[i];
        struct origin_list *l =
            origin_list_new(&r->listed, r->listed.p != NULL);

        if (origin_allowed(l, r->origin, r->scheme, r->host) != r->allowed) {
            fail_msg("row %zu: %.*s", i, STR_ARG(r->origin));
        }
        origin_list_free(l);
    }
}

static void
cors_answers_only_what_is_listed(void **state)
{
    const struct str items[] = {STR("https://a.example"), STR("null")};
    struct origin_list *some = origin_list_new(items, 2);
    struct origin_list *none = origin_list_new(NULL, 0);
    const struct str star = STR("*");
    struct origin_list *any = origin_list_new(&star, 1);

    (void)state;
    assert_true(origin_listed(some, STR("https://A.example:443")));
    assert_true(origin_listed(some, STR("null")));
    assert_false(origin_listed(some, STR("https://b.example")));
    assert_false(origin_listed(some, (struct str){NULL, 0}));
    assert_false(origin_listed(none, STR("https://a.example")));
    assert_true(origin_listed(any, STR("https://b.example")));
    assert_true(origin_list_empty(none) && !origin_list_any(none));
    assert_true(!origin_list_empty(some) && !origin_list_any(some));
    assert_true(!origin_list_empty(any) && origin_list_any(any));
    origin_list_free(some);
    origin_list_free(none);
    origin_list_free(any);
    origin_list_free(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_a_browser_can_send_is_an_origin),
        cmocka_unit_test(origins_are_compared_exactly),
        cmocka_unit_test(cors_answers_only_what_is_listed),
    };

    return cmocka_run_group_tests_name("guard/origin", tests, NULL, NULL);
}
