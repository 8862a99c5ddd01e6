/* SPDX-License-Identifier: MIT */
/* A file on its way out: opened, then read part by part on a thread that may
 * block, the next one when most of the one before has left. A file that does
 * not give what it has promised cuts the connection. */
#include "gate/file_out.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "codec/http1_write.h"
#include "gate/gate_state.h"
#include "gate/http.h"
#include "gate/reply.h"
#include "loop/shard.h"
#include "loop/work.h"
#include "upload/file_id.h"
#include "upload/shelf.h"
#include "upload/upload.h"

#include <string.h>

struct file_out {
    struct work work;
    struct request *r;
    const struct upload *upload;
    struct shelf_file file;
    uint64_t at;  /* the next byte to send */
    uint64_t end; /* behind the last one */
    size_t n;     /* of part, when it is read */
    enum err result;
    char *part; /* NULL: not open yet; shelf_part_bytes */
};

/* --- who may ------------------------------------------------------------ */

/* A member of the query; false when there is none. */
static bool
query(const struct request *r, const char *name, struct buf *room,
      struct str *out)
{
    return http1_target_query(r->head.target.query, name, room, out) == ERR_OK;
}

bool
file_out_has_signature(const struct request *r)
{
    struct buf room;
    struct str sig;
    bool has;

    buf_init(&room, HTTP1_LINE_MAX);
    has = query(r, "sig", &room, &sig);
    buf_fini(&room);
    return has;
}

bool
file_out_link_good(const struct request *r)
{
    struct buf room, other;
    struct str sig, exp;
    uint64_t until_s;
    bool good;

    buf_init(&room, HTTP1_LINE_MAX);
    buf_init(&other, HTTP1_LINE_MAX);
    good = query(r, "sig", &room, &sig) && query(r, "exp", &other, &exp) &&
           str_to_u64(exp, INT64_MAX / 1000, &until_s) &&
           upload_link_good(r->gate->settings->upload, r->param,
                            (int64_t)until_s, sig, clock_wall_ms());
    buf_fini(&room);
    buf_fini(&other);
    return good;
}

/* Somebody else's is not there. */
static enum err
may_read(const struct request *r)
{
    if (r->identity == NULL) {
        return file_out_link_good(r) ? ERR_OK : ERR_FORBIDDEN;
    }
    return file_id_is_of(r->gate->settings->upload->key, r->param,
                         str_from(r->identity->user_id))
               ? ERR_OK
               : ERR_NOT_FOUND;
}

/* --- on a thread that may block ----------------------------------------- */

static void
run(struct work *w)
{
    struct file_out *f = CONTAINER_OF(w, struct file_out, work);
    const struct shelf *shelf = &f->upload->shelf;
    size_t most = shelf_part_bytes(shelf);

    if (f->part == NULL) {
        f->result = shelf_file_open(shelf, &f->file);
        return;
    }
    f->n = f->end - f->at < most ? (size_t)(f->end - f->at) : most;
    f->result = shelf_file_read(shelf, &f->file, f->at, f->part, f->n);
}

/* --- the answer --------------------------------------------------------- */

static void
file_out_free(struct file_out *f)
{
    shelf_file_close(&f->file);
    xfree(f->part);
    xfree(f);
}

static void
on_destroy(struct work *w)
{
    struct file_out *f = CONTAINER_OF(w, struct file_out, work);

    request_free(f->r);
    file_out_free(f);
}

static void
log_failure(const struct file_out *f)
{
    metric_count(METRIC_FILE_ERRORS);
    log_error(EVENT_FILE_ERROR, "a file cannot be read",
              log_cstr("request_id", f->r->id), log_cstr("why", f->file.why));
}

/* "-5": so many of the last. */
static bool
read_last(struct str text, uint64_t size, uint64_t *at, uint64_t *end)
{
    uint64_t n;

    if (!str_to_u64(text, UINT64_MAX, &n) || n == 0) {
        return false;
    }
    *at = n < size ? size - n : 0;
    *end = size;
    return true;
}

/* "5-9", "5-", "-5" of what there is. */
static bool
read_range(struct str text, uint64_t size, uint64_t *at, uint64_t *end)
{
    uint64_t last = size - 1;
    struct str first;

    if (!str_split(&text, '-', &first) || text.p == NULL) {
        return false;
    }
    if (first.n == 0) {
        return read_last(text, size, at, end);
    }
    if (!str_to_u64(first, UINT64_MAX, at) || *at >= size ||
        (text.n > 0 && !str_to_u64(text, UINT64_MAX, &last)) || last < *at) {
        return false;
    }
    *end = last < size ? last + 1 : size;
    return true;
}

/* One range is answered with a part; anything else with all of it, as RFC 9110
 * allows. */
static bool
find_range(struct file_out *f)
{
    static const struct str unit = STR("bytes=");
    uint64_t at, end;
    struct str range;

    f->at = 0;
    f->end = f->file.size;
    if (f->r->head.method != HTTP1_GET || f->file.size == 0 ||
        http1_head_single(&f->r->head, "Range", &range) != ERR_OK ||
        http1_head_next(&f->r->head, "If-Range", &(size_t){0}) != NULL ||
        !str_starts(range, unit) ||
        !read_range(str_from_at(range, unit.n), f->file.size, &at, &end)) {
        return false;
    }
    f->at = at;
    f->end = end;
    return true;
}

static void
put_extra(const struct file_out *f, const struct file_type *t, bool part,
          struct buf *out)
{
    bool in_place = t != NULL && file_type_is_inline(t);

    buf_puts(out, "Accept-Ranges: bytes\r\nContent-Disposition: ");
    buf_puts(out, in_place ? "inline" : "attachment");
    buf_printf(out, "; filename=\"file-%.8s.%s\"\r\n", f->file.id,
               t != NULL ? t->ending : "bin");
    if (part) {
        buf_printf(out, "Content-Range: bytes %llu-%llu/%llu\r\n",
                   (unsigned long long)f->at, (unsigned long long)f->end - 1,
                   (unsigned long long)f->file.size);
    }
    CHECK(!out->failed);
}

static enum err
send_head(struct file_out *f)
{
    const struct file_type *t = upload_type(str_from(f->file.id));
    struct reply_content what = {.cache = "private, no-store"};
    bool part = find_range(f);
    struct buf extra;
    enum err e;

    what.type = t != NULL ? t->mime : "application/octet-stream";
    if (t != NULL && strcmp(t->mime, "text/plain") == 0) {
        what.type = "text/plain; charset=utf-8";
    }
    buf_init(&extra, 512);
    put_extra(f, t, part, &extra);
    what.extra = buf_str(&extra);
    e = reply_begin_sized(f->r, part ? 206 : 200, &what, f->end - f->at);
    buf_fini(&extra);
    return e;
}

static void
finish(struct file_out *f)
{
    struct request *r = f->r;

    metric_count(METRIC_FILES_SENT);
    file_out_free(f);
    reply_end(r);
}

static void
cut(struct file_out *f)
{
    struct request *r = f->r;

    file_out_free(f);
    http_cut(r);
}

static void
on_room(struct request *r)
{
    struct file_out *f = r->parts;

    if (r->http == NULL) {
        cut(f);
    } else {
        work_start(r->gate->shard, &f->work);
    }
}

/* The next part, or the end. */
static void
go_on(struct file_out *f)
{
    if (f->at == f->end || f->r->head.method == HTTP1_HEAD) {
        finish(f);
    } else if (!http_wait(f->r, on_room)) {
        work_start(f->r->gate->shard, &f->work);
    }
}

static void
on_part(struct work *w)
{
    struct file_out *f = CONTAINER_OF(w, struct file_out, work);

    if (f->r->http != NULL && f->result != ERR_OK) {
        log_failure(f);
    }
    if (f->result != ERR_OK ||
        reply_part(f->r, (struct str){f->part, f->n}) != ERR_OK) {
        cut(f);
        return;
    }
    f->at += f->n;
    go_on(f);
}

static void
refuse(struct file_out *f)
{
    struct request *r = f->r;
    enum err e = f->result == ERR_NOT_FOUND ? ERR_NOT_FOUND : ERR_STORAGE_ERROR;

    if (e != ERR_NOT_FOUND) {
        log_failure(f);
    }
    file_out_free(f);
    reply_error(r, e, NULL);
}

static void
on_open(struct work *w)
{
    struct file_out *f = CONTAINER_OF(w, struct file_out, work);

    if (f->result != ERR_OK) {
        refuse(f);
        return;
    }
    f->work.done = on_part;
    if (send_head(f) != ERR_OK) {
        cut(f);
        return;
    }
    f->part = xmalloc(shelf_part_bytes(&f->upload->shelf));
    go_on(f);
}

void
file_out_handle(struct request *r)
{
    enum err e = may_read(r);
    struct file_out *f;

    if (e != ERR_OK) {
        reply_error(r, e, NULL);
        return;
    }
    f = xcalloc(1, sizeof(*f));
    f->work = (struct work){.run = run, .done = on_open, .destroy = on_destroy};
    f->r = r;
    f->upload = r->gate->settings->upload;
    shelf_file_init(&f->file, r->param);
    r->parts = f;
    work_start(r->gate->shard, &f->work);
}
