/* SPDX-License-Identifier: MIT */
/* Streams with tool_use blocks, fed whole, byte by byte and cut at every place.
 */
#include "provider/trace.h"

#define EVENT(members) "data: {" members "}\n\n"
#define OPEN(i, id, name, input)                                               \
    EVENT("\"type\":\"content_block_start\",\"index\":" i                      \
          ",\"content_block\":{"                                               \
          "\"type\":\"tool_use\",\"id\":\"" id "\",\"name\":\"" name           \
          "\",\"input\":" input "}")
#define MORE(i, json)                                                          \
    EVENT("\"type\":\"content_block_delta\",\"index\":" i ",\"delta\":{"       \
          "\"type\":\"input_json_delta\",\"partial_json\":\"" json "\"}")
#define TEXT(t)                                                                \
    EVENT("\"type\":\"content_block_delta\",\"index\":0,\"delta\":{"           \
          "\"type\":\"text_delta\",\"text\":\"" t "\"}")
#define CLOSE(i) EVENT("\"type\":\"content_block_stop\",\"index\":" i)
#define REASON(word)                                                           \
    EVENT("\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"" word "\"" \
          "}")
#define STOP EVENT("\"type\":\"message_stop\"")
#define END REASON("tool_use") STOP

static const struct trace_row rows[] = {
#define STREAM(body, trace)                                                    \
    {                                                                          \
        STR("text/event-stream"), STR(body), trace                             \
    }
    STREAM(TEXT("x") OPEN("1", "a", "f", "{}") MORE("1", "") MORE("1", "{\\\"k")
               MORE("1", "\\\":\\\"\\u00fc\\\"}") CLOSE("1") END,
           "\"x\" #0a f  #0  {\"k #0  \":\"\xC3\xBC\"} Ftool_calls D "),
    /* one after the other, and side by side */
    STREAM(OPEN("0", "a", "f", "{}") MORE("0", "{}") CLOSE("0")
               OPEN("1", "b", "g", "{}") MORE("1", "[]") CLOSE("1") END,
           "#0a f  #0  {} #1b g  #1  [] Ftool_calls D "),
    STREAM(OPEN("0", "a", "f", "{}") OPEN("1", "b", "g", "{}") MORE("1", "B")
               MORE("0", "A") CLOSE("1") MORE("0", "C") CLOSE("0") END,
           "#0a f  #1b g  #1  B #0  A #0  C Ftool_calls D "),
    /* no arguments are an object without members */
    STREAM(OPEN("0", "a", "f", "{}") CLOSE("0") END,
           "#0a f  #0  {} Ftool_calls D "),
    STREAM(OPEN("0", "a", "f", "null") MORE("0", "") CLOSE("0") END,
           "#0a f  #0  {} Ftool_calls D "),
    /* all of them in the block */
    STREAM(OPEN("0", "a", "f", "{ \"k\": 1 }") MORE("0", "{}") CLOSE("0") END,
           "#0a f  #0  { \"k\": 1 } Ftool_calls D "),
    /* blocks that nobody closes, or nobody opened; without an index */
    STREAM(OPEN("0", "a", "f", "{}") END, "#0a f  #0  {} Ftool_calls D "),
    STREAM(OPEN("0", "a", "f", "{}") STOP, "#0a f  #0  {} D "),
    STREAM(MORE("0", "{}") CLOSE("0") REASON("end_turn"), "Fstop "),
    STREAM(OPEN("0", "a", "f", "{}") MORE("1", "x") CLOSE("1") MORE("0", "{")
               MORE("0", "}") CLOSE("0") MORE("0", "y") END,
           "#0a f  #0  { #0  } Ftool_calls D "),
    STREAM(OPEN("null", "a", "f", "{}") MORE("null", "{}") CLOSE("null") END,
           "#0a f  #0  {} Ftool_calls D "),
    /* cut, by the stream and by its tokens */
    STREAM(OPEN("0", "a", "f", "{}") MORE("0", "{\\\"k\\\":"),
           "#0a f  #0  {\"k\": "),
    STREAM(OPEN("0", "a", "f", "{}") REASON("max_tokens") STOP,
           "#0a f  Flength D "),
    STREAM(OPEN("0", "a", "f", "{}") MORE("0", "{") REASON("max_tokens") STOP,
           "#0a f  #0  { Flength D "),
    STREAM(OPEN("0", "a", "f", "{}") MORE("0", "{")
               EVENT("\"type\":\"error\",\"error\":{\"type\":\"api_error\"}")
                   MORE("0", "}"),
           "#0a f  #0  { Eapi_error! "),
    /* reasons: a call waits for its result whatever it is called */
    STREAM(OPEN("0", "a", "f", "{}") CLOSE("0") REASON("end_turn"),
           "#0a f  #0  {} Ftool_calls "),
    STREAM(OPEN("0", "a", "f", "{}") CLOSE("0") REASON("something_new"),
           "#0a f  #0  {} Ftool_calls "),
    STREAM(OPEN("0", "a", "f", "{}") CLOSE("0") REASON("refusal"),
           "#0a f  #0  {} Fcontent_filter "),
    /* malformed events */
    STREAM(OPEN("0", "a", "f", "{}") MORE("0", "\\ud800")
               EVENT("\"index\":0,\"delta\":{\"type\":\"input_json_delta\","
                     "\"partial_json\":7}") MORE("0", "{}") CLOSE("0") END,
           "#0a f  B B #0  {} Ftool_calls D "),
    /* the answer in JSON: text, and once */
    STREAM(OPEN("0", "a", "answer_in_json", "{}") MORE("0", "{\\\"k\\\":")
               MORE("0", "1}") CLOSE("0") END,
           "\"{\"k\":\" \"1}\" Fstop D "),
    STREAM(OPEN("0", "a", "answer\\u005fin_json", "{}") CLOSE("0") OPEN(
               "1", "b", "answer_in_json", "{}") MORE("1", "{}") CLOSE("1") END,
           "\"{}\" Fstop D "),
    STREAM(OPEN("0", "a", "answer_in_json", "{}") MORE("0", "{}") CLOSE("0")
               OPEN("1", "b", "f", "{}") MORE("1", "{}") CLOSE("1") END,
           "\"{}\" #0b f  #0  {} Ftool_calls D "),
    /* a whole message */
    {STR("application/json"),
     STR("{\"content\":[{\"type\":\"text\",\"text\":\"x\"},{\"type\":\"tool_"
         "use\","
         "\"id\":\"a\",\"name\":\"f\",\"input\":{\"k\":\"\\u00fc\"}},{\"type\":"
         "\"tool_use\",\"id\":\"b\",\"name\":\"g\",\"input\":{}}],"
         "\"stop_reason\":\"tool_use\"}"),
     "\"x\" #0a f  #0  {\"k\":\"\\u00fc\"} #1b g  #1  {} Ftool_calls D "},
    {STR("application/json"),
     STR("{\"content\":[{\"type\":\"tool_use\",\"id\":\"a\",\"name\":"
         "\"answer_in_json\",\"input\":{\"k\":1}}],\"stop_reason\":"
         "\"tool_use\"}"),
     "\"{\"k\":1}\" Fstop D "},
};

static void
gives_the_same_calls_however_the_stream_is_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        trace_everywhere(registry_find(STR("anthropic")), &rows[i]);
    }
}

/* One of the most, and one too many, open at once or one after the other. */
static void
more_calls_than_there_may_be_are_dropped(void **state)
{
    (void)state;
    for (int close = 0; close < 2; close++) {
        struct buf body, trace;
        struct provider_sink sink = {trace_note, &trace};
        const struct provider_ops *ops = registry_find(STR("anthropic"));
        void *answer = ops->open(STR("text/event-stream"), 1000);

        buf_init(&body, 1 << 20);
        buf_init(&trace, 1 << 20);
        for (int i = 0; i <= PROVIDER_CALLS_MAX; i++) {
            buf_printf(&body,
                       "data: {\"index\":%d,\"content_block\":{\"type\":"
                       "\"tool_use\",\"id\":\"i%d\",\"name\":\"f\"}}\n\n",
                       i, i);
            buf_printf(&body, "data: {\"index\":%d,\"type\":\"%s\"}\n\n", i,
                       close ? "content_block_stop" : "");
        }
        trace_feed(ops, answer, buf_str(&body), &sink);
        assert_true(str_contains_nocase(buf_str(&trace), STR("#127i127 f")));
        assert_false(str_contains_nocase(buf_str(&trace), STR("i128")));
        ops->close(answer);
        buf_fini(&body);
        buf_fini(&trace);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_same_calls_however_the_stream_is_cut),
        cmocka_unit_test(more_calls_than_there_may_be_are_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
