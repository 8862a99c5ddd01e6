/* SPDX-License-Identifier: MIT */
/* A voice message becomes a question: WAITS for its place, READS the recording
 * on a thread that may block, ASKS the service, RESTS before it asks again.
 * Neighbours: file_post.c stores the recording, provider/transcription.c has
 * the form, turn.c asks the model. */
#include "chat/voice.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "chat/frames.h"
#include "chat/session.h"
#include "chat/turn.h"
#include "codec/utf8.h"
#include "loop/shard.h"
#include "loop/work.h"
#include "net/fetch.h"
#include "proto/message.h"
#include "proto/sanitise.h"
#include "upload/upload.h"

#include <stdio.h>
#include <string.h>

/* What to tell one for whom there is no place. */
#define FULL_RETRY_MS 1000

/* Of an answer; what is in it may be as long as a message may. */
#define ANSWER_BYTES ((size_t)1 << 20)

enum voice_step { WAITS, READS, ASKS, RESTS };

struct voice {
    struct list link; /* chat->voices, in order of arrival */
    struct work work; /* READS */
    enum voice_step step;
    struct terms *terms;
    struct session *session; /* NULL: dropped while it READS */
    char message_id[RAND_ID_CHARS + 1];
    char *roles;
    uint16_t roles_n;
    const struct file_type *type;
    struct shelf_file file;
    enum err result; /* of reading, and of making the request */
    struct provider_request request;
    struct fetch *fetch;
    struct timer timer; /* RESTS */
    struct buf answer;
    int status;
    int64_t retry_after_ms;
    unsigned tries;
};

static struct voice *
voice_of(struct list *link)
{
    return CONTAINER_OF(link, struct voice, link);
}

static struct chat *
chat_of(const struct voice *v)
{
    return v->terms->chat;
}

/* --- ends --------------------------------------------------------------- */

struct failure {
    enum err err;
    int64_t retry_after_ms;
    const char *field;
    const char *word; /* for the log */
    int status;       /* the service's; 0: none */
};

static void
tell(struct session *s, const char *message_id, const struct failure *why)
{
    struct chat *c = s->user->chat;
    struct proto_error what = {.err = why->err,
                               .retry_after_ms = why->retry_after_ms,
                               .field = why->field};

    metric_count(METRIC_TRANSCRIPTION_FAILURES);
    log_warn(EVENT_TRANSCRIPTION_FAILED, "a recording was not transcribed",
             log_str("session_id", session_id(s)),
             log_cstr("message_id", message_id), log_cstr("why", why->word),
             log_int("status", why->status));
    session_broadcast(s, NULL,
                      frame_error(c, session_id(s), &what, str_from(message_id),
                                  (struct str){NULL, 0}));
}

static void
voice_free(struct voice *v)
{
    provider_request_fini(&v->request);
    buf_fini(&v->answer);
    terms_release(v->terms);
    xfree(v->roles);
    xfree(v);
}

static void start_next(struct chat *c);

/* Nothing of it is under way any more. */
static void
voice_end(struct voice *v)
{
    struct chat *c = chat_of(v);
    struct session *s = v->session;

    list_remove(&v->link);
    timer_cancel(&c->shard->timers, &v->timer);
    if (v->fetch != NULL) {
        fetch_cancel(v->fetch);
    }
    voice_free(v);
    if (s != NULL) {
        session_job_end(s);
    }
    start_next(c);
    chat_turn_over(c);
}

static void
fail(struct voice *v, const struct failure *why)
{
    tell(v->session, v->message_id, why);
    voice_end(v);
}

/* --- what was said ------------------------------------------------------ */

static char *
metadata_of(const struct voice *v)
{
    struct buf b;

    buf_init(&b, 128);
    buf_printf(&b, "{\"transcript_of\":\"%s\"}", v->message_id);
    return buf_give(&b);
}

static void
ask(struct voice *v, struct str text)
{
    struct session *s = v->session;
    struct message_record question = {
        .at_ms = clock_wall_ms(),
        .sender = SENDER_USER,
        .status = STATUS_COMPLETE,
        .type = xstrdup(message_word(MESSAGE_USER_MESSAGE)),
        .content = str_dup(text),
        .content_n = text.n,
        .metadata = metadata_of(v),
        .duration_ms = -1,
        .ttft_ms = -1,
    };

    rand_id(question.id);
    snprintf(question.sid, sizeof(question.sid), "%s", s->id);
    metric_count(METRIC_TRANSCRIPTIONS);
    turn_begin_unasked(s, &question, (struct str){v->roles, v->roles_n});
    voice_end(v);
}

static const struct failure not_understood = {
    .err = ERR_LLM_UNAVAILABLE, .retry_after_ms = -1, .word = "not_understood"};

/* As a client's own text would be: sanitised, and of its length. */
static void
take(struct voice *v, struct str raw)
{
    static const struct failure silent = {.err = ERR_INVALID_FORMAT,
                                          .retry_after_ms = -1,
                                          .field = "file_id",
                                          .word = "nothing_said"};
    static const struct failure too_long = {.err = ERR_INVALID_FORMAT,
                                            .retry_after_ms = -1,
                                            .field = "content",
                                            .word = "too_long"};
    char *room = xmalloc(raw.n + 1);
    size_t used;
    struct str text = sanitise_text(raw, room, &used);

    if (!utf8_valid(text)) {
        fail(v, &not_understood);
    } else if (text.n == 0) {
        fail(v, &silent);
    } else if (utf8_count(text) > v->terms->settings->max_content_chars) {
        fail(v, &too_long);
    } else {
        ask(v, text);
    }
    xfree(room);
}

static void
understand(struct voice *v)
{
    struct buf text;

    buf_init(&text, ANSWER_BYTES);
    if (!v->answer.failed && transcription_text(buf_str(&v->answer), &text)) {
        take(v, buf_str(&text));
    } else {
        fail(v, &not_understood);
    }
    buf_fini(&text);
}

/* --- asking the service ------------------------------------------------- */

static void send_it(struct voice *v);

static void
on_rested(struct timer *timer)
{
    send_it(CONTAINER_OF(timer, struct voice, timer));
}

static bool
may_pass(const struct voice *v, enum fetch_end end)
{
    const struct chat_settings *set = v->terms->settings;
    bool passing = end == FETCH_DONE ? v->status == 408 || v->status == 429 ||
                                           v->status >= 500
                                     : fetch_end_may_pass(end);

    return passing && v->tries < set->retry_attempts &&
           v->retry_after_ms <= (int64_t)set->retry_max_delay_ms;
}

static void
give_up(struct voice *v, enum fetch_end end)
{
    struct failure why = {
        .err = fetch_end_is_late(end) ? ERR_LLM_TIMEOUT : ERR_LLM_UNAVAILABLE,
        .retry_after_ms = v->retry_after_ms,
        .word = end == FETCH_DONE ? "refused" : fetch_end_word(end),
        .status = v->status};

    fail(v, &why);
}

static void
again_or_fail(struct voice *v, enum fetch_end end)
{
    if (may_pass(v, end)) {
        v->step = RESTS;
        timer_start(&chat_of(v)->shard->timers, &v->timer,
                    terms_retry_ms(v->terms, v->tries, v->retry_after_ms));
    } else {
        give_up(v, end);
    }
}

static void
on_head(void *cookie, const struct fetch_head *head)
{
    struct voice *v = cookie;

    v->status = head->status;
    v->retry_after_ms = head->retry_after_ms;
}

static void
on_data(void *cookie, struct str bytes)
{
    struct voice *v = cookie;

    if (v->status >= 200 && v->status < 300) {
        buf_put_str(&v->answer, bytes);
    }
}

static void
on_end(void *cookie, enum fetch_end end)
{
    struct voice *v = cookie;
    bool good = v->status >= 200 && v->status < 300;

    v->fetch = NULL;
    if (end == FETCH_DONE && good) {
        understand(v);
    } else {
        again_or_fail(v, end);
    }
}

static const struct fetch_events events = {on_head, on_data, on_end};

static void
send_it(struct voice *v)
{
    const struct chat_settings *set = v->terms->settings;
    struct fetch_request request = {
        .method = "POST",
        .url = v->request.url,
        .headers = v->request.headers,
        .body = buf_str(&v->request.body),
        .connect_timeout_ms = set->connect_timeout_ms,
        .first_byte_timeout_ms = set->first_byte_timeout_ms,
        .idle_timeout_ms = set->idle_timeout_ms,
        .total_timeout_ms = set->stream_timeout_ms,
    };

    v->step = ASKS;
    v->tries++;
    v->status = 0;
    v->retry_after_ms = -1;
    buf_reset(&v->answer, 0);
    v->fetch = fetch_start(chat_of(v)->shard, &request, &events, v);
}

/* --- reading ------------------------------------------------------------ */

static enum err
make_request(struct voice *v, struct str bytes)
{
    struct transcription_file file = {.mime = str_from(v->type->mime),
                                      .ending = str_from(v->type->ending),
                                      .bytes = bytes};

    return transcription_build(&v->terms->settings->transcriber, &file,
                               &v->request);
}

static enum err
read_all(struct voice *v, const struct shelf *shelf)
{
    size_t n = (size_t)v->file.size;
    char *bytes = xmalloc(n);
    enum err e = shelf_file_read(shelf, &v->file, 0, bytes, n);

    if (e == ERR_OK) {
        e = make_request(v, (struct str){bytes, n});
    }
    xfree(bytes);
    return e;
}

/* May block: on one of libuv's threads. Of what others see it reads only what
 * never changes. */
static void
read_recording(struct work *w)
{
    struct voice *v = CONTAINER_OF(w, struct voice, work);
    const struct shelf *shelf = &v->terms->settings->upload->shelf;
    enum err e = shelf_file_open(shelf, &v->file);

    if (e == ERR_OK && v->file.size > TRANSCRIPTION_FILE_BYTES) {
        e = ERR_TOO_BIG;
    } else if (e == ERR_OK) {
        e = v->file.size > 0 ? read_all(v, shelf) : ERR_IO;
    }
    shelf_file_close(&v->file);
    v->result = e;
}

static void
fail_reading(struct voice *v)
{
    struct failure why = {
        .err = ERR_STORAGE_ERROR, .retry_after_ms = -1, .word = "unreadable"};

    if (v->result == ERR_TOO_BIG) {
        why = (struct failure){.err = ERR_INVALID_FILE_SIZE,
                               .retry_after_ms = -1,
                               .field = "file_id",
                               .word = "too_large"};
    } else if (v->result == ERR_NOT_FOUND) {
        why = (struct failure){.err = ERR_NOT_FOUND,
                               .retry_after_ms = -1,
                               .field = "file_id",
                               .word = "gone"};
    }
    fail(v, &why);
}

static void
on_read(struct work *w)
{
    struct voice *v = CONTAINER_OF(w, struct voice, work);

    if (v->session == NULL) {
        voice_end(v);
    } else if (v->result == ERR_OK) {
        send_it(v);
    } else {
        fail_reading(v);
    }
}

/* Nobody is there any more: voice_fini_all let go of it. */
static void
on_destroy(struct work *w)
{
    voice_free(CONTAINER_OF(w, struct voice, work));
}

static void
start_next(struct chat *c)
{
    size_t busy = 0;

    LIST_FOREACH (it, &c->voices) {
        struct voice *v = voice_of(it);

        busy++;
        if (v->step == WAITS && busy <= VOICE_BUSY && !c->draining) {
            v->step = READS;
            v->work = (struct work){
                .run = read_recording, .done = on_read, .destroy = on_destroy};
            work_start(c->shard, &v->work);
        }
    }
}

/* --- the way in --------------------------------------------------------- */

static bool
has_room(const struct session *s)
{
    const struct chat *c = s->user->chat;
    size_t all = 0, here = 0;

    LIST_FOREACH (it, &c->voices) {
        all++;
        here += voice_of(it)->session == s;
    }
    return all < VOICE_MAX && here < VOICE_SESSION_MAX && !c->draining;
}

static void
take_in(struct session *s, const struct message_record *m,
        const struct file_type *type, struct str roles)
{
    struct chat *c = s->user->chat;
    struct voice *v = xcalloc(1, sizeof(*v));

    v->terms = terms_hold(c->terms);
    v->session = s;
    v->type = type;
    v->roles = roles.n > 0 ? xmemdup(roles.p, roles.n) : NULL;
    v->roles_n = (uint16_t)roles.n;
    memcpy(v->message_id, m->id, sizeof(v->message_id));
    shelf_file_init(&v->file, str_from(m->file_id));
    provider_request_init(&v->request, TRANSCRIPTION_BODY_BYTES);
    buf_init(&v->answer, ANSWER_BYTES);
    timer_init(&v->timer, on_rested);
    session_job_begin(s);
    chat_turn_begun(c);
    list_push_back(&c->voices, &v->link);
    start_next(c);
}

/* Recordings, and films for their sound. */
static bool
is_sound(const struct file_type *t)
{
    return t != NULL && (strncmp(t->mime, "audio/", 6) == 0 ||
                         strncmp(t->mime, "video/", 6) == 0);
}

void
voice_begin(struct session *s, const struct message_record *m, struct str roles)
{
    static const struct failure no_sound = {.err = ERR_INVALID_FILE_TYPE,
                                            .retry_after_ms = -1,
                                            .field = "file_id",
                                            .word = "no_sound"};
    static const struct failure full = {.err = ERR_SERVICE_ERROR,
                                        .retry_after_ms = FULL_RETRY_MS,
                                        .word = "too_many"};
    const struct chat_settings *set = s->user->chat->settings;
    const struct file_type *type;

    if (set->transcriber.endpoint[0] == '\0' || m->file_id == NULL ||
        strcmp(m->type, message_word(MESSAGE_VOICE_MESSAGE)) != 0) {
        return;
    }
    type = upload_type(str_from(m->file_id));
    if (!is_sound(type)) {
        tell(s, m->id, &no_sound);
    } else if (!has_room(s)) {
        tell(s, m->id, &full);
    } else {
        take_in(s, m, type, roles);
    }
}

/* --- the way down ------------------------------------------------------- */

/* Its work, if it has some, ends it. */
static void
drop(struct voice *v)
{
    if (v->step == READS) {
        session_job_end(v->session);
        v->session = NULL;
    } else {
        voice_end(v);
    }
}

void
voice_drop(struct session *s)
{
    LIST_FOREACH (it, &s->user->chat->voices) {
        if (voice_of(it)->session == s) {
            drop(voice_of(it));
        }
    }
}

static const struct failure stopping = {.err = ERR_SERVICE_ERROR,
                                        .retry_after_ms = FULL_RETRY_MS,
                                        .word = "shutdown"};

static void
refuse(struct voice *v)
{
    if (v->session != NULL) {
        tell(v->session, v->message_id, &stopping);
        drop(v);
    }
}

void
voice_drain(struct chat *c)
{
    LIST_FOREACH (it, &c->voices) {
        if (voice_of(it)->step == WAITS) {
            refuse(voice_of(it));
        }
    }
}

void
voice_cut(struct chat *c)
{
    LIST_FOREACH (it, &c->voices) {
        refuse(voice_of(it));
    }
}

void
voice_fini_all(struct chat *c)
{
    LIST_FOREACH (it, &c->voices) {
        struct voice *v = voice_of(it);

        list_remove(&v->link);
        timer_cancel(&c->shard->timers, &v->timer);
        if (v->fetch != NULL) {
            fetch_cancel(v->fetch);
        }
        if (v->step != READS) {
            voice_free(v);
        }
    }
}
