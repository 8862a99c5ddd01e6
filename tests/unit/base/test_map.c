/* SPDX-License-Identifier: MIT */
#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct thing {
    struct map_node node;
    char name[16];
};

static struct str
name_of(const struct map_node *node)
{
    const struct thing *t = (const struct thing *)node;

    return str_from(t->name);
}

static void
finds_what_was_added_until_it_is_removed(void **state)
{
    static struct thing things[1000];
    struct map m;

    (void)state;
    map_init(&m, name_of);
    assert_null(map_find(&m, STR("t0")));
    for (int i = 0; i < 1000; i++) {
        snprintf(things[i].name, sizeof(things[i].name), "t%d", i);
        map_add(&m, &things[i].node);
    }
    assert_int_equal(m.count, 1000);
    for (int i = 0; i < 1000; i += 2) {
        map_remove(&m, &things[i].node);
    }
    for (int i = 0; i < 1000; i++) {
        struct map_node *found = map_find(&m, str_from(things[i].name));

        assert_ptr_equal(found, i % 2 == 0 ? NULL : &things[i].node);
    }
    assert_int_equal(m.count, 500);
    map_fini(&m);
}

static void
count_and_remove(struct map_node *node, void *arg)
{
    struct map *m = arg;

    map_remove(m, node);
}

static void
lets_the_visitor_remove_what_it_visits(void **state)
{
    static struct thing things[50];
    struct map m;

    (void)state;
    map_init(&m, name_of);
    for (int i = 0; i < 50; i++) {
        snprintf(things[i].name, sizeof(things[i].name), "k%d", i);
        map_add(&m, &things[i].node);
    }
    map_each(&m, count_and_remove, &m);
    assert_int_equal(m.count, 0);
    map_fini(&m);
}

static void
hashes_equal_keys_equally_and_others_apart(void **state)
{
    char a[40], b[40];

    (void)state;
    for (size_t n = 0; n < sizeof(a); n++) {
        memset(a, 'x', sizeof(a));
        memset(b, 'x', sizeof(b));
        assert_true(map_hash((struct str){a, n}) ==
                    map_hash((struct str){b, n}));
        if (n > 0) {
            b[n - 1] = 'y';
            assert_true(map_hash((struct str){a, n}) !=
                        map_hash((struct str){b, n}));
            assert_true(map_hash((struct str){a, n}) !=
                        map_hash((struct str){a, n - 1}));
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_was_added_until_it_is_removed),
        cmocka_unit_test(lets_the_visitor_remove_what_it_visits),
        cmocka_unit_test(hashes_equal_keys_equally_and_others_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
