/* SPDX-License-Identifier: MIT */
#include "app/config_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
networks_become_16_bytes_and_a_length(void **state)
{
    static const unsigned char ten[16] = {[10] = 0xff, [11] = 0xff, [12] = 10};
    static const unsigned char fd[16] = {0xfd, 0x12};
    unsigned char address[16];
    unsigned bits;

    (void)state;
    assert_true(config_check_network(STR("10.1.2.3/8"), address, &bits));
    assert_memory_equal(address, ten, 16);
    assert_int_equal(bits, 104);
    assert_true(config_check_network(STR("fd12:3::/16"), address, &bits));
    assert_memory_equal(address, fd, 16);
    assert_int_equal(bits, 16);
    assert_true(config_check_network(STR("::1"), address, &bits));
    assert_int_equal(bits, 128);
    assert_true(config_check_network(STR("0.0.0.0/0"), address, &bits));
    assert_int_equal(bits, 96);
}

static void
an_endpoints_place_is_told(void **state)
{
    static const struct {
        const char *url;
        enum url_host kind;
        bool good;
    } cases[] = {
        {"https://a.example/v1", URL_HOST_PUBLIC, true},
        {"https://a.example/v1?api-version=1", URL_HOST_PUBLIC, true},
        {"http://a.example/v1", URL_HOST_PUBLIC, false},
        {"http://127.0.0.1", URL_HOST_LOOPBACK, true},
        {"http://10.0.0.1", URL_HOST_PRIVATE, true},
        {"http://llm", URL_HOST_LOCAL_NAME, true},
        {"http://169.254.0.1", URL_HOST_LINK_LOCAL, false},
        {"nothing", URL_HOST_BAD, false},
    };
    enum url_host kind;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *why = config_check_endpoint(str_from(cases[i].url), &kind);

        assert_int_equal(why == NULL, cases[i].good);
        assert_int_equal(kind, cases[i].kind);
    }
}

static void
a_reason_never_repeats_the_value(void **state)
{
    (void)state;
    for (size_t i = 0; i < CONFIG_IDS; i++) {
        const struct config_row *row = &config_table_rows[i];
        const char *why;

        if (config_table_storage(row->type) != CONFIG_NUMBER) {
            why = config_check_text(row, STR("hunter2 <x>\n"));
            assert_true(why == NULL || strstr(why, "hunter2") == NULL);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_become_16_bytes_and_a_length),
        cmocka_unit_test(an_endpoints_place_is_told),
        cmocka_unit_test(a_reason_never_repeats_the_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
