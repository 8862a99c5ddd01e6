/* SPDX-License-Identifier: MIT */
/* Streams as servers send them, fed whole, byte by byte and cut at every
 * place: the events are always the same. */
#include "provider/registry.h"

#include "base/xalloc.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* The trace of an answer: "text" for a delta, then U, F, E, D, B for the other
 * kinds, with what they carry. */
static void
note(void *cookie, const struct provider_event *e)
{
    struct buf *out = cookie;

    switch (e->kind) {
    case PROVIDER_DELTA:
        assert_true(e->text.n > 0);
        buf_putc(out, '"');
        buf_put_str(out, e->text);
        buf_putc(out, '"');
        break;
    case PROVIDER_USAGE:
        buf_printf(out, "U%d+%d=%d", (int)e->usage.prompt_tokens,
                   (int)e->usage.completion_tokens, (int)e->usage.total_tokens);
        break;
    case PROVIDER_FINISH:
        buf_printf(out, "F%s", provider_finish_word(e->finish));
        break;
    case PROVIDER_ERROR:
        assert_int_equal(e->fault->err, ERR_LLM_UNAVAILABLE);
        buf_printf(out, "E%s%s", e->fault->code,
                   e->fault->retryable ? "!" : "");
        break;
    case PROVIDER_DONE:
        buf_putc(out, 'D');
        break;
    case PROVIDER_BAD_EVENT:
        buf_putc(out, 'B');
        break;
    }
    buf_putc(out, ' ');
}

static const struct provider_ops *ops;

static int
setup(void **state)
{
    (void)state;
    ops = registry_find(STR("openai"));
    return ops == NULL;
}

/* A piece is gone after its call. */
static void
feed(void *answer, struct str piece, const struct provider_sink *sink)
{
    char *copy = xmemdup(piece.n > 0 ? piece.p : "", piece.n);

    ops->digest(answer, (struct str){copy, piece.n}, sink);
    xfree(copy);
}

/* In pieces of step bytes after a first one of `first`. */
static void
run(struct str type, struct str body, size_t first, size_t step,
    const char *expected)
{
    struct buf trace;
    struct provider_sink sink = {note, &trace};
    void *answer = ops->open(type, 1000);
    char *text;

    buf_init(&trace, 1 << 20);
    feed(answer, (struct str){body.p, first}, &sink);
    for (size_t at = first; at < body.n; at += step) {
        size_t n = step < body.n - at ? step : body.n - at;

        feed(answer, (struct str){body.p + at, n}, &sink);
    }
    ops->end(answer, &sink);
    ops->end(answer, &sink);
    feed(answer, STR("data: [DONE]\n\n{}"), &sink);
    ops->close(answer);
    text = buf_give(&trace);
    assert_string_equal(text, expected);
    xfree(text);
}

#define CHUNK(delta, finish)                                                   \
    "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":"   \
    "1700000000,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":" delta    \
    ",\"logprobs\":null,\"finish_reason\":" finish "}]}\n\n"
#define TEXT(t) CHUNK("{\"content\":\"" t "\"}", "null")
#define DONE "data: [DONE]\n\n"

static const struct row {
    struct str type;
    struct str body;
    const char *trace;
} rows[] = {
#define STREAM(body, trace)                                                    \
    {                                                                          \
        STR("text/event-stream"), STR(body), trace                             \
    }
    /* whole streams */
    STREAM(CHUNK("{\"role\":\"assistant\",\"content\":\"\"}", "null")
               TEXT("Hello") TEXT(" world") CHUNK("{}", "\"stop\"") DONE,
           "\"Hello\" \" world\" Fstop D "),
    STREAM(TEXT("a\\n\\\"b\\\" \\u00e4 \\ud83d\\ude00") TEXT("\xE2\x82\xAC")
               CHUNK("{}", "\"stop\"") DONE,
           "\"a\n\"b\" \xC3\xA4 \xF0\x9F\x98\x80\" \"\xE2\x82\xAC\" Fstop D "),
    STREAM(
        TEXT("x") CHUNK(
            "{}",
            "\"stop\"") "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,"
                        "\"completion_tokens\":7,\"total_tokens\":12,"
                        "\"prompt_tokens_details\":{\"cached_tokens\":0}}}"
                        "\n\n" DONE,
        "\"x\" Fstop U5+7=12 D "),
    STREAM("data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}],"
           "\"usage\":null}\n\n"
           "data: {\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":7},"
           "\"choices\":[{\"finish_reason\":\"length\",\"delta\":{}}]}\n\n",
           "\"x\" U5+7=12 Flength "),
    STREAM(TEXT("x") CHUNK("{\"content\":\"y\"}", "\"content_filter\"") DONE,
           "\"x\" \"y\" Fcontent_filter D "),
    STREAM(": keep-alive\r\n\r\ndata: {\"choices\":[{\"delta\":{\"content\":"
           "\"x\"}}]}\r\n\r\n: OPENROUTER PROCESSING\r\n\r\ndata:[DONE]\r\n\r"
           "\n",
           "\"x\" D "),
    STREAM(TEXT("x") "data: [DONE]", "\"x\" "),
    STREAM(TEXT("x") "data: [DONE]\n", "\"x\" D "),
    STREAM(DONE TEXT("after"), "D "),
    STREAM("", ""),
    STREAM("\n\n", ""),
    STREAM(TEXT("x"), "\"x\" "),
    STREAM("data: {\"choices\":[{\"delta\":{\"content\":\"cut", ""),
    /* reasons */
    STREAM(CHUNK("{}", "\"tool_calls\""), "Fstop "),
    STREAM(CHUNK("{}", "\"function_call\""), "Fstop "),
    STREAM(CHUNK("{}", "\"max_tokens\""), "Flength "),
    STREAM(CHUNK("{}", "\"something_new\""), "Fstop "),
    STREAM(CHUNK("{\"content\":\"x\"}", "\"\""), "\"x\" "),
    STREAM(CHUNK("{\"content\":\"x\"}", "\"error\"") DONE,
           "\"x\" Efinish_reason_error "),
    /* members that are absent, null, unknown or of the second choice */
    STREAM(CHUNK("{\"content\":null}", "null"), ""),
    STREAM(CHUNK("{\"content\":\"\"}", "null"), ""),
    STREAM(CHUNK("{\"content\":null,\"refusal\":\"No.\"}", "\"stop\""),
           "\"No.\" Fstop "),
    STREAM(CHUNK("{\"reasoning_content\":\"hm\",\"tool_calls\":[{}]}", "null"),
           ""),
    STREAM("data: {\"choices\":[{\"delta\":null,\"finish_reason\":null}]}\n\n"
           "data: {\"choices\":null}\n\ndata: {}\n\ndata: {\"x\":1}\n\n"
           "data:\n\n",
           ""),
    STREAM("data: {\"choices\":[{\"delta\":{\"content\":\"0\"}},{\"delta\":{"
           "\"content\":\"1\"},\"finish_reason\":\"stop\"}]}\n\n",
           "\"0\" "),
    STREAM("data: {\"ch\\u006fices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n",
           "\"x\" "),
    STREAM("data: {\"choices\":\ndata: [{\"delta\":{\"content\":\"x\"}}]}\n\n",
           "\"x\" "),
    /* usage that is not one */
    STREAM("data: {\"usage\":{\"prompt_tokens\":-1,\"completion_tokens\":1}}\n"
           "\ndata: {\"usage\":{\"prompt_tokens\":\"5\","
           "\"completion_tokens\":1}}\n\ndata: {\"usage\":{\"prompt_tokens\":"
           "1.5,\"completion_tokens\":1}}\n\ndata: {\"usage\":[]}\n\n"
           "data: {\"usage\":{\"prompt_tokens\":99999999999,"
           "\"completion_tokens\":1}}\n\ndata: {\"usage\":7}\n\n",
           ""),
    STREAM("data: {\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1,"
           "\"total_tokens\":null}}\n\n",
           "U5+1=6 "),
    /* malformed events */
    STREAM(TEXT("x") "data: {\"choices\":[{\"del\n\n" TEXT("y") DONE,
           "\"x\" B \"y\" D "),
    STREAM("data: oops\n\ndata: []\n\ndata: 1\n\ndata: null\n\n"
           "data: {\"choices\":{}}\n\ndata: {\"choices\":[1]}\n\n"
           "data: {\"choices\":[{\"delta\":1}]}\n\n"
           "data: {\"choices\":[{\"delta\":{\"content\":1}}]}\n\n"
           "data: {\"choices\":[{\"delta\":{\"content\":[\"x\"]}}]}\n\n"
           "data: {\"choices\":[{\"delta\":{\"content\":\"\\ud800\"}}]}\n\n"
           "data: {\"choices\":[{\"delta\":{\"content\":\"\xFF\"}}]}\n\n"
           "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]},\n\n"
           "data: {\"choices\":[{\"finish_reason\":1}]}\n\n" TEXT("y"),
           "B B B B B B B B B B B B B \"y\" "),
    /* errors inside the stream */
    STREAM(TEXT("x") "data: {\"error\":{\"message\":\"secret sk-1\",\"type\":"
                     "\"server_error\",\"code\":null}}\n\n" TEXT("y") DONE,
           "\"x\" Eserver_error "),
    STREAM("data: {\"error\":{\"code\":\"rate_limit\",\"type\":\"t\"}}\n\n",
           "Erate_limit "),
    STREAM("data: {\"error\":{\"type\":\"t\",\"code\":503}}\n\n", "Et! "),
    STREAM("data: {\"error\":{\"code\":400}}\n\n", "E "),
    STREAM("data: {\"error\":\"a sentence\"}\n\n", "E "),
    STREAM("data: {\"error\":null,\"choices\":[]}\n\n", ""),
    STREAM("data: {\"object\":\"error\",\"message\":\"m\",\"type\":\"bad one\","
           "\"code\":429}\n\n",
           "Ebadone! "),
    STREAM("event: error\ndata: {\"message\":\"m\"}\n\n" DONE, "E "),
    STREAM("event: error\ndata: not json\n\n" DONE, "E "),
    /* a whole completion instead of a stream */
    {STR("application/json; charset=utf-8"),
     STR("{\"id\":\"c\",\"object\":\"chat.completion\",\"choices\":[{\"index\":"
         "0,\"message\":{\"role\":\"assistant\",\"content\":\"All\\nof it\"},"
         "\"finish_reason\":\"length\"}],\"usage\":{\"prompt_tokens\":1,"
         "\"completion_tokens\":2,\"total_tokens\":3}}"),
     "\"All\nof it\" U1+2=3 Flength D "},
    {STR("application/json"),
     STR(" \n{\"choices\":[{\"message\":{\"content\":\"x\"}}]}\n"), "\"x\" D "},
    {STR("application/json"), STR("{\"error\":{\"code\":\"model_not_found\"}}"),
     "Emodel_not_found "},
    {STR("application/json"), STR("{\"choices\":[]}"), "Eno_choice "},
    {STR("application/json"), STR("{\"detail\":\"x\"}"), "Eno_choice "},
    {STR("application/json"), STR("{\"choices\":[{\"message\":{\"conte"),
     "Emalformed_answer "},
    {STR("application/json"), STR("[]"), "Emalformed_answer "},
    /* other content types: the first byte tells */
    {STR("text/plain"), STR(TEXT("x") DONE), "\"x\" D "},
    {{NULL, 0}, STR(TEXT("x") DONE), "\"x\" D "},
    {STR("application/json"), STR(TEXT("x") DONE), "\"x\" D "},
    {STR("TEXT/Event-Stream;charset=utf-8"), STR(TEXT("x") DONE), "\"x\" D "},
    {STR("text/html"), STR("<html>no</html>"), "Enot_an_event_stream "},
    {STR("text/html"), STR(""), "Enot_an_event_stream "},
    {STR(""), STR("\n <!doctype html>"), "Enot_an_event_stream "},
    {STR("text/plain"), STR("Internal error"), ""},
};

static void
gives_the_same_events_however_the_stream_is_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row *r = &rows[i];

        run(r->type, r->body, r->body.n, 1, r->trace);
        run(r->type, r->body, 0, 1, r->trace);
        for (size_t cut = 0; cut <= r->body.n; cut++) {
            run(r->type, r->body, cut, r->body.n, r->trace);
        }
    }
}

/* The test's cap is 2 * 1000 + 65536 bytes. */
static void
skips_an_event_that_is_too_large_and_goes_on(void **state)
{
    struct buf body;

    (void)state;
    buf_init(&body, 1 << 20);
    buf_puts(&body, TEXT("x") "data: {\"choices\":[{\"delta\":{\"content\":\"");
    for (int i = 0; i < 70000; i++) {
        buf_putc(&body, 'y');
    }
    buf_puts(&body, "\"}}]}\n\n" TEXT("z"));
    run(STR("text/event-stream"), buf_str(&body), body.n, 1, "\"x\" B \"z\" ");
    run(STR("text/event-stream"), buf_str(&body), 0, 1000, "\"x\" B \"z\" ");
    body.p[0] = '{';
    run(STR("application/json"), buf_str(&body), 0, 1000, "Eanswer_too_large ");
    buf_fini(&body);
}

static void
a_cut_document_says_nothing(void **state)
{
    struct buf trace;
    struct provider_sink sink = {note, &trace};
    void *answer = ops->open(STR("application/json"), 1000);

    (void)state;
    buf_init(&trace, 1000);
    feed(answer, STR("{\"choices\":[{\"message\":{\"content\":\"x\"}}]"),
         &sink);
    ops->close(answer); /* no end: the connection was cut */
    assert_int_equal(trace.n, 0);
    buf_fini(&trace);
    ops->close(NULL);
}

static void
classifies_statuses_and_takes_the_code_for_the_log(void **state)
{
    static const struct {
        int status;
        struct str body;
        bool retryable;
        const char *code;
    } faults[] = {
        {400, STR("{\"error\":{\"code\":\"context_length_exceeded\"}}"), false,
         "context_length_exceeded"},
        {401,
         STR("{\"error\":{\"message\":\"bad key sk-1\",\"type\":"
             "\"invalid_request_error\",\"code\":\"invalid_api_key\"}}"),
         false, "invalid_api_key"},
        {403, STR("<html>"), false, ""},
        {404, STR(""), false, ""},
        {408, STR(""), true, ""},
        {429, STR("{\"error\":{\"type\":\"tokens\",\"code\":null}}"), true,
         "tokens"},
        {500, STR("{\"error\":{\"code\":\"\\u0000a b\\\"c\"}}"), true,
         "u0000abc"},
        {502, STR("{\"error\":\"x\"}"), true, ""},
        {503, STR("{\"error\":{\"code\":503,\"type\":\"overloaded\"}}"), true,
         "overloaded"},
        {504, STR("{"), true, ""},
        {301, STR(""), false, ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        struct provider_fault f;

        ops->fault(faults[i].status, faults[i].body, &f);
        assert_int_equal(f.err, ERR_LLM_UNAVAILABLE);
        assert_int_equal(f.retryable, faults[i].retryable);
        assert_string_equal(f.code, faults[i].code);
    }
}

/* --- requests --------------------------------------------------------------
 */

static struct provider_config
config_of(const char *endpoint, const char *key)
{
    return (struct provider_config){.ops = ops,
                                    .id = "id",
                                    .name = "Name",
                                    .endpoint = endpoint,
                                    .api_key = key,
                                    .model = "gpt-\"4"};
}

static const struct provider_message messages[] = {
    {PROVIDER_USER, STR("first\n")},
    {PROVIDER_ASSISTANT, STR("answer \"1\"")},
    {PROVIDER_USER, STR("\xC3\xA4?")},
};

static void
appends_the_path_unless_it_is_there(void **state)
{
    static const char *const urls[][2] = {
        {"https://h/v1", "https://h/v1/chat/completions"},
        {"https://h/v1/", "https://h/v1/chat/completions"},
        {"https://h", "https://h/chat/completions"},
        {"https://h/v1/chat/completions", "https://h/v1/chat/completions"},
        {"https://h/v1/chat/completions/", "https://h/v1/chat/completions"},
        {"https://h/d/x?api-version=1/2",
         "https://h/d/x/chat/completions?api-version=1/2"},
        {"https://h/chat/completions?v=1", "https://h/chat/completions?v=1"},
        {"https://h/v1?x=/chat/completions",
         "https://h/v1/chat/completions?x=/chat/completions"},
        {"https://h/v1?", "https://h/v1/chat/completions?"},
    };
    struct provider_turn turn = {.messages = messages, .count = 1};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(urls); i++) {
        struct provider_config config = config_of(urls[i][0], "");
        struct provider_request r;

        provider_request_init(&r, 10000);
        assert_int_equal(ops->build(&config, &turn, &r), ERR_OK);
        assert_string_equal(r.url, urls[i][1]);
        provider_request_fini(&r);
    }
}

static bool
has_header(const struct provider_request *r, const char *line)
{
    for (const char *const *h = r->headers; *h != NULL; h++) {
        if (strcmp(*h, line) == 0) {
            return true;
        }
    }
    return false;
}

static size_t
count_headers(const struct provider_request *r)
{
    size_t n = 0;

    while (r->headers[n] != NULL) {
        n++;
    }
    return n;
}

static void
builds_the_request(void **state)
{
    struct provider_config config = config_of("https://h/v1", "sk-1");
    struct provider_turn turn = {STR("Be brief."), messages, 3};
    struct provider_request r;
    json_t *sent, *expected;

    (void)state;
    provider_request_init(&r, 10000);
    assert_int_equal(ops->build(&config, &turn, &r), ERR_OK);
    assert_int_equal(count_headers(&r), 3);
    assert_true(has_header(&r, "Content-Type: application/json"));
    assert_true(has_header(&r, "Accept: text/event-stream"));
    assert_true(has_header(&r, "Authorization: Bearer sk-1"));
    sent = json_loadb(r.body.p, r.body.n, JSON_REJECT_DUPLICATES, NULL);
    expected = json_pack(
        "{s:s,s:[{s:s,s:s},{s:s,s:s},{s:s,s:s},{s:s,s:s}],s:b,s:{s:b}}",
        "model", "gpt-\"4", "messages", "role", "system", "content",
        "Be brief.", "role", "user", "content", "first\n", "role", "assistant",
        "content", "answer \"1\"", "role", "user", "content", "\xC3\xA4?",
        "stream", 1, "stream_options", "include_usage", 1);
    assert_non_null(expected);
    assert_true(json_equal(sent, expected));
    json_decref(sent);
    json_decref(expected);
    provider_request_fini(&r);
}

static void
sends_no_key_and_no_prompt_when_there_is_none(void **state)
{
    struct provider_config config = config_of("http://127.0.0.1:8000", "");
    struct provider_turn turn = {STR(""), messages, 1};
    struct provider_request r;
    char *body;

    (void)state;
    provider_request_init(&r, 10000);
    assert_int_equal(ops->build(&config, &turn, &r), ERR_OK);
    assert_int_equal(count_headers(&r), 2);
    body = buf_give(&r.body);
    assert_null(strstr(body, "system"));
    xfree(body);
    provider_request_fini(&r);
}

static void
refuses_what_does_not_fit_and_line_ends_in_headers(void **state)
{
    struct provider_config config = config_of("https://h/v1", "sk\r\nX: y");
    struct provider_turn turn = {STR(""), messages, 3};
    struct provider_request r;

    (void)state;
    provider_request_init(&r, 10000);
    assert_int_equal(ops->build(&config, &turn, &r), ERR_INVALID_FORMAT);
    provider_request_fini(&r);
    config.api_key = "sk";
    provider_request_init(&r, 100);
    assert_int_equal(ops->build(&config, &turn, &r), ERR_TOO_BIG);
    provider_request_fini(&r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_same_events_however_the_stream_is_cut),
        cmocka_unit_test(skips_an_event_that_is_too_large_and_goes_on),
        cmocka_unit_test(a_cut_document_says_nothing),
        cmocka_unit_test(classifies_statuses_and_takes_the_code_for_the_log),
        cmocka_unit_test(appends_the_path_unless_it_is_there),
        cmocka_unit_test(builds_the_request),
        cmocka_unit_test(sends_no_key_and_no_prompt_when_there_is_none),
        cmocka_unit_test(refuses_what_does_not_fit_and_line_ends_in_headers),
    };

    return cmocka_run_group_tests_name("provider/openai", tests, setup, NULL);
}
