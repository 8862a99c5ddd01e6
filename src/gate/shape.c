/* SPDX-License-Identifier: MIT */
/* Item and Msg, member by member. */
#include "gate/shape.h"

#include "base/clock.h"
#include "codec/json.h"
#include "store/usage.h"
#include "upload/upload.h"

/* A stored one, or a path prefix, an id and a signature. */
#define URL_BYTES 16384

void
shape_time(struct buf *out, const char *name, int64_t at_ms)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format(at_ms, text);
    json_put_member(out, name, str_from(text));
}

static void
put_optional(struct buf *out, const char *name, const char *value)
{
    if (value != NULL) {
        json_put_member(out, name, str_from(value));
    }
}

static void
put_session_times(struct buf *out, const struct session_record *s)
{
    int64_t until = s->end_ms > 0 ? s->end_ms : s->last_ms;

    shape_time(out, "start_time", s->start_ms);
    shape_time(out, "last_activity", s->last_ms);
    if (s->end_ms > 0) {
        shape_time(out, "end_time", s->end_ms);
    }
    json_put_member_bool(out, "is_active", s->end_ms == 0);
    json_put_member_i64(out, "duration",
                        until > s->start_ms ? (until - s->start_ms) / 1000 : 0);
}

static void
put_session_figures(struct buf *out, const struct session_record *s)
{
    json_put_member_i64(out, "message_count", s->message_count);
    json_put_member_i64(out, "total_tokens", s->total_tokens);
    if (s->cost_nanos > 0) {
        json_put_member_nanos(out, "total_cost", s->cost_nanos);
    }
    json_put_member_i64(out, "max_response_time", s->max_response_ms);
    json_put_member_i64(out, "avg_response_time",
                        (int64_t)(s->avg_response_ms + 0.5));
}

void
shape_item_members(struct buf *out, const struct session_record *s)
{
    json_put_member(out, "id", str_from(s->sid));
    json_put_member(out, "session_id", str_from(s->sid));
    json_put_member(out, "user_id", str_from(s->user_id));
    json_put_member(out, "name", str_from(s->name));
    json_put_member(out, "model_id", str_from(s->model_id));
    put_session_times(out, s);
    put_session_figures(out, s);
    json_put_member_bool(out, "admin_assisted", s->admin_assisted);
    put_optional(out, "assisting_admin_name", s->assisting_admin_name);
    json_put_member_bool(out, "help_requested", s->help_requested);
    json_put_member_bool(out, "archived", s->archived);
}

void
shape_connections(struct buf *out, uint32_t connections)
{
    json_put_member_i64(out, "connections", connections);
}

void
shape_item(struct buf *out, const struct session_record *s)
{
    buf_putc(out, '{');
    shape_item_members(out, s);
    buf_putc(out, '}');
}

static void
put_usage(struct buf *out, const struct usage *u)
{
    if (!u->present) {
        return;
    }
    json_put_key(out, "usage");
    buf_putc(out, '{');
    usage_put_members(out, u);
    buf_putc(out, '}');
}

static void
put_answer_members(struct buf *out, const struct message_record *m)
{
    put_usage(out, &m->usage);
    if (m->duration_ms >= 0) {
        json_put_member_i64(out, "duration_ms", m->duration_ms);
    }
    if (m->ttft_ms >= 0) {
        json_put_member_i64(out, "ttft_ms", m->ttft_ms);
    }
    put_optional(out, "finish_reason", m->finish_reason);
    put_optional(out, "reply_to", m->reply_to);
    put_optional(out, "replaces", m->replaces);
    if (m->superseded) {
        json_put_member_bool(out, "superseded", true);
    }
}

/* As the error member of a frame. */
static void
put_unreadable(struct buf *out)
{
    json_put_key(out, "error");
    buf_putc(out, '{');
    json_put_member(out, "code", str_from(err_info(ERR_DATABASE_ERROR)->code));
    json_put_member(out, "message", STR(RECORD_UNREADABLE));
    json_put_member_bool(out, "recoverable", false);
    buf_putc(out, '}');
}

static void
put_file_url(struct buf *out, const struct upload *u,
             const struct message_record *m)
{
    struct buf url;

    buf_init(&url, URL_BYTES);
    if (u != NULL) {
        upload_put_shown(u, m->file_id, m->file_url, &url);
    } else {
        buf_put_str(&url, str_from(m->file_url));
    }
    if (url.n > 0) {
        json_put_member(out, "file_url", buf_str(&url));
    }
    buf_fini(&url);
}

void
shape_message_members(struct buf *out, const struct upload *u,
                      const struct message_record *m)
{
    json_put_member(out, "message_id", str_from(m->id));
    json_put_member_i64(out, "seq", m->seq);
    json_put_member(out, "type", str_from(m->type));
    json_put_member(out, "sender", str_from(sender_word(m->sender)));
    json_put_member(out, "content", (struct str){m->content, m->content_n});
    if (m->unreadable) {
        put_unreadable(out);
    }
    shape_time(out, "timestamp", m->at_ms);
    json_put_member(out, "status", str_from(status_word(m->status)));
    put_optional(out, "client_id", m->client_id);
    put_optional(out, "model_id", m->model_id);
    put_optional(out, "file_id", m->file_id);
    put_file_url(out, u, m);
    if (m->metadata != NULL) {
        json_put_key(out, "metadata");
        buf_puts(out, m->metadata);
    }
    put_answer_members(out, m);
}

void
shape_message(struct buf *out, const struct upload *u,
              const struct message_record *m)
{
    buf_putc(out, '{');
    shape_message_members(out, u, m);
    buf_putc(out, '}');
}

void
shape_page(struct buf *out, const struct upload *u,
           const struct message_record *messages, size_t count, bool more)
{
    json_put_key(out, "messages");
    buf_putc(out, '[');
    for (size_t i = 0; i < count; i++) {
        json_put_comma(out);
        shape_message(out, u, &messages[i]);
    }
    buf_putc(out, ']');
    if (more && count > 0) {
        json_put_member_i64(out, "next_before_seq", messages[0].seq);
    }
}

void
shape_shared_message(struct buf *out, const struct message_record *m)
{
    struct message_record shown = *m; /* borrows */

    shown.client_id = shown.metadata = shown.replaces = NULL;
    shown.file_id = shown.file_url = NULL;
    shape_message(out, NULL, &shown);
}
