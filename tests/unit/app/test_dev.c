/* SPDX-License-Identifier: MIT */
#include "app/dev.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "config_fixture.h"
#include "guard/token.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/chatbox-dev-XXXXXX";

static int
enter_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL && chdir(folder) == 0 ? 0 : -1;
}

static int
leave_folder(void **state)
{
    (void)state;
    (void)unlink(DEV_FOLDER "/jwt-secret");
    (void)rmdir(DEV_FOLDER);
    return chdir("/") == 0 && rmdir(folder) == 0 ? 0 : -1;
}

static char *
secret(void)
{
    struct buf out;
    char why[256];

    buf_init(&out, 256);
    assert_true(dev_secret_get(&out, why, sizeof(why)));
    return buf_give(&out);
}

static void
a_secret_that_was_kept_is_found_again(void **state)
{
    char *first = secret(), *second = secret(), *third;
    struct stat st;
    char why[256];

    (void)state;
    assert_string_not_equal(first, second);
    assert_true(dev_secret_keep(str_from(first), why, sizeof(why)));
    assert_true(dev_secret_keep(str_from(second), why, sizeof(why)));
    third = secret();
    assert_string_equal(third, first);
    assert_int_equal(stat(DEV_FOLDER "/jwt-secret", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(DEV_FOLDER, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    xfree(first);
    xfree(second);
    xfree(third);
}

static void
fill(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void
what_cannot_be_a_kept_secret_is_told(void **state)
{
    struct buf out;
    char why[256];

    (void)state;
    (void)unlink(DEV_FOLDER "/jwt-secret");
    fill(DEV_FOLDER "/jwt-secret", "\n");
    buf_init(&out, 256);
    assert_false(dev_secret_get(&out, why, sizeof(why)));
    assert_non_null(strstr(why, "jwt-secret has no secret in it"));
    buf_fini(&out);
    assert_int_equal(unlink(DEV_FOLDER "/jwt-secret"), 0);
    assert_int_equal(rmdir(DEV_FOLDER), 0);
    fill(DEV_FOLDER, "a file");
    assert_false(dev_secret_keep(STR("x"), why, sizeof(why)));
    assert_non_null(strstr(why, "jwt-secret cannot be written"));
    assert_int_equal(unlink(DEV_FOLDER), 0);
}

/* Checks the token behind the nth "#token=" of links. */
static void
check_token(const struct config *c, const char *links, const char *user,
            bool admin)
{
    struct token_keys *keys = token_keys_secret(c->auth_jwt_secret);
    const char *roles[] = {"admin", NULL};
    struct token_rules rules = {.require_exp = true, .admin_roles = roles};
    const char *at = strstr(links, user);
    struct identity who;
    struct str jwt;

    assert_non_null(at);
    at = strstr(at, "#token=");
    assert_non_null(at);
    jwt = (struct str){at + 7, strcspn(at + 7, "\n")};
    assert_int_equal(token_verify(keys, &rules, jwt, clock_wall_ms(), &who),
                     ERR_OK);
    assert_string_equal(who.user_id, user);
    assert_int_equal(who.admin, admin);
    token_keys_free(keys);
}

static void
links_carry_good_tokens_in_the_fragment(void **state)
{
    struct trial t = {.bare = false};
    struct buf out;
    char *links;

    (void)state;
    trial_run(&t);
    buf_init(&out, 8192);
    dev_links(t.config, "127.0.0.1:81", &out);
    links = buf_give(&out);
    assert_non_null(strstr(links, "http://127.0.0.1:81/chatbox/#token="));
    check_token(t.config, links, "user", false);
    check_token(t.config, links, "operator", true);
    xfree(links);
    trial_fini(&t);
}

static void
without_a_secret_there_is_no_token(void **state)
{
    struct trial t = {.bare = true,
                      .env = {"JWT_PUBLIC_KEY_FILE=pem", "LLM_PROVIDER_1_ID=a",
                              "LLM_PROVIDER_1_TYPE=demo"}};
    struct buf out;
    char *links;

    (void)state;
    trial_run(&t);
    buf_init(&out, 8192);
    dev_links(t.config, "127.0.0.1:81", &out);
    links = buf_give(&out);
    assert_null(strstr(links, "#token="));
    xfree(links);
    trial_fini(&t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_that_was_kept_is_found_again),
        cmocka_unit_test(what_cannot_be_a_kept_secret_is_told),
        cmocka_unit_test(links_carry_good_tokens_in_the_fragment),
        cmocka_unit_test(without_a_secret_there_is_no_token),
    };

    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
