/* SPDX-License-Identifier: MIT */
/* A request at the OpenAI door from its body to its answer. What the provider
 * says in OpenAI's form is passed on as it is; what others say is put into that
 * form. Nothing is sent before there is something of the answer, so that until
 * then another provider can be asked, or a status tell what went wrong. */
#include "gate/openai_door.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "chat/exchange.h"
#include "codec/json.h"
#include "gate/gate_state.h"
#include "gate/http.h"
#include "gate/openai_answer.h"
#include "gate/openai_calls.h"
#include "gate/openai_models.h"
#include "gate/openai_place.h"
#include "gate/openai_refusal.h"
#include "gate/openai_replay.h"
#include "gate/openai_request.h"
#include "gate/openai_session.h"
#include "gate/openai_value.h"
#include "gate/openai_words.h"
#include "gate/reply.h"
#include "loop/shard.h"

#include <stdio.h>
#include <string.h>

/* Of a chunk of ours beside its text, and of an error. */
#define FRAME_BYTES 4096

struct door {
    struct request *r;     /* NULL: replay's followers */
    struct replay *replay; /* NULL: without a key */
    struct openai_request in;
    struct buf body; /* that in borrows from */
    struct exchange *exchange;
    struct openai_answer answer;
    struct buf held; /* stream: events before the head; else the whole */
    struct buf json; /* scratch for one chunk */
    struct openai_calls calls; /* of a whole answer */
    struct buf theirs;         /* id and model that the stream was begun with */
    bool begun;                /* the head has been sent */
    bool relays;               /* what comes is in OpenAI's form already */
    bool foreign; /* what is asked has another one, also for errors */
    bool spoken;  /* a delta of ours was sent */
    bool counted; /* the usage was passed on */
    bool broken;  /* somebody goes on with what another one has said */
    char id[RAND_ID_CHARS + 16];
};

/* --- its life ----------------------------------------------------------- */

static void
door_free(struct door *d)
{
    openai_request_fini(&d->in);
    buf_fini(&d->body);
    buf_fini(&d->held);
    buf_fini(&d->json);
    buf_fini(&d->theirs);
    openai_calls_fini(&d->calls);
    xfree(d);
}

static void
on_gone(struct request *r)
{
    struct door *d = r->parts;

    exchange_cancel(d->exchange);
    door_free(d);
    http_cut(r);
}

static void
on_room(struct request *r)
{
    struct door *d = r->parts;

    exchange_resume(d->exchange);
}

/* --- writing ------------------------------------------------------------ */

/* The next event's number for who may come again for the rest; else none. */
static uint64_t
next_id(struct door *d)
{
    return d->replay != NULL ? openai_replay_next(d->replay) : 0;
}

static enum err
begin(struct door *d)
{
    if (d->begun) {
        return ERR_OK;
    }
    d->begun = true;
    return reply_begin_events(d->r);
}

/* What is held goes out, behind the head. A client that cannot take it is
 * noticed by http.c. */
static void
flush(struct door *d)
{
    if (d->replay != NULL) {
        d->begun = true;
        openai_replay_events(d->replay, buf_str(&d->held));
    } else if (begin(d) == ERR_OK &&
               reply_part(d->r, buf_str(&d->held)) == ERR_OK &&
               http_wait(d->r, on_room)) {
        exchange_pause(d->exchange);
    }
    buf_reset(&d->held, FRAME_BYTES);
}

static void
end_events(struct door *d, bool complete)
{
    flush(d);
    if (d->replay != NULL) {
        openai_replay_end(d->replay, complete);
    } else {
        reply_end(d->r);
    }
}

static void
answer_whole(struct door *d, int status, struct str json, int64_t wait_ms)
{
    if (d->replay != NULL) {
        openai_replay_whole(d->replay, status, json, wait_ms);
    } else {
        reply_json_after(d->r, status, json, wait_ms);
    }
}

static void
put_event(struct door *d, struct str json)
{
    openai_answer_event(&d->held, next_id(d), json);
}

/* A chunk of ours that was written into d->json. */
static void
put_own(struct door *d)
{
    put_event(d, buf_str(&d->json));
    buf_reset(&d->json, FRAME_BYTES);
}

/* --- what the provider says --------------------------------------------- */

static void
on_ask(void *cookie, const struct provider_config *provider,
       struct provider_turn *out)
{
    struct door *d = cookie;

    d->relays = d->counted = false;
    d->foreign = !provider->ops->relays;
    if (!d->broken) {
        buf_reset(&d->held, FRAME_BYTES);
        buf_reset(&d->theirs, FRAME_BYTES);
    }
    openai_calls_fini(&d->calls);
    if (d->replay != NULL && !d->begun) {
        openai_replay_restart(d->replay);
    }
    if (provider->ops->relays) {
        *out = (struct provider_turn){.relay = &d->in.relay,
                                      .embeds = d->in.embeds};
    } else {
        openai_words_turn(&d->in, out);
    }
}

/* Appends a text and a NUL; false: it is none. */
static bool
take_word(struct buf *b, struct str json, const char *name)
{
    struct json_text text;

    if (!openai_value_text(openai_value_member(json, str_from(name)), &text)) {
        return false;
    }
    json_unescape(&text, b);
    buf_putc(b, '\0');
    return true;
}

/* Who may go on with the answer goes on in its name, and so does our count of
 * it: clients take a stream for one completion. */
static void
learn_name(struct door *d, struct str json)
{
    if (d->theirs.n > 0 ||
        (!d->in.include_usage && !exchange_goes_on(d->exchange))) {
        return;
    }
    if (!take_word(&d->theirs, json, "id") ||
        !take_word(&d->theirs, json, "model") || d->theirs.failed) {
        buf_reset(&d->theirs, FRAME_BYTES);
    }
}

static void
take_name(struct door *d)
{
    if (d->theirs.n > 0) {
        d->answer.id = d->theirs.p;
        d->answer.model = str_from(d->theirs.p + strlen(d->theirs.p) + 1);
    }
}

static void
on_break(void *cookie)
{
    struct door *d = cookie;

    take_name(d);
    d->spoken = d->begun;
    d->broken = true;
}

static void
relay_event(struct door *d, const struct provider_raw *raw)
{
    learn_name(d, raw->json);
    d->counted |= raw->counts_only;
    if (!raw->counts_only || d->in.include_usage) {
        put_event(d, raw->json);
    }
    if (raw->speaks || d->begun) {
        flush(d);
    }
}

/* An answer of the other kind than was asked for is put into form like that
 * of anybody else. */
static void
on_raw(void *cookie, const struct provider_raw *raw)
{
    struct door *d = cookie;

    if (raw->whole == d->in.stream) {
        return;
    }
    d->relays = true;
    if (raw->whole) {
        buf_put_str(&d->held, raw->json);
    } else {
        relay_event(d, raw);
    }
}

static void
on_text(void *cookie, struct str text)
{
    struct door *d = cookie;

    if (d->relays) {
        return;
    }
    if (!d->in.stream) {
        buf_put_str(&d->held, text);
        return;
    }
    openai_answer_delta(&d->json, &d->answer, text, !d->spoken);
    d->spoken = true;
    put_own(d);
    flush(d);
}

static void
on_call(void *cookie, unsigned at, const struct provider_call *call)
{
    struct door *d = cookie;

    if (d->relays) {
        return;
    }
    if (!d->in.stream) {
        openai_calls_take(&d->calls, at, call);
        return;
    }
    openai_answer_call(&d->json, &d->answer, at, call, !d->spoken);
    d->spoken = true;
    put_own(d);
    flush(d);
}

/* --- ends --------------------------------------------------------------- */

static void
end_stream(struct door *d, const struct exchange_end *end)
{
    if (!d->relays) {
        openai_answer_finish(&d->json, &d->answer, end->finish);
        put_own(d);
    }
    if (d->in.include_usage && !d->counted) {
        take_name(d);
        openai_answer_usage(&d->json, &d->answer, &end->usage);
        put_own(d);
    }
    openai_answer_done(&d->held, next_id(d));
    end_events(d, true);
}

/* An answer of ours into d->json. */
static void
put_whole(struct door *d, const struct exchange_end *end)
{
    struct openai_said said = {.text = buf_str(&d->held),
                               .finish = end->finish};
    struct buf calls;

    buf_init(&calls, d->json.max);
    openai_calls_put(&d->calls, &calls);
    said.calls = buf_str(&calls);
    openai_answer_whole(&d->json, &d->answer, &said, &end->usage);
    buf_fini(&calls);
}

static void
end_whole(struct door *d, const struct exchange_end *end)
{
    if (!d->relays) {
        put_whole(d, end);
    }
    answer_whole(d, 200, buf_str(d->relays ? &d->held : &d->json), -1);
}

static void
refuse(struct door *d, const struct exchange_end *end)
{
    int status = openai_refusal_put(&d->json, end, d->foreign);

    answer_whole(d, status, buf_str(&d->json), end->retry_after_ms);
}

static void
break_off(struct door *d, const struct exchange_end *end)
{
    openai_refusal_put_own(&d->json, end);
    put_own(d);
    end_events(d, false);
}

static void
on_end(void *cookie, const struct exchange_end *end)
{
    struct door *d = cookie;

    if (d->r != NULL) {
        d->r->on_gone = NULL;
        d->r->go_on = NULL;
    }
    if (!end->complete && d->begun) {
        break_off(d, end);
    } else if (!end->complete) {
        refuse(d, end);
    } else if (d->in.stream) {
        end_stream(d, end);
    } else {
        end_whole(d, end);
    }
    door_free(d);
}

static const struct exchange_events events = {on_ask,  on_raw,  on_break,
                                              on_text, on_call, on_end};

/* --- requests ----------------------------------------------------------- */

static struct door *
door_new(struct request *r)
{
    size_t max = chat_settings_of(r->gate->shard)->max_answer_bytes;
    struct door *d = xcalloc(1, sizeof(*d));

    d->r = r;
    buf_init(&d->held, 8 * max + FRAME_BYTES);
    buf_init(&d->json, 8 * max + FRAME_BYTES);
    buf_init(&d->theirs, FRAME_BYTES);
    d->calls.max_bytes = max;
    snprintf(d->id, sizeof(d->id), "chatcmpl-%s", r->id);
    d->answer.id = d->id;
    d->answer.created_s = clock_wall_ms() / 1000;
    return d;
}

static void
stop(void *owner)
{
    struct door *d = owner;

    exchange_cancel(d->exchange);
    door_free(d);
}

/* Who has a key follows its answer, and may leave it and come again. False:
 * there is no room, and that was answered. */
static bool
follow(struct door *d, struct str key)
{
    struct request *r = d->r;

    if (key.n == 0) {
        r->parts = d;
        http_watch(r, on_gone);
        return true;
    }
    d->replay = openai_replay_begin(r->gate->replays, r, key, stop, d);
    if (d->replay == NULL) {
        reply_error(r, ERR_SERVICE_UNAVAILABLE, NULL);
        return false;
    }
    d->r = NULL;
    CHECK(openai_replay_follow(d->replay, r, 0));
    return true;
}

static void
ask(struct door *d, unsigned model, struct str key)
{
    struct request *r = d->r;
    struct exchange_request request = {
        .id = str_from(r->id),
        .user_id = str_from(r->identity->user_id),
        .roles = token_roles(r->identity),
        .model = model,
        .pictures = d->in.picture_count > 0,
        .relays_only = d->in.relays_only != NULL,
        .calls = d->in.calls_only != NULL,
        .goes_on = d->in.beyond_text == NULL,
        .embeds = d->in.embeds,
        .prompt_tokens = d->in.prompt_tokens,
    };

    d->answer.model = d->in.model;
    if (!follow(d, key)) {
        door_free(d);
        return;
    }
    d->body = r->body; /* in borrows from it, and r may go */
    buf_init(&r->body, 0);
    d->exchange = exchange_start(r->gate->shard->chat, &request, &events, d);
}

/* The member that such a model cannot be told, or NULL. */
static const char *
refused(const struct door *d, const struct provider_ops *ops)
{
    if (ops->relays) {
        return NULL;
    }
    return d->in.relays_only != NULL || ops->calls ? d->in.relays_only
                                                   : d->in.calls_only;
}

/* Whether the model can do what is asked of it; false: answered. */
static bool
suits(struct door *d, const struct provider_config *model)
{
    const char *member = refused(d, model->ops);
    char message[160];

    if (d->in.embeds && model->ops->embeddings == NULL) {
        reply_error_text(d->r, ERR_BAD_REQUEST, "model",
                         "This model has no embeddings.");
        return false;
    }
    if (member != NULL) {
        snprintf(message, sizeof(message), "This model does not take %s.",
                 member);
        reply_error_text(d->r, ERR_BAD_REQUEST, member, message);
        return false;
    }
    if (d->in.picture_count > 0 && !model->ops->relays && !model->vision) {
        reply_error_text(d->r, ERR_BAD_REQUEST, "image_url",
                         "This model does not take pictures.");
        return false;
    }
    return true;
}

/* True: it has come before, or says so wrongly, and is answered. */
static bool
was_asked(struct request *r, const struct openai_place *p)
{
    bool same = false;
    struct replay *first =
        p->key.n > 0 ? openai_replay_find(r->gate->replays, r, p->key, &same)
                     : NULL;

    if (first != NULL && !same) {
        reply_error_text(r, ERR_BAD_REQUEST, "Idempotency-Key",
                         "The key was used with another request.");
    } else if (first == NULL && p->after > 0) {
        reply_error_text(r, ERR_NOT_FOUND, "Last-Event-ID",
                         "There is nothing left to be taken up.");
    } else if (first != NULL && !openai_replay_follow(first, r, p->after)) {
        reply_error(r, ERR_BAD_REQUEST, "Last-Event-ID");
    } else {
        return first != NULL;
    }
    return true;
}

/* In a conversation there are texts alone. */
static bool
suits_session(const struct door *d)
{
    if (d->in.beyond_text != NULL || d->in.picture_count > 0 || d->in.embeds) {
        reply_error_text(d->r, ERR_BAD_REQUEST, d->in.beyond_text,
                         "A conversation takes texts alone.");
        return false;
    }
    return true;
}

typedef bool read_fn(struct openai_request *q, struct str text,
                     struct openai_fault *fault);

/* What is asked, and of which model; false: it cannot be, and was answered. */
static bool
understand(struct door *d, read_fn *read, int *model)
{
    const struct chat_settings *chat = chat_settings_of(d->r->gate->shard);
    struct openai_fault fault;

    if (!read(&d->in, str_trim(buf_str(&d->r->body)), &fault)) {
        reply_error_text(d->r, fault.error.err, fault.error.param,
                         fault.error.message);
        return false;
    }
    *model = chat_model_find(chat, d->in.model);
    if (*model < 0) {
        openai_models_refuse(d->r);
        return false;
    }
    return suits(d, &chat->providers[*model]);
}

static void
begin_request(struct request *r, const struct openai_place *place,
              read_fn *read)
{
    struct door *d = door_new(r);
    int model;

    if (!understand(d, read, &model)) {
        door_free(d);
    } else if (place->session.n == 0) {
        ask(d, (unsigned)model, place->key);
    } else {
        if (suits_session(d)) {
            openai_session_start(r, &d->in, place->session, place->key);
        }
        door_free(d);
    }
}

static void
start(struct request *r, read_fn *read)
{
    struct openai_place place;

    if (r->gate->draining) {
        reply_error(r, ERR_SERVICE_UNAVAILABLE, NULL);
    } else if (openai_place_takes(r) && openai_place_read(r, &place) &&
               (place.session.n > 0 || !was_asked(r, &place))) {
        begin_request(r, &place, read);
    }
}

void
openai_door_completion(struct request *r)
{
    start(r, openai_request_completion);
}

void
openai_door_embeddings(struct request *r)
{
    start(r, openai_request_embeddings);
}
