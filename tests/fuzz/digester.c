/* SPDX-License-Identifier: MIT */
/* What the digesters' targets have in common: see digester.h. */
#include "digester.h"

#include "base/xalloc.h"
#include "codec/json.h"
#include "codec/utf8.h"
#include "provider/registry.h"

#include <string.h>

enum { ANSWER_MAX = 64 };

struct trace {
    struct buf out;
    bool over; /* DONE or ERROR came */
};

static void
note_fault(struct buf *out, const struct provider_fault *f)
{
    CHECK(f->err == ERR_LLM_UNAVAILABLE);
    for (const char *p = f->code; *p != '\0'; p++) {
        CHECK(*p > ' ' && *p < 0x7F && *p != '"');
    }
    buf_printf(out, "%s%d", f->code, f->retryable);
}

static void
note_usage(struct buf *out, const struct provider_usage *u)
{
    CHECK(u->prompt_tokens >= 0 && u->completion_tokens >= 0);
    CHECK(u->total_tokens >= 0);
    buf_printf(out, "%jd+%jd=%jd", (intmax_t)u->prompt_tokens,
               (intmax_t)u->completion_tokens, (intmax_t)u->total_tokens);
}

static void
note_call(struct buf *out, const struct provider_event *e)
{
    CHECK(e->at < PROVIDER_CALLS_MAX);
    CHECK(utf8_valid(e->call.id) && utf8_valid(e->call.name));
    CHECK(utf8_valid(e->call.arguments));
    buf_printf(out, "%u ", e->at);
    buf_put_str(out, e->call.id);
    buf_putc(out, ' ');
    buf_put_str(out, e->call.name);
    buf_putc(out, ' ');
    buf_put_str(out, e->call.arguments);
}

/* It may stand in a path and in a database. */
static void
note_id(struct buf *out, struct str id)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

    CHECK(id.n > 0 && id.n <= PROVIDER_ID_MAX);
    for (size_t i = 0; i < id.n; i++) {
        CHECK(id.p[i] != '\0' && strchr(allowed, id.p[i]) != NULL);
    }
    buf_put_str(out, id);
}

static void
note(void *cookie, const struct provider_event *e)
{
    struct trace *t = cookie;

    CHECK(!t->over);
    buf_printf(&t->out, "\n%d ", (int)e->kind);
    if (e->kind == PROVIDER_RAW) {
        CHECK(json_valid(e->raw.json, JSON_DEPTH_MAX));
        buf_put_str(&t->out, e->raw.json);
    } else if (e->kind == PROVIDER_DELTA) {
        CHECK(e->text.n > 0 && utf8_valid(e->text));
        buf_put_str(&t->out, e->text);
    } else if (e->kind == PROVIDER_CALL) {
        note_call(&t->out, e);
    } else if (e->kind == PROVIDER_USAGE) {
        note_usage(&t->out, &e->usage);
    } else if (e->kind == PROVIDER_FINISH) {
        buf_puts(&t->out, provider_finish_word(e->finish));
    } else if (e->kind == PROVIDER_CONVERSATION || e->kind == PROVIDER_TASK) {
        note_id(&t->out, e->text);
    } else if (e->kind == PROVIDER_ERROR) {
        note_fault(&t->out, e->fault);
    }
    t->over = e->kind == PROVIDER_DONE || e->kind == PROVIDER_ERROR;
}

/* A piece is gone after its call: what is borrowed from it must not be. */
static void
feed(const struct provider_ops *ops, void *answer, struct str piece,
     struct trace *t)
{
    struct provider_sink sink = {note, t};
    char *copy = xmemdup(piece.n > 0 ? piece.p : "", piece.n);

    ops->digest(answer, (struct str){copy, piece.n}, &sink);
    xfree(copy);
}

/* step 0: the input's bytes say how long the next piece is. */
static void
run(const struct provider_ops *ops, struct str type, struct str body,
    size_t step, struct trace *t)
{
    struct provider_sink sink = {note, t};
    void *answer = ops->open(type, ANSWER_MAX);

    *t = (struct trace){.over = false};
    buf_init(&t->out, 64 * body.n + 65536);
    while (body.n > 0) {
        size_t n = step > 0 ? step : 1 + (size_t)(body.p[0] & 31);
        struct str piece = {body.p, n < body.n ? n : body.n};

        feed(ops, answer, piece, t);
        body = str_from_at(body, piece.n);
    }
    ops->end(answer, &sink);
    ops->close(answer);
    CHECK(!t->out.failed);
}

static void
compare(const struct provider_ops *ops, struct str type, struct str body)
{
    static const size_t steps[] = {1, 0};
    struct trace whole, other;

    run(ops, type, body, body.n + 1, &whole);
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        run(ops, type, body, steps[i], &other);
        CHECK(str_eq(buf_str(&whole.out), buf_str(&other.out)));
        buf_fini(&other.out);
    }
    buf_fini(&whole.out);
}

void
digester_fuzz(const char *type, const uint8_t *data, size_t size)
{
    const struct provider_ops *ops = registry_find(str_from(type));
    struct str body = {(const char *)data, size};
    struct provider_fault fault;
    struct buf out;

    compare(ops, STR("text/event-stream"), body);
    compare(ops, STR(""), body);
    buf_init(&out, 1000);
    ops->fault(400 + (size > 0 ? data[0] : 0), body, &fault);
    note_fault(&out, &fault);
    buf_fini(&out);
}
