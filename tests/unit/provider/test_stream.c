/* SPDX-License-Identifier: MIT */
/* The body by itself, with an owner that repeats what it is handed;
 * test_openai.c and test_anthropic.c have the real ones. */
#include "provider/stream.h"

#include "provider/trace.h"

/* Text of an event, then what its first letter asks for. */
static void
on_event(struct stream *s, struct str name, struct str data,
         const struct provider_sink *sink)
{
    struct json_text text = {data, false};

    stream_text(s, &(struct json_text){name, false}, sink);
    stream_text(s, &text, sink);
    switch (data.p[0]) {
    case 'D':
        stream_done(s, sink);
        break;
    case 'E':
        stream_fail(s, 503, STR("word"), sink);
        break;
    case 'W':
        stream_fail(s, 0, STR("api_error"), sink);
        break;
    case 'F':
        stream_finish(PROVIDER_LENGTH, sink);
        break;
    case 'U':
        stream_usage(&(struct provider_usage){1, 2, 3, 0, 0}, sink);
        break;
    case 'B':
        stream_bad_event(sink);
        break;
    default:
        break;
    }
    assert_int_equal(stream_runs(s), strchr("DEW", data.p[0]) == NULL);
}

static void
on_document(struct stream *s, struct str document,
            const struct provider_sink *sink)
{
    stream_text(s, &(struct json_text){document, true}, sink);
    stream_done(s, sink);
}

static const struct stream_ops stream_ops = {on_event, on_document};

static void *
open_stream(struct str content_type, size_t max_answer_bytes)
{
    struct stream *s = xcalloc(1, sizeof(*s));

    stream_init(s, &stream_ops, content_type, max_answer_bytes);
    return s;
}

static void
digest(void *state, struct str bytes, const struct provider_sink *sink)
{
    stream_digest(state, bytes, sink);
}

static void
end(void *state, const struct provider_sink *sink)
{
    stream_end(state, sink);
}

static void
close_stream(void *state)
{
    stream_fini(state);
    xfree(state);
}

static const struct provider_ops ops = {
    .open = open_stream, .digest = digest, .end = end, .close = close_stream};

static const struct trace_row rows[] = {
    {STR("text/event-stream"), STR("data: a\n\ndata:  b \n\n"), "\"a\" \"b\" "},
    {STR("text/event-stream"), STR("event: n\ndata: a\n\n"), "\"n\" \"a\" "},
    {STR("text/event-stream"), STR("data: F\n\ndata: U\n\ndata: B\n\n"),
     "\"F\" Flength \"U\" U1+2=3 \"B\" B "},
    {STR("text/event-stream"), STR("data: D\n\ndata: a\n\n"), "\"D\" D "},
    {STR("text/event-stream"), STR("data: E\n\ndata: a\n\n"), "\"E\" Eword! "},
    {STR("text/event-stream"), STR("data: W\n\n"), "\"W\" Eapi_error! "},
    {STR("text/event-stream"), STR("data: a\n\ndata: b"), "\"a\" "},
    {STR("text/event-stream"), STR("data: a\n\ndata: b\n"), "\"a\" \"b\" "},
    {STR("text/event-stream"), STR("data:\n\ndata: \t \n\n: c\n\n"), ""},
    /* other content types: the first byte tells */
    {STR("TEXT/Event-Stream;charset=utf-8"), STR("data: a\n\n"), "\"a\" "},
    {STR("text/plain"), STR("\n data: a\n\n data: b\n\n"), "\"a\" "},
    {{NULL, 0}, STR("data: a\n\n"), "\"a\" "},
    {STR("application/json"), STR("data: a\n\n"), "\"a\" "},
    {STR("application/json; x"), STR(" {\\n}"), "\"{\n}\" D "},
    {STR("text/event-stream"), STR("{}"), ""},
    {STR(""), STR("[\r"), "\"[\r\" D "},
    {STR("text/html"), STR("data: a\n\n"), "Enot_an_event_stream "},
    {STR("text/html"), STR(""), "Enot_an_event_stream "},
    {STR(""), STR("\n <!doctype html>"), "Enot_an_event_stream "},
    {STR(""), STR(""), ""},
};

static void
hands_on_the_same_however_the_body_is_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        trace_everywhere(&ops, &rows[i]);
    }
}

/* The cap of trace_run is 2 * 1000 + 65536 bytes. */
static void
has_a_cap_for_an_event_and_for_a_document(void **state)
{
    struct buf body;
    struct trace_row row = {STR("text/event-stream"), {0}, "\"a\" B \"b\" "};

    (void)state;
    buf_init(&body, 1 << 20);
    buf_puts(&body, "data: a\n\ndata: ");
    for (int i = 0; i < 67600; i++) {
        buf_putc(&body, 'x');
    }
    buf_puts(&body, "\n\ndata: b\n\n");
    row.body = buf_str(&body);
    trace_run(&ops, &row, body.n, 1);
    trace_run(&ops, &row, 0, 999);
    body.p[0] = '[';
    row.type = STR("");
    row.trace = "Eanswer_too_large ";
    trace_run(&ops, &row, body.n, 1);
    trace_run(&ops, &row, 0, 999);
    buf_fini(&body);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hands_on_the_same_however_the_body_is_cut),
        cmocka_unit_test(has_a_cap_for_an_event_and_for_a_document),
    };

    return cmocka_run_group_tests_name("provider/stream", tests, NULL, NULL);
}
