/* SPDX-License-Identifier: MIT */
#include "store/usage.h"

#include "base/check.h"
#include "base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define DAY USAGE_DAY_MS

static void
add(struct usage_list *l, int64_t at_ms, const char *model, int64_t tokens,
    bool estimated)
{
    const struct usage u = {tokens,    10 * tokens, 11 * tokens, true,
                            estimated, 2 * tokens,  3 * tokens,  4 * tokens};

    usage_list_add(l, at_ms, model, &u);
}

static void
expect(const struct usage_sum *got, const struct usage_sum *want)
{
    assert_int_equal(got->day_ms, want->day_ms);
    assert_string_equal(got->model_id, want->model_id);
    assert_int_equal(got->answers, want->answers);
    assert_int_equal(got->estimated, want->estimated);
    assert_int_equal(got->prompt_tokens, want->prompt_tokens);
    assert_int_equal(got->completion_tokens, 10 * want->prompt_tokens);
    assert_int_equal(got->total_tokens, 11 * want->prompt_tokens);
    assert_int_equal(got->cached_tokens, 2 * want->prompt_tokens);
    assert_int_equal(got->reasoning_tokens, 3 * want->prompt_tokens);
    assert_int_equal(got->cost_nanos, 4 * want->prompt_tokens);
}

static void
answers_are_summed_by_day_and_model(void **state)
{
    static const struct usage_sum want[] = {
        {.day_ms = 5 * DAY,
         .model_id = (char *)(uintptr_t) "a",
         .answers = 2,
         .prompt_tokens = 4},
        {.day_ms = 5 * DAY,
         .model_id = (char *)(uintptr_t) "b",
         .answers = 1,
         .estimated = 1,
         .prompt_tokens = 2},
        {.day_ms = 6 * DAY,
         .model_id = (char *)(uintptr_t) "a",
         .answers = 1,
         .prompt_tokens = 5},
        {.day_ms = 6 * DAY,
         .model_id = (char *)(uintptr_t) "",
         .answers = 1,
         .prompt_tokens = 7},
    };
    struct usage_list l = {0};

    (void)state;
    add(&l, 5 * DAY, "a", 1, false);
    add(&l, 5 * DAY + 1, "b", 2, true);
    add(&l, 6 * DAY - 1, "a", 3, false);
    add(&l, 6 * DAY, "a", 5, false);
    add(&l, 6 * DAY + 7, NULL, 7, false);
    assert_int_equal(l.count, COUNT_OF(want));
    for (size_t i = 0; i < l.count; i++) {
        expect(&l.sums[i], &want[i]);
    }
    usage_list_fini(&l);
    assert_null(l.sums);
    assert_int_equal(l.count, 0);
}

static void
an_entry_is_the_answers(void **state)
{
    char user[] = "ann", model[] = "m";
    const struct session_record s = {.user_id = user};
    const struct message_record m = {.id = "00aa",
                                     .at_ms = 42,
                                     .model_id = model,
                                     .usage = {1, 2, 3, true, true, 0, 0, 0}};
    struct usage_entry e = usage_entry_of(&s, &m);

    (void)state;
    assert_string_equal(e.id, "00aa");
    assert_string_equal(e.user_id, "ann");
    assert_string_equal(e.model_id, "m");
    assert_int_equal(e.at_ms, 42);
    assert_int_equal(e.usage.total_tokens, 3);
    assert_true(e.usage.estimated);
}

/* And empties it. */
static void
expect_text(struct buf *out, const char *want)
{
    char *text = buf_give(out);

    assert_string_equal(text, want);
    xfree(text);
}

static void
people_read_of_it_what_is_there(void **state)
{
    const struct usage plain = {1, 2, 3, true, false, 0, 0, 0};
    const struct usage full = {10, 20, 30, true, true, 4, 5, 1500000001};
    struct usage_list l = {0};
    struct buf out;

    (void)state;
    buf_init(&out, 1024);
    buf_putc(&out, '{');
    usage_put_members(&out, &plain);
    expect_text(&out, "{\"prompt_tokens\":1,"
                      "\"completion_tokens\":2,"
                      "\"total_tokens\":3");
    buf_putc(&out, '{');
    usage_put_members(&out, &full);
    expect_text(
        &out, "{\"prompt_tokens\":10,\"completion_tokens\":20,"
              "\"total_tokens\":30,\"cached_tokens\":4,\"reasoning_tokens\":5,"
              "\"cost\":1.500000001,\"estimated\":true");
    usage_list_add(&l, 86400000LL * 59 + 1, "m", &full); /* 1970-03-01 */
    usage_put_sum(&out, &l.sums[0]);
    expect_text(
        &out, "{\"day\":\"1970-03-01\",\"model_id\":\"m\",\"answers\":1,"
              "\"estimated\":1,\"prompt_tokens\":10,\"completion_tokens\":20,"
              "\"total_tokens\":30,\"cached_tokens\":4,\"reasoning_tokens\":5,"
              "\"cost\":1.500000001}");
    usage_list_fini(&l);
    buf_fini(&out);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_summed_by_day_and_model),
        cmocka_unit_test(an_entry_is_the_answers),
        cmocka_unit_test(people_read_of_it_what_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
