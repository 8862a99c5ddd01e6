/* SPDX-License-Identifier: MIT */
#include "codec/jwt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
splits_exactly_three_parts(void **state)
{
    static const struct str bad[] = {
        {NULL, 0},   STR(""),     STR("a"),   STR("a.b"),    STR("a.b."),
        STR(".b.c"), STR("a..c"), STR("..."), STR("a.b.c."), STR("a.b.c.d"),
    };
    struct jwt parts;
    char large[JWT_MAX_BYTES + 1];

    (void)state;
    assert_true(jwt_split(STR("he.cla.sig"), &parts));
    assert_true(str_is(parts.header, "he") && str_is(parts.claims, "cla") &&
                str_is(parts.signature, "sig") &&
                str_is(parts.signed_text, "he.cla"));
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_false(jwt_split(bad[i], &parts));
    }
    memset(large, 'a', sizeof(large));
    large[1] = large[3] = '.';
    assert_true(jwt_split((struct str){large, JWT_MAX_BYTES}, &parts));
    assert_false(jwt_split((struct str){large, JWT_MAX_BYTES + 1}, &parts));
}

/* The part that holds text. */
static struct buf
part_of(struct str text)
{
    struct buf b;

    buf_init(&b, 1 << 16);
    jwt_put_part(&b, text);
    return b;
}

static bool
header_of(struct str text, struct jwt_header *out)
{
    struct buf part = part_of(text);
    bool ok = jwt_header(buf_str(&part), out);

    buf_fini(&part);
    return ok;
}

static void
reads_what_decides_of_a_header(void **state)
{
    struct jwt_header h;

    (void)state;
    assert_true(
        header_of(STR("{\"alg\":\"HS256\",\"typ\":\"\",\"kid\":[{}]}"), &h));
    assert_string_equal(h.algorithm, "HS256");
    assert_true(h.has_type && h.type[0] == '\0' && !h.critical);
    assert_true(header_of(STR("{\"crit\":0,\"alg\":\"123456789012345\"}"), &h));
    assert_string_equal(h.algorithm, "123456789012345");
    assert_true(!h.has_type && h.critical);
    assert_true(header_of(STR("{}"), &h));
    assert_string_equal(h.algorithm, "");
}

static void
refuses_headers_that_could_be_read_in_two_ways(void **state)
{
    static const struct str bad[] = {
        STR(""),
        STR("[]"),
        STR("{"),
        STR("{}{}"),
        STR("{\"alg\":1}"),
        STR("{\"alg\":null}"),
        STR("{\"typ\":null}"),
        STR("{\"alg\":\"1234567890123456\"}"),
        STR("{\"alg\":\"HS256\\u0000\"}"),
        STR("{\"alg\":\"none\",\"alg\":\"HS256\"}"),
        STR("{\"kid\":\"a\",\"kid\":\"b\"}"),
        STR("{\"al\\u0067\":\"none\"}"),
        STR("{\"x\":\"\xFF\"}"),
    };
    struct jwt_header h;
    struct buf many;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_false(header_of(bad[i], &h));
    }
    for (int members = 32; members <= 33; members++) {
        buf_init(&many, 1000);
        for (int i = 0; i < members; i++) {
            buf_printf(&many, "%c\"m%d\":0", i == 0 ? '{' : ',', i);
        }
        buf_putc(&many, '}');
        assert_int_equal(header_of(buf_str(&many), &h), members == 32);
        buf_fini(&many);
    }
    assert_false(jwt_header(STR("e30="), &h));
    assert_false(jwt_header(STR("e3 0"), &h));
}

static enum err
key_id_of(struct str text, struct buf *out)
{
    struct buf part = part_of(text);
    enum err e;

    buf_reset(out, 0);
    e = jwt_key_id(buf_str(&part), out);
    buf_fini(&part);
    return e;
}

static void
the_key_id_is_a_string_or_absent(void **state)
{
    struct buf kid;

    (void)state;
    buf_init(&kid, 4);
    assert_int_equal(key_id_of(STR("{\"alg\":[],\"kid\":\"a\\u0062\"}"), &kid),
                     ERR_OK);
    assert_true(str_is(buf_str(&kid), "ab"));
    assert_int_equal(key_id_of(STR("{\"kid\":\"\"}"), &kid), ERR_OK);
    assert_int_equal(kid.n, 0);
    assert_int_equal(key_id_of(STR("{}"), &kid), ERR_NOT_FOUND);
    assert_int_equal(key_id_of(STR("{\"Kid\":\"a\"}"), &kid), ERR_NOT_FOUND);
    assert_int_equal(key_id_of(STR("{\"kid\":5}"), &kid), ERR_INVALID_FORMAT);
    assert_int_equal(key_id_of(STR("{\"kid\":null}"), &kid),
                     ERR_INVALID_FORMAT);
    assert_int_equal(key_id_of(STR("{\"kid\":\"abcde\"}"), &kid),
                     ERR_INVALID_FORMAT);
    buf_fini(&kid);
}

static void
signatures_are_canonical_base64url_of_bounded_length(void **state)
{
    unsigned char out[4];
    size_t n;

    (void)state;
    n = sizeof(out);
    assert_true(jwt_bytes(STR("_-8"), out, &n));
    assert_int_equal(n, 2);
    assert_memory_equal(out, "\xFF\xEF", 2);
    n = sizeof(out);
    assert_false(jwt_bytes(STR("_-9"), out, &n));
    n = sizeof(out);
    assert_false(jwt_bytes(STR("+/8"), out, &n));
    n = sizeof(out);
    assert_false(jwt_bytes(STR("AAAAAAA"), out, &n));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_exactly_three_parts),
        cmocka_unit_test(reads_what_decides_of_a_header),
        cmocka_unit_test(refuses_headers_that_could_be_read_in_two_ways),
        cmocka_unit_test(the_key_id_is_a_string_or_absent),
        cmocka_unit_test(signatures_are_canonical_base64url_of_bounded_length),
    };

    return cmocka_run_group_tests_name("codec/jwt", tests, NULL, NULL);
}
