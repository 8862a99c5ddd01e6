/* SPDX-License-Identifier: MIT */
#include "provider/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
finds_every_row_by_its_type_in_any_case(void **state)
{
    const struct provider_ops *ops;
    const char *text;
    size_t count = 0;

    (void)state;
    while ((ops = registry_at(count, &text)) != NULL) {
        assert_ptr_equal(registry_find(str_from(ops->type)), ops);
        assert_true(strlen(text) > 10);
        count++;
    }
    assert_int_equal(count, 4);
    assert_ptr_equal(registry_at(0, NULL), registry_find(STR("OpenAI")));
    assert_null(registry_find(STR("openai2")));
    assert_null(registry_find(STR("")));
}

/* provider.h: either the functions of the network or those without it. */
static void
every_row_keeps_the_contract(void **state)
{
    const struct provider_ops *o;

    (void)state;
    for (size_t i = 0; (o = registry_at(i, NULL)) != NULL; i++) {
        bool network = o->build != NULL;
        struct provider_config config = {.ops = o};

        assert_non_null(o->close);
        assert_int_equal(provider_is_local(&config), !network);
        assert_int_equal(network, o->open && o->digest && o->end && o->fault);
        assert_int_equal(!network, o->begin && o->next);
        assert_int_equal(network, o->own_members != NULL);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_every_row_by_its_type_in_any_case),
        cmocka_unit_test(every_row_keeps_the_contract),
    };

    return cmocka_run_group_tests_name("provider/registry", tests, NULL, NULL);
}
