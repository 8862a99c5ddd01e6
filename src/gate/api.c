/* SPDX-License-Identifier: MIT */
/* The user's REST interface. A handler fills a store job and answers when it
 * comes back. What changes a session goes through chat, which tells the open
 * sockets. */
#include "gate/api.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "chat/chat.h"
#include "codec/json.h"
#include "codec/utf8.h"
#include "gate/audit.h"
#include "gate/gate_state.h"
#include "gate/input.h"
#include "gate/reply.h"
#include "gate/shape.h"
#include "loop/shard.h"
#include "proto/sanitise.h"
#include "store/store.h"

#include <string.h>

#define LIST_DEFAULT 50
#define LIST_MAX 100
#define PAGE_DEFAULT 200
#define PAGE_MAX 1000
#define NAME_CHARS 200
#define CURSOR_BYTES 512
#define JSON_BODY_BYTES ((size_t)1 << 20)

/* Of one answer: STORE_PAGE_BYTES of text, every byte escaped. */
#define ANSWER_BYTES (8 * STORE_PAGE_BYTES)

/* --- jobs --------------------------------------------------------------- */

static struct store_job *
job_of(struct request *r, enum store_op op, void (*done)(struct store_job *))
{
    struct store_job *job = store_job_new(op, r->gate->shard, done, r);

    job->user_id = xstrdup(r->identity->user_id);
    if (r->param.n == RAND_ID_CHARS) {
        memcpy(job->session.sid, r->param.p, RAND_ID_CHARS);
    }
    return job;
}

static void
submit(struct request *r, struct store_job *job)
{
    store_submit(r->gate->settings->store, job);
}

/* False: the job failed and the request has been answered. */
static bool
succeeded(struct store_job *job, const char *field)
{
    struct request *r = job->cookie;

    if (job->result == ERR_OK) {
        return true;
    }
    reply_error(r, job->result, job->result == ERR_BAD_REQUEST ? field : NULL);
    store_job_free(job);
    return false;
}

/* Ids are 32 characters; anything else names nothing. */
static bool
has_id(struct request *r)
{
    if (r->param.n == RAND_ID_CHARS) {
        return true;
    }
    reply_error(r, ERR_NOT_FOUND, NULL);
    return false;
}

static void
on_item(struct store_job *job, int status)
{
    struct request *r = job->cookie;
    struct buf body;

    if (!succeeded(job, NULL)) {
        return;
    }
    buf_init(&body, JSON_BODY_BYTES);
    shape_item(&body, &job->session);
    reply_json(r, status, buf_str(&body));
    buf_fini(&body);
    store_job_free(job);
}

static void
on_changed(struct store_job *job)
{
    on_item(job, 200);
}

static void
on_created(struct store_job *job)
{
    on_item(job, 201);
}

/* --- list --------------------------------------------------------------- */

static void
put_list(struct buf *out, const struct store_job *job)
{
    buf_puts(out, "{\"sessions\":[");
    for (size_t i = 0; i < job->count; i++) {
        json_put_comma(out);
        shape_item(out, &job->sessions[i]);
    }
    buf_putc(out, ']');
    json_put_member(out, "user_id", str_from(job->user_id));
    json_put_member_i64(out, "count", (int64_t)job->count);
    json_put_member_i64(out, "limit", (int64_t)job->limit);
    json_put_member_bool(out, "truncated", job->next_cursor != NULL);
    if (job->next_cursor != NULL) {
        json_put_member(out, "next_cursor", str_from(job->next_cursor));
    }
    buf_putc(out, '}');
}

static void
on_list(struct store_job *job)
{
    struct buf body;

    if (!succeeded(job, "cursor")) {
        return;
    }
    buf_init(&body, ANSWER_BYTES);
    put_list(&body, job);
    reply_json(job->cookie, 200, buf_str(&body));
    buf_fini(&body);
    store_job_free(job);
}

void
api_list(struct request *r)
{
    uint64_t limit = LIST_DEFAULT;
    char *cursor = NULL, *query = NULL;
    struct store_job *job;

    if (!input_number(r, "limit", 1, LIST_MAX, &limit) ||
        !input_text(r, "cursor", CURSOR_BYTES, &cursor)) {
        return;
    }
    if (!input_text(r, "q", STORE_QUERY_BYTES, &query)) {
        xfree(cursor);
        return;
    }
    job = job_of(r, STORE_SESSION_LIST, on_list);
    job->limit = limit;
    job->cursor = cursor;
    job->query = query;
    submit(r, job);
}

/* --- create, patch ------------------------------------------------------ */

/* A name of 1..200 characters once it has been sanitised. */
static bool
take_name(struct request *r, struct str raw, char **out)
{
    char *room = xmalloc(raw.n + 1);
    size_t used;
    struct str name = sanitise_text(raw, room, &used);
    bool ok = name.n > 0 && utf8_count(name) <= NAME_CHARS;

    if (ok) {
        *out = str_dup(name);
    } else {
        reply_error(r, ERR_BAD_REQUEST, "name");
    }
    xfree(room);
    return ok;
}

static bool
take_model(struct request *r, struct str id, char **out)
{
    if (chat_model_find(chat_settings_of(r->gate->shard), id) < 0) {
        reply_error(r, ERR_BAD_REQUEST, "model_id");
        return false;
    }
    *out = str_dup(id);
    return true;
}

/* Reads what both take; what was given goes into job->session and patch. */
static bool
take_members(struct request *r, const json_t *object, struct store_job *job)
{
    struct str name = {NULL, 0}, model = {NULL, 0};

    if (!input_string(r, object, "name", &name) ||
        !input_string(r, object, "model_id", &model) ||
        (name.p != NULL && !take_name(r, name, &job->session.name)) ||
        (model.p != NULL && !take_model(r, model, &job->session.model_id))) {
        return false;
    }
    job->patch = (name.p != NULL ? STORE_PATCH_NAME : 0u) |
                 (model.p != NULL ? STORE_PATCH_MODEL : 0u);
    return true;
}

static void
complete_new(struct request *r, struct session_record *s)
{
    const struct chat_settings *chat = chat_settings_of(r->gate->shard);
    char epoch[RAND_ID_CHARS + 1];

    rand_id(s->sid);
    rand_id(epoch);
    memcpy(s->epoch, epoch, RECORD_EPOCH_CHARS);
    s->user_id = xstrdup(r->identity->user_id);
    s->start_ms = s->last_ms = clock_wall_ms();
    if (s->model_id == NULL) {
        s->model_id = xstrdup(chat->providers[chat->default_provider].id);
    }
}

void
api_create(struct request *r)
{
    struct store_job *job = job_of(r, STORE_SESSION_PUT, on_created);
    json_t *object = NULL;
    bool ok = input_object(r, &object) && take_members(r, object, job);

    json_decref(object);
    if (!ok) {
        store_job_free(job);
        return;
    }
    complete_new(r, &job->session);
    chat_session_write(r->gate->shard->chat, job);
}

void
api_patch(struct request *r)
{
    struct store_job *job;
    json_t *object = NULL;
    bool archived_given = false;
    bool ok;

    if (!has_id(r)) {
        return;
    }
    job = job_of(r, STORE_SESSION_PATCH, on_changed);
    ok = input_object(r, &object) && take_members(r, object, job) &&
         input_bool(r, object, "archived", &archived_given,
                    &job->session.archived);
    json_decref(object);
    if (!ok) {
        store_job_free(job);
        return;
    }
    job->patch |= archived_given ? STORE_PATCH_ARCHIVED : 0u;
    chat_session_write(r->gate->shard->chat, job);
}

/* --- end, delete -------------------------------------------------------- */

static void
on_ended(struct store_job *job)
{
    if (succeeded(job, NULL)) {
        reply_json(job->cookie, 200, STR("{\"status\":\"ended\"}"));
        store_job_free(job);
    }
}

void
api_end(struct request *r)
{
    struct store_job *job;

    if (!has_id(r)) {
        return;
    }
    job = job_of(r, STORE_SESSION_PATCH, on_ended);
    job->patch = STORE_PATCH_END;
    job->session.end_ms = clock_wall_ms();
    chat_session_write(r->gate->shard->chat, job);
}

static void
on_deleted(struct store_job *job)
{
    if (succeeded(job, NULL)) {
        if (job->review != NULL) {
            audit_log(&job->review->event);
        }
        reply_empty(job->cookie, 204, (struct str){NULL, 0});
        store_job_free(job);
    }
}

void
api_delete(struct request *r)
{
    struct store_job *job;

    if (has_id(r)) {
        job = job_of(r, STORE_SESSION_DELETE, on_deleted);
        job->review =
            audit_of(r, REVIEW_DELETE, job->session.sid, "by its user");
        chat_session_write(r->gate->shard->chat, job);
    }
}

/* --- share -------------------------------------------------------------- */

static void
on_shared(struct store_job *job)
{
    struct buf body;

    if (!succeeded(job, NULL)) {
        return;
    }
    buf_init(&body, JSON_BODY_BYTES);
    buf_putc(&body, '{');
    json_put_member(&body, "share_token", str_from(job->session.share_token));
    buf_putc(&body, '}');
    reply_json(job->cookie, 200, buf_str(&body));
    buf_fini(&body);
    store_job_free(job);
}

/* The token is a proposal: one that is live stays. */
void
api_share(struct request *r)
{
    struct store_job *job;

    if (!has_id(r)) {
        return;
    }
    job = job_of(r, STORE_SESSION_PATCH, on_shared);
    job->patch = STORE_PATCH_SHARE;
    job->session.share_token = xmalloc(RAND_ID_CHARS + 1);
    rand_id(job->session.share_token);
    chat_session_write(r->gate->shard->chat, job);
}

void
api_unshare(struct request *r)
{
    struct store_job *job;

    if (!has_id(r)) {
        return;
    }
    job = job_of(r, STORE_SESSION_PATCH, on_deleted);
    job->patch = STORE_PATCH_SHARE;
    chat_session_write(r->gate->shard->chat, job);
}

/* --- read --------------------------------------------------------------- */

static void
put_page(struct buf *out, const struct store_job *job)
{
    buf_putc(out, '{');
    json_put_member(out, "session_id", str_from(job->session.sid));
    json_put_member(out, "name", str_from(job->session.name));
    json_put_member(out, "model_id", str_from(job->session.model_id));
    shape_page(out, job->home->gate->settings->upload, job->messages,
               job->count, job->more);
    buf_putc(out, '}');
}

static void
on_page(struct store_job *job)
{
    struct buf body;

    if (!succeeded(job, NULL)) {
        return;
    }
    buf_init(&body, ANSWER_BYTES);
    put_page(&body, job);
    reply_json(job->cookie, 200, buf_str(&body));
    buf_fini(&body);
    store_job_free(job);
}

/* The session first (whose is it?), then its page: the same job goes twice,
 * its range set from the beginning. */
static void
on_session(struct store_job *job)
{
    struct request *r = job->cookie;

    if (r->http == NULL) { /* nobody waits any more */
        job->result = ERR_NOT_FOUND;
    }
    if (succeeded(job, NULL)) {
        job->op = STORE_MESSAGES;
        job->done = on_page;
        submit(r, job);
    }
}

void
api_read(struct request *r)
{
    uint64_t limit = PAGE_DEFAULT, before = INT64_MAX;
    struct store_job *job;

    if (!has_id(r) || !input_number(r, "limit", 1, PAGE_MAX, &limit) ||
        !input_number(r, "before_seq", 1, INT64_MAX, &before)) {
        return;
    }
    job = job_of(r, STORE_SESSION_GET, on_session);
    job->limit = limit;
    job->before_seq = (int64_t)before;
    submit(r, job);
}

/* --- models ------------------------------------------------------------- */

void
api_models(struct request *r)
{
    const struct chat_settings *chat = chat_settings_of(r->gate->shard);
    struct buf body;

    buf_init(&body, JSON_BODY_BYTES);
    buf_puts(&body, "{\"models\":[");
    for (size_t i = 0; i < chat->provider_count; i++) {
        json_put_comma(&body);
        buf_putc(&body, '{');
        json_put_member(&body, "id", str_from(chat->providers[i].id));
        json_put_member(&body, "name", str_from(chat->providers[i].name));
        json_put_member(&body, "type", str_from(chat->providers[i].ops->type));
        json_put_member_bool(&body, "vision", chat->providers[i].vision);
        buf_putc(&body, '}');
    }
    buf_putc(&body, ']');
    json_put_member(&body, "default",
                    str_from(chat->providers[chat->default_provider].id));
    buf_putc(&body, '}');
    reply_json(r, 200, buf_str(&body));
    buf_fini(&body);
}
