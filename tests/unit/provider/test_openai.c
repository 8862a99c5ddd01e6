/* SPDX-License-Identifier: MIT */
/* Streams as servers send them, fed whole, byte by byte and cut at every
 * place: the events are always the same. */
#include "provider/request.h"
#include "provider/trace.h"

static const struct provider_ops *ops;

static int
setup(void **state)
{
    (void)state;
    ops = registry_find(STR("openai"));
    return ops == NULL;
}

#define CHUNK(delta, finish)                                                   \
    "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":"   \
    "1700000000,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":" delta    \
    ",\"logprobs\":null,\"finish_reason\":" finish "}]}\n\n"
#define TEXT(t) CHUNK("{\"content\":\"" t "\"}", "null")
#define DONE "data: [DONE]\n\n"

static const struct trace_row rows[] = {
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
    STREAM(CHUNK("{}", "\"tool_calls\""), "Ftool_calls "),
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
    STREAM(CHUNK("{\"content\":null,\"reasoning_content\":\"hm\"}", "null")
               CHUNK("{\"content\":\"\",\"reasoning\":\"hm\"}", "null")
                   TEXT("x") CHUNK("{}", "\"stop\"") DONE,
           "\"x\" Fstop D "),
    STREAM(CHUNK("{\"refusal\":\"I can\"}", "null")
               CHUNK("{\"refusal\":\"not.\"}", "null") CHUNK("{}", "\"stop\""),
           "\"I can\" \"not.\" Fstop "),
    STREAM(CHUNK("{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{"
                 "\"index\":0,\"id\":\"call_1\",\"type\":\"function\","
                 "\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}",
                 "null") CHUNK("{\"tool_calls\":[{\"index\":0,\"function\":{"
                               "\"arguments\":\"{\\\"content\\\":1}\"}}]}",
                               "null") CHUNK("{}", "\"tool_calls\"") DONE,
           "#0call_1 f  #0  {\"content\":1} Ftool_calls D "),
    STREAM(CHUNK("{\"tool_calls\":[{\"index\":1,\"id\":\"b\\n\",\"function\":{"
                 "\"name\":\"g\",\"arguments\":\"\\u007b}\"}},{\"id\":\"c\"},"
                 "{\"index\":128,\"id\":\"d\"},{\"index\":-1},7]}",
                 "null") TEXT("x"),
           "#1b\n g {} #2c   \"x\" "),
    STREAM("data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"b\"},"
           "\"finish_reason\":\"stop\"}]}\n\n" TEXT("a")
               CHUNK("{}", "\"length\"") DONE,
           "\"a\" Flength D "),
    /* Azure's first event has no choice, and its filters' results */
    STREAM("data: {\"choices\":[],\"prompt_filter_results\":[{"
           "\"prompt_index\":0,\"content_filter_results\":{\"hate\":{"
           "\"filtered\":false}}}]}\n\n"
           "data: {\"choices\":[{\"content_filter_offsets\":{\"start\":1},"
           "\"finish_reason\":null,\"index\":0}]}\n\n" TEXT("x") DONE,
           "\"x\" D "),
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
           "\"x\" Eserver_error! "),
    STREAM("data: {\"error\":{\"code\":\"rate_limit_exceeded\"}}\n\n",
           "Erate_limit_exceeded! "),
    STREAM("data: {\"error\":{\"code\":\"insufficient_quota\",\"type\":"
           "\"server_error\"}}\n\n",
           "Einsufficient_quota "),
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
        trace_everywhere(ops, &rows[i]);
    }
}

/* The test's cap is 2 * 1000 + 65536 bytes. */
static void
skips_an_event_that_is_too_large_and_goes_on(void **state)
{
    struct buf body;
    struct trace_row row = {.type = STR("text/event-stream"),
                            .trace = "\"x\" B \"z\" "};

    (void)state;
    buf_init(&body, 1 << 20);
    buf_puts(&body, TEXT("x") "data: {\"choices\":[{\"delta\":{\"content\":\"");
    for (int i = 0; i < 70000; i++) {
        buf_putc(&body, 'y');
    }
    buf_puts(&body, "\"}}]}\n\n" TEXT("z"));
    row.body = buf_str(&body);
    trace_run(ops, &row, body.n, 1);
    trace_run(ops, &row, 0, 1000);
    body.p[0] = '{';
    row.type = STR("application/json");
    row.trace = "Eanswer_too_large ";
    trace_run(ops, &row, 0, 1000);
    buf_fini(&body);
}

static void
a_cut_document_says_nothing(void **state)
{
    struct buf trace;
    struct provider_sink sink = {trace_note, &trace};
    void *answer = ops->open(STR("application/json"), 1000);

    (void)state;
    buf_init(&trace, 1000);
    trace_feed(ops, answer,
               STR("{\"choices\":[{\"message\":{\"content\":\"x\"}}]"), &sink);
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

/* --- requests ----------------------------------------------------------- */

static const struct provider_message messages[] = {
    {.role = PROVIDER_USER, .content = STR("first\n")},
    {.role = PROVIDER_ASSISTANT, .content = STR("answer \"1\"")},
    {.role = PROVIDER_USER, .content = STR("\xC3\xA4?")},
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
        {"https://r.openai.azure.com/openai/deployments/d/chat/completions"
         "?api-version=2024-10-21",
         "https://r.openai.azure.com/openai/deployments/d/chat/completions"
         "?api-version=2024-10-21"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(urls); i++) {
        struct provider_config config = request_config(ops, urls[i][0], "");

        request_url_is(&config, urls[i][1]);
    }
}

/* Azure wants its key under another name; nobody gets it under both. */
static void
the_key_goes_where_the_endpoint_wants_it(void **state)
{
    static const struct {
        const char *endpoint;
        const char *line;
    } cases[] = {
        {"https://h/v1", "Authorization: Bearer sk-1"},
        {"https://h/v1?version=1", "Authorization: Bearer sk-1"},
        {"https://h/api-version=1/v1", "Authorization: Bearer sk-1"},
        {"https://h/v1?x-api-version=1", "Authorization: Bearer sk-1"},
        {"https://h/openai?api-version=2024-10-21", "api-key: sk-1"},
        {"https://h/openai/v1?a=b&api-version=preview", "api-key: sk-1"},
    };
    struct provider_turn turn = {.messages = messages, .count = 1};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct provider_config config =
            request_config(ops, cases[i].endpoint, "sk-1");
        struct provider_request r;

        provider_request_init(&r, 10000);
        assert_int_equal(ops->build(&config, &turn, &r), ERR_OK);
        assert_int_equal(request_headers(&r), 3);
        assert_true(request_has(&r, "Content-Type: application/json"));
        assert_true(request_has(&r, "Accept: text/event-stream"));
        assert_true(request_has(&r, cases[i].line));
        provider_request_fini(&r);
    }
}

static void
builds_the_request(void **state)
{
    struct provider_config config = request_config(ops, "https://h/v1", "k");
    struct provider_turn turn = {
        .system_prompt = STR("Be brief."), .messages = messages, .count = 3};

    (void)state;
    request_body_is(&config, &turn,
                    "{'model': 'm-\\'4', 'stream': true,"
                    " 'stream_options': {'include_usage': true}, 'messages': ["
                    "{'role': 'system', 'content': 'Be brief.'},"
                    "{'role': 'user', 'content': 'first\\n'},"
                    "{'role': 'assistant', 'content': 'answer \\'1\\''},"
                    "{'role': 'user', 'content': '\\u00e4?'}]}");
}

static void
a_partial_answer_is_gone_on_with(void **state)
{
    struct provider_config config = request_config(ops, "https://h/v1", "k");
    struct provider_turn turn = {
        .messages = &messages[2], .count = 1, .partial = STR("so \"far")};

    (void)state;
    request_body_is(&config, &turn,
                    "{'model': 'm-\\'4', 'stream': true,"
                    " 'stream_options': {'include_usage': true}, 'messages': ["
                    "{'role': 'user', 'content': '\\u00e4?'},"
                    "{'role': 'assistant', 'content': 'so \\'far'},"
                    "{'role': 'user', 'content': '" GO_ON "'}]}");
}

static void
pictures_go_to_models_that_see(void **state)
{
    struct provider_config config = request_config(ops, "https://h/v1", "k");
    struct provider_turn turn = {.messages = &request_seen, .count = 1};

    (void)state;
    request_body_is(&config, &turn,
                    "{'model': 'm-\\'4', 'stream': true,"
                    " 'stream_options': {'include_usage': true}, 'messages': ["
                    "{'role': 'user', 'content': 'What is it?'}]}");
    config.vision = true;
    request_body_is(
        &config, &turn,
        "{'model': 'm-\\'4', 'stream': true,"
        " 'stream_options': {'include_usage': true}, 'messages': ["
        "{'role': 'user', 'content': [{'type': 'text', 'text': 'What is it?'},"
        "{'type': 'image_url', 'image_url':"
        " {'url': 'data:image/png;base64,QUI='}},"
        "{'type': 'image_url', 'image_url':"
        " {'url': 'https://h.example.com/a.png'}}]}]}");
}

/* stream_options are ours unless the operator says something else: servers
 * there are that refuse them. */
static void
settings_become_members_of_the_request(void **state)
{
    struct provider_config config = request_config(ops, "https://h/v1", "k");
    struct provider_turn turn = {.messages = &messages[2], .count = 1};

    (void)state;
    config.temperature = "0.70";
    config.max_tokens = 99;
    config.extra_body = "{\"top_p\": 0.5, \"stream_options\": null}";
    request_body_is(&config, &turn,
                    "{'model': 'm-\\'4', 'stream': true, 'temperature': 0.7,"
                    " 'max_tokens': 99, 'top_p': 0.5, 'messages': ["
                    "{'role': 'user', 'content': '\\u00e4?'}]}");
    config.extra_body = "{\"stream_options\": {\"include_usage\": false}}";
    request_body_is(&config, &turn,
                    "{'model': 'm-\\'4', 'stream': true, 'temperature': 0.7,"
                    " 'max_tokens': 99, 'messages': ["
                    "{'role': 'user', 'content': '\\u00e4?'}],"
                    " 'stream_options': {'include_usage': false}}");
}

static void
sends_no_key_and_no_prompt_when_there_is_none(void **state)
{
    struct provider_config config = request_config(ops, "http://h:8000", "");
    struct provider_turn turn = {.messages = messages, .count = 1};
    struct provider_request r;
    char *body;

    (void)state;
    provider_request_init(&r, 10000);
    assert_int_equal(ops->build(&config, &turn, &r), ERR_OK);
    assert_int_equal(request_headers(&r), 2);
    body = buf_give(&r.body);
    assert_null(strstr(body, "system"));
    xfree(body);
    provider_request_fini(&r);
}

static void
refuses_what_does_not_fit_and_line_ends_in_headers(void **state)
{
    struct provider_config config =
        request_config(ops, "https://h/v1", "sk\r\nX: y");
    struct provider_turn turn = {.messages = messages, .count = 3};
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
        cmocka_unit_test(the_key_goes_where_the_endpoint_wants_it),
        cmocka_unit_test(builds_the_request),
        cmocka_unit_test(pictures_go_to_models_that_see),
        cmocka_unit_test(a_partial_answer_is_gone_on_with),
        cmocka_unit_test(settings_become_members_of_the_request),
        cmocka_unit_test(sends_no_key_and_no_prompt_when_there_is_none),
        cmocka_unit_test(refuses_what_does_not_fit_and_line_ends_in_headers),
    };

    return cmocka_run_group_tests_name("provider/openai", tests, setup, NULL);
}
