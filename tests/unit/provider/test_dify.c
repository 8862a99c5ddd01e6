/* SPDX-License-Identifier: MIT */
/* Streams as Dify documents them for POST /chat-messages, fed whole, byte by
 * byte and cut at every place; and what it is asked. */
#include "provider/request.h"
#include "provider/trace.h"

static const struct provider_ops *ops;

static int
setup(void **state)
{
    (void)state;
    ops = registry_find(STR("dify"));
    return ops == NULL;
}

/* --- what comes back ---------------------------------------------------- */

#define EVENT(name, members)                                                   \
    "data: {\"event\": \"" name "\", \"task_id\": \"t-1\", "                   \
    "\"conversation_id\": \"c-1\", \"message_id\": \"m\"" members "}\n\n"
#define TEXT(t) EVENT("message", ", \"answer\": \"" t "\", \"created_at\": 1")
#define AGENT(t) EVENT("agent_message", ", \"answer\": \"" t "\"")
#define REPLACE(t)                                                             \
    EVENT("message_replace",                                                   \
          ", \"answer\": \"" t "\", \"reason\": \"output_moderation\"")
#define USAGE                                                                  \
    "\"usage\": {\"prompt_tokens\": 3, \"prompt_price\": \"0.1\", "            \
    "\"completion_tokens\": 4, \"total_tokens\": 7, \"latency\": 1.3}"
#define END EVENT("message_end", ", \"metadata\": {" USAGE "}")
#define IDS "Tt-1 Cc-1 "
#define DONE "U3+4=7 D "

/* The example of the public documentation, whose first events say no
 * conversation and the later ones no task; put down whole. */
#define DOCUMENTED                                                             \
    "data: {\"event\": \"workflow_started\", \"task_id\": "                    \
    "\"5ad4cb98-f0c7-4085-b384-88c403be6290\", \"workflow_run_id\": "          \
    "\"5ad498-f0c7-4085-b384-88cbe6290\", \"data\": {\"id\": "                 \
    "\"5ad498-f0c7-4085-b384-88cbe6290\", \"workflow_id\": "                   \
    "\"dfjasklfjdslag\", \"created_at\": 1679586595}}\n\n"                     \
    "data: {\"event\": \"node_finished\", \"task_id\": "                       \
    "\"5ad4cb98-f0c7-4085-b384-88c403be6290\", \"workflow_run_id\": "          \
    "\"5ad498-f0c7-4085-b384-88cbe6290\", \"data\": {\"node_type\": "          \
    "\"start\", \"inputs\": {}, \"outputs\": {\"answer\": \"no\"}, "           \
    "\"status\": \"succeeded\", \"elapsed_time\": 0.324, "                     \
    "\"execution_metadata\": {\"total_tokens\": 63127864, \"total_price\": "   \
    "2.378, \"currency\": \"USD\"}, \"created_at\": 1679586595}}\n\n"          \
    "data: {\"event\": \"message\", \"message_id\": "                          \
    "\"5ad4cb98-f0c7-4085-b384-88c403be6290\", \"conversation_id\": "          \
    "\"45701982-8118-4bc5-8e9b-64562b4555f2\", \"answer\": \" I\", "           \
    "\"created_at\": 1679586595}\n\n"                                          \
    "data: {\"event\": \"message\", \"message_id\": "                          \
    "\"5ad4cb98-f0c7-4085-b384-88c403be6290\", \"conversation_id\": "          \
    "\"45701982-8118-4bc5-8e9b-64562b4555f2\", \"answer\": \"'m\", "           \
    "\"created_at\": 1679586595}\n\n"                                          \
    "data: {\"event\": \"message_end\", \"id\": "                              \
    "\"5e52ce04-874b-4d27-9045-b3bc80def685\", \"conversation_id\": "          \
    "\"45701982-8118-4bc5-8e9b-64562b4555f2\", \"metadata\": {\"usage\": "     \
    "{\"prompt_tokens\": 1033, \"prompt_unit_price\": \"0.001\", "             \
    "\"prompt_price_unit\": \"0.001\", \"prompt_price\": \"0.0010330\", "      \
    "\"completion_tokens\": 135, \"completion_unit_price\": \"0.002\", "       \
    "\"total_tokens\": 1168, \"total_price\": \"0.0013030\", \"currency\": "   \
    "\"USD\", \"latency\": 1.381760165997548}, \"retriever_resources\": "      \
    "[{\"position\": 1, \"document_name\": \"iPhone List\", \"score\": "       \
    "0.98457545, \"content\": \"\\\"Model\\\",\\\"Release\\\"\\n\"}]}}\n\n"    \
    "data: {\"event\": \"tts_message\", \"conversation_id\": "                 \
    "\"23dd85f3-1a41-4ea0-b7a9-062734ccfaf9\", \"task_id\": "                  \
    "\"3bf8a0bb-e73b-4690-9e66-4e429bad8ee7\", \"audio\": \"qqqq\"}\n\n"

static const struct trace_row rows[] = {
#define STREAM(body, trace)                                                    \
    {                                                                          \
        STR("text/event-stream; charset=utf-8"), STR(body), trace              \
    }
    /* whole streams */
    STREAM(DOCUMENTED, "T5ad4cb98-f0c7-4085-b384-88c403be6290 "
                       "C45701982-8118-4bc5-8e9b-64562b4555f2 \" I\" \"'m\" "
                       "U1033+135=1168 D "),
    STREAM(TEXT("Hi") TEXT(" there") END, IDS "\"Hi\" \" there\" " DONE),
    STREAM("event: ping\n\n" AGENT("a")
               EVENT("agent_thought", ", \"thought\": \"no\", "
                                      "\"tool_input\": \"{}\"")
                   AGENT("b") "event: ping\n\n" END,
           IDS "\"a\" \"b\" " DONE),
    STREAM(TEXT("a\\n\\\"b\\\" \\u00e4 \\ud83d\\ude00\xE2\x82\xAC") END,
           IDS "\"a\n\"b\" \xC3\xA4 \xF0\x9F\x98\x80\xE2\x82\xAC\" " DONE),
    STREAM(": hello\r\ndata: {\"answer\":\"x\",\"event\":\"message\"}\r\n\r\n"
           "data:{\"event\":\"message_end\"}\r\n\r\n",
           "\"x\" D "),
    /* what is not for people, and what comes later */
    STREAM(EVENT("workflow_started", ", \"data\": {\"answer\": \"no\"}")
               EVENT("node_started", ", \"data\": {}")
                   EVENT("message_file", ", \"url\": \"https://example.org/a\"")
                       EVENT("tts_message", ", \"audio\": \"qqq\"") EVENT(
                           "ping", "") EVENT("workflow_finished",
                                             ", \"data\": {\"status\": "
                                             "\"succeeded\"}")
                           EVENT("something_new", ", \"answer\": \"no\"") END,
           IDS DONE),
    STREAM(TEXT("x") END TEXT("after"), IDS "\"x\" " DONE),
    STREAM(TEXT("") END, IDS DONE),
    STREAM(EVENT("message", ", \"answer\": null")
               EVENT("message_end", ", \"metadata\": {}"),
           IDS "D "),
    /* text that takes the place of what was said */
    STREAM(TEXT("secret") REPLACE("I may not say that.") END,
           IDS "\"secret\" \"\n\n\" \"I may not say that.\" "
               "Fcontent_filter " DONE),
    STREAM(REPLACE("No.") END, IDS "\"No.\" Fcontent_filter " DONE),
    STREAM(TEXT("secret") REPLACE("") END,
           IDS "\"secret\" Fcontent_filter " DONE),
    STREAM(TEXT("a") REPLACE("b"), IDS "\"a\" \"\n\n\" \"b\" Fcontent_filter "),
    /* cuts */
    STREAM("", ""),
    STREAM("\n\n", ""),
    STREAM(TEXT("x"), IDS "\"x\" "),
    STREAM(TEXT("x") "data: {\"event\": \"mess", IDS "\"x\" "),
    /* ids */
    STREAM("data: {\"event\":\"ping\",\"task_id\":\"../../x\","
           "\"conversation_id\":\"a b\"}\n\n"
           "data: {\"event\":\"ping\",\"task_id\":\"a\\u002f\","
           "\"conversation_id\":\"\"}\n\n"
           "data: {\"event\":\"ping\",\"task_id\":"
           "\"0123456789012345678901234567890123456789012345678901234567890123"
           "4\"}\n\n" TEXT("x"),
           IDS "\"x\" "),
    STREAM("data: {\"event\":\"message\",\"task_id\":\"t-1\",\"answer\":\"x\"}"
           "\n\ndata: {\"event\":\"message\",\"task_id\":\"t-2\","
           "\"conversation_id\":\"c-2\",\"answer\":\"y\"}\n\n",
           "Tt-1 \"x\" Cc-2 \"y\" "),
    /* malformed events */
    STREAM("data: oops\n\ndata: []\n\ndata: {\"answer\":1}\n\n"
           "data: {\"event\":\"message\",\"answer\":\"\\ud800\"}\n\n"
           "data: {\"event\":\"message\",\"answer\":\"\xFF\"}\n\n" TEXT("y"),
           "B B B B B " IDS "\"y\" "),
    /* errors inside the stream; its sentence may quote anything */
    STREAM(TEXT("x") EVENT("error", ", \"status\": 400, \"code\": "
                                    "\"provider_quota_exceeded\", \"message\": "
                                    "\"app-key\"") TEXT("y"),
           IDS "\"x\" Eprovider_quota_exceeded "),
    STREAM(EVENT("error", ", \"status\": 500, \"code\": "
                          "\"internal_server_error\", \"message\": \"no\""),
           IDS "Einternal_server_error! "),
    STREAM(EVENT("error", ", \"status\": 429, \"code\": "
                          "\"too_many_requests\""),
           IDS "Etoo_many_requests! "),
    STREAM(EVENT("error", ""), IDS "E "),
#undef STREAM
    /* a whole answer instead */
    {STR("application/json"),
     STR("{\"event\": \"message\", \"task_id\": \"t-1\", \"id\": \"i\", "
         "\"conversation_id\": \"c-1\", \"mode\": \"chat\", \"answer\": "
         "\"all of it\", \"metadata\": {" USAGE "}, \"created_at\": 1}"),
     "Cc-1 \"all of it\" " DONE},
    {STR("application/json"),
     STR("{\"code\": \"app_unavailable\", \"message\": \"no\", \"status\": "
         "400}"),
     "Eapp_unavailable "},
    {STR("application/json"), STR("{}"), "Eno_answer "},
    {STR("application/json"), STR("{\"answer\":"), "Emalformed_answer "},
    {STR("text/html"), STR("<html>"), "Enot_an_event_stream "},
};

static void
every_stream_is_the_same_however_it_is_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        trace_everywhere(ops, &rows[i]);
    }
}

/* --- faults ------------------------------------------------------------- */

static const struct {
    int status;
    struct str body;
    const char *code;
    bool retryable;
    bool stranger;
} faults[] = {
    {404,
     STR("{\"code\": \"not_found\", \"message\": \"Conversation Not "
         "Exists.\", \"status\": 404}"),
     "not_found", false, true},
    {404, STR("<html>"), "", false, true},
    {400,
     STR("{\"code\": \"conversation_completed\", \"message\": \"Conversation "
         "Completed.\", \"status\": 400}"),
     "conversation_completed", false, true},
    {400, STR("{\"code\": \"invalid_param\", \"status\": 400}"),
     "invalid_param", false, false},
    {401, STR("{\"code\": \"unauthorized\", \"message\": \"app-key\"}"),
     "unauthorized", false, false},
    {429, STR("{\"code\": \"too_many_requests\"}"), "too_many_requests", true,
     false},
    {500, STR(""), "", true, false},
};

static void
a_status_says_whether_asking_again_helps(void **state)
{
    struct provider_fault f;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        ops->fault(faults[i].status, faults[i].body, &f);
        assert_int_equal(f.err, ERR_LLM_UNAVAILABLE);
        assert_string_equal(f.code, faults[i].code);
        assert_int_equal(f.retryable, faults[i].retryable);
        assert_int_equal(f.stranger, faults[i].stranger);
    }
}

/* --- the request -------------------------------------------------------- */

static const struct provider_message said[] = {
    {.role = PROVIDER_USER, .content = STR("I am Ann.")},
    {.role = PROVIDER_ASSISTANT, .content = STR("Hello, \"Ann\".")},
    {.role = PROVIDER_USER, .content = STR("Who am I?")},
};

static void
a_question_in_its_conversation_goes_alone(void **state)
{
    struct provider_config config = request_config(ops, "https://x.y/v1", "k");
    struct provider_turn turn = {.messages = said + 2,
                                 .count = 1,
                                 .user = STR("u-1"),
                                 .conversation = STR("c-1")};

    (void)state;
    request_body_is(&config, &turn,
                    "{'query':'Who am I?','inputs':{},'response_mode':"
                    "'streaming','conversation_id':'c-1','user':'u-1'}");
}

static void
what_it_cannot_know_stands_in_front(void **state)
{
    struct provider_config config = request_config(ops, "https://x.y/v1", "k");
    struct provider_turn turn = {
        .messages = said, .count = 3, .user = STR("u-1")};

    (void)state;
    request_body_is(
        &config, &turn,
        "{'query':'Said before, in this conversation:\\n\\nUser: I am Ann."
        "\\n\\nAssistant: Hello, \\u0022Ann\\u0022.\\n\\nThe message to answer "
        "now:\\n\\nWho am I?','inputs':{},'response_mode':'streaming',"
        "'conversation_id':'','user':'u-1'}");
}

static void
a_partial_answer_stands_behind_the_question(void **state)
{
    struct provider_config config = request_config(ops, "https://x.y/v1", "k");
    struct provider_turn turn = {.messages = said,
                                 .count = 1,
                                 .user = STR("u-1"),
                                 .conversation = STR("c-1"),
                                 .partial = STR("Hello,")};

    (void)state;
    request_body_is(&config, &turn,
                    "{'query':'I am Ann.\\n\\nYour answer so far:\\n\\nHello,"
                    "\\n\\n" GO_ON "','inputs':{},'response_mode':'streaming',"
                    "'conversation_id':'c-1','user':'u-1'}");
}

/* What is no link would have to be uploaded first. */
static void
links_to_pictures_go_to_apps_that_see(void **state)
{
    struct provider_config config = request_config(ops, "https://x.y/v1", "k");
    struct provider_turn turn = {
        .messages = &request_seen, .count = 1, .user = STR("u-1")};

    (void)state;
    request_body_is(&config, &turn,
                    "{'query':'What is it?','inputs':{},'response_mode':"
                    "'streaming','conversation_id':'','user':'u-1'}");
    config.vision = true;
    request_body_is(&config, &turn,
                    "{'query':'What is it?','inputs':{},'response_mode':"
                    "'streaming','conversation_id':'','user':'u-1',"
                    "'files':[{'type':'image','transfer_method':'remote_url',"
                    "'url':'https://h.example.com/a.png'}]}");
    config.extra_body = "{\"files\":[]}";
    request_body_is(&config, &turn,
                    "{'query':'What is it?','inputs':{},'response_mode':"
                    "'streaming','conversation_id':'','user':'u-1',"
                    "'files':[]}");
}

static void
the_system_prompt_is_an_input(void **state)
{
    struct provider_config config = request_config(ops, "https://x.y/v1", "k");
    struct provider_turn turn = {.system_prompt = STR("Be brief."),
                                 .messages = said,
                                 .count = 1,
                                 .user = STR("u-1")};

    (void)state;
    request_body_is(&config, &turn,
                    "{'query':'I am Ann.','inputs':{'system_prompt':"
                    "'Be brief.'},'response_mode':'streaming',"
                    "'conversation_id':'','user':'u-1'}");
    config.extra_body = "{\"inputs\":{\"tone\":\"dry\"},"
                        "\"auto_generate_name\":false}";
    request_body_is(&config, &turn,
                    "{'query':'I am Ann.','response_mode':'streaming',"
                    "'conversation_id':'','user':'u-1','inputs':{'tone':'dry'},"
                    "'auto_generate_name':false}");
}

static void
the_key_is_a_bearer_token(void **state)
{
    struct provider_config config =
        request_config(ops, "https://x.y/v1", "app-1");
    struct provider_turn turn = {.messages = said, .count = 1};
    struct provider_request r;

    (void)state;
    for (int keyed = 1; keyed >= 0; keyed--) {
        config.api_key = keyed ? "app-1" : "";
        provider_request_init(&r, 1000);
        assert_int_equal(ops->build(&config, &turn, &r), ERR_OK);
        assert_true(request_has(&r, "Content-Type: application/json"));
        assert_true(request_has(&r, "Accept: text/event-stream"));
        assert_int_equal(request_has(&r, "Authorization: Bearer app-1"), keyed);
        assert_int_equal(request_headers(&r), 2 + keyed);
        provider_request_fini(&r);
    }
    config.api_key = "app\r\nX: y";
    provider_request_init(&r, 1000);
    assert_int_equal(ops->build(&config, &turn, &r), ERR_INVALID_FORMAT);
    provider_request_fini(&r);
}

static void
a_body_beyond_its_maximum_is_refused(void **state)
{
    struct provider_config config = request_config(ops, "https://x.y/v1", "k");
    struct provider_turn turn = {.messages = said, .count = 3};
    struct provider_request r;

    (void)state;
    for (size_t max = 0; max < 100; max++) {
        provider_request_init(&r, max);
        assert_int_equal(ops->build(&config, &turn, &r), ERR_TOO_BIG);
        provider_request_fini(&r);
    }
}

static const struct {
    const char *endpoint, *ask, *stop;
} urls[] = {
    {"https://api.dify.ai/v1", "https://api.dify.ai/v1/chat-messages",
     "https://api.dify.ai/v1/chat-messages/t-1/stop"},
    {"http://127.0.0.1:80/v1/", "http://127.0.0.1:80/v1/chat-messages",
     "http://127.0.0.1:80/v1/chat-messages/t-1/stop"},
    {"https://x.y/v1/chat-messages", "https://x.y/v1/chat-messages",
     "https://x.y/v1/chat-messages/t-1/stop"},
    {"https://x.y/v1/chat-messages/?a=b", "https://x.y/v1/chat-messages?a=b",
     "https://x.y/v1/chat-messages/t-1/stop?a=b"},
    {"https://x.y?a=/chat-messages",
     "https://x.y/chat-messages?a=/chat-messages",
     "https://x.y/chat-messages/t-1/stop?a=/chat-messages"},
};

static void
an_endpoint_is_its_base_or_the_whole_path(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(urls); i++) {
        struct provider_config config =
            request_config(ops, urls[i].endpoint, "k");
        struct provider_request r;

        request_url_is(&config, urls[i].ask);
        provider_request_init(&r, 1000);
        assert_int_equal(ops->stop(&config, STR("t-1"), STR("u-\"1"), &r),
                         ERR_OK);
        assert_string_equal(r.url, urls[i].stop);
        assert_true(request_has(&r, "Authorization: Bearer k"));
        assert_true(str_is(buf_str(&r.body), "{\"user\":\"u-\\\"1\"}"));
        provider_request_fini(&r);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_stream_is_the_same_however_it_is_cut),
        cmocka_unit_test(a_status_says_whether_asking_again_helps),
        cmocka_unit_test(a_question_in_its_conversation_goes_alone),
        cmocka_unit_test(what_it_cannot_know_stands_in_front),
        cmocka_unit_test(a_partial_answer_stands_behind_the_question),
        cmocka_unit_test(links_to_pictures_go_to_apps_that_see),
        cmocka_unit_test(the_system_prompt_is_an_input),
        cmocka_unit_test(the_key_is_a_bearer_token),
        cmocka_unit_test(a_body_beyond_its_maximum_is_refused),
        cmocka_unit_test(an_endpoint_is_its_base_or_the_whole_path),
    };

    return cmocka_run_group_tests_name("provider/dify", tests, setup, NULL);
}
