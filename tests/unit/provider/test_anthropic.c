/* SPDX-License-Identifier: MIT */
/* Streams as the Messages API documents them, fed whole, byte by byte and cut
 * at every place; test_anthropic_calls.c has those with tools. */
#include "provider/trace.h"

static const struct provider_ops *ops;

static int
setup(void **state)
{
    (void)state;
    ops = registry_find(STR("anthropic"));
    return ops == NULL;
}

#define EVENT(name, members)                                                   \
    "event: " name "\ndata: {\"type\":\"" name "\"" members "}\n\n"
#define START(usage)                                                           \
    EVENT("message_start",                                                     \
          ",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":"      \
          "\"assistant\",\"model\":\"m\",\"content\":[],\"stop_reason\":null," \
          "\"stop_sequence\":null,\"usage\":{" usage "}}")
#define BEGIN START("\"input_tokens\":25,\"output_tokens\":1")
#define BLOCK(members)                                                         \
    EVENT("content_block_start", ",\"index\":0,\"content_block\":{" members "}")
#define TEXT_BLOCK BLOCK("\"type\":\"text\",\"text\":\"\"")
#define DELTA(members)                                                         \
    EVENT("content_block_delta", ",\"index\":0,\"delta\":{" members "}")
#define TEXT(t) DELTA("\"type\":\"text_delta\",\"text\":\"" t "\"")
#define BLOCK_STOP EVENT("content_block_stop", ",\"index\":0")
#define PING EVENT("ping", "")
#define LAST(reason, usage)                                                    \
    EVENT("message_delta", ",\"delta\":{\"stop_reason\":" reason               \
                           ",\"stop_sequence\":null},\"usage\":{" usage "}")
#define END(reason) LAST("\"" reason "\"", "\"output_tokens\":15") STOP
#define STOP EVENT("message_stop", "")

static const struct trace_row rows[] = {
#define STREAM(body, trace)                                                    \
    {                                                                          \
        STR("text/event-stream; charset=utf-8"), STR(body), trace              \
    }
    /* whole streams */
    STREAM(BEGIN TEXT_BLOCK PING TEXT("Hello") TEXT("!")
               BLOCK_STOP END("end_turn"),
           "\"Hello\" \"!\" U25+15=40 Fstop D "),
    STREAM(BEGIN TEXT_BLOCK TEXT("a\\n\\\"b\\\" \\u00e4 \\ud83d\\ude00")
               TEXT("\xE2\x82\xAC") BLOCK_STOP END("end_turn"),
           "\"a\n\"b\" \xC3\xA4 \xF0\x9F\x98\x80\" \"\xE2\x82\xAC\" U25+15=40 "
           "Fstop D "),
    STREAM(BEGIN BLOCK("\"type\":\"text\",\"text\":\"first\"") TEXT("x")
               BLOCK_STOP TEXT_BLOCK TEXT("y") BLOCK_STOP END("end_turn"),
           "\"first\" \"x\" \"y\" U25+15=40 Fstop D "),
    /* without the names of events, with CRLF and comments, in another order */
    STREAM(": hello\r\ndata: {\"type\":\"content_block_delta\",\"delta\":{"
           "\"text\":\"x\",\"type\":\"text_delta\"},\"index\":0}\r\n\r\n"
           "data:{\"type\":\"message_stop\"}\r\n\r\n",
           "\"x\" D "),
    /* what is not for people */
    STREAM(BEGIN BLOCK("\"type\":\"thinking\",\"thinking\":\"\","
                       "\"signature\":\"\"")
               DELTA("\"type\":\"thinking_delta\",\"thinking\":\"hm\"")
                   DELTA("\"type\":\"signature_delta\",\"signature\":\"EqQB\"")
                       BLOCK_STOP BLOCK(
                           "\"type\":\"redacted_thinking\",\"data\":\"x\"")
                           BLOCK_STOP TEXT_BLOCK TEXT("x") END("end_turn"),
           "\"x\" U25+15=40 Fstop D "),
    STREAM(BEGIN TEXT_BLOCK TEXT("x") BLOCK_STOP BLOCK(
               "\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"f\","
               "\"input\":{\"text\":\"no\"}")
               DELTA("\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"\"")
                   BLOCK_STOP END("tool_use"),
           "\"x\" #0toolu_1 f  #0  {\"text\":\"no\"} U25+15=40 Ftool_calls D "),
    STREAM(BEGIN TEXT_BLOCK DELTA("\"type\":\"citations_delta\",\"citation\":{"
                                  "\"type\":\"text\",\"text\":\"no\"}")
               TEXT("x"),
           "\"x\" "),
    STREAM(BEGIN BLOCK("\"type\":\"web_search_tool_result\",\"content\":[{"
                       "\"type\":\"text\",\"text\":\"no\"}]") BLOCK_STOP STOP,
           "D "),
    /* events, deltas and members of a later version */
    STREAM(BEGIN EVENT("something_new", ",\"text\":\"no\",\"x\":[{}]")
               TEXT_BLOCK DELTA("\"type\":\"sound_delta\",\"text\":\"no\"")
                   TEXT("x") STOP,
           "\"x\" D "),
    STREAM(BEGIN TEXT("") DELTA("\"type\":\"text_delta\",\"text\":null")
               EVENT("content_block_delta", ",\"delta\":null") STOP,
           "D "),
    /* reasons */
    STREAM(LAST("\"stop_sequence\"", "\"output_tokens\":1"), "Fstop "),
    STREAM(LAST("\"max_tokens\"", "\"output_tokens\":1"), "Flength "),
    STREAM(LAST("\"model_context_window_exceeded\"", ""), "Flength "),
    STREAM(LAST("\"refusal\"", ""), "Fcontent_filter "),
    STREAM(LAST("\"tool_use\"", ""), "Fstop "),
    STREAM(LAST("\"pause_turn\"", ""), "Fstop "),
    STREAM(LAST("\"something_new\"", ""), "Fstop "),
    STREAM(LAST("null", ""), ""),
    /* usage: what caches took part in was sent as well, and the last count is
     * the whole */
    STREAM(START("\"input_tokens\":5,\"cache_creation_input_tokens\":10,"
                 "\"cache_read_input_tokens\":200,\"output_tokens\":1,"
                 "\"cache_creation\":{\"ephemeral_5m_input_tokens\":10}")
               LAST("\"end_turn\"", "\"output_tokens\":7"),
           "U215+7=222 Fstop "),
    STREAM(BEGIN LAST("\"end_turn\"",
                      "\"input_tokens\":30,\"cache_creation_input_tokens\":0,"
                      "\"cache_read_input_tokens\":0,\"output_tokens\":9,"
                      "\"server_tool_use\":{\"web_search_requests\":1}"),
           "U30+9=39 Fstop "),
    STREAM(BEGIN LAST("\"end_turn\"", ""), "U25+1=26 Fstop "),
    STREAM(BEGIN TEXT("x"), "\"x\" "),
    STREAM(START("\"input_tokens\":-1,\"output_tokens\":1")
               LAST("\"end_turn\"", "\"output_tokens\":1.5"),
           "Fstop "),
    STREAM(START("\"input_tokens\":99999999999,\"output_tokens\":1")
               LAST("\"end_turn\"", "\"output_tokens\":2"),
           "Fstop "),
    /* cuts */
    STREAM("", ""),
    STREAM("\n\n", ""),
    STREAM(BEGIN TEXT_BLOCK TEXT("x") "event: content_block_delta\ndata: {\"ty",
           "\"x\" "),
    STREAM(BEGIN TEXT("x") "event: message_stop\ndata: {\"type\":"
                           "\"message_stop\"}\n",
           "\"x\" D "),
    STREAM(BEGIN TEXT("x") STOP TEXT("after"), "\"x\" D "),
    /* malformed events */
    STREAM(
        "data: oops\n\ndata: []\n\ndata: {\"type\":1}\n\n"
        "data: {\"delta\":1}\n\ndata: {\"message\":[]}\n\n"
        "data: {\"delta\":{\"type\":\"text_delta\",\"text\":1}}\n\n"
        "data: {\"delta\":{\"type\":\"text_delta\",\"text\":\"\\ud800\"}}\n\n"
        "data: {\"delta\":{\"type\":\"text_delta\",\"text\":\"\xFF\"}}\n\n"
        "data: {\"type\":\"message_stop\"\n\n" TEXT("y"),
        "B B B B B B B B B \"y\" "),
    /* errors inside the stream */
    STREAM(BEGIN TEXT("x") "event: error\ndata: {\"type\":\"error\",\"error\":{"
                           "\"type\":\"overloaded_error\",\"message\":"
                           "\"sk-ant-1\"},\"request_id\":null}\n\n" TEXT("y"),
           "\"x\" Eoverloaded_error! "),
    STREAM("data: {\"type\":\"error\",\"error\":{\"type\":\"api_error\"}}\n\n",
           "Eapi_error! "),
    STREAM(
        "event: error\ndata: {\"error\":{\"type\":\"rate_limit_error\"}}\n\n",
        "Erate_limit_error! "),
    STREAM("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":"
           "\"invalid_request_error\"}}\n\n" STOP,
           "Einvalid_request_error "),
    STREAM("event: error\ndata: {\"type\":\"error\",\"error\":{\"message\":"
           "\"m\",\"type\":7}}\n\n",
           "E "),
    STREAM("event: error\ndata: not json\n\n", "E "),
    STREAM("data: {\"error\":\"a sentence\"}\n\n", "E "),
    STREAM("data: {\"error\":null,\"type\":\"ping\"}\n\n", ""),
    /* a whole message instead of a stream */
    {STR("application/json"),
     STR("{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\","
         "\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\"},{\"type\":"
         "\"text\",\"text\":\"All\\nof \"},{\"text\":\"it\",\"type\":\"text\"}]"
         ",\"stop_reason\":\"max_tokens\",\"usage\":{\"input_tokens\":1,"
         "\"cache_read_input_tokens\":4,\"output_tokens\":2}}"),
     "\"All\nof \" \"it\" U5+2=7 Flength D "},
    {STR("application/json"), STR(" {\"content\":[]}\n"), "D "},
    {STR("application/json"),
     STR("{\"type\":\"error\",\"error\":{\"type\":\"not_found_error\"}}"),
     "Enot_found_error "},
    {STR("application/json"), STR("{\"content\":\"x\"}"), "Eno_content "},
    {STR("application/json"), STR("{}"), "Eno_content "},
    {STR("application/json"), STR("{\"content\":[7]}"), "Emalformed_answer "},
    {STR("application/json"), STR("{\"content\":[{\"type\""),
     "Emalformed_answer "},
    {STR("application/json"), STR("[]"), "Emalformed_answer "},
    {STR("text/html"), STR("<html>no</html>"), "Enot_an_event_stream "},
    {{NULL, 0}, STR(TEXT("x") STOP), "\"x\" D "},
};

static void
gives_the_same_events_however_the_stream_is_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        trace_everywhere(ops, &rows[i]);
    }
}

static void
classifies_statuses_and_takes_the_type_for_the_log(void **state)
{
    static const struct {
        int status;
        struct str body;
        bool retryable;
        const char *code;
    } faults[] = {
        {400,
         STR("{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\""
             ",\"message\":\"sk-ant-1\"},\"request_id\":\"req_1\"}"),
         false, "invalid_request_error"},
        {401, STR("{\"error\":{\"type\":\"authentication_error\"}}"), false,
         "authentication_error"},
        {404, STR("<html>"), false, ""},
        {413, STR("{\"error\":{\"type\":\"request_too_large\"}}"), false,
         "request_too_large"},
        {429, STR("{\"error\":{\"type\":\"rate_limit_error\"}}"), true,
         "rate_limit_error"},
        {500, STR("{\"error\":{\"type\":\"api_error\"}}"), true, "api_error"},
        {504, STR(""), true, ""},
        {529, STR("{\"error\":{\"type\":\"overloaded_error\"}}"), true,
         "overloaded_error"},
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_same_events_however_the_stream_is_cut),
        cmocka_unit_test(classifies_statuses_and_takes_the_type_for_the_log),
    };

    return cmocka_run_group_tests_name("provider/anthropic", tests, setup,
                                       NULL);
}
