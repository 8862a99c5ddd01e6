/* SPDX-License-Identifier: MIT */
#include "app/config_raw.h"

#include "config_fixture.h"

#include "base/xalloc.h"

#include <setjmp.h>

#include <cmocka.h>

static void
a_path_resolves_to_a_row_or_a_member(void **state)
{
    struct config_ref ref;

    (void)state;
    ref = config_raw_resolve(STR("server.port"));
    assert_ptr_equal(ref.row, &config_table_rows[CONFIG_ID_server_port]);
    assert_int_equal(ref.entry, 0);
    ref = config_raw_resolve(STR("llm.providers[12].model"));
    assert_ptr_equal(ref.row, &config_table_members[CONFIG_MEMBER_model]);
    assert_int_equal(ref.entry, 12);
    assert_null(config_raw_resolve(STR("llm.providers[].model")).row);
    assert_null(config_raw_resolve(STR("llm.providers[1].")).row);
    assert_null(config_raw_resolve(STR("llm.providers[1]")).row);
    assert_null(config_raw_resolve(STR("llm.providers[")).row);
}

static void
a_setting_is_called_by_both_its_names(void **state)
{
    struct buf out;
    char *text;

    (void)state;
    buf_init(&out, 256);
    config_raw_name(config_raw_resolve(STR("ws.allowed_origins")), &out);
    buf_puts(&out, "; ");
    config_raw_name(config_raw_resolve(STR("llm.providers[7].api_key")), &out);
    text = buf_give(&out);
    assert_string_equal(text,
                        "ws.allowed_origins (WS_ALLOWED_ORIGINS, "
                        "CHATBOX_ALLOWED_ORIGINS); llm.providers[7].api_key "
                        "(LLM_PROVIDER_7_API_KEY)");
    xfree(text);
}

static void
the_last_one_set_counts(void **state)
{
    struct config_raw raw = {.source = CONFIG_FROM_NOWHERE};
    struct config_list items = {NULL, 0};

    (void)state;
    assert_false(config_raw_given(&raw));
    config_raw_set(&raw, STR("a"), CONFIG_FROM_DEFAULT, 0);
    assert_false(config_raw_given(&raw));
    config_raw_list_add(&items, STR("x"));
    config_raw_set_items(&raw, items, 3);
    assert_true(config_raw_given(&raw));
    assert_null(raw.text.p);
    assert_int_equal(raw.line, 3);
    config_raw_set(&raw, STR("b"), CONFIG_FROM_SET, 0);
    assert_true(str_is(raw.text, "b"));
    assert_int_equal(raw.items.count, 0);
    assert_false(raw.sequence);
    config_raw_fini(&raw);
    assert_int_equal(raw.source, CONFIG_FROM_NOWHERE);
}

static void
a_long_value_is_cut_and_made_printable(void **state)
{
    const struct config_row *row = &config_table_rows[CONFIG_ID_auth_issuer];
    struct buf out;
    char *text;

    (void)state;
    buf_init(&out, 256);
    config_raw_show(row, STR("a\nbcdef"), 4, &out);
    text = buf_give(&out);
    assert_string_equal(text, "a?bc...");
    xfree(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_resolves_to_a_row_or_a_member),
        cmocka_unit_test(a_setting_is_called_by_both_its_names),
        cmocka_unit_test(the_last_one_set_counts),
        cmocka_unit_test(a_long_value_is_cut_and_made_printable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
