/* SPDX-License-Identifier: MIT */
#include "gate/openai_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define MESSAGES "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define BODY(more) "{\"model\":\"m\"," MESSAGES more "}"

static void
what_decides_is_read(void **state)
{
    struct openai_request q;
    struct openai_fault f;

    (void)state;
    assert_true(openai_request_completion(
        &q, STR(BODY(",\"stream\":true,\"stream_options\":{\"x\":1}")), &f));
    assert_true(str_is(q.model, "m") && q.stream && q.relay.stream);
    assert_false(q.include_usage);
    assert_true(
        str_is(q.relay.stream_options, "{\"x\":1,\"include_usage\":true}"));
    assert_null(q.relays_only);
    assert_int_equal(q.prompt_tokens, 5);
    openai_request_fini(&q);
    assert_true(openai_request_completion(&q, STR(BODY("")), &f));
    assert_false(q.stream || q.include_usage);
    assert_false(q.relay.stream);
    openai_request_fini(&q);
}

static void
what_is_said_is_put_in_words(void **state)
{
    struct openai_request q;
    struct openai_fault f;
    struct provider_turn turn;

    (void)state;
    assert_true(openai_request_completion(
        &q,
        STR("{\"model\":\"m\",\"temperature\": 0.70,\"stop\":\"e\\n\","
            "\"max_tokens\":9,\"messages\":["
            "{\"role\":\"system\",\"content\":\"s\"},"
            "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}"
            ",{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:,\"}}"
            ",{\"type\":\"text\",\"text\":\"\\u00fc\\n\"}]},"
            "{\"role\":\"assistant\",\"content\":null},"
            "{\"role\":\"assistant\",\"content\":\"c\"}]}"),
        &f));
    openai_words_turn(&q, &turn);
    assert_true(str_is(turn.system_prompt, "s"));
    assert_int_equal(turn.count, 3);
    assert_true(str_is(turn.messages[0].content, "a\nü\n"));
    assert_int_equal(turn.messages[1].role, PROVIDER_ASSISTANT);
    assert_true(str_is(turn.messages[1].content, ""));
    assert_true(str_is(turn.messages[2].content, "c"));
    assert_true(str_is(turn.temperature, "0.70"));
    assert_true(str_is(turn.stop, "[\"e\\n\"]"));
    assert_int_equal(turn.max_tokens, 9);
    openai_words_turn(&q, &turn); /* for the next provider */
    assert_int_equal(turn.count, 3);
    openai_request_fini(&q);
}

static void
instructions_alone_are_a_question_without_words(void **state)
{
    struct openai_request q;
    struct openai_fault f;
    struct provider_turn turn;

    (void)state;
    assert_true(openai_request_completion(
        &q,
        STR("{\"model\":\"m\",\"messages\":[{\"role\":\"system\","
            "\"content\":\"s\"}]}"),
        &f));
    openai_words_turn(&q, &turn);
    assert_int_equal(turn.count, 1);
    assert_int_equal(turn.messages[0].content.n, 0);
    openai_request_fini(&q);
}

/* Each cut of a good request is refused, and nothing of it stays. */
static void
a_cut_request_is_refused(void **state)
{
    static const char body[] =
        BODY(",\"stream\":true,\"stop\":[\"a\",\"b\"],\"n\":2");
    struct openai_request q;
    struct openai_fault f;

    (void)state;
    for (size_t n = 0; n < sizeof(body) - 1; n++) {
        assert_false(openai_request_completion(&q, (struct str){body, n}, &f));
        assert_int_equal(f.error.err, ERR_BAD_REQUEST);
        assert_null(f.error.param);
        openai_request_fini(&q);
    }
}

static void
embeddings_need_an_input(void **state)
{
    struct openai_request q;
    struct openai_fault f;

    (void)state;
    assert_true(openai_request_embeddings(
        &q, STR("{\"model\":\"m\",\"input\":[\"four\",\"four\"]}"), &f));
    assert_true(q.embeds);
    assert_true(q.prompt_tokens >= 2);
    openai_request_fini(&q);
    assert_false(openai_request_embeddings(&q, STR("{\"model\":\"m\"}"), &f));
    assert_string_equal(f.error.param, "input");
    openai_request_fini(&q);
}

/* Texts are read where they lie or in a document; both ways see the same. */
static void
escapes_are_seen_through(void **state)
{
    struct openai_request q;
    struct openai_fault f;

    (void)state;
    assert_true(openai_request_completion(
        &q,
        STR(" {\"model\":\"\\u006d\",\"m\\u0065ssages\":["
            "{\"role\":\"us\\u0065r\",\"content\":\"\\u0068i\"},"
            "{\"role\":\"user\",\"content\":\"\\u0068i\"}]} "),
        &f));
    assert_true(str_is(q.model, "m"));
    assert_int_equal(q.prompt_tokens, 10);
    assert_null(q.relays_only);
    openai_request_fini(&q);
}

/* Two readers would see two requests. */
static void
what_stands_twice_is_refused(void **state)
{
    static const struct str bodies[] = {
        STR(BODY(",\"model\":\"x\"")),
        STR(BODY(",\"mod\\u0065l\":\"x\"")),
        STR(BODY(",\"seed\":1,\"seed\":2")),
        STR("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":"
            "\"hi\",\"role\":\"system\"}]}"),
        STR("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":"
            "\"hi\",\"content\":\"ho\"}]}"),
        STR("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":"
            "[{\"type\":\"text\",\"text\":\"a\",\"text\":\"b\"}]}]}"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct openai_request q;
        struct openai_fault f;

        assert_false(openai_request_completion(&q, bodies[i], &f));
        assert_null(f.error.param);
        assert_true(str_contains_nocase(str_from(f.message), STR("column")));
        openai_request_fini(&q);
    }
}

/* As many as nobody has, one of them twice or not. */
static void
many_members_are_told_apart(void **state)
{
    (void)state;
    for (int twice = 0; twice < 2; twice++) {
        struct openai_request q;
        struct openai_fault f;
        struct buf b;

        buf_init(&b, 4096);
        buf_puts(&b, "{\"model\":\"m\"," MESSAGES);
        for (uint64_t i = 0; i < 100; i++) {
            buf_puts(&b, ",\"x");
            buf_put_u64(&b, i < 99 || !twice ? i : 98);
            buf_puts(&b, "\":0");
        }
        buf_puts(&b, ",\"n\":3}");
        assert_int_equal(openai_request_completion(&q, buf_str(&b), &f),
                         !twice);
        assert_true(twice || str_is(str_from(q.relays_only), "n"));
        openai_request_fini(&q);
        buf_fini(&b);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_decides_is_read),
        cmocka_unit_test(what_is_said_is_put_in_words),
        cmocka_unit_test(instructions_alone_are_a_question_without_words),
        cmocka_unit_test(a_cut_request_is_refused),
        cmocka_unit_test(embeddings_need_an_input),
        cmocka_unit_test(escapes_are_seen_through),
        cmocka_unit_test(what_stands_twice_is_refused),
        cmocka_unit_test(many_members_are_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
