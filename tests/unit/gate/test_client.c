/* SPDX-License-Identifier: MIT */
#include "gate/client.h"

#include "base/check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* text → its plain form; NULL: it is no address. */
static const struct {
    struct str text;
    const char *plain;
} addresses[] = {
    {STR("203.0.113.7"), "203.0.113.7"},
    {STR(" 203.0.113.7\t"), "203.0.113.7"},
    {STR("203.0.113.7:80"), "203.0.113.7"},
    {STR("0.0.0.0"), "0.0.0.0"},
    {STR("255.255.255.255:65535"), "255.255.255.255"},
    {STR("2001:db8::1"), "2001:db8::1"},
    {STR("2001:DB8:0:0::1"), "2001:db8::1"},
    {STR("[2001:db8::1]"), "2001:db8::1"},
    {STR("[2001:db8::1]:443"), "2001:db8::1"},
    {STR("::1"), "::1"},
    {STR("::"), "::"},
    {STR("::ffff:1.2.3.4"), "1.2.3.4"},
    {STR("[::ffff:1.2.3.4]:5"), "1.2.3.4"},
    {STR("::ffff:0102:0304"), "1.2.3.4"},
    {STR("2001:db8:1111:2222:3333:4444:255.255.255.255"),
     "2001:db8:1111:2222:3333:4444:ffff:ffff"},
    {STR(""), NULL},
    {STR(" "), NULL},
    {STR("unknown"), NULL},
    {STR("_hidden"), NULL},
    {STR("localhost"), NULL},
    {STR("203.0.113"), NULL},
    {STR("203.0.113.256"), NULL},
    {STR("203.0.113.7.1"), NULL},
    {STR("203.0.113.7 198.51.100.1"), NULL},
    {STR("3405803783"), NULL},
    {STR("0x7f.1"), NULL},
    {STR(":80"), NULL},
    {STR(":"), NULL},
    {STR("["), NULL},
    {STR("[]"), NULL},
    {STR("[]:80"), NULL},
    {STR("[2001:db8::1"), NULL},
    {STR("2001:db8::1]"), NULL},
    {STR("[2001:db8::1]x"), NULL},
    {STR("[2001:db8::1] :80"), NULL},
    {STR("2001:db8:::1"), NULL},
    {STR("fe80::1%eth0"), NULL},
    {STR("203.0.113.7\0"), NULL},
    {STR("11111111111111111111111111111111111111111111111111"), NULL},
};

static void
test_an_address_is_read_in_every_form_and_nothing_else_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(addresses); i++) {
        struct client_address a;
        char text[CLIENT_TEXT_SIZE];
        bool ok = client_parse(addresses[i].text, &a);

        if (ok != (addresses[i].plain != NULL)) {
            fail_msg("%.*s", STR_ARG(addresses[i].text));
        }
        if (ok) {
            client_format(&a, text);
            assert_string_equal(text, addresses[i].plain);
        }
    }
}

static void
test_no_cut_of_an_address_reads_beyond_its_end(void **state)
{
    static const char text[] = "[2001:db8:1:2:3:4:5:6]:65535";
    struct client_address a;

    (void)state;
    for (size_t n = 0; n < sizeof(text) - 1; n++) {
        bool whole = n >= strlen("[2001:db8:1:2:3:4:5:6]");

        assert_int_equal(client_parse((struct str){text, n}, &a), whole);
    }
}

static void
test_the_peer_is_the_same_address_over_both_families(void **state)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    struct sockaddr other = {.sa_family = AF_UNIX};
    struct client_address a, b;

    (void)state;
    assert_int_equal(inet_pton(AF_INET, "192.0.2.9", &in.sin_addr), 1);
    assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.9", &in6.sin6_addr),
                     1);
    assert_true(client_from_peer((struct sockaddr *)&in, &a));
    assert_true(client_from_peer((struct sockaddr *)&in6, &b));
    assert_memory_equal(&a, &b, sizeof(a));
    assert_false(client_from_peer(&other, &b));
    memset(&a, 0, sizeof(a));
    assert_memory_equal(&a, &b, sizeof(a));
}

static struct client_address
address(const char *text)
{
    struct client_address a;

    assert_true(client_parse(str_from(text), &a));
    return a;
}

/* "10.0.0.0", 8: counted in the address's own family. */
static struct gate_network
network(const char *text, unsigned bits)
{
    struct client_address a = address(text);
    struct gate_network n = {.bits =
                                 strchr(text, ':') != NULL ? bits : bits + 96};

    memcpy(n.address, a.bytes, sizeof(n.address));
    return n;
}

static const struct {
    const char *network;
    unsigned bits;
    const char *address;
    bool in;
} networks[] = {
    {"10.0.0.0", 8, "10.255.255.255", true},
    {"10.0.0.0", 8, "11.0.0.0", false},
    {"192.168.1.7", 32, "192.168.1.7", true},
    {"192.168.1.7", 32, "192.168.1.6", false},
    {"192.168.1.128", 25, "192.168.1.128", true},
    {"192.168.1.128", 25, "192.168.1.127", false},
    {"172.16.0.0", 12, "172.31.255.255", true},
    {"172.16.0.0", 12, "172.32.0.0", false},
    {"0.0.0.0", 0, "203.0.113.1", true},
    {"0.0.0.0", 0, "2001:db8::1", false},
    {"0.0.0.0", 1, "127.0.0.1", true},
    {"0.0.0.0", 1, "128.0.0.1", false},
    {"2001:db8::", 32, "2001:db8:ffff::1", true},
    {"2001:db8::", 32, "2001:db9::1", false},
    {"2001:db8::", 127, "2001:db8::1", true},
    {"2001:db8::", 127, "2001:db8::2", false},
    {"2001:db8::1", 128, "2001:db8::1", true},
    {"2001:db8::1", 128, "2001:db8::", false},
    {"::", 0, "2001:db8::1", true},
    {"::", 0, "10.0.0.1", true},
    {"fe80::", 10, "febf::1", true},
    {"fe80::", 10, "fec0::1", false},
};

static void
test_a_network_holds_its_addresses_and_no_others(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(networks); i++) {
        struct gate_network n = network(networks[i].network, networks[i].bits);
        struct client_address a = address(networks[i].address);

        if (client_in(&a, &n, 1) != networks[i].in) {
            fail_msg("%s in %s/%u", networks[i].address, networks[i].network,
                     networks[i].bits);
        }
        assert_false(client_in(&a, &n, 0));
    }
}

/* Trusted: 10.0.0.0/8 and 2001:db8::/32. */
static const struct {
    const char *peer;
    const char *forwarded;
    const char *client;
} walks[] = {
    {"203.0.113.1", "198.51.100.1", "203.0.113.1"},
    {"10.0.0.1", "", "10.0.0.1"},
    {"10.0.0.1", "198.51.100.1", "198.51.100.1"},
    {"10.0.0.1", "198.51.100.1:4711", "198.51.100.1"},
    {"10.0.0.1", "[2001:db9::1]:4711", "2001:db9::1"},
    {"10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"},
    {"10.0.0.1", "1.1.1.1,198.51.100.1,10.0.0.2", "198.51.100.1"},
    {"10.0.0.1", " 198.51.100.1 , 10.0.0.2 , 10.0.0.3 ", "198.51.100.1"},
    {"10.0.0.1", "10.0.0.2, 10.0.0.3", "10.0.0.2"},
    {"10.0.0.1", "1.1.1.1, 2001:db8::7", "1.1.1.1"},
    {"2001:db8::1", "1.1.1.1", "1.1.1.1"},
    {"10.0.0.1", "unknown", "10.0.0.1"},
    {"10.0.0.1", "1.1.1.1, unknown", "10.0.0.1"},
    {"10.0.0.1", "1.1.1.1, unknown, 10.0.0.2", "10.0.0.2"},
    {"10.0.0.1", "1.1.1.1,", "10.0.0.1"},
    {"10.0.0.1", ",,,", "10.0.0.1"},
    {"10.0.0.1", "1.1.1.1,,10.0.0.9", "10.0.0.9"},
};

static void
test_forwarded_addresses_are_believed_as_far_as_the_trust_reaches(void **state)
{
    struct gate_network trusted[] = {network("10.0.0.0", 8),
                                     network("2001:db8::", 32)};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(walks); i++) {
        struct client_address a = address(walks[i].peer);
        char text[CLIENT_TEXT_SIZE];

        client_forward(&a, str_from(walks[i].forwarded), trusted, 2);
        client_format(&a, text);
        if (strcmp(text, walks[i].client) != 0) {
            fail_msg("%s behind \"%s\" is %s, not %s", walks[i].peer,
                     walks[i].forwarded, text, walks[i].client);
        }
    }
}

static void
test_limits_count_an_ipv6_customer_by_the_64(void **state)
{
    struct client_address a = address("2001:db8:1:2::1");
    struct client_address b = address("2001:db8:1:2:ffff:ffff:ffff:ffff");
    struct client_address c = address("2001:db8:1:3::1");
    struct client_address v4 = address("192.0.2.1");
    struct client_address other = address("192.0.2.2");

    (void)state;
    assert_true(str_eq(client_key(&a), client_key(&b)));
    assert_false(str_eq(client_key(&a), client_key(&c)));
    assert_false(str_eq(client_key(&v4), client_key(&other)));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_an_address_is_read_in_every_form_and_nothing_else_is),
        cmocka_unit_test(test_no_cut_of_an_address_reads_beyond_its_end),
        cmocka_unit_test(test_the_peer_is_the_same_address_over_both_families),
        cmocka_unit_test(test_a_network_holds_its_addresses_and_no_others),
        cmocka_unit_test(
            test_forwarded_addresses_are_believed_as_far_as_the_trust_reaches),
        cmocka_unit_test(test_limits_count_an_ipv6_customer_by_the_64),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
