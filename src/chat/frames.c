/* SPDX-License-Identifier: MIT */
/* Composing what a session says. One scratch buffer per chat: a frame is
 * copied into each outlet's queue before the next one is composed. */
#include "chat/frames.h"

#include "base/clock.h"
#include "codec/json.h"
#include "store/usage.h"
#include "upload/upload.h"

#include <stdio.h>

#define USAGE_BYTES 512

/* A stored one, or a path prefix, an id and a signature. */
#define URL_BYTES 16384

static struct chat *
chat_of(const struct session *s)
{
    return s->user->chat;
}

static struct buf *
begin(struct chat *c, enum message_type type, struct str sid)
{
    buf_reset(&c->frame, 64 * 1024);
    proto_begin(&c->frame, type, sid, clock_wall_ms());
    return &c->frame;
}

static struct buf *
begin_in(const struct session *s, enum message_type type)
{
    return begin(chat_of(s), type, session_id(s));
}

static struct str
finish(struct buf *b)
{
    proto_end(b);
    CHECK(!b->failed); /* every part was capped on its way in */
    return buf_str(b);
}

static void
put_models(struct buf *b, const struct chat_settings *settings)
{
    struct buf list;

    buf_init(&list, 1 << 20);
    for (size_t i = 0; i < settings->provider_count; i++) {
        buf_puts(&list, i == 0 ? "[{\"id\":" : ",{\"id\":");
        json_put_string(&list, str_from(settings->providers[i].id));
        buf_puts(&list, ",\"name\":");
        json_put_string(&list, str_from(settings->providers[i].name));
        buf_putc(&list, '}');
    }
    buf_putc(&list, ']');
    proto_put_json(b, PROTO_MODELS, buf_str(&list));
    buf_fini(&list);
}

static void
put_status_metadata(struct buf *b, const struct frame_status *what)
{
    struct proto_pair pairs[3] = {{NULL, {NULL, 0}}};
    size_t n = 0;

    if (what->event != NULL) {
        pairs[n++] = (struct proto_pair){"event", str_from(what->event)};
    }
    if (what->requested.n > 0) {
        pairs[n++] =
            (struct proto_pair){"requested_session_id", what->requested};
    }
    if (n > 0) {
        proto_put_metadata(b, pairs);
    }
}

static void
put_first(struct buf *b, const struct session *s,
          const struct frame_status *what)
{
    proto_put_text(b, PROTO_USER_ID, user_id(s->user));
    put_models(b, chat_of(s)->settings);
    proto_put_int(b, PROTO_SEQ, s->seq);
    proto_put_text(b, PROTO_EPOCH, str_from(s->epoch));
    proto_put_bool(b, PROTO_RESUMED, what->resumed);
}

struct str
frame_status(const struct session *s, const struct frame_status *what)
{
    struct buf *b = begin_in(s, MESSAGE_CONNECTION_STATUS);

    proto_put_text(b, PROTO_SENDER, STR("system"));
    if (what->content != NULL) {
        proto_put_text(b, PROTO_CONTENT, str_from(what->content));
    }
    proto_put_text(b, PROTO_MODEL_ID, str_from(session_provider(s)->id));
    if (what->first) {
        put_first(b, s, what);
    }
    proto_put_bool(b, PROTO_ADMIN_ASSISTED, s->admin_assisted);
    proto_put_optional(b, PROTO_ASSISTING_ADMIN_NAME, str_from(s->admin_name));
    proto_put_bool(b, PROTO_HELP_REQUESTED, s->help_requested);
    put_status_metadata(b, what);
    return finish(b);
}

struct str
frame_error(struct chat *c, struct str sid, const struct proto_error *e,
            struct str message_id, struct str client_id)
{
    struct buf *b = begin(c, MESSAGE_ERROR, sid);

    proto_put_text(b, PROTO_SENDER, STR("system"));
    proto_put_error(b, e);
    proto_put_optional(b, PROTO_MESSAGE_ID, message_id);
    proto_put_optional(b, PROTO_CLIENT_ID, client_id);
    return finish(b);
}

struct str
frame_ack(const struct session *s, struct str client_id,
          const struct message_record *m)
{
    struct buf *b = begin_in(s, MESSAGE_ACK);

    proto_put_text(b, PROTO_SENDER, STR("system"));
    proto_put_optional(b, PROTO_CLIENT_ID, client_id);
    if (m != NULL) {
        proto_put_text(b, PROTO_MESSAGE_ID, str_from(m->id));
        proto_put_int(b, PROTO_SEQ, m->seq);
    }
    return finish(b);
}

struct str
frame_loading(const struct session *s, const char *answer_id,
              const char *question_id)
{
    struct buf *b = begin_in(s, MESSAGE_LOADING);

    proto_put_text(b, PROTO_SENDER, STR("system"));
    proto_put_text(b, PROTO_MESSAGE_ID, str_from(answer_id));
    proto_put_text(b, PROTO_REPLY_TO, str_from(question_id));
    return finish(b);
}

/* The members of a stored metadata object but the one called name, each behind
 * a comma. */
static void
put_others(struct buf *b, struct str stored, struct str name)
{
    struct json_scan s;
    struct json_text key, value;

    json_scan_init(&s, stored);
    if (!json_scan_enter(&s, '{')) {
        return;
    }
    while (json_scan_member(&s, &key) && json_scan_string(&s, &value)) {
        if (!json_text_is(&key, name)) {
            buf_puts(b, ",\"");
            buf_put_str(b, key.raw);
            buf_puts(b, "\":\"");
            buf_put_str(b, value.raw);
            buf_putc(b, '"');
        }
    }
}

/* A stored metadata object with one more pair in front, which a client's own
 * pair of that name does not hide. */
static void
put_metadata_with(struct buf *b, const char *stored, const char *name,
                  const char *value)
{
    struct buf json;

    buf_init(&json, 1 << 20);
    buf_printf(&json, "{\"%s\":\"%s\"", name, value);
    put_others(&json, str_from(stored), str_from(name));
    buf_putc(&json, '}');
    proto_put_json(b, PROTO_METADATA, buf_str(&json));
    buf_fini(&json);
}

/* The row of a stored type; what an older version stored and we do not know is
 * shown as a message. */
static enum message_type
type_of(const struct message_record *m)
{
    for (unsigned t = 0; t < MESSAGE_TYPES; t++) {
        if (str_is(str_from(m->type), message_word((enum message_type)t))) {
            return (enum message_type)t;
        }
    }
    return MESSAGE_USER_MESSAGE;
}

/* The text, or why there is none. */
static void
put_text(struct buf *b, const struct message_record *m)
{
    static const struct proto_error unreadable = {
        .err = ERR_DATABASE_ERROR,
        .message = RECORD_UNREADABLE,
        .retry_after_ms = -1,
        .final = true,
    };

    if (m->unreadable) {
        proto_put_error(b, &unreadable);
    } else {
        proto_put_text(b, PROTO_CONTENT,
                       (struct str){m->content, m->content_n});
    }
}

static void
put_file(struct buf *b, const struct chat *c, const struct message_record *m)
{
    struct buf url;

    buf_init(&url, URL_BYTES);
    upload_put_shown(c->settings->upload, m->file_id, m->file_url, &url);
    proto_put_optional(b, PROTO_FILE_ID, str_from(m->file_id));
    proto_put_optional(b, PROTO_FILE_URL, buf_str(&url));
    CHECK(!url.failed);
    buf_fini(&url);
}

struct str
frame_message(const struct session *s, const struct message_record *m,
              bool replay)
{
    struct chat *c = chat_of(s);
    struct buf *b = &c->frame;

    buf_reset(b, 64 * 1024);
    proto_begin(b, type_of(m), session_id(s), m->at_ms);
    proto_put_text(b, PROTO_SENDER, str_from(sender_word(m->sender)));
    if (m->content_n > 0 || m->unreadable) {
        put_text(b, m);
    }
    put_file(b, c, m);
    proto_put_text(b, PROTO_MESSAGE_ID, str_from(m->id));
    proto_put_int(b, PROTO_SEQ, m->seq);
    proto_put_optional(b, PROTO_CLIENT_ID, str_from(m->client_id));
    if (replay) {
        put_metadata_with(b, m->metadata, "replay", "true");
    } else if (m->metadata != NULL) {
        proto_put_json(b, PROTO_METADATA, str_from(m->metadata));
    }
    return finish(b);
}

static void
put_usage(struct buf *b, const struct usage *u)
{
    struct buf json;

    if (!u->present) {
        return;
    }
    buf_init(&json, USAGE_BYTES);
    buf_putc(&json, '{');
    usage_put_members(&json, u);
    buf_putc(&json, '}');
    proto_put_json(b, PROTO_USAGE, buf_str(&json));
    buf_fini(&json);
}

/* What the end of an answer says, stored or live. */
static void
put_answer_end(struct buf *b, const struct message_record *m)
{
    if (m->seq > 0) {
        proto_put_int(b, PROTO_SEQ, m->seq);
    }
    proto_put_optional(b, PROTO_FINISH_REASON, str_from(m->finish_reason));
    put_usage(b, &m->usage);
    if (m->duration_ms >= 0) {
        proto_put_int(b, PROTO_DURATION_MS, m->duration_ms);
    }
    if (m->ttft_ms >= 0) {
        proto_put_int(b, PROTO_TTFT_MS, m->ttft_ms);
    }
    proto_put_optional(b, PROTO_MODEL_ID, str_from(m->model_id));
    proto_put_optional(b, PROTO_REPLY_TO, str_from(m->reply_to));
    proto_put_optional(b, PROTO_REPLACES, str_from(m->replaces));
}

static void
put_answer_head(struct buf *b, const char *answer_id)
{
    proto_put_text(b, PROTO_SENDER, STR("ai"));
    proto_put_text(b, PROTO_MESSAGE_ID, str_from(answer_id));
}

/* With what is stored of it, whose names are none of the head's. */
static void
put_answer_metadata(struct buf *b, const struct message_record *m,
                    const char *head)
{
    buf_puts(b, ",\"metadata\":{");
    buf_puts(b, head);
    put_others(b, str_from(m->metadata), STR(""));
    buf_putc(b, '}');
}

struct str
frame_answer(const struct session *s, const struct message_record *m)
{
    struct buf *b = &chat_of(s)->frame;

    buf_reset(b, 64 * 1024);
    proto_begin(b, MESSAGE_AI_RESPONSE, session_id(s), m->at_ms);
    put_answer_head(b, m->id);
    put_text(b, m);
    put_answer_end(b, m);
    put_answer_metadata(
        b, m, "\"streaming\":\"true\",\"done\":\"true\",\"replay\":\"true\"");
    return finish(b);
}

struct str
frame_snapshot(const struct session *s, const char *answer_id,
               const char *reply_to, struct str text)
{
    static const struct proto_pair pairs[] = {
        {"streaming", {"true", 4}},
        {"done", {"false", 5}},
        {"snapshot", {"true", 4}},
        {NULL, {NULL, 0}},
    };
    struct buf *b = begin_in(s, MESSAGE_AI_RESPONSE);

    put_answer_head(b, answer_id);
    proto_put_text(b, PROTO_CONTENT, text);
    proto_put_text(b, PROTO_REPLY_TO, str_from(reply_to));
    proto_put_metadata(b, pairs);
    proto_put_int(b, PROTO_CHUNK, 0);
    return finish(b);
}

void
frame_delta_begin(const struct session *s, const char *answer_id,
                  struct str text)
{
    struct buf *b = begin_in(s, MESSAGE_AI_RESPONSE);

    put_answer_head(b, answer_id);
    proto_put_text(b, PROTO_CONTENT, text);
    buf_puts(b, ",\"metadata\":{\"streaming\":\"true\",\"done\":\"false\"}"
                ",\"chunk\":");
}

struct str
frame_delta_chunk(struct chat *c, uint32_t chunk)
{
    struct buf *b = &c->frame;
    size_t begun = b->n;
    struct str whole;

    buf_put_u64(b, chunk);
    whole = finish(b);
    b->n = begun;
    return whole;
}

struct str
frame_done(const struct session *s, const struct message_record *m,
           const struct proto_error *stopped)
{
    struct buf *b = begin_in(s, MESSAGE_AI_RESPONSE);

    put_answer_head(b, m->id);
    put_answer_end(b, m);
    put_answer_metadata(b, m, "\"streaming\":\"true\",\"done\":\"true\"");
    if (stopped != NULL) {
        proto_put_error(b, stopped);
    }
    return finish(b);
}

struct str
frame_pass_on(const struct session *s, const struct proto_message *m,
              const char *sender)
{
    struct buf *b = begin_in(s, m->type);

    proto_put_text(b, PROTO_SENDER, str_from(sender));
    if (m->metadata != NULL) {
        proto_put_json(b, PROTO_METADATA, str_from(m->metadata));
    }
    return finish(b);
}

struct str
frame_notification(struct chat *c, struct str sid, const char *event,
                   const char *content)
{
    struct proto_pair pairs[] = {{"event", str_from(event)}, {NULL, {NULL, 0}}};
    struct buf *b = begin(c, MESSAGE_NOTIFICATION, sid);

    proto_put_text(b, PROTO_SENDER, STR("system"));
    proto_put_text(b, PROTO_CONTENT, str_from(content));
    proto_put_metadata(b, pairs);
    return finish(b);
}

struct str
frame_pong(const struct session *s)
{
    struct buf *b = begin_in(s, MESSAGE_PONG);

    proto_put_text(b, PROTO_SENDER, STR("system"));
    return finish(b);
}
