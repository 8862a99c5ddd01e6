/* SPDX-License-Identifier: MIT */
/* Pictures from the disk into a prompt. */
#include "chat/album.h"

#include "base/check.h"
#include "base/xalloc.h"
#include "codec/base64.h"
#include "upload/folder.h"

#include <string.h>
#include <unistd.h>

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
take(struct album_picture *p, int fd, size_t size)
{
    char *bytes = xmalloc(size);
    enum err e = folder_read(fd, 0, bytes, size);

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
    uint64_t size;
    enum err e;
    int fd;

    e = folder_open(a->upload->folder, str_from(p->id), &fd, &size);
    if (e != ERR_OK) {
        return e;
    }
    if (size > ALBUM_FILE_BYTES || size > *left) {
        e = ERR_TOO_BIG;
    } else {
        e = size > 0 ? take(p, fd, (size_t)size) : ERR_IO;
    }
    close(fd);
    *left -= e == ERR_OK ? (size_t)size : 0;
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
