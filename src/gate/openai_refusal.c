/* SPDX-License-Identifier: MIT */
/* See openai_refusal.h. */
#include "gate/openai_refusal.h"

#include "codec/json.h"
#include "gate/openai_error.h"
#include "gate/openai_value.h"

/* Of a provider's. */
#define SENTENCE_BYTES 4096

/* What the provider says about a request that it does not like is about the
 * client's, and told as it is, unless its form is another. */
static bool
is_clients_fault(const struct exchange_end *end)
{
    static const int statuses[] = {400, 413, 422};

    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        if (end->status == statuses[i]) {
            return json_valid(end->refusal, JSON_DEPTH_MAX) &&
                   str_contains_nocase(end->refusal, STR("\"error\""));
        }
    }
    return false;
}

/* The same in OpenAI's form, with the provider's sentence. */
static void
put_foreign(struct buf *out, const struct exchange_end *end)
{
    struct openai_error error = {.err = ERR_BAD_REQUEST, .status = end->status};
    struct str theirs = openai_value_member(end->refusal, STR("error"));
    struct json_text text;
    struct buf sentence;

    buf_init(&sentence, SENTENCE_BYTES);
    if (openai_value_text(openai_value_member(theirs, STR("message")), &text)) {
        json_unescape(&text, &sentence);
    }
    buf_putc(&sentence, '\0');
    error.message = sentence.n > 1 && !sentence.failed ? sentence.p : NULL;
    openai_error_put(out, &error);
    buf_fini(&sentence);
}

static struct openai_error
error_of(const struct exchange_end *end)
{
    struct openai_error e = {.err = ERR_LLM_UNAVAILABLE, .status = 502};

    if (end->refused != ERR_OK) {
        e = (struct openai_error){.err = end->refused};
    } else if (end->timeout) {
        e = (struct openai_error){.err = ERR_LLM_TIMEOUT};
    } else if (end->status == 429) {
        e.status = 503;
    }
    return e;
}

int
openai_refusal_put(struct buf *out, const struct exchange_end *end,
                   bool foreign)
{
    struct openai_error error = error_of(end);

    if (!is_clients_fault(end)) {
        openai_error_put(out, &error);
        return openai_error_status(&error);
    }
    if (foreign) {
        put_foreign(out, end);
    } else {
        buf_put_str(out, end->refusal);
    }
    return end->status;
}

void
openai_refusal_put_own(struct buf *out, const struct exchange_end *end)
{
    struct openai_error error = error_of(end);

    openai_error_put(out, &error);
}
