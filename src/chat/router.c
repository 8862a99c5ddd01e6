/* SPDX-License-Identifier: MIT */
/* The table of what a client may send. A frame is decoded and validated
 * before anything else; the handler gets the sanitised message. A new type is
 * a row in proto/message.def and a function in this table. */
#include "chat/router.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "chat/errand.h"
#include "chat/file_post.h"
#include "chat/frames.h"
#include "chat/repeat.h"
#include "chat/session.h"
#include "chat/turn.h"
#include "notify/notify.h"
#include "proto/message.h"
#include "upload/file_id.h"
#include "upload/upload.h"

#include <stdio.h>

/* One turn may run and three may wait per connection. */
#define ASKED_MAX 4

/* What to tell one whose change could not be stored. */
#define DATABASE_RETRY_MS 1000

/* What to tell one whose new token cannot be judged now. */
#define KEYS_RETRY_MS 1000

#define NONE ((struct str){NULL, 0})

void
router_send(struct outlet *o, struct str frame)
{
    metric_count(METRIC_MESSAGES_SENT);
    o->ops->send(o, frame);
}

void
router_tell(struct outlet *o, const struct proto_error *what,
            struct str message_id, struct str client_id)
{
    struct chat *c = o->user->chat;
    struct str sid = o->session != NULL ? session_id(o->session) : NONE;

    metric_count(METRIC_MESSAGE_ERRORS);
    router_send(o, frame_error(c, sid, what, message_id, client_id));
}

/* Refuses m: an error that names the client's own id, if it gave one. */
static void
refuse(struct outlet *o, const struct proto_message *m,
       const struct proto_error *what)
{
    router_tell(o, what, NONE, m->field[PROTO_CLIENT_ID]);
}

static void
refuse_simply(struct outlet *o, const struct proto_message *m, enum err e,
              const char *field)
{
    struct proto_error what = {.err = e, .retry_after_ms = -1, .field = field};

    refuse(o, m, &what);
}

/* True when the limit lets it pass; else the client has been told. */
static bool
within_limit(struct outlet *o, const struct proto_message *m,
             struct limit *limit, struct str key, const char *name)
{
    struct proto_error what = {.err = ERR_TOO_MANY_REQUESTS};
    uint64_t retry_ms;

    if (limit_check(limit, key, clock_mono_us(), &retry_ms)) {
        return true;
    }
    what.retry_after_ms = (int64_t)retry_ms;
    metric_count_at(METRIC_RATELIMIT_BLOCKED,
                    metrics_slot(METRIC_RATELIMIT_BLOCKED, name));
    log_warn(EVENT_RATE_LIMITED, "too many messages", log_cstr("limiter", name),
             log_str("user_id", user_id(o->user)),
             log_str("session_id", session_id(o->session)),
             log_int("wait_ms", what.retry_after_ms));
    refuse(o, m, &what);
    return false;
}

static char *
optional_dup(struct str s)
{
    return s.n > 0 ? str_dup(s) : NULL;
}

/* --- handlers ----------------------------------------------------------- */

/* The model of one message: its own, or the session's; -1: refused. */
static int
model_of(struct outlet *o, const struct proto_message *m)
{
    struct str id = m->field[PROTO_MODEL_ID];
    int model = o->session->model;

    if (id.n > 0) {
        model = chat_model_find(o->user->chat->settings, id);
        if (model < 0) {
            refuse_simply(o, m, ERR_NOT_FOUND, "model_id");
        }
    }
    return model;
}

/* The upload that a message names, by its id or by a link of ours; empty when
 * it names none. False: it is not the user's own, who has been told. */
static bool
find_file(struct outlet *o, const struct proto_message *m, struct str *id_out)
{
    const struct upload *u = o->user->chat->settings->upload;
    struct str url = m->field[PROTO_FILE_URL];
    bool named = m->field[PROTO_FILE_ID].n > 0;

    *id_out = named ? m->field[PROTO_FILE_ID] : upload_id_in(u, url);
    if (!named && !str_starts(url, str_from(u->prefix))) {
        return true; /* none, or somebody else's link */
    }
    if (file_id_is_of(u->key, *id_out, user_id(o->user))) {
        return true;
    }
    refuse_simply(o, m, ERR_NOT_FOUND, named ? "file_id" : "file_url");
    return false;
}

static bool
has_room(const struct outlet *o)
{
    return o->asked < ASKED_MAX && !o->user->chat->draining;
}

static void
refuse_full(struct outlet *o, const struct proto_message *m)
{
    struct proto_error what = {.err = ERR_SERVICE_ERROR,
                               .retry_after_ms = REPEAT_FULL_MS};

    refuse(o, m, &what);
}

/* A link of ours is not stored: it is made of the id, whenever it is shown. */
static void
record_of(const struct outlet *o, const struct proto_message *m,
          struct str file_id, struct message_record *out)
{
    struct str content = m->field[PROTO_CONTENT];

    *out = (struct message_record){
        .at_ms = clock_wall_ms(),
        .sender = SENDER_USER,
        .status = STATUS_COMPLETE,
        .type = xstrdup(message_word(m->type)),
        .content = str_dup(content),
        .content_n = content.n,
        .client_id = optional_dup(m->field[PROTO_CLIENT_ID]),
        .file_id = optional_dup(file_id),
        .file_url =
            file_id.n > 0 ? NULL : optional_dup(m->field[PROTO_FILE_URL]),
        .metadata = m->metadata != NULL ? xstrdup(m->metadata) : NULL,
        .duration_ms = -1,
        .ttft_ms = -1,
    };
    rand_id(out->id);
    snprintf(out->sid, sizeof(out->sid), "%s", o->session->id);
}

/* Nothing is asked any more, but what was asked may be sent again. */
static void
on_full(struct outlet *o, const struct proto_message *m)
{
    struct str client_id = m->field[PROTO_CLIENT_ID];

    if (client_id.n > 0 && !o->user->chat->draining) {
        repeat_only(o, client_id);
    } else {
        refuse_full(o, m);
    }
}

static void
on_user_message(struct outlet *o, const struct proto_message *m)
{
    struct chat *c = o->user->chat;
    struct message_record question;
    struct str file_id;
    int model;

    if (!within_limit(o, m, c->messages, user_id(o->user), "message") ||
        !find_file(o, m, &file_id) || (model = model_of(o, m)) < 0) {
        return;
    }
    if (!has_room(o)) {
        on_full(o, m);
        return;
    }
    record_of(o, m, file_id, &question);
    turn_begin(o->session, o, &question, (uint16_t)model);
}

/* A change of the session's row: made and told to everybody once it is
 * stored. */
struct change {
    struct errand errand;
    unsigned patch; /* STORE_PATCH_MODEL or STORE_PATCH_HELP */
    char *model_id; /* or NULL; a reload may give it another index */
};

static void
change_end(struct change *change)
{
    errand_end(&change->errand);
    xfree(change->model_id);
    xfree(change);
}

/* The model may have gone by a reload while the store had the change. */
static uint16_t
model_or_default(const struct session *s, const char *id)
{
    const struct chat_settings *settings = s->user->chat->settings;
    int model = chat_model_find(settings, str_from(id));

    return (uint16_t)(model >= 0 ? (size_t)model : settings->default_provider);
}

static void
call_for_help(struct session *s)
{
    struct frame_status status = {.content = "Help requested"};
    struct notify_event event = {.kind = NOTIFY_HELP_REQUEST,
                                 .session_id = session_id(s),
                                 .user_id = user_id(s->user)};

    s->help_requested = true;
    session_broadcast(s, NULL, frame_status(s, &status));
    notify_send(s->user->chat->shard, &event);
}

static void
apply_change(struct change *change)
{
    struct session *s = change->errand.session;

    if (change->patch == STORE_PATCH_MODEL) {
        session_set_model(s, model_or_default(s, change->model_id));
    } else {
        call_for_help(s);
    }
}

static void
tell_unchanged(const struct change *change)
{
    struct proto_error what = {.err = ERR_DATABASE_ERROR,
                               .retry_after_ms = DATABASE_RETRY_MS};

    if (change->errand.outlet != NULL) {
        router_tell(change->errand.outlet, &what, NONE, NONE);
    }
}

static void submit_change(struct change *change, enum store_op op);

/* The session was not stored when it was put, and is now. */
static bool
is_late(const struct store_job *job)
{
    return job->op == STORE_SESSION_PUT && job->result == ERR_CONFLICT;
}

static void
on_changed(struct store_job *job)
{
    struct change *change = job->cookie;
    struct session *s = change->errand.session;

    if (!s->gone && is_late(job)) {
        submit_change(change, STORE_SESSION_PATCH);
        store_job_free(job);
        return;
    }
    if (s->gone) {
        /* nobody is left to be told */
    } else if (job->result == ERR_OK) {
        session_saved(s, &job->session);
        apply_change(change);
    } else {
        tell_unchanged(change);
    }
    change_end(change);
    store_job_free(job);
}

static void
submit_change(struct change *change, enum store_op op)
{
    struct session *s = change->errand.session;
    struct chat *c = s->user->chat;
    struct store_job *job = store_job_new(op, c->shard, on_changed, change);

    job->user_id = str_dup(user_id(s->user));
    session_to_record(s, &job->session);
    job->patch = change->patch;
    if (change->patch == STORE_PATCH_MODEL) {
        xfree(job->session.model_id);
        job->session.model_id = xstrdup(change->model_id);
    } else {
        job->session.help_requested = true;
    }
    store_submit(c->store, job);
}

/* A session whose first message has not come is stored for the sake of a call
 * for help, as operators look for it there; a choice of the model waits for
 * the message. */
static void
start_change(struct outlet *o, unsigned patch, int model)
{
    struct session *s = o->session;
    struct change *change = xcalloc(1, sizeof(*change));
    bool is_new = !s->stored && list_empty(&s->turns);

    change->patch = patch;
    if (patch == STORE_PATCH_MODEL) {
        change->model_id =
            xstrdup(o->user->chat->settings->providers[model].id);
    }
    errand_start(&change->errand, o);
    if (is_new && patch == STORE_PATCH_MODEL) {
        apply_change(change);
        change_end(change);
    } else {
        submit_change(change, is_new ? STORE_SESSION_PUT : STORE_SESSION_PATCH);
    }
}

static void
on_model_select(struct outlet *o, const struct proto_message *m)
{
    int model = model_of(o, m);

    if (model >= 0) {
        start_change(o, STORE_PATCH_MODEL, model);
    }
}

static void
on_help_request(struct outlet *o, const struct proto_message *m)
{
    struct session *s = o->session;

    if (within_limit(o, m, s->user->chat->help, session_id(s), "help")) {
        start_change(o, STORE_PATCH_HELP, s->model);
    }
}

static void
on_file(struct outlet *o, const struct proto_message *m)
{
    struct chat *c = o->user->chat;
    struct message_record file;
    struct str file_id;

    if (!within_limit(o, m, c->messages, user_id(o->user), "message") ||
        !find_file(o, m, &file_id)) {
        return;
    }
    if (c->draining) {
        refuse_full(o, m);
        return;
    }
    record_of(o, m, file_id, &file);
    file_post(o, &file);
}

static void
on_typing(struct outlet *o, const struct proto_message *m)
{
    session_broadcast(o->session, o, frame_pass_on(o->session, m, "user"));
}

static void
on_cancel(struct outlet *o, const struct proto_message *m)
{
    if (!turn_cancel(o->session, m->field[PROTO_MESSAGE_ID])) {
        refuse_simply(o, m, ERR_NOT_FOUND,
                      m->field[PROTO_MESSAGE_ID].n > 0 ? "message_id" : NULL);
    }
}

static void
on_regenerate(struct outlet *o, const struct proto_message *m)
{
    struct chat *c = o->user->chat;

    if (!within_limit(o, m, c->messages, user_id(o->user), "message")) {
        return;
    }
    if (has_room(o)) {
        repeat_regenerate(o, m->field[PROTO_MESSAGE_ID]);
    } else {
        refuse_full(o, m);
    }
}

static void
on_operator(struct outlet *o, const struct proto_message *m)
{
    refuse_simply(o, m, ERR_INSUFFICIENT_PERMISSIONS, NULL);
}

static void
on_auth(struct outlet *o, const struct proto_message *m)
{
    enum err e = o->ops->auth(o, m->field[PROTO_TOKEN]);

    if (e == ERR_AGAIN) {
        return;
    }
    if (e == ERR_SERVICE_UNAVAILABLE) {
        struct proto_error what = {.err = ERR_SERVICE_ERROR,
                                   .retry_after_ms = KEYS_RETRY_MS};

        refuse(o, m, &what);
    } else if (e != ERR_OK) {
        refuse_simply(o, m, e, NULL);
    } else {
        router_send(o, frame_ack(o->session, m->field[PROTO_CLIENT_ID], NULL));
    }
}

static void
on_ping(struct outlet *o, const struct proto_message *m)
{
    (void)m;
    router_send(o, frame_pong(o->session));
}

static void (*const handlers[MESSAGE_TYPES])(struct outlet *,
                                             const struct proto_message *) = {
    [MESSAGE_USER_MESSAGE] = on_user_message,
    [MESSAGE_MODEL_SELECT] = on_model_select,
    [MESSAGE_HELP_REQUEST] = on_help_request,
    [MESSAGE_FILE_UPLOAD] = on_file,
    [MESSAGE_VOICE_MESSAGE] = on_file,
    [MESSAGE_TYPING_INDICATOR] = on_typing,
    [MESSAGE_CANCEL] = on_cancel,
    [MESSAGE_REGENERATE] = on_regenerate,
    [MESSAGE_ADMIN_JOIN] = on_operator,
    [MESSAGE_ADMIN_LEAVE] = on_operator,
    [MESSAGE_AUTH] = on_auth,
    [MESSAGE_PING] = on_ping,
};

/* --- the way in --------------------------------------------------------- */

static void
on_fault(struct outlet *o, struct str text, const struct proto_fault *fault)
{
    struct proto_error what = {
        .err = fault->err, .retry_after_ms = -1, .field = fault->field};

    log_warn(EVENT_VALIDATION_FAILED, "a message was refused",
             log_str("session_id", session_id(o->session)),
             log_str("user_id", user_id(o->user)),
             log_cstr("code", err_info(fault->err)->code),
             log_cstr("type", fault->type < MESSAGE_TYPES
                                  ? message_word(fault->type)
                                  : "unknown"),
             log_cstr("field", fault->field), log_int("size", (int64_t)text.n));
    router_tell(o, &what, NONE, NONE);
}

static bool
right_session(struct outlet *o, const struct proto_message *m)
{
    struct str named = m->field[PROTO_SESSION_ID];

    if (named.n == 0 || str_eq(named, session_id(o->session))) {
        return true;
    }
    refuse_simply(o, m, ERR_NOT_FOUND, "session_id");
    return false;
}

/* Who watches somebody else's session may say nothing in it. */
static bool
may_say(struct outlet *o, const struct proto_message *m)
{
    if (!chat_watches(o) || m->type == MESSAGE_PING ||
        m->type == MESSAGE_AUTH) {
        return true;
    }
    refuse_simply(o, m, ERR_INSUFFICIENT_PERMISSIONS, NULL);
    return false;
}

void
router_on_frame(struct outlet *o, struct str text)
{
    struct chat *c = o->user->chat;
    struct proto_rules rules = {
        .max_content_chars = c->settings->max_content_chars,
        .now_ms = clock_wall_ms(),
        .file_prefix = str_from(c->settings->upload->prefix),
    };
    struct proto_message m;
    struct proto_fault fault;

    if (proto_decode(text, &rules, &m, &fault) != ERR_OK) {
        on_fault(o, text, &fault);
        return;
    }
    CHECK(handlers[m.type] != NULL);
    if (right_session(o, &m) && may_say(o, &m)) {
        handlers[m.type](o, &m);
    }
    proto_message_fini(&m);
}
