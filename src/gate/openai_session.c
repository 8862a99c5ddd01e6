/* SPDX-License-Identifier: MIT */
/* One question of a conversation by the OpenAI door. It is an outlet like any
 * other: it joins the session, says one frame, and makes chunks of the frames
 * that belong to its answer. Neighbours: openai_door.c finds the header,
 * chat/turn does all the rest. */
#include "gate/openai_session.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "chat/chat.h"
#include "codec/json.h"
#include "gate/gate_state.h"
#include "gate/http.h"
#include "gate/openai_answer.h"
#include "gate/openai_words.h"
#include "gate/reply.h"
#include "loop/shard.h"
#include "provider/provider.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* Of a chunk beside its text. */
#define FRAME_BYTES 4096

struct talk {
    struct outlet outlet;
    struct request *r; /* NULL: answered, or the client has gone */
    struct gate *gate;
    struct openai_request in;
    struct buf body; /* that in borrows from */
    struct openai_answer form;
    struct buf frame; /* the question */
    struct buf text;  /* the whole answer, when it is not streamed */
    struct buf json;  /* scratch for one chunk */
    struct buf event; /* and for its event */
    struct timer timer;
    struct usage usage;
    char client_id[RAND_ID_CHARS * 2 + 1];
    char question[RAND_ID_CHARS + 1]; /* "" before its ack */
    char answer[RAND_ID_CHARS + 1];   /* "" before its first frame */
    char id[RAND_ID_CHARS + 16];
    bool free_to_say; /* chat takes frames */
    bool said;
    bool begun;  /* the head of a stream was sent */
    bool spoken; /* a delta, too */
    bool over;   /* r has its answer; chat is left next */
};

static struct talk *
talk_of(struct outlet *o)
{
    return CONTAINER_OF(o, struct talk, outlet);
}

static struct timers *
timers_of(struct talk *t)
{
    return &t->gate->shard->timers;
}

/* --- its end ------------------------------------------------------------ */

static void
talk_free(struct talk *t)
{
    timer_cancel(timers_of(t), &t->timer);
    chat_detach(&t->outlet);
    openai_request_fini(&t->in);
    buf_fini(&t->body);
    buf_fini(&t->frame);
    buf_fini(&t->text);
    buf_fini(&t->json);
    buf_fini(&t->event);
    xfree(t);
}

/* chat may be the caller: it is left by the timer. */
static struct request *
take_request(struct talk *t)
{
    struct request *r = t->r;

    t->over = true;
    t->r = NULL;
    if (r != NULL) {
        r->on_gone = NULL;
        r->go_on = NULL;
    }
    timer_start(timers_of(t), &t->timer, 0);
    return r;
}

static void
on_gone(struct request *r)
{
    struct talk *t = r->parts;

    (void)take_request(t);
    http_cut(r);
}

/* Chat gives no deltas to a full outlet (OUTLET_FULL_BYTES). */
static void
on_room(struct request *r)
{
    struct talk *t = r->parts;

    chat_on_drain(&t->outlet);
}

/* --- what goes out ------------------------------------------------------ */

static void
put_event(struct talk *t)
{
    enum err e = t->begun ? ERR_OK : reply_begin_events(t->r);

    t->begun = true;
    buf_reset(&t->event, FRAME_BYTES);
    openai_answer_event(&t->event, 0, buf_str(&t->json));
    buf_reset(&t->json, FRAME_BYTES);
    if (e == ERR_OK && reply_part(t->r, buf_str(&t->event)) == ERR_OK) {
        (void)http_wait(t->r, on_room);
    } /* else http.c notices, too, that the client cannot take it */
}

static void
put_text(struct talk *t, struct str text)
{
    if (text.n == 0) {
        return;
    }
    if (!t->in.stream) {
        buf_put_str(&t->text, text);
        return;
    }
    openai_answer_delta(&t->json, &t->form, text, !t->spoken);
    t->spoken = true;
    put_event(t);
}

static void
end_stream(struct talk *t, enum provider_finish finish)
{
    struct request *r;

    openai_answer_finish(&t->json, &t->form, finish);
    put_event(t);
    if (t->in.include_usage) {
        openai_answer_usage(&t->json, &t->form, &t->usage);
        put_event(t);
    }
    buf_puts(&t->json, "[DONE]");
    put_event(t);
    r = take_request(t);
    reply_end(r);
}

static void
end_whole(struct talk *t, enum provider_finish finish)
{
    struct openai_said said = {.text = buf_str(&t->text), .finish = finish};
    struct request *r = take_request(t);

    openai_answer_whole(&t->json, &t->form, &said, &t->usage);
    reply_json(r, 200, buf_str(&t->json));
}

static void
fail(struct talk *t, const struct openai_error *error, int64_t wait_ms)
{
    struct request *r;

    openai_error_put(&t->json, error);
    if (t->begun) {
        put_event(t);
        r = take_request(t);
        reply_end(r);
    } else {
        r = take_request(t);
        reply_json_after(r, openai_error_status(error), buf_str(&t->json),
                         wait_ms);
    }
}

/* --- frames of chat ----------------------------------------------------- */

static const char *
text_at(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? text : "";
}

static int64_t
count_at(const json_t *object, const char *name)
{
    return (int64_t)json_integer_value(json_object_get(object, name));
}

static bool
is_at(const json_t *object, const char *name, const char *value)
{
    return value[0] != '\0' && strcmp(text_at(object, name), value) == 0;
}

static enum err
err_of(const char *code)
{
    for (int e = 0; e < ERR_COUNT; e++) {
        if (strcmp(err_info((enum err)e)->code, code) == 0) {
            return (enum err)e;
        }
    }
    return ERR_SERVICE_ERROR;
}

static int64_t
wait_of(const json_t *error)
{
    const json_t *wait = json_object_get(error, "retry_after");

    return wait != NULL ? (int64_t)json_integer_value(wait) : -1;
}

/* A provider's failure is a bad gateway here (protocol.md section 5). */
static void
on_error(struct talk *t, const json_t *frame)
{
    const json_t *error = json_object_get(frame, "error");
    struct openai_error what = {.err = err_of(text_at(error, "code"))};

    if (t->said && !is_at(frame, "client_id", t->client_id) &&
        !is_at(frame, "message_id", t->answer)) {
        return; /* about something else */
    }
    what.status = what.err == ERR_LLM_UNAVAILABLE ? 502 : 0;
    fail(t, &what, wait_of(error));
}

static void
on_ack(struct talk *t, const json_t *frame)
{
    if (is_at(frame, "client_id", t->client_id)) {
        snprintf(t->question, sizeof(t->question), "%s",
                 text_at(frame, "message_id"));
    }
}

/* The answer's id comes with `loading`, or with an answer that was there. */
static void
learn_answer(struct talk *t, const json_t *frame)
{
    if (is_at(frame, "reply_to", t->question)) {
        snprintf(t->answer, sizeof(t->answer), "%s",
                 text_at(frame, "message_id"));
    }
}

static void
take_usage(struct talk *t, const json_t *usage)
{
    t->usage = (struct usage){
        .prompt_tokens = count_at(usage, "prompt_tokens"),
        .completion_tokens = count_at(usage, "completion_tokens"),
        .total_tokens = count_at(usage, "total_tokens"),
        .estimated = json_is_true(json_object_get(usage, "estimated")),
        .present = true,
    };
}

/* In mid-answer: with an error that says why, or as the provider did. */
static void
break_off(struct talk *t, const json_t *error)
{
    struct openai_error what = {.err = ERR_LLM_UNAVAILABLE, .status = 502};

    if (error != NULL) {
        what = (struct openai_error){.err = err_of(text_at(error, "code"))};
    }
    fail(t, &what, wait_of(error));
}

static void
end(struct talk *t, const json_t *frame)
{
    static const struct {
        const char *word;
        enum provider_finish finish;
    } finishes[] = {{"stop", PROVIDER_STOP},
                    {"length", PROVIDER_LENGTH},
                    {"content_filter", PROVIDER_CONTENT_FILTER},
                    {"cancelled", PROVIDER_STOP}};

    take_usage(t, json_object_get(frame, "usage"));
    for (size_t i = 0; i < COUNT_OF(finishes); i++) {
        if (!is_at(frame, "finish_reason", finishes[i].word)) {
            continue;
        }
        if (t->in.stream) {
            end_stream(t, finishes[i].finish);
        } else {
            end_whole(t, finishes[i].finish);
        }
        return;
    }
    break_off(t, json_object_get(frame, "error"));
}

static void
on_answer(struct talk *t, const json_t *frame)
{
    const json_t *content = json_object_get(frame, "content");

    learn_answer(t, frame);
    if (!is_at(frame, "message_id", t->answer)) {
        return;
    }
    put_text(t, (struct str){json_string_value(content),
                             json_string_length(content)});
    if (is_at(json_object_get(frame, "metadata"), "done", "true")) {
        end(t, frame);
    }
}

static const struct {
    const char *type;
    void (*take)(struct talk *t, const json_t *frame);
} frames[] = {
    {"error", on_error},
    {"ack", on_ack},
    {"loading", learn_answer},
    {"ai_response", on_answer},
};

static void
talk_send(struct outlet *o, struct str text)
{
    struct talk *t = talk_of(o);
    json_t *frame;

    if (t->over) {
        return;
    }
    frame = json_loadb(text.p, text.n, JSON_ALLOW_NUL, NULL);
    for (size_t i = 0; i < COUNT_OF(frames); i++) {
        if (is_at(frame, "type", frames[i].type)) {
            frames[i].take(t, frame);
            break;
        }
    }
    json_decref(frame);
}

static size_t
talk_queued(const struct outlet *o)
{
    const struct talk *t = CONTAINER_OF(o, const struct talk, outlet);

    return t->r != NULL ? http_queued(t->r) : 0;
}

/* The session has gone, or is not to be joined: then an error came before. */
static void
talk_close(struct outlet *o, int code, const char *reason)
{
    static const struct openai_error gone = {.err = ERR_NOT_FOUND};
    struct talk *t = talk_of(o);

    (void)code;
    (void)reason;
    if (!t->over) {
        fail(t, &gone, -1);
    }
}

static enum err
talk_auth(struct outlet *o, struct str token)
{
    (void)o;
    (void)token;
    return ERR_INSUFFICIENT_PERMISSIONS; /* no such frame is ever said */
}

static void
talk_hold(struct outlet *o, bool stopped)
{
    struct talk *t = talk_of(o);

    t->free_to_say = !stopped;
    if (!stopped && !t->said) {
        timer_start(timers_of(t), &t->timer, 0);
    }
}

static uint64_t
talk_prompt(struct outlet *o, const struct provider_config *provider,
            struct provider_turn *out)
{
    struct talk *t = talk_of(o);

    if (provider->ops->relays) {
        *out = (struct provider_turn){.relay = &t->in.relay};
    } else {
        openai_words_turn(&t->in, out);
    }
    return t->in.prompt_tokens;
}

static const struct outlet_ops ops = {
    .send = talk_send,
    .queued = talk_queued,
    .close = talk_close,
    .auth = talk_auth,
    .hold = talk_hold,
    .prompt = talk_prompt,
};

static void
on_due(struct timer *timer)
{
    struct talk *t = CONTAINER_OF(timer, struct talk, timer);

    if (t->over) {
        talk_free(t);
    } else if (t->free_to_say && !t->said) {
        t->said = true;
        chat_on_frame(&t->outlet, buf_str(&t->frame));
    }
}

/* --- its begin ---------------------------------------------------------- */

/* The words of the last message. */
static struct str
question_of(struct openai_request *in)
{
    struct provider_turn turn;

    openai_words_turn(in, &turn);
    return turn.messages[turn.count - 1].content;
}

static void
write_question(struct talk *t)
{
    buf_putc(&t->frame, '{');
    json_put_member(&t->frame, "type", STR("user_message"));
    json_put_member(&t->frame, "content", question_of(&t->in));
    json_put_member(&t->frame, "client_id", str_from(t->client_id));
    json_put_member(&t->frame, "model_id", t->in.model);
    buf_putc(&t->frame, '}');
}

static void
talk_init(struct talk *t, struct request *r)
{
    size_t max = chat_settings_of(r->gate->shard)->max_answer_bytes;

    t->r = r;
    t->gate = r->gate;
    t->outlet.ops = &ops;
    buf_init(&t->frame, 8 * r->body.n + FRAME_BYTES);
    buf_init(&t->text, 2 * max + FRAME_BYTES);
    buf_init(&t->json, 8 * max + FRAME_BYTES);
    buf_init(&t->event, 8 * max + FRAME_BYTES);
    timer_init(&t->timer, on_due);
    snprintf(t->id, sizeof(t->id), "chatcmpl-%s", r->id);
    t->form = (struct openai_answer){
        .id = t->id, .model = t->in.model, .created_s = clock_wall_ms() / 1000};
}

void
openai_session_start(struct request *r, struct openai_request *in,
                     struct str session_id, struct str key)
{
    struct talk *t = xcalloc(1, sizeof(*t));
    struct attach_request attach = {.user_id = str_from(r->identity->user_id),
                                    .roles = token_roles(r->identity),
                                    .strict = true,
                                    .aside = true,
                                    .session_id = session_id,
                                    .last_seq = -1};

    t->in = *in;
    *in = (struct openai_request){.stream = false};
    t->in.relay.stream = true; /* the conversation streams */
    talk_init(t, r);
    snprintf(t->client_id, sizeof(t->client_id), "%.*s",
             STR_ARG(key.n > 0 ? key : str_from(r->id)));
    write_question(t);
    t->body = r->body; /* r may go before the question's turn has come */
    buf_init(&r->body, 0);
    r->parts = t;
    http_watch(r, on_gone);
    chat_attach(r->gate->shard->chat, &t->outlet, &attach);
}
