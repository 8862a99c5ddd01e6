/* SPDX-License-Identifier: MIT */
/* A session from its first message to the last one that is there when the
 * request comes, in pages: one is read when most of the one before it has left
 * for the client, so that a long session costs no more memory than a short
 * one. When a page cannot be had (the storage fails, the session is deleted,
 * the share revoked) the answer is cut off, never ended as if it were whole. */
#include "gate/transcript.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "codec/http1_write.h"
#include "codec/json.h"
#include "gate/audit.h"
#include "gate/gate_state.h"
#include "gate/http.h"
#include "gate/input.h"
#include "gate/markdown.h"
#include "gate/reply.h"
#include "gate/shape.h"
#include "store/store.h"

#include <string.h>

#define PAGE_MESSAGES 500
#define PAGE_BYTES ((size_t)256 * 1024)

/* One page written: PAGE_BYTES and one message of the largest size, every byte
 * escaped. */
#define PART_BYTES ((size_t)256 << 20)

#define SLUG_BYTES 40
#define ID_BYTES 8

struct transcript;

/* How it is written; all append. */
struct form {
    const char *type;
    const char *ending; /* of the file's name; NULL: not a file */
    bool current;       /* without the answers that others have replaced */
    void (*begin)(struct buf *out, const struct transcript *t);
    void (*message)(struct buf *out, const struct transcript *t,
                    const struct message_record *m);
    void (*end)(struct buf *out);
};

struct transcript {
    struct request *r;
    const struct form *form;
    struct session_record session; /* as it was at the beginning */
    char *share_token;             /* by which it is read; NULL: its owner */
    int64_t seq;                   /* of the last message that was read */
    size_t written;                /* messages */
    bool begun;                    /* the head has been queued */
};

/* --- JSON --------------------------------------------------------------- */

static void
put_time(struct buf *out, const char *name, int64_t at_ms)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format(at_ms, text);
    json_put_member(out, name, str_from(text));
}

static void
begin_export(struct buf *out, const struct transcript *t)
{
    const struct session_record *s = &t->session;

    buf_putc(out, '{');
    json_put_member(out, "session_id", str_from(s->sid));
    json_put_member(out, "name", str_from(s->name));
    json_put_member(out, "model_id", str_from(s->model_id));
    put_time(out, "start_time", s->start_ms);
    if (s->end_ms > 0) {
        put_time(out, "end_time", s->end_ms);
    }
    put_time(out, "exported_at", clock_wall_ms());
    buf_puts(out, ",\"messages\":[");
}

/* Whoever has the token knows it already; the session's id stays inside. */
static void
begin_shared(struct buf *out, const struct transcript *t)
{
    buf_putc(out, '{');
    json_put_member(out, "session_id", str_from(t->share_token));
    json_put_member(out, "name", str_from(t->session.name));
    buf_puts(out, ",\"messages\":[");
}

/* A part may begin with this message: the comma is not json_put_comma's. */
static void
put_comma(struct buf *out, const struct transcript *t)
{
    if (t->written > 0) {
        buf_putc(out, ',');
    }
}

static void
put_export(struct buf *out, const struct transcript *t,
           const struct message_record *m)
{
    put_comma(out, t);
    shape_message(out, t->r->gate->settings->upload, m);
}

static void
put_shared(struct buf *out, const struct transcript *t,
           const struct message_record *m)
{
    put_comma(out, t);
    shape_shared_message(out, m);
}

static void
end_json(struct buf *out)
{
    buf_puts(out, "]}");
}

/* --- Markdown ----------------------------------------------------------- */

static void
begin_markdown(struct buf *out, const struct transcript *t)
{
    markdown_session(out, &t->session, clock_wall_ms());
}

static void
put_markdown(struct buf *out, const struct transcript *t,
             const struct message_record *m)
{
    (void)t;
    markdown_message(out, m);
}

static void
end_markdown(struct buf *out)
{
    (void)out;
}

static const char *const formats[] = {"json", "md", NULL};

static const struct form export_forms[] = {
    {"application/json; charset=utf-8", ".json", false, begin_export,
     put_export, end_json},
    {"text/markdown; charset=utf-8", ".md", false, begin_markdown, put_markdown,
     end_markdown},
};

static const struct form shared_form = {"application/json; charset=utf-8",
                                        NULL,
                                        true,
                                        begin_shared,
                                        put_shared,
                                        end_json};

/* --- the head ----------------------------------------------------------- */

static bool
is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9');
}

/* "chat-Plans-for-May-0123abcd.md": letters and digits of the name, a hyphen
 * for all between them, and the beginning of the id, which tells two of one
 * name apart. No system gives any of these a meaning. */
static void
put_file_name(struct buf *out, const struct transcript *t)
{
    struct str name = str_from(t->session.name);
    size_t begin;
    bool gap = true;

    buf_puts(out, "chat");
    begin = out->n;
    for (size_t i = 0; i < name.n && out->n - begin < SLUG_BYTES; i++) {
        if (!is_plain(name.p[i])) {
            gap = true;
            continue;
        }
        if (gap) {
            buf_putc(out, '-');
        }
        buf_putc(out, name.p[i]);
        gap = false;
    }
    buf_putc(out, '-');
    buf_put(out, t->session.sid, ID_BYTES);
    buf_puts(out, t->form->ending);
}

static void
put_extra(struct buf *out, const struct transcript *t)
{
    if (t->form->ending == NULL) {
        http1_write_header(out, "X-Robots-Tag", STR("noindex"));
        return;
    }
    buf_puts(out, "Content-Disposition: attachment; filename=\"");
    put_file_name(out, t);
    buf_puts(out, "\"\r\n");
}

static enum err
send_head(struct transcript *t)
{
    struct reply_content what = {.type = t->form->type, .cache = "no-store"};
    struct buf extra;
    enum err e;

    buf_init(&extra, 512);
    put_extra(&extra, t);
    CHECK(!extra.failed);
    what.extra = buf_str(&extra);
    e = reply_begin(t->r, 200, &what);
    buf_fini(&extra);
    t->begun = true;
    return e;
}

/* --- ends --------------------------------------------------------------- */

static void
transcript_free(struct transcript *t)
{
    session_record_fini(&t->session);
    xfree(t->share_token);
    xfree(t);
}

static void
fail(struct transcript *t, enum err e)
{
    struct request *r = t->r;
    bool begun = t->begun;

    transcript_free(t);
    if (begun) {
        http_cut(r);
    } else {
        reply_error(r, e, NULL);
    }
}

static void
finish(struct transcript *t)
{
    struct request *r = t->r;

    transcript_free(t);
    reply_end(r);
}

/* --- pages -------------------------------------------------------------- */

static void read_page(struct transcript *t);

static void
on_room(struct request *r)
{
    struct transcript *t = r->parts;

    if (r->http == NULL) {
        fail(t, ERR_IO);
    } else {
        read_page(t);
    }
}

static void
write_message(struct transcript *t, const struct message_record *m,
              struct buf *out)
{
    if (m->seq > t->session.seq) {
        return; /* came after the beginning */
    }
    t->seq = m->seq;
    if (!m->superseded || !t->form->current) {
        t->form->message(out, t, m);
        t->written++;
    }
}

/* A page's text; the last one has the end. */
static void
write_page(struct transcript *t, const struct store_job *job, struct buf *out,
           bool *last_out)
{
    if (!t->begun) {
        t->form->begin(out, t);
    }
    for (size_t i = 0; i < job->count; i++) {
        write_message(t, &job->messages[i], out);
    }
    *last_out = job->count == 0 || t->seq >= t->session.seq;
    if (*last_out) {
        t->form->end(out);
    }
}

static enum err
send_page(struct transcript *t, const struct store_job *job, bool *last_out)
{
    struct buf page;
    enum err e;

    buf_init(&page, PART_BYTES);
    write_page(t, job, &page, last_out);
    e = page.failed ? ERR_INTERNAL_ERROR : ERR_OK;
    if (e == ERR_OK && !t->begun) {
        e = send_head(t);
    }
    if (e == ERR_OK) {
        e = reply_part(t->r, buf_str(&page));
    }
    buf_fini(&page);
    return e;
}

static void
on_page(struct store_job *job)
{
    struct transcript *t = job->cookie;
    bool last = false;
    enum err e = job->result;

    if (e == ERR_OK) {
        e = t->r->http != NULL ? send_page(t, job, &last) : ERR_IO;
    }
    store_job_free(job);
    if (e != ERR_OK) {
        fail(t, e);
    } else if (last || t->r->head.method == HTTP1_HEAD) {
        finish(t);
    } else if (!http_wait(t->r, on_room)) {
        read_page(t);
    }
}

/* On its own and with what it was asked by: a session that is deleted or no
 * longer shared meanwhile is not read any further. */
static void
read_page(struct transcript *t)
{
    struct gate *g = t->r->gate;
    struct store_job *job = store_job_new(STORE_MESSAGES, g->shard, on_page, t);

    memcpy(job->session.sid, t->session.sid, sizeof(job->session.sid));
    job->user_id = xstrdup(t->session.user_id);
    job->share_token = t->share_token != NULL ? xstrdup(t->share_token) : NULL;
    job->after_seq = t->seq;
    job->limit = PAGE_MESSAGES;
    job->limit_bytes = PAGE_BYTES;
    store_submit(g->settings->store, job);
}

static void
on_audited(struct store_job *job)
{
    struct transcript *t = job->cookie;
    enum err e = t->r->http != NULL ? job->result : ERR_IO;

    if (e == ERR_OK) {
        audit_log(&job->review->event);
    }
    store_job_free(job);
    if (e == ERR_OK) {
        read_page(t);
    } else {
        fail(t, e);
    }
}

/* An export is put down before anything of it is sent. */
static void
put_down(struct transcript *t)
{
    struct gate *g = t->r->gate;
    struct store_job *job =
        store_job_new(STORE_AUDIT_PUT, g->shard, on_audited, t);

    job->review = audit_of(t->r, REVIEW_EXPORT, t->session.sid, "by its user");
    store_submit(g->settings->store, job);
}

static void
on_session(struct store_job *job)
{
    struct transcript *t = job->cookie;
    enum err e = job->result;

    if (t->r->http == NULL) {
        e = ERR_IO; /* nobody waits any more */
    } else if (e == ERR_OK) {
        t->session = job->session;
        job->session = (struct session_record){0};
    }
    store_job_free(job);
    if (e != ERR_OK) {
        fail(t, e);
    } else if (t->share_token == NULL) {
        put_down(t);
    } else {
        read_page(t);
    }
}

/* Ids and tokens are 32 characters; anything else names nothing. */
static void
start(struct request *r, enum store_op op, const struct form *form)
{
    struct transcript *t;
    struct store_job *job;

    if (r->param.n != RAND_ID_CHARS) {
        reply_error(r, ERR_NOT_FOUND, NULL);
        return;
    }
    t = xcalloc(1, sizeof(*t));
    t->r = r;
    t->form = form;
    r->parts = t;
    job = store_job_new(op, r->gate->shard, on_session, t);
    if (op == STORE_SESSION_SHARED) {
        t->share_token = str_dup(r->param);
        job->share_token = str_dup(r->param);
    } else {
        job->user_id = xstrdup(r->identity->user_id);
        memcpy(job->session.sid, r->param.p, RAND_ID_CHARS);
    }
    store_submit(r->gate->settings->store, job);
}

/* --- routes ------------------------------------------------------------- */

void
transcript_export(struct request *r)
{
    size_t format = 0;

    if (input_word(r, "format", formats, &format)) {
        start(r, STORE_SESSION_GET, &export_forms[format]);
    }
}

void
transcript_shared(struct request *r)
{
    start(r, STORE_SESSION_SHARED, &shared_form);
}
