/* SPDX-License-Identifier: MIT */
#include "upload/file_id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define KEY STR("0123456789abcdef")

static void
an_id_is_its_users_and_of_its_type(void **state)
{
    char id[FILE_ID_CHARS + 1], other[FILE_ID_CHARS + 1];
    unsigned type = 0;

    (void)state;
    file_id_make(KEY, 0xa7, STR("ann"), id);
    file_id_make(KEY, 0xa7, STR("ann"), other);
    assert_int_equal(strlen(id), FILE_ID_CHARS);
    assert_true(memcmp(id, other, FILE_ID_CHARS / 2) != 0);
    assert_true(file_id_read(str_from(id), &type));
    assert_int_equal(type, 0xa7);
    assert_true(file_id_is_of(KEY, str_from(id), STR("ann")));
    assert_false(file_id_is_of(KEY, str_from(id), STR("anna")));
    assert_false(file_id_is_of(KEY, str_from(id), STR("")));
    assert_false(file_id_is_of(STR("another key"), str_from(id), STR("ann")));
}

/* Any other digit at any place makes it nobody's. */
static void
no_digit_can_be_changed(void **state)
{
    char id[FILE_ID_CHARS + 1];

    (void)state;
    file_id_make(KEY, 1, STR("ann"), id);
    for (size_t i = 0; i < FILE_ID_CHARS; i++) {
        char was = id[i];

        id[i] = was == '0' ? '1' : '0';
        assert_false(file_id_is_of(KEY, str_from(id), STR("ann")));
        id[i] = 'A';
        assert_false(file_id_is_of(KEY, str_from(id), STR("ann")));
        id[i] = was;
    }
    assert_true(file_id_is_of(KEY, str_from(id), STR("ann")));
}

static void
what_is_made_otherwise_is_none(void **state)
{
    static const char *const ids[] = {
        "",
        "0123456789abcdef",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdeF",
        "../3456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    };
    unsigned type;

    (void)state;
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        assert_false(file_id_read(str_from(ids[i]), &type));
        assert_false(file_id_is_of(KEY, str_from(ids[i]), STR("ann")));
        assert_false(file_id_signed(KEY, str_from(ids[i]), 1, STR("")));
    }
}

static void
a_signature_is_for_one_file_and_one_end(void **state)
{
    char id[FILE_ID_CHARS + 1], other[FILE_ID_CHARS + 1];
    struct buf link;
    struct str sig;

    (void)state;
    buf_init(&link, 256);
    file_id_make(KEY, 1, STR("ann"), id);
    file_id_make(KEY, 1, STR("ann"), other);
    file_id_sign(KEY, str_from(id), 1700000000, &link);
    assert_true(str_starts(buf_str(&link), STR("exp=1700000000&sig=")));
    sig = str_from_at(buf_str(&link), strlen("exp=1700000000&sig="));
    assert_int_equal(sig.n, 32);
    assert_true(file_id_signed(KEY, str_from(id), 1700000000, sig));
    assert_false(file_id_signed(KEY, str_from(id), 1700000001, sig));
    assert_false(file_id_signed(KEY, str_from(other), 1700000000, sig));
    assert_false(file_id_signed(STR("x"), str_from(id), 1700000000, sig));
    sig.n--;
    assert_false(file_id_signed(KEY, str_from(id), 1700000000, sig));
    assert_false(file_id_signed(KEY, str_from(id), 1700000000, STR("")));
    buf_fini(&link);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_its_users_and_of_its_type),
        cmocka_unit_test(no_digit_can_be_changed),
        cmocka_unit_test(what_is_made_otherwise_is_none),
        cmocka_unit_test(a_signature_is_for_one_file_and_one_end),
    };

    return cmocka_run_group_tests_name("upload/file_id", tests, NULL, NULL);
}
