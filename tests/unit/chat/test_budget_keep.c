/* SPDX-License-Identifier: MIT */
#include "chat/budget_keep.h"

#include "chat/budget.h"
#include "fixture.h"

static size_t news;

static void
on_news(void *cookie)
{
    (void)cookie;
    news++;
}

static void
read_entry(struct house *h, struct budget_entry *e)
{
    size_t before = news;

    budget_keep_load(e);
    budget_keep_load(e); /* once is enough */
    WAIT_FOR(h, news > before);
    assert_int_equal(news, before + 1);
    assert_true(budget_account_ready(e->account) && !e->failed);
}

static void
a_user_is_kept_and_a_role_of_his_name_is_another(void **state)
{
    struct house h;
    struct budget_keep *k;
    struct budget_entry *ann, *role;
    struct budget_account book = {0};

    (void)state;
    house_open(&h);
    k = budget_keep_new(h.shard.chat, on_news, NULL);
    ann = budget_keep_user(k, STR("ann"));
    role = budget_keep_role(k, STR("ann"), &book);
    assert_ptr_not_equal(ann, role);
    read_entry(&h, ann);
    assert_false(budget_account_ready(&book));
    read_entry(&h, role);
    assert_true(budget_account_ready(&book));
    budget_keep_release(ann);
    assert_ptr_equal(budget_keep_user(k, STR("ann")), ann);
    budget_keep_release(ann);
    budget_keep_release(role);
    budget_keep_free(k);
    house_close(&h);
}

/* As many as there may be come and go; who is held stays, and of the others the
 * one that was let go first is forgotten. */
static void
who_asked_longest_ago_is_forgotten(void **state)
{
    struct house h;
    struct budget_keep *k;
    struct budget_entry *held, *first, *second;

    (void)state;
    house_open(&h);
    k = budget_keep_new(h.shard.chat, on_news, NULL);
    held = budget_keep_user(k, STR("held"));
    first = budget_keep_user(k, STR("first"));
    second = budget_keep_user(k, STR("second"));
    read_entry(&h, held);
    read_entry(&h, first);
    read_entry(&h, second);
    budget_keep_release(first);
    budget_keep_release(second);
    for (size_t i = 3; i < BUDGET_USERS_MAX + 1; i++) {
        char id[32];

        snprintf(id, sizeof(id), "user %zu", i);
        budget_keep_release(budget_keep_user(k, str_from(id)));
    }
    assert_int_equal(metric_value(METRIC_BUDGET_ACCOUNTS, 0), BUDGET_USERS_MAX);
    assert_ptr_equal(budget_keep_user(k, STR("held")), held);
    assert_true(budget_account_ready(held->account));
    second = budget_keep_user(k, STR("second"));
    assert_true(budget_account_ready(second->account));
    first = budget_keep_user(k, STR("first"));
    assert_false(budget_account_ready(first->account));
    budget_keep_free(k);
    house_close(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_is_kept_and_a_role_of_his_name_is_another),
        cmocka_unit_test(who_asked_longest_ago_is_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
