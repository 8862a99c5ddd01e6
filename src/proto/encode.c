/* SPDX-License-Identifier: MIT */
/* From values to the JSON text of a server frame; the mirror of decode.c.
 * Nothing is allocated but the buffer's own growth: this is the token path. */
#include "proto/encode.h"

#include "base/clock.h"
#include "codec/json.h"

static void
put_name(struct buf *b, enum proto_field f)
{
    buf_put(b, ",\"", 2);
    buf_puts(b, proto_field_name(f));
    buf_put(b, "\":", 2);
}

void
proto_begin(struct buf *b, enum message_type type, struct str session_id,
            int64_t now_ms)
{
    char ts[CLOCK_TEXT_SIZE];

    clock_format(now_ms, ts);
    buf_puts(b, "{\"type\":\"");
    buf_puts(b, message_word(type));
    buf_puts(b, "\",\"timestamp\":\"");
    buf_put(b, ts, CLOCK_TEXT_SIZE - 1);
    buf_putc(b, '"');
    proto_put_optional(b, PROTO_SESSION_ID, session_id);
}

void
proto_put_text(struct buf *b, enum proto_field f, struct str text)
{
    put_name(b, f);
    json_put_string(b, text);
}

void
proto_put_optional(struct buf *b, enum proto_field f, struct str text)
{
    if (text.n > 0) {
        proto_put_text(b, f, text);
    }
}

void
proto_put_int(struct buf *b, enum proto_field f, int64_t value)
{
    put_name(b, f);
    buf_put_i64(b, value);
}

void
proto_put_bool(struct buf *b, enum proto_field f, bool value)
{
    put_name(b, f);
    buf_puts(b, value ? "true" : "false");
}

void
proto_put_json(struct buf *b, enum proto_field f, struct str value)
{
    put_name(b, f);
    buf_put_str(b, value);
}

void
proto_put_metadata(struct buf *b, const struct proto_pair *pairs)
{
    char open = '{';

    put_name(b, PROTO_METADATA);
    for (; pairs->name != NULL; pairs++) {
        buf_putc(b, open);
        json_put_string(b, str_from(pairs->name));
        buf_putc(b, ':');
        json_put_string(b, pairs->value);
        open = ',';
    }
    buf_puts(b, open == '{' ? "{}" : "}");
}

void
proto_put_error(struct buf *b, const struct proto_error *e)
{
    const struct err_info *info = err_info(e->err);
    const char *sentence = e->message != NULL ? e->message : info->sentence;

    put_name(b, PROTO_ERROR);
    buf_puts(b, "{\"code\":\"");
    buf_puts(b, info->code);
    buf_puts(b, "\",\"message\":");
    json_put_string(b, str_from(sentence));
    buf_puts(b, ",\"recoverable\":");
    buf_puts(b, info->retryable && !e->final ? "true" : "false");
    if (e->retry_after_ms >= 0) {
        buf_puts(b, ",\"retry_after\":");
        buf_put_i64(b, e->retry_after_ms);
    }
    if (e->field != NULL && e->field[0] != '\0') {
        buf_puts(b, ",\"field\":");
        json_put_string(b, str_from(e->field));
    }
    buf_putc(b, '}');
}

void
proto_end(struct buf *b)
{
    buf_putc(b, '}');
}
