/* SPDX-License-Identifier: MIT */
/* Pictures from the shelf into a prompt. */
#include "chat/album.h"

#include "base/check.h"
#include "base/xalloc.h"
#include "codec/base64.h"
#include "upload/shelf.h"

#include <string.h>

void
album_init(struct album *a, const struct upload *u)
{
    *a = (struct album){.upload = u};
}

void
album_fini(struct album *a)
{
    for (size_t i = 0; i < a->count; i++) {
        xfree(a->pictures[i].base64);
    }
    a->count = 0;
}

bool
album_note(struct album *a, const char *file_id, size_t message)
{
    const struct file_type *t;
    struct album_picture *p;
    unsigned type;

    if (a->count == ALBUM_MAX || !file_id_read(str_from(file_id), &type)) {
        return false;
    }
    t = file_type_find(type);
    if (t == NULL || !file_type_is_picture(t)) {
        return false;
    }
    p = &a->pictures[a->count++];
    memcpy(p->id, file_id, sizeof(p->id));
    p->message = message;
    p->picture.type = str_from(t->mime);
    return true;
}

static void
encode(struct album_picture *p, struct str bytes)
{
    p->base64 = xmalloc(BASE64_SIZE(bytes.n));
    p->picture.base64 =
        (struct str){p->base64, base64_encode(bytes, p->base64)};
}

static enum err
take(const struct shelf *shelf, struct album_picture *p, struct shelf_file *f)
{
    size_t size = (size_t)f->size;
    char *bytes = xmalloc(size);
    enum err e = shelf_file_read(shelf, f, 0, bytes, size);

    if (e == ERR_OK) {
        encode(p, (struct str){bytes, size});
    }
    xfree(bytes);
    return e;
}

/* An empty file would be no picture. */
static enum err
read_one(const struct album *a, struct album_picture *p, size_t *left)
{
    const struct shelf *shelf = &a->upload->shelf;
    struct shelf_file f;
    enum err e;

    shelf_file_init(&f, str_from(p->id));
    e = shelf_file_open(shelf, &f);
    if (e != ERR_OK) {
        return e;
    }
    if (f.size > ALBUM_FILE_BYTES || f.size > *left) {
        e = ERR_TOO_BIG;
    } else {
        e = f.size > 0 ? take(shelf, p, &f) : ERR_IO;
    }
    shelf_file_close(&f);
    *left -= e == ERR_OK ? (size_t)f.size : 0;
    return e;
}

void
album_read(struct work *w)
{
    struct album *a = CONTAINER_OF(w, struct album, work);
    size_t left = ALBUM_BYTES;

    for (size_t i = 0; i < a->count; i++) {
        a->pictures[i].result = read_one(a, &a->pictures[i], &left);
    }
}
