/* SPDX-License-Identifier: MIT */
/* Chunks and completions as OpenAI's API gives them. */
#include "gate/openai_answer.h"

#include "codec/json.h"

/* --- the event stream --------------------------------------------------- */

static void
put_lines(struct buf *out, struct str json)
{
    struct str line;

    while (str_split(&json, '\n', &line)) {
        buf_puts(out, "data: ");
        buf_put_str(out, line);
        buf_putc(out, '\n');
    }
}

void
openai_answer_event(struct buf *out, uint64_t id, struct str json)
{
    if (id > 0) {
        buf_puts(out, "id: ");
        buf_put_u64(out, id);
        buf_putc(out, '\n');
    }
    put_lines(out, json);
    buf_putc(out, '\n');
}

void
openai_answer_done(struct buf *out, uint64_t id)
{
    openai_answer_event(out, id, STR("[DONE]"));
}

/* --- JSON --------------------------------------------------------------- */

static void
put_head(struct buf *out, const struct openai_answer *a, struct str object)
{
    buf_putc(out, '{');
    json_put_member(out, "id", str_from(a->id));
    json_put_member(out, "object", object);
    json_put_member_i64(out, "created", a->created_s);
    json_put_member(out, "model", a->model);
}

static void
put_chunk_head(struct buf *out, const struct openai_answer *a)
{
    put_head(out, a, STR("chat.completion.chunk"));
    json_put_key(out, "choices");
}

static void
put_usage(struct buf *out, const struct usage *u)
{
    json_put_key(out, "usage");
    buf_putc(out, '{');
    json_put_member_i64(out, "prompt_tokens", u->prompt_tokens);
    json_put_member_i64(out, "completion_tokens", u->completion_tokens);
    json_put_member_i64(out, "total_tokens", u->total_tokens);
    if (u->estimated) {
        json_put_member_bool(out, "estimated", true);
    }
    buf_putc(out, '}');
}

static void
begin_delta(struct buf *out, const struct openai_answer *a, bool first)
{
    put_chunk_head(out, a);
    buf_puts(out, "[{\"index\":0,\"delta\":{");
    if (first) {
        json_put_member(out, "role", STR("assistant"));
    }
}

static void
end_delta(struct buf *out)
{
    buf_puts(out, "},\"logprobs\":null,\"finish_reason\":null}]}");
}

void
openai_answer_delta(struct buf *out, const struct openai_answer *a,
                    struct str text, bool first)
{
    begin_delta(out, a, first);
    json_put_member(out, "content", text);
    end_delta(out);
}

/* Clients go by the index, and take a name for the begin of a call. */
void
openai_answer_call(struct buf *out, const struct openai_answer *a, unsigned at,
                   const struct provider_call *piece, bool first)
{
    begin_delta(out, a, first);
    if (first) {
        json_put_key(out, "content");
        buf_puts(out, "null");
    }
    json_put_key(out, "tool_calls");
    buf_puts(out, "[{");
    json_put_member_i64(out, "index", at);
    if (piece->name.n > 0 || piece->id.n > 0) {
        json_put_member(out, "id", piece->id);
        json_put_member(out, "type", STR("function"));
    }
    json_put_key(out, "function");
    buf_putc(out, '{');
    if (piece->name.n > 0) {
        json_put_member(out, "name", piece->name);
    }
    json_put_member(out, "arguments", piece->arguments);
    buf_puts(out, "}}]");
    end_delta(out);
}

void
openai_answer_finish(struct buf *out, const struct openai_answer *a,
                     enum provider_finish finish)
{
    put_chunk_head(out, a);
    buf_puts(out, "[{\"index\":0,\"delta\":{},\"logprobs\":null");
    json_put_member(out, "finish_reason",
                    str_from(provider_finish_word(finish)));
    buf_puts(out, "}]}");
}

void
openai_answer_usage(struct buf *out, const struct openai_answer *a,
                    const struct usage *usage)
{
    put_chunk_head(out, a);
    buf_puts(out, "[]");
    put_usage(out, usage);
    buf_putc(out, '}');
}

/* Who only calls says nothing, which is not the empty text. */
static void
put_said(struct buf *out, const struct openai_said *said)
{
    if (said->text.n == 0 && said->calls.n > 0) {
        json_put_key(out, "content");
        buf_puts(out, "null");
    } else {
        json_put_member(out, "content", said->text);
    }
    buf_puts(out, ",\"refusal\":null");
    if (said->calls.n > 0) {
        json_put_key(out, "tool_calls");
        buf_put_str(out, said->calls);
    }
}

void
openai_answer_whole(struct buf *out, const struct openai_answer *a,
                    const struct openai_said *said, const struct usage *usage)
{
    put_head(out, a, STR("chat.completion"));
    json_put_key(out, "choices");
    buf_puts(out, "[{\"index\":0,\"message\":{\"role\":\"assistant\"");
    put_said(out, said);
    buf_puts(out, "},\"logprobs\":null");
    json_put_member(out, "finish_reason",
                    str_from(provider_finish_word(said->finish)));
    buf_puts(out, "}]");
    put_usage(out, usage);
    buf_putc(out, '}');
}
