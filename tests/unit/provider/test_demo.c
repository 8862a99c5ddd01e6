/* SPDX-License-Identifier: MIT */
#include "provider/demo.h"

#include "base/xalloc.h"
#include "codec/utf8.h"
#include "provider/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* A whole answer, as a timer would draw it. */
struct told {
    char *text;
    size_t deltas;
    uint64_t duration_ms;
    struct provider_usage usage;
};

static struct told
listen_behind(struct str partial, const char *model,
              const struct provider_message *messages, size_t count)
{
    struct provider_config config = {
        .ops = &demo_ops, .id = "d", .name = "D", .model = model};
    struct provider_turn turn = {
        .messages = messages, .count = count, .partial = partial};
    void *state = demo_ops.begin(&config, &turn);
    struct provider_event event;
    struct told told = {0};
    struct buf text;
    uint64_t delay_ms;
    bool finished = false;

    buf_init(&text, 1 << 20);
    for (demo_ops.next(state, &event, &delay_ms); event.kind == PROVIDER_DELTA;
         demo_ops.next(state, &event, &delay_ms)) {
        assert_true(event.text.n > 0 && utf8_valid(event.text));
        assert_true(delay_ms >= 20 && delay_ms <= (told.deltas ? 40 : 250));
        buf_put_str(&text, event.text);
        told.deltas++;
        told.duration_ms += delay_ms;
    }
    for (; event.kind != PROVIDER_DONE;
         demo_ops.next(state, &event, &delay_ms)) {
        if (event.kind == PROVIDER_USAGE) {
            told.usage = event.usage;
        } else {
            assert_int_equal(event.kind, PROVIDER_FINISH);
            assert_int_equal(event.finish, PROVIDER_STOP);
            finished = true;
        }
        assert_true(delay_ms == 0);
    }
    assert_true(finished);
    demo_ops.close(state);
    demo_ops.close(NULL);
    told.text = buf_give(&text);
    return told;
}

static struct told
listen(const char *model, const struct provider_message *messages, size_t count)
{
    return listen_behind(STR(""), model, messages, count);
}

static struct told
ask(const char *model, const char *question)
{
    struct provider_message m = {.role = PROVIDER_USER,
                                 .content = str_from(question)};

    return listen(model, &m, 1);
}

static void
says_the_same_to_the_same_question(void **state)
{
    struct told a = ask("demo-guide", "What is this?");
    struct told b = ask("demo-guide", "What is this?");
    struct told c = ask("demo-guide", "What is that then?");

    (void)state;
    assert_string_equal(a.text, b.text);
    assert_true(a.duration_ms == b.duration_ms);
    assert_string_not_equal(a.text, c.text);
    xfree(a.text);
    xfree(b.text);
    xfree(c.text);
}

/* It has nothing to go on with: its own answer follows, as a paragraph. */
static void
follows_a_partial_answer(void **state)
{
    struct provider_message m = {.role = PROVIDER_USER,
                                 .content = STR("What is this?")};
    struct told a = ask("demo-brief", "What is this?");
    struct told b = listen_behind(STR("It is a"), "demo-brief", &m, 1);

    (void)state;
    assert_memory_equal(b.text, "\n\n", 2);
    assert_string_equal(b.text + 2, a.text);
    assert_true(b.usage.prompt_tokens > a.usage.prompt_tokens);
    xfree(a.text);
    xfree(b.text);
}

static void
shows_the_question_and_every_kind_of_markdown(void **state)
{
    static const char *const parts[] = {
        "## You sent a question",
        "> Why is \\*water\\* wet?",
        "| words | 4 |",
        "```python\n",
        "1. Ask",
        "first turn",
    };
    struct told a = ask("", "Why is *water* wet?");

    (void)state;
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if (strstr(a.text, parts[i]) == NULL) {
            fail_msg("\"%s\" is not in: %s", parts[i], a.text);
        }
    }
    assert_true(a.usage.prompt_tokens > 0 && a.usage.completion_tokens > 100);
    assert_true(a.usage.total_tokens ==
                a.usage.prompt_tokens + a.usage.completion_tokens);
    xfree(a.text);
}

static void
counts_the_turns_it_was_given(void **state)
{
    const struct provider_message messages[] = {
        {.role = PROVIDER_USER, .content = STR("My name is Ada.")},
        {.role = PROVIDER_ASSISTANT, .content = STR("Hello.")},
        {.role = PROVIDER_USER, .content = STR("second")},
        {.role = PROVIDER_ASSISTANT, .content = STR("Yes.")},
        {.role = PROVIDER_USER, .content = STR("third")},
    };
    struct told a = listen("demo-guide", messages, 5);
    struct told b = listen("demo-brief", messages + 2, 3);

    (void)state;
    assert_non_null(strstr(a.text, "**2 earlier turns**"));
    assert_non_null(strstr(a.text, "> My name is Ada."));
    assert_non_null(strstr(b.text, "saw 1 turns"));
    xfree(a.text);
    xfree(b.text);
}

static void
a_long_answer_takes_about_half_a_minute(void **state)
{
    struct told a = ask("demo-guide", "Please tell a LONG story!");
    struct told b = ask("demo-guide", "Please tell a longer story!");

    (void)state;
    assert_in_range(a.duration_ms, 20000, 45000);
    assert_in_range(b.duration_ms, 1000, 10000);
    xfree(a.text);
    xfree(b.text);
}

static void
every_model_has_its_own_manner(void **state)
{
    const struct demo_model *m;
    size_t last = 0;

    (void)state;
    assert_null(demo_model_at(3));
    for (size_t i = 0; (m = demo_model_at(i)) != NULL; i++) {
        struct told a = ask(m->id, "hello");

        assert_true(m->name[0] != '\0');
        assert_true(strlen(a.text) != last);
        last = strlen(a.text);
        xfree(a.text);
    }
}

static void
any_question_gets_a_valid_answer(void **state)
{
    static const char *const questions[] = {
        "",
        " ",
        "?",
        "\n\n",
        "a",
        "```\n|x|<script>",
        "\xE6\xBC\xA2\xE5\xAD\x97\xE6\xBC\xA2\xE5\xAD\x97\xE6\xBC\xA2\xE5\xAD"
        "\x97\xE6\xBC\xA2\xE5\xAD\x97\xE6\xBC\xA2\xE5\xAD\x97",
    };
    char *large = xmalloc(200001);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(questions); i++) {
        for (size_t m = 0; demo_model_at(m) != NULL; m++) {
            struct told a = ask(demo_model_at(m)->id, questions[i]);

            assert_null(strstr(a.text, "|x|"));
            assert_null(strstr(a.text, "x|<"));
            xfree(a.text);
        }
    }
    memset(large, 'x', 200000);
    large[200000] = '\0';
    xfree(ask("demo-lecturer", large).text);
    xfree(large);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_the_same_to_the_same_question),
        cmocka_unit_test(follows_a_partial_answer),
        cmocka_unit_test(shows_the_question_and_every_kind_of_markdown),
        cmocka_unit_test(counts_the_turns_it_was_given),
        cmocka_unit_test(a_long_answer_takes_about_half_a_minute),
        cmocka_unit_test(every_model_has_its_own_manner),
        cmocka_unit_test(any_question_gets_a_valid_answer),
    };

    return cmocka_run_group_tests_name("provider/demo", tests, NULL, NULL);
}
