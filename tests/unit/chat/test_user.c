/* SPDX-License-Identifier: MIT */
#include "chat/user.h"

#include "chat/session.h"
#include "fixture.h"

static void
a_user_is_one_object_as_long_as_something_of_it_is_there(void **state)
{
    struct house h;
    struct chat *c;
    struct user *u;
    struct session *s;

    (void)state;
    house_open(&h);
    c = h.shard.chat;
    assert_null(user_find(c, STR("anna")));
    u = user_get(c, STR("anna"));
    assert_ptr_equal(user_get(c, STR("anna")), u);
    assert_ptr_equal(user_find(c, STR("anna")), u);
    assert_null(user_find(c, STR("ann")));
    assert_true(str_is(user_id(u), "anna"));
    u->holds++;
    user_release(u);
    assert_ptr_equal(user_find(c, STR("anna")), u);
    s = session_new(u);
    u->holds--;
    user_release(u);
    assert_ptr_equal(user_find(c, STR("anna")), u);
    session_free(s);
    assert_null(user_find(c, STR("anna")));
    house_close(&h);
}

static void
ids_are_bytes_of_any_kind(void **state)
{
    struct house h;
    struct chat *c;
    static char longest[255];

    (void)state;
    house_open(&h);
    c = h.shard.chat;
    memset(longest, 'x', sizeof(longest));
    struct user *a = user_get(c, (struct str){longest, sizeof(longest)});
    struct user *b = user_get(c, (struct str){longest, sizeof(longest) - 1});
    struct user *d = user_get(c, STR("\xc3\xbc '\"\\"));

    assert_ptr_not_equal(a, b);
    assert_int_equal(c->users.count, 3);
    assert_true(str_is(user_id(d), "\xc3\xbc '\"\\"));
    user_release(a);
    user_release(b);
    user_release(d);
    assert_int_equal(c->users.count, 0);
    house_close(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_user_is_one_object_as_long_as_something_of_it_is_there),
        cmocka_unit_test(ids_are_bytes_of_any_kind),
    };

    return cmocka_run_group_tests_name("chat/user", tests, NULL, NULL);
}
