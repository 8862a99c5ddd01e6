/* SPDX-License-Identifier: MIT */
/* What a database and the collection of sessions may be called. */
#include "store/mongo_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct trial {
    struct str name;
    const char *why; /* NULL: it may be called so */
};

static void
test_a_database_has_a_name_of_its_own(void **state)
{
    static const char bad[] = "has a character that no database's name may "
                              "have";
    static const char own[] = "is MongoDB's own database";
    const struct trial trials[] = {
        {STR("chat"), NULL},      {STR("chat-2_x"), NULL},
        {STR("b\xc3\xbc"), NULL}, {STR("locals"), NULL},
        {STR("a/b"), bad},        {STR("a\\b"), bad},
        {STR("a.b"), bad},        {STR("a b"), bad},
        {STR("a\"b"), bad},       {STR("$a"), bad},
        {STR("a\0b"), bad},       {STR("admin"), own},
        {STR("config"), own},     {STR("Local"), own},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(trials); i++) {
        const char *why = mongo_name_refuse_database(trials[i].name);

        assert_string_equal(why != NULL ? why : "",
                            trials[i].why != NULL ? trials[i].why : "");
    }
}

static void
test_the_collection_of_sessions_is_none_of_the_others(void **state)
{
    static const char ours[] = "is the name of another collection of ours";
    static const char bad[] = "has a character that no collection's name may "
                              "have";
    static const char front[] = "begins like no collection of ours may";
    const struct trial trials[] = {
        {STR("sessions"), NULL},     {STR("old.sessions"), NULL},
        {STR("a b"), NULL},          {STR("Messages"), NULL},
        {STR("messages.old"), NULL}, {STR("systems"), NULL},
        {STR("messages"), ours},     {STR("pieces"), ours},
        {STR("audit"), ours},        {STR("meta"), ours},
        {STR("a$b"), bad},           {STR("a\0b"), bad},
        {STR(".a"), front},          {STR("system.a"), front},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(trials); i++) {
        const char *why = mongo_name_refuse_collection(trials[i].name);

        assert_string_equal(why != NULL ? why : "",
                            trials[i].why != NULL ? trials[i].why : "");
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_database_has_a_name_of_its_own),
        cmocka_unit_test(test_the_collection_of_sessions_is_none_of_the_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
