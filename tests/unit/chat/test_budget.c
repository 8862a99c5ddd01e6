/* SPDX-License-Identifier: MIT */
#include "chat/budget.h"

#include "base/clock.h"
#include "chat/budget_books.h"
#include "fixture.h"
#include "store/usage.h"

#include <sqlite3.h>

/* A token of input costs 1000 nanos, one of output 2000. */
static const struct price price = {1000000000, 1000000000, 2000000000,
                                   2000000000};

#define ROLES(text) ((struct str){text "\0", sizeof(text)})

struct waiter {
    bool told;
};

static void
on_decided(void *cookie)
{
    struct waiter *w = cookie;

    assert_false(w->told);
    w->told = true;
}

static struct budget_claim *
begin(struct house *h, const char *user, struct str roles, uint64_t prompt,
      struct waiter *w)
{
    const struct budget_ask ask = {.settings = &h->settings,
                                   .user_id = str_from(user),
                                   .roles = roles,
                                   .prompt_tokens = prompt,
                                   .price = &price};
    struct budget_claim *claim;
    bool ready;

    *w = (struct waiter){false};
    claim = budget_start(h->shard.chat, &ask, on_decided, w, &ready);
    w->told = w->told || ready;
    return claim;
}

/* Decided. */
static struct budget_claim *
claim_of(struct house *h, const char *user, struct str roles, uint64_t prompt)
{
    struct waiter w;
    struct budget_claim *claim = begin(h, user, roles, prompt, &w);

    WAIT_FOR(h, w.told);
    return claim;
}

static enum err
verdict(const struct budget_claim *claim)
{
    int64_t retry_after_ms;
    enum err e = budget_verdict(claim, &retry_after_ms);

    assert_int_equal(e == ERR_OK, retry_after_ms < 0);
    return e;
}

static bool
spend(struct budget_claim *claim, int64_t tokens)
{
    const struct provider_usage chunk = {.completion_tokens = tokens};

    return budget_spend(claim, &chunk, &price);
}

/* Whether a prompt of so many tokens would go, leaving nothing behind. */
static bool
fits(struct house *h, const char *user, struct str roles, uint64_t prompt)
{
    struct budget_claim *claim = claim_of(h, user, roles, prompt);
    bool ok = verdict(claim) == ERR_OK;

    budget_free(claim);
    return ok;
}

static struct budget_row rows[2];

static void
open_with(struct house *h, struct budget_row row)
{
    house_open(h);
    rows[0] = row;
    h->settings.budgets = rows;
    h->settings.budget_count = 1;
}

static struct budget_row
tokens(int64_t most)
{
    return (struct budget_row){.role = "", .limits.of = {{most, 0}, {most, 0}}};
}

static void
who_is_under_none_has_no_claim(void **state)
{
    struct house h;
    struct waiter w;

    (void)state;
    open_with(&h, tokens(10));
    rows[0].role = "red";
    assert_null(begin(&h, "ann", ROLES("blue"), 1000, &w));
    assert_true(w.told);
    assert_null(begin(&h, "ann", (struct str){NULL, 0}, 1000, &w));
    assert_null(begin(&h, "ann", ROLES("redder"), 1000, &w));
    assert_int_equal(verdict(NULL), ERR_OK);
    assert_true(budget_spend(NULL, &(struct provider_usage){.prompt_tokens = 1},
                             &price));
    budget_settle(NULL, &(struct usage){.present = true});
    assert_null(budget_roles(NULL));
    budget_free(NULL);
    house_close(&h);
}

static void
a_prompt_is_reserved_and_given_back(void **state)
{
    struct house h;
    struct budget_claim *claim;

    (void)state;
    open_with(&h, tokens(100));
    assert_false(fits(&h, "ann", ROLES("a"), 100));
    assert_true(fits(&h, "ann", ROLES("a"), 99));
    claim = claim_of(&h, "ann", ROLES("a"), 60);
    assert_int_equal(verdict(claim), ERR_OK);
    assert_false(fits(&h, "ann", ROLES("a"), 40));
    assert_true(fits(&h, "ann", ROLES("a"), 39));
    assert_true(fits(&h, "bob", ROLES("a"), 99)); /* each on his own */
    budget_free(claim);
    assert_true(fits(&h, "ann", ROLES("a"), 99));
    house_close(&h);
}

static void
what_is_spent_counts_at_once_and_beyond_the_end(void **state)
{
    struct house h;
    struct budget_claim *one, *two;
    int64_t wait_ms;

    (void)state;
    open_with(&h, tokens(100));
    one = claim_of(&h, "ann", ROLES("a"), 10);
    two = claim_of(&h, "ann", ROLES("a"), 10);
    assert_true(spend(one, 40));
    assert_true(spend(two, 40)); /* that is all there is */
    assert_false(spend(one, 1));
    assert_false(spend(two, 1));
    assert_int_equal(budget_verdict(one, &wait_ms), ERR_BUDGET_EXCEEDED);
    assert_true(wait_ms > 0 && wait_ms <= INT64_C(31) * 24 * 3600 * 1000);
    /* It stays used although the answers came to nothing. */
    budget_free(one);
    budget_free(two);
    assert_false(fits(&h, "ann", ROLES("a"), 0));
    house_close(&h);
}

static void
what_the_provider_says_takes_the_place_of_the_estimate(void **state)
{
    struct house h;
    struct budget_claim *claim;

    (void)state;
    open_with(&h, tokens(100));
    claim = claim_of(&h, "ann", ROLES("a"), 50);
    assert_true(spend(claim, 40));
    budget_settle(claim, &(struct usage){.total_tokens = 20, .present = true});
    budget_settle(claim, &(struct usage){.total_tokens = 90, .present = true});
    budget_free(claim);
    assert_true(fits(&h, "ann", ROLES("a"), 79));
    assert_false(fits(&h, "ann", ROLES("a"), 80));
    house_close(&h);
}

static void
money_is_counted_by_the_prices(void **state)
{
    struct house h;
    struct budget_claim *claim;

    (void)state;
    open_with(&h, (struct budget_row){
                      .role = "",
                      .limits.of = {{0, 100000}, {0, 100000}}}); /* nanos */
    assert_true(fits(&h, "ann", ROLES("a"), 99));
    assert_false(fits(&h, "ann", ROLES("a"), 100));
    claim = claim_of(&h, "ann", ROLES("a"), 50);
    assert_true(spend(claim, 25));
    assert_false(spend(claim, 1));
    budget_settle(claim, &(struct usage){.total_tokens = 1000,
                                         .present = true,
                                         .cost_nanos = 40000});
    budget_free(claim);
    assert_true(fits(&h, "ann", ROLES("a"), 59));
    assert_false(fits(&h, "ann", ROLES("a"), 60));
    house_close(&h);
}

static void
the_strictest_of_all_rows_holds(void **state)
{
    struct house h;

    (void)state;
    open_with(&h, tokens(100));
    rows[1] =
        (struct budget_row){.role = "red", .limits.of = {{1000, 0}, {50, 0}}};
    h.settings.budget_count = 2;
    assert_true(fits(&h, "ann", ROLES("blue"), 99));
    assert_false(fits(&h, "ann", ROLES("blue"), 100));
    assert_true(fits(&h, "ann", ROLES("blue\0red"), 49));
    assert_false(fits(&h, "ann", ROLES("blue\0red"), 50));
    house_close(&h);
}

static void
users_of_a_role_have_it_together(void **state)
{
    struct budget_books *books = budget_books_new();
    struct house h;
    struct budget_claim *claim;
    char *roles;

    (void)state;
    open_with(&h,
              (struct budget_row){.role = "red",
                                  .shared = true,
                                  .limits.of = {{100, 0}, {100, 0}},
                                  .account = budget_books_of(books, "red")});
    claim = claim_of(&h, "ann", ROLES("red"), 60);
    roles = budget_roles(claim);
    assert_string_equal(roles, "\nred\n");
    xfree(roles);
    assert_false(fits(&h, "bob", ROLES("red"), 40));
    assert_true(fits(&h, "bob", ROLES("red"), 39));
    assert_true(fits(&h, "eve", ROLES("blue"), 1000));
    budget_free(claim);
    house_close(&h);
    budget_books_free(books);
}

/* --- what was used before ----------------------------------------------- */

static void
on_put(struct store_job *job)
{
    bool *put = job->cookie;

    assert_int_equal(job->result, ERR_OK);
    *put = true;
    store_job_free(job);
}

/* An entry of this moment. */
static void
put_entry(struct house *h, const char *user, const char *roles, int64_t total)
{
    bool put = false;
    struct store_job *job =
        store_job_new(STORE_USAGE_PUT, &h->shard, on_put, &put);
    struct usage_entry *e;

    job->review = review_new();
    e = &job->review->entry;
    rand_id(e->id);
    e->user_id = xstrdup(user);
    e->model_id = xstrdup("m1");
    e->at_ms = clock_wall_ms();
    e->usage = (struct usage){0, total, total, true, false, 0, 0, 7};
    e->budget_roles = roles != NULL ? xstrdup(roles) : NULL;
    store_submit(h->store, job);
    WAIT_FOR(h, put);
}

static void
what_the_entries_say_is_read_first(void **state)
{
    struct budget_books *books = budget_books_new();
    struct house h;

    (void)state;
    open_with(&h, tokens(100));
    rows[1] = (struct budget_row){.role = "red",
                                  .shared = true,
                                  .limits.of = {{100, 0}, {100, 0}},
                                  .account = budget_books_of(books, "red")};
    h.settings.budget_count = 2;
    put_entry(&h, "ann", "\nred\n", 30);
    put_entry(&h, "bob", "\nred\n", 50);
    put_entry(&h, "bob", NULL, 5);
    assert_true(fits(&h, "ann", ROLES("blue"), 69));
    assert_false(fits(&h, "ann", ROLES("blue"), 70));
    assert_true(fits(&h, "bob", ROLES("blue"), 44));
    assert_false(fits(&h, "bob", ROLES("blue"), 45));
    assert_true(fits(&h, "eve", ROLES("red"), 19));
    assert_false(fits(&h, "eve", ROLES("red"), 20));
    house_close(&h);
    budget_books_free(books);
}

static void
one_that_is_freed_while_it_waits_hears_nothing(void **state)
{
    struct house h;
    struct waiter gone, stays;
    struct budget_claim *one, *two;

    (void)state;
    open_with(&h, tokens(100));
    one = begin(&h, "ann", ROLES("a"), 60, &gone);
    two = begin(&h, "ann", ROLES("a"), 60, &stays);
    assert_false(gone.told || stays.told);
    budget_free(one);
    WAIT_FOR(&h, stays.told);
    assert_false(gone.told);
    assert_int_equal(verdict(two), ERR_OK); /* the other left nothing */
    budget_free(two);
    house_close(&h);
}

static void
of_many_who_wait_only_so_many_go_as_fit(void **state)
{
    struct waiter waiters[20];
    struct budget_claim *claims[20];
    struct house h;
    size_t went = 0;

    (void)state;
    open_with(&h, tokens(100));
    for (size_t i = 0; i < 20; i++) {
        claims[i] = begin(&h, "ann", ROLES("a"), 30, &waiters[i]);
    }
    for (size_t i = 0; i < 20; i++) {
        WAIT_FOR(&h, waiters[i].told);
        went += verdict(claims[i]) == ERR_OK;
    }
    assert_int_equal(went, 3);
    for (size_t i = 0; i < 20; i++) {
        budget_free(claims[i]);
    }
    assert_true(fits(&h, "ann", ROLES("a"), 99));
    house_close(&h);
}

static void
nobody_goes_while_it_cannot_be_read(void **state)
{
    struct house h;
    struct budget_claim *claim;
    sqlite3 *db = NULL;
    char path[128];

    (void)state;
    open_with(&h, tokens(100));
    snprintf(path, sizeof(path), "%s/chatbox.db", h.dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "ALTER TABLE usage RENAME TO away", NULL, NULL, NULL),
        SQLITE_OK);
    claim = claim_of(&h, "ann", ROLES("a"), 1);
    assert_int_equal(verdict(claim), ERR_DATABASE_ERROR);
    budget_free(claim);
    assert_int_equal(metric_value(METRIC_BUDGET_ERRORS, 0), 1);
    assert_int_equal(
        sqlite3_exec(db, "ALTER TABLE away RENAME TO usage", NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    claim = claim_of(&h, "ann", ROLES("a"), 1); /* it is read again */
    assert_int_equal(verdict(claim), ERR_OK);
    budget_free(claim);
    house_close(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_under_none_has_no_claim),
        cmocka_unit_test(a_prompt_is_reserved_and_given_back),
        cmocka_unit_test(what_is_spent_counts_at_once_and_beyond_the_end),
        cmocka_unit_test(
            what_the_provider_says_takes_the_place_of_the_estimate),
        cmocka_unit_test(money_is_counted_by_the_prices),
        cmocka_unit_test(the_strictest_of_all_rows_holds),
        cmocka_unit_test(users_of_a_role_have_it_together),
        cmocka_unit_test(what_the_entries_say_is_read_first),
        cmocka_unit_test(one_that_is_freed_while_it_waits_hears_nothing),
        cmocka_unit_test(of_many_who_wait_only_so_many_go_as_fit),
        cmocka_unit_test(nobody_goes_while_it_cannot_be_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
