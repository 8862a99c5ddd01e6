/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_TESTS_UNIT_PROVIDER_TRACE_H
#define CHATBOX_TESTS_UNIT_PROVIDER_TRACE_H

/* What a digester makes of a body, written down: the same however it is cut. */
#include "base/xalloc.h"
#include "provider/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* The trace of an answer: "text" for a delta, then U, F, C, T, E, D, B for the
 * other kinds, with what they carry. */
static inline void
trace_note(void *cookie, const struct provider_event *e)
{
    struct buf *out = cookie;

    switch (e->kind) {
    case PROVIDER_RAW:
        return; /* test_openai.c */
    case PROVIDER_DELTA:
        assert_true(e->text.n > 0);
        buf_putc(out, '"');
        buf_put_str(out, e->text);
        buf_putc(out, '"');
        break;
    case PROVIDER_CALL:
        assert_true(e->at < PROVIDER_CALLS_MAX);
        buf_printf(out, "#%u%.*s %.*s %.*s", e->at, STR_ARG(e->call.id),
                   STR_ARG(e->call.name), STR_ARG(e->call.arguments));
        break;
    case PROVIDER_USAGE:
        buf_printf(out, "U%d+%d=%d", (int)e->usage.prompt_tokens,
                   (int)e->usage.completion_tokens, (int)e->usage.total_tokens);
        break;
    case PROVIDER_FINISH:
        buf_printf(out, "F%s", provider_finish_word(e->finish));
        break;
    case PROVIDER_CONVERSATION:
        buf_printf(out, "C%.*s", STR_ARG(e->text));
        break;
    case PROVIDER_TASK:
        buf_printf(out, "T%.*s", STR_ARG(e->text));
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

/* A piece is gone after its call. */
static inline void
trace_feed(const struct provider_ops *ops, void *answer, struct str piece,
           const struct provider_sink *sink)
{
    char *copy = xmemdup(piece.n > 0 ? piece.p : "", piece.n);

    ops->digest(answer, (struct str){copy, piece.n}, sink);
    xfree(copy);
}

struct trace_row {
    struct str type;
    struct str body;
    const char *trace;
};

/* In pieces of step bytes after a first one of `first`; then everything once
 * more, of which nothing may come. */
static inline void
trace_run(const struct provider_ops *ops, const struct trace_row *row,
          size_t first, size_t step)
{
    struct str body = row->body;
    struct buf trace;
    struct provider_sink sink = {trace_note, &trace};
    void *answer = ops->open(row->type, 1000);
    char *text;

    buf_init(&trace, 1 << 20);
    trace_feed(ops, answer, (struct str){body.p, first}, &sink);
    for (size_t at = first; at < body.n; at += step) {
        size_t n = step < body.n - at ? step : body.n - at;

        trace_feed(ops, answer, (struct str){body.p + at, n}, &sink);
    }
    ops->end(answer, &sink);
    ops->end(answer, &sink);
    trace_feed(ops, answer, body, &sink);
    ops->close(answer);
    text = buf_give(&trace);
    assert_string_equal(text, row->trace);
    xfree(text);
}

/* Whole, byte by byte, and cut at every place. */
static inline void
trace_everywhere(const struct provider_ops *ops, const struct trace_row *row)
{
    trace_run(ops, row, row->body.n, 1);
    trace_run(ops, row, 0, 1);
    for (size_t cut = 0; cut <= row->body.n; cut++) {
        trace_run(ops, row, cut, row->body.n);
    }
}

#endif
