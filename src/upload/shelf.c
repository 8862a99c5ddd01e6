/* SPDX-License-Identifier: MIT */
/* One row a kind. */
#include "upload/shelf.h"

#include "base/check.h"
#include "upload/folder.h"
#include "upload/s3.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

_Static_assert(SHELF_WHY_BYTES == S3_WHY_BYTES, "one buffer for both");

struct shelf_kind {
    const char *name;
    size_t part_bytes;
    enum err (*check)(const struct shelf *s, bool *away_out, char *why,
                      size_t why_size);
    enum err (*publish)(const struct shelf *s, struct str id, struct newfile *f,
                        char why[static SHELF_WHY_BYTES]);
    enum err (*remove)(const struct shelf *s, struct str id,
                       char why[static SHELF_WHY_BYTES]);
    enum err (*open)(const struct shelf *s, struct shelf_file *f);
    enum err (*read)(const struct shelf *s, struct shelf_file *f, uint64_t at,
                     char *out, size_t n);
    enum err (*of_user)(const struct shelf *s, struct shelf_search *search,
                        char why[static SHELF_WHY_BYTES]);
};

/* --- a folder ----------------------------------------------------------- */

/* errno is the folder's. */
static enum err
told(enum err e, char why[static SHELF_WHY_BYTES])
{
    if (e != ERR_OK) {
        (void)snprintf(why, SHELF_WHY_BYTES, "%s", strerror(errno));
    }
    return e;
}

static enum err
local_check(const struct shelf *s, bool *away_out, char *why, size_t why_size)
{
    (void)s;
    (void)why;
    (void)why_size;
    *away_out = false;
    return ERR_OK;
}

static enum err
local_publish(const struct shelf *s, struct str id, struct newfile *f,
              char why[static SHELF_WHY_BYTES])
{
    char sentence[SHELF_WHY_BYTES];

    (void)s;
    (void)id;
    return told(newfile_publish(f, false, sentence, sizeof(sentence)), why);
}

static enum err
local_remove(const struct shelf *s, struct str id,
             char why[static SHELF_WHY_BYTES])
{
    return told(folder_remove(s->folder, id), why);
}

static enum err
local_open(const struct shelf *s, struct shelf_file *f)
{
    return told(folder_open(s->folder, str_from(f->id), &f->fd, &f->size),
                f->why);
}

static enum err
local_read(const struct shelf *s, struct shelf_file *f, uint64_t at, char *out,
           size_t n)
{
    (void)s;
    errno = ENODATA; /* when the file is shorter than it was */
    return told(folder_read(f->fd, at, out, n), f->why);
}

static enum err
local_of_user(const struct shelf *s, struct shelf_search *search,
              char why[static SHELF_WHY_BYTES])
{
    struct folder_sum sum;
    enum err e = folder_of_user(s->folder, search->key, search->user_id,
                                search->erase, &sum);

    search->files = sum.files;
    search->bytes = sum.bytes;
    return told(e, why);
}

/* --- S3 ----------------------------------------------------------------- */

static enum err
far_check(const struct shelf *s, bool *away_out, char *why, size_t why_size)
{
    char words[S3_WHY_BYTES];
    bool sure;

    *away_out = false;
    if (s3_check(s->s3, &sure, words) == ERR_OK) {
        return ERR_OK;
    }
    *away_out = !sure;
    (void)snprintf(why, why_size,
                   sure ? "The bucket of uploads cannot be used: %s."
                        : "The bucket of uploads cannot be reached: %s.",
                   words);
    return sure ? ERR_IO : ERR_OK;
}

static enum err
far_publish(const struct shelf *s, struct str id, struct newfile *f,
            char why[static SHELF_WHY_BYTES])
{
    return s3_put(s->s3, id, f->fd, why);
}

static enum err
far_remove(const struct shelf *s, struct str id,
           char why[static SHELF_WHY_BYTES])
{
    return s3_remove(s->s3, id, why);
}

static enum err
far_open(const struct shelf *s, struct shelf_file *f)
{
    return s3_size(s->s3, str_from(f->id), &f->size, f->why);
}

static enum err
far_read(const struct shelf *s, struct shelf_file *f, uint64_t at, char *out,
         size_t n)
{
    struct s3_part part = {at, out, n};

    return s3_read(s->s3, str_from(f->id), &part, f->why);
}

struct far_search {
    const struct shelf *shelf;
    struct shelf_search *search;
    char *why;
};

static enum err
far_look(void *cookie, struct str key, uint64_t bytes)
{
    struct far_search *f = cookie;

    if (!file_id_is_of(f->search->key, key, f->search->user_id)) {
        return ERR_OK;
    }
    f->search->files++;
    f->search->bytes += bytes;
    return f->search->erase ? s3_remove(f->shelf->s3, key, f->why) : ERR_OK;
}

static enum err
far_of_user(const struct shelf *s, struct shelf_search *search,
            char why[static SHELF_WHY_BYTES])
{
    struct far_search f = {s, search, why};
    struct s3_visitor visitor = {far_look, &f};

    search->files = search->bytes = 0;
    return s3_list(s->s3, &visitor, why);
}

/* --- the table ---------------------------------------------------------- */

/* A part of S3's is a request of its own. */
static const struct shelf_kind local = {
    "local",      (size_t)128 * 1024, local_check, local_publish,
    local_remove, local_open,         local_read,  local_of_user};
static const struct shelf_kind far = {
    "s3",       (size_t)512 * 1024, far_check, far_publish,
    far_remove, far_open,           far_read,  far_of_user};

void
shelf_init(struct shelf *s, const char *folder, struct s3 *s3)
{
    *s = (struct shelf){s3 != NULL ? &far : &local, folder, s3};
}

const char *
shelf_kind_name(const struct shelf *s)
{
    return s->kind->name;
}

size_t
shelf_part_bytes(const struct shelf *s)
{
    return s->kind->part_bytes;
}

enum err
shelf_open(const struct shelf *s, bool *away_out, char *why, size_t why_size)
{
    enum err e = folder_init(s->folder, why, why_size);

    *away_out = false;
    return e == ERR_OK ? s->kind->check(s, away_out, why, why_size) : e;
}

enum err
shelf_create(const struct shelf *s, struct str id, struct newfile *out,
             char why[static SHELF_WHY_BYTES])
{
    char sentence[SHELF_WHY_BYTES];

    return told(folder_create(s->folder, id, out, sentence, sizeof(sentence)),
                why);
}

enum err
shelf_write(struct newfile *f, struct str bytes,
            char why[static SHELF_WHY_BYTES])
{
    return told(newfile_write(f->fd, bytes), why);
}

enum err
shelf_publish(const struct shelf *s, struct str id, struct newfile *f,
              char why[static SHELF_WHY_BYTES])
{
    return s->kind->publish(s, id, f, why);
}

enum err
shelf_remove(const struct shelf *s, struct str id,
             char why[static SHELF_WHY_BYTES])
{
    return s->kind->remove(s, id, why);
}

void
shelf_file_init(struct shelf_file *f, struct str id)
{
    CHECK(id.n == FILE_ID_CHARS);
    *f = (struct shelf_file){.fd = -1};
    memcpy(f->id, id.p, FILE_ID_CHARS);
}

void
shelf_file_close(struct shelf_file *f)
{
    if (f->fd >= 0) {
        close(f->fd);
        f->fd = -1;
    }
}

enum err
shelf_file_open(const struct shelf *s, struct shelf_file *f)
{
    return s->kind->open(s, f);
}

enum err
shelf_file_read(const struct shelf *s, struct shelf_file *f, uint64_t at,
                char *out, size_t n)
{
    return s->kind->read(s, f, at, out, n);
}

enum err
shelf_of_user(const struct shelf *s, struct shelf_search *search,
              char why[static SHELF_WHY_BYTES])
{
    return s->kind->of_user(s, search, why);
}
