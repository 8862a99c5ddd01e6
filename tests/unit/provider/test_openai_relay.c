/* SPDX-License-Identifier: MIT */
/* What a client asks in OpenAI's form itself: its request goes on as it is, and
 * so do the events of the answer. */
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

static void
note_raw(void *cookie, const struct provider_event *e)
{
    struct buf *out = cookie;

    if (e->kind == PROVIDER_RAW) {
        buf_printf(out, "%s%s%s%.*s ", e->raw.whole ? "W" : "",
                   e->raw.speaks ? "S" : "", e->raw.counts_only ? "U" : "",
                   STR_ARG(e->raw.json));
    } else if (e->kind == PROVIDER_ERROR) {
        buf_puts(out, "E");
    }
}

static void
assert_raw(const char *type, struct str body, const char *expected)
{
    struct buf out;
    struct provider_sink sink = {note_raw, &out};
    void *answer = ops->open(str_from(type), 1000);

    buf_init(&out, 10000);
    trace_feed(ops, answer, body, &sink);
    ops->end(answer, &sink);
    ops->close(answer);
    buf_putc(&out, '\0');
    assert_string_equal(out.p, expected);
    buf_fini(&out);
}

#define RAW_DELTA(members) "{\"choices\":[{\"delta\":{" members "}}]}"

static void
events_are_shown_as_they_came(void **state)
{
    static const char role[] = RAW_DELTA("\"role\":\"a\",\"content\":\"\"");
    static const char tool[] = RAW_DELTA("\"tool_calls\":[{}]");
    static const char none[] =
        RAW_DELTA("\"tool_calls\":null,\"content\":null");
    static const char count[] =
        "{\"choices\":[],\"usage\":{\"prompt_tokens\":1,"
        "\"completion_tokens\":1}}";
    struct buf body, expected;

    (void)state;
    buf_init(&body, 10000);
    buf_init(&expected, 10000);
    buf_printf(&body, "data: %s\n\ndata: %s\n\n:c\n\ndata: %s\n\n", role, tool,
               none);
    buf_printf(&body, "data: %s\n\ndata: {\"error\":{}}\n\n", count);
    buf_printf(&expected, "%s S%s %s U%s E", role, tool, none, count);
    buf_putc(&expected, '\0');
    assert_raw("text/event-stream", buf_str(&body), expected.p);
    assert_raw("application/json", STR("{\"choices\":[{}]}"),
               "WS{\"choices\":[{}]} ");
    buf_fini(&body);
    buf_fini(&expected);
}

static void
assert_relayed(const struct provider_ops *which, const char *endpoint,
               const struct provider_relay *relay, const char *expected)
{
    struct provider_config config = {.ops = which,
                                     .endpoint = endpoint,
                                     .api_key = "",
                                     .model = "x",
                                     .temperature = "",
                                     .max_tokens = 5,
                                     .extra_body = "{\"k\":1}"};
    struct provider_turn turn = {.relay = relay};
    struct provider_request r;
    struct buf all;

    provider_request_init(&r, 10000);
    assert_int_equal(which->build(&config, &turn, &r), ERR_OK);
    buf_init(&all, 10000);
    buf_printf(&all, "%s %.*s", r.url, STR_ARG(buf_str(&r.body)));
    buf_putc(&all, '\0');
    assert_string_equal(all.p, expected);
    buf_fini(&all);
    provider_request_fini(&r);
}

static void
a_clients_own_request_is_passed_on(void **state)
{
    static const struct provider_relay stream = {
        .object = STR("{\"stream\": 1,\"a\" : [1.0],\"model\":\"m\"}"),
        .stream_options = STR("{}"),
        .stream = true};
    static const struct provider_relay whole = {
        .object = STR("{\"k\":null,\"max_completion_tokens\":1}")};

    (void)state;
    assert_relayed(ops, "http://h/v1", &stream,
                   "http://h/v1/chat/completions {\"model\":\"x\",\"a\":[1.0],"
                   "\"stream\":true,\"stream_options\":{},\"max_tokens\":5,"
                   "\"k\":1}");
    assert_relayed(ops, "http://h/v1", &whole,
                   "http://h/v1/chat/completions {\"model\":\"x\",\"k\":null,"
                   "\"max_completion_tokens\":1}");
    assert_relayed(ops->embeddings, "http://h/v1/", &whole,
                   "http://h/v1/embeddings {\"model\":\"x\",\"k\":null,"
                   "\"max_completion_tokens\":1}");
    assert_relayed(ops->embeddings, "http://h/d/chat/completions?api-version=1",
                   &whole,
                   "http://h/d/embeddings?api-version=1 {\"model\":\"x\","
                   "\"k\":null,\"max_completion_tokens\":1}");
}

/* Behind the client's own messages, which stay as they were written. */
static void
a_clients_own_request_is_gone_on_with(void **state)
{
    static const struct provider_relay relay = {
        .object = STR("{\"messages\" : [ {\"x\":1.0} ],\"a\":[]}"),
        .stream = true};
    struct provider_config config = request_config(ops, "http://h/v1", "");
    struct provider_turn turn = {.relay = &relay, .partial = STR("so \"far")};

    (void)state;
    request_body_is(&config, &turn,
                    "{'model': 'm-\\'4', 'a': [], 'stream': true,"
                    " 'messages': [{'x': 1.0},"
                    " {'role': 'assistant', 'content': 'so \\'far'},"
                    " {'role': 'user', 'content': '" GO_ON "'}]}");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_shown_as_they_came),
        cmocka_unit_test(a_clients_own_request_is_passed_on),
        cmocka_unit_test(a_clients_own_request_is_gone_on_with),
    };

    return cmocka_run_group_tests_name("provider/openai_relay", tests, setup,
                                       NULL);
}
