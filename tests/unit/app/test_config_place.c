/* SPDX-License-Identifier: MIT */
#include "app/config_place.h"
#include "config_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#define MONGO "MONGO_URI=mongodb://h"

static void
an_address_of_four_bytes_and_a_port(void **state)
{
    struct sockaddr_storage place;
    struct sockaddr_in in;

    (void)state;
    assert_true(config_place_parse(STR("10.1.2.3:8081"), &place));
    memcpy(&in, &place, sizeof(in));
    assert_int_equal(in.sin_family, AF_INET);
    assert_int_equal(ntohl(in.sin_addr.s_addr), 0x0a010203);
    assert_int_equal(ntohs(in.sin_port), 8081);
    assert_int_equal(config_place_port(&place), 8081);
}

static void
an_address_of_sixteen_stands_in_brackets(void **state)
{
    static const unsigned char bytes[16] = {0xfd, [15] = 3};
    struct sockaddr_storage place;
    struct sockaddr_in6 in;

    (void)state;
    assert_true(config_place_parse(STR("[fd00::3]:65535"), &place));
    memcpy(&in, &place, sizeof(in));
    assert_int_equal(in.sin6_family, AF_INET6);
    assert_memory_equal(&in.sin6_addr, bytes, 16);
    assert_int_equal(config_place_port(&place), 65535);
}

/* What the form check refuses is in test_config_value.c; here what comes from
 * elsewhere than the settings. */
static void
nothing_else_is_a_place(void **state)
{
    static const struct str cases[] = {
        {"10.1.2.3\0:8081", 14},
        {"[fd00::3\0]:8081", 15},
        {"[fd00:0000:0000:0000:0000:0000:0000:0000:0000:0003]:1", 53},
        {"", 0},
        {NULL, 0},
    };
    struct sockaddr_storage place;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_false(config_place_parse(cases[i], &place));
    }
}

static void
it_needs_a_database_that_others_reach(void **state)
{
    struct trial t = {
        .env = {"CLUSTER_ADDRESS=10.0.0.3:8081", "TRUSTED_PROXIES=10.0.0.0/8"}};

    (void)state;
    trial_run(&t);
    assert_null(t.config);
    assert_true(trial_says(&t, CONFIG_ERROR, "cluster.address",
                           "CLUSTER_ADDRESS", "store.kind", "mongo", NULL));
    assert_int_equal(t.report.errors, 1);
    trial_fini(&t);
}

static void
it_is_within_the_proxies_that_are_believed(void **state)
{
    struct trial none = {.env = {"CLUSTER_ADDRESS=10.0.0.3:8081", MONGO}};
    struct trial other = {.env = {"CLUSTER_ADDRESS=10.0.0.3:8081", MONGO,
                                  "TRUSTED_PROXIES=10.0.0.2,192.168.0.0/16"}};
    struct trial good = {.env = {"CLUSTER_ADDRESS=10.0.0.3:8081", MONGO,
                                 "TRUSTED_PROXIES=192.168.0.0/16,10.0.0.3"}};

    (void)state;
    trial_run(&none);
    trial_run(&other);
    trial_run(&good);
    assert_null(none.config);
    assert_true(trial_says(&none, CONFIG_ERROR, "cluster.address",
                           "10.0.0.3:8081", "TRUSTED_PROXIES", NULL));
    assert_null(other.config);
    assert_int_equal(other.report.errors, 1);
    assert_non_null(good.config);
    trial_fini(&none);
    trial_fini(&other);
    trial_fini(&good);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_of_four_bytes_and_a_port),
        cmocka_unit_test(an_address_of_sixteen_stands_in_brackets),
        cmocka_unit_test(nothing_else_is_a_place),
        cmocka_unit_test(it_needs_a_database_that_others_reach),
        cmocka_unit_test(it_is_within_the_proxies_that_are_believed),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
