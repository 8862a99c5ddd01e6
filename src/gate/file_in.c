/* SPDX-License-Identifier: MIT */
/* An upload, from the first byte of its form to the answer. The form is read
 * on the shard; writing is one work after the other on a thread that may block.
 * What is there is either the file with its name and a client that was told so,
 * or nothing: an upload that is refused, cut or not told is taken back. */
#include "gate/file_in.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "codec/json.h"
#include "codec/multipart.h"
#include "gate/gate_state.h"
#include "gate/http.h"
#include "gate/http_body.h"
#include "gate/reply.h"
#include "loop/shard.h"
#include "loop/work.h"
#include "upload/file_id.h"
#include "upload/shelf.h"
#include "upload/upload.h"

#include <string.h>

/* Written at once; and so much waiting that the client is held back. */
#define WRITE_BYTES ((size_t)128 * 1024)
#define HOLD_BYTES ((size_t)256 * 1024)

/* HOLD_BYTES, and what may come in one piece. */
#define WAITING_MAX ((size_t)1 << 20)

/* At one time. */
#define UPLOADS_PER_USER 4
#define UPLOADS_PER_SHARD 64
#define RETRY_MS 1000

#define DECLARED_BYTES 128
#define FIELD "file"

enum part { NO_PART, FILE_PART, OTHER_PART };

enum step { WRITE, PUBLISH, DROP };

struct file_in {
    struct request *r; /* NULL: given up; what is on the disk goes */
    struct shard *shard;
    const struct upload *upload;
    struct multipart form;
    enum part part;
    char declared[DECLARED_BYTES]; /* the part's Content-Type */
    const struct file_type *type;  /* NULL: not known yet */
    char id[FILE_ID_CHARS + 1];
    struct utf8 text; /* of a file that is one */
    uint64_t size;
    struct buf coming; /* to be written next */
    bool found;        /* the part with the file is complete */
    bool whole;        /* so is the body */
    bool busy;         /* the rest is work's */

    struct work work;
    enum step step;
    struct buf writing;
    struct newfile file; /* fd -1: none */
    bool published;      /* or nearly: it may have its name */
    enum err result;
    char why[SHELF_WHY_BYTES];
};

/* --- on a thread that may block ----------------------------------------- */

static enum err
do_write(struct file_in *f)
{
    enum err e = ERR_OK;

    if (f->file.fd < 0) {
        e = shelf_create(&f->upload->shelf, str_from(f->id), &f->file, f->why);
    }
    return e == ERR_OK ? shelf_write(&f->file, buf_str(&f->writing), f->why)
                       : e;
}

static enum err
do_publish(struct file_in *f)
{
    f->published = true;
    return shelf_publish(&f->upload->shelf, str_from(f->id), &f->file, f->why);
}

static enum err
do_drop(struct file_in *f)
{
    newfile_end(&f->file);
    return f->published
               ? shelf_remove(&f->upload->shelf, str_from(f->id), f->why)
               : ERR_OK;
}

static void
run(struct work *w)
{
    static enum err (*const steps[])(struct file_in * f) = {
        [WRITE] = do_write, [PUBLISH] = do_publish, [DROP] = do_drop};
    struct file_in *f = CONTAINER_OF(w, struct file_in, work);

    f->result = steps[f->step](f);
}

/* --- ends --------------------------------------------------------------- */

static void
file_in_free(struct file_in *f)
{
    newfile_end(&f->file);
    multipart_fini(&f->form);
    buf_fini(&f->coming);
    buf_fini(&f->writing);
    xfree(f);
}

/* The shard is at its end; a partial goes with it, or at the next start. */
static void
on_destroy(struct work *w)
{
    struct file_in *f = CONTAINER_OF(w, struct file_in, work);

    if (f->r != NULL) {
        f->r->on_free = NULL;
        request_free(f->r);
    }
    file_in_free(f);
}

static void
start(struct file_in *f, enum step step)
{
    f->step = step;
    f->busy = true;
    work_start(f->shard, &f->work);
}

/* Nobody wants it any more. */
static void
give_up(struct file_in *f)
{
    f->r = NULL;
    if (f->busy) {
        return;
    }
    if (f->file.fd >= 0 || f->published) {
        start(f, DROP);
    } else {
        file_in_free(f);
    }
}

static void
count(const char *end)
{
    metric_count_at(METRIC_UPLOADS, metrics_slot(METRIC_UPLOADS, end));
}

/* The request goes without having been answered by us. */
static void
on_free(struct request *r)
{
    count("cut");
    give_up(r->parts);
}

/* Answers; frees r and gives f up. */
static void
refuse(struct file_in *f, enum err e)
{
    struct request *r = f->r;

    count(e == ERR_STORAGE_ERROR ? "failed" : "refused");
    r->on_free = NULL;
    r->on_body = NULL;
    give_up(f);
    http_body_refuse(r, e, e == ERR_STORAGE_ERROR ? NULL : FIELD);
}

static void
fail(struct file_in *f)
{
    metric_count(METRIC_FILE_ERRORS);
    log_error(EVENT_FILE_ERROR, "an upload cannot be written",
              log_cstr("request_id", f->r->id), log_cstr("why", f->why));
    refuse(f, ERR_STORAGE_ERROR);
}

static void
put_answer(const struct file_in *f, struct buf *out)
{
    struct buf url;

    buf_init(&url, 2048);
    upload_put_url(f->upload, str_from(f->id), clock_wall_ms(), &url);
    buf_putc(out, '{');
    json_put_member(out, "file_id", str_from(f->id));
    json_put_member(out, "file_url", buf_str(&url));
    json_put_member_i64(out, "size", (int64_t)f->size);
    json_put_member(out, "mime_type", str_from(f->type->mime));
    buf_putc(out, '}');
    CHECK(!url.failed && !out->failed);
    buf_fini(&url);
}

static void
answer(struct file_in *f)
{
    struct request *r = f->r;
    struct buf body;

    count("stored");
    metric_add(METRIC_UPLOAD_BYTES, (int64_t)f->size);
    log_info(EVENT_FILE_STORED, "a file was uploaded",
             log_cstr("user_id", r->identity->user_id),
             log_cstr("request_id", r->id), log_cstr("type", f->type->mime),
             log_int("bytes", (int64_t)f->size));
    buf_init(&body, 8192);
    put_answer(f, &body);
    r->on_free = NULL;
    file_in_free(f);
    reply_json(r, 201, buf_str(&body));
    buf_fini(&body);
}

/* --- to the disk -------------------------------------------------------- */

/* Starts what can be done next, if anything. */
static void
pump(struct file_in *f)
{
    if (f->busy || f->type == NULL) {
        return;
    }
    if (f->coming.n >= WRITE_BYTES || (f->found && f->coming.n > 0)) {
        struct buf full = f->coming;

        f->coming = f->writing;
        f->writing = full;
        start(f, WRITE);
    } else if (f->whole) {
        start(f, PUBLISH);
    }
}

static void
on_done(struct work *w)
{
    struct file_in *f = CONTAINER_OF(w, struct file_in, work);
    struct request *r = f->r;

    f->busy = false;
    buf_reset(&f->writing, HOLD_BYTES);
    if (r == NULL && f->step == DROP) {
        file_in_free(f);
    } else if (r == NULL) {
        give_up(f);
    } else if (r->http == NULL) {
        http_cut(r); /* on_free gives it up */
    } else if (f->result != ERR_OK) {
        fail(f);
    } else if (f->step == PUBLISH) {
        answer(f);
    } else {
        pump(f);
        if (r->held && f->coming.n <= WRITE_BYTES) {
            http_body_more(r);
        }
    }
}

/* --- the form ----------------------------------------------------------- */

/* ERR_OK, or what to refuse it with; so are the next ones. */
static enum err
find_type(struct file_in *f)
{
    struct str head = buf_str(&f->coming);

    f->type = file_type_of(head, str_from(f->declared));
    if (f->type == NULL || !file_type_listed(f->type, f->upload->types) ||
        (file_type_is_text(f->type) && !file_type_text_feed(&f->text, head))) {
        return ERR_INVALID_FILE_TYPE;
    }
    file_id_make(f->upload->key, f->type->number,
                 str_from(f->r->identity->user_id), f->id);
    return ERR_OK;
}

static enum err
take_part(struct file_in *f)
{
    struct str type = f->form.part.type;

    f->part = str_is(f->form.part.name, FIELD) ? FILE_PART : OTHER_PART;
    if (f->part == FILE_PART && f->found) {
        return ERR_BAD_REQUEST;
    }
    if (f->part == FILE_PART && type.n < sizeof(f->declared)) {
        memcpy(f->declared, type.n > 0 ? type.p : "", type.n);
        f->declared[type.n] = '\0';
    }
    return ERR_OK;
}

static enum err
take_data(struct file_in *f, struct str data)
{
    if (f->part != FILE_PART) {
        return ERR_OK;
    }
    f->size += data.n;
    if (f->size > f->upload->max_bytes) {
        return ERR_INVALID_FILE_SIZE;
    }
    buf_put_str(&f->coming, data);
    CHECK(!f->coming.failed);
    if (f->type == NULL) {
        return f->coming.n >= FILE_TYPE_HEAD ? find_type(f) : ERR_OK;
    }
    return file_type_is_text(f->type) && !file_type_text_feed(&f->text, data)
               ? ERR_INVALID_FILE_TYPE
               : ERR_OK;
}

static enum err
take_end(struct file_in *f)
{
    enum err e = ERR_OK;

    if (f->part != FILE_PART) {
        return ERR_OK;
    }
    f->found = true;
    if (f->size == 0) {
        return ERR_BAD_REQUEST;
    }
    if (f->type == NULL) {
        e = find_type(f);
    }
    if (e == ERR_OK && file_type_is_text(f->type) && !utf8_complete(&f->text)) {
        return ERR_INVALID_FILE_TYPE;
    }
    return e;
}

static enum err
take_form(struct file_in *f, struct str bytes)
{
    enum multipart_result m;
    enum err e = ERR_OK;
    struct str data;

    while (e == ERR_OK &&
           (m = multipart_feed(&f->form, &bytes, &data)) != MULTIPART_MORE) {
        if (m == MULTIPART_BAD) {
            e = ERR_BAD_REQUEST;
        } else if (m == MULTIPART_PART) {
            e = take_part(f);
        } else {
            e = m == MULTIPART_DATA ? take_data(f, data) : take_end(f);
        }
    }
    return e;
}

static void
on_body(struct request *r, struct str data)
{
    struct file_in *f = r->parts;
    enum err e = take_form(f, data);

    if (e != ERR_OK) {
        refuse(f, e);
        return;
    }
    pump(f);
    if (f->coming.n > HOLD_BYTES) {
        http_body_hold(r);
    }
}

/* --- the request -------------------------------------------------------- */

static bool
has_room(const struct request *r)
{
    size_t mine = 0, all = 0;

    LIST_FOREACH (it, &r->gate->requests) {
        const struct request *other = CONTAINER_OF(it, struct request, link);

        if (other->on_free == on_free) {
            all++;
            mine += strcmp(other->identity->user_id, r->identity->user_id) == 0;
        }
    }
    return mine < UPLOADS_PER_USER && all < UPLOADS_PER_SHARD;
}

bool
file_in_begin(struct request *r)
{
    struct file_in *f;
    struct str type;
    enum err e;

    if (!has_room(r)) {
        reply_limited(r, ERR_TOO_MANY_REQUESTS, RETRY_MS);
        return false;
    }
    f = xcalloc(1, sizeof(*f));
    f->upload = r->gate->settings->upload;
    f->shard = r->gate->shard;
    f->r = r;
    f->file.fd = -1;
    f->work = (struct work){.run = run, .done = on_done, .destroy = on_destroy};
    buf_init(&f->coming, WAITING_MAX);
    buf_init(&f->writing, WAITING_MAX);
    e = http1_head_single(&r->head, "Content-Type", &type);
    if (e != ERR_BAD_REQUEST) {
        e = multipart_init(&f->form, type);
    }
    if (e != ERR_OK) {
        count("refused");
        file_in_free(f);
        reply_error(r, e, NULL);
        return false;
    }
    r->parts = f;
    r->on_body = on_body;
    r->on_free = on_free;
    return true;
}

void
file_in_handle(struct request *r)
{
    struct file_in *f = r->parts;

    if (!f->found || !multipart_complete(&f->form)) {
        refuse(f, ERR_BAD_REQUEST);
        return;
    }
    f->whole = true;
    pump(f);
}
