/* SPDX-License-Identifier: MIT */
#include "chat/budget_books.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
a_role_keeps_its_account(void **state)
{
    struct budget_books *books = budget_books_new();
    struct budget_account *red = budget_books_of(books, "red");
    struct budget_account *all = budget_books_of(books, "");

    (void)state;
    assert_ptr_not_equal(red, all);
    assert_false(budget_account_ready(red));
    for (int p = 0; p < BUDGET_PERIODS; p++) {
        budget_account_load(red, (enum budget_period)p, 1,
                            (struct budget_amount){5, 6});
    }
    assert_ptr_equal(budget_books_of(books, "red"), red);
    assert_ptr_equal(budget_books_of(books, ""), all);
    assert_true(budget_account_ready(red) && !budget_account_ready(all));
    budget_books_free(books);
    budget_books_free(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_role_keeps_its_account),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
