/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CHAT_ALBUM_H
#define CHATBOX_CHAT_ALBUM_H

#include "loop/work.h"
#include "provider/picture.h"
#include "upload/file_id.h"
#include "upload/upload.h"

#include <stdbool.h>
#include <stddef.h>

/* The uploaded pictures of one prompt: noted, then read from the disk on a
 * thread that may block, as the base64 that providers take. At most ALBUM_MAX;
 * of a file ALBUM_FILE_BYTES, which is what models take in base64; of all
 * ALBUM_BYTES, those noted first. */
#define ALBUM_MAX 8
#define ALBUM_FILE_BYTES ((size_t)3750 * 1000)
#define ALBUM_BYTES ((size_t)8 << 20)

struct album_picture {
    char id[FILE_ID_CHARS + 1];
    size_t message;         /* the caller's */
    enum err result;        /* of reading it; TOO_BIG: beyond the caps */
    char *base64;           /* with OK */
    struct picture picture; /* borrows it */
};

struct album {
    struct work work; /* done and destroy are the caller's */
    const struct upload *upload;
    size_t count;
    struct album_picture pictures[ALBUM_MAX];
};

void album_init(struct album *a, const struct upload *u);
void album_fini(struct album *a);

/* False: it is no picture of ours that models take, or one too many. NULL is
 * fine. */
bool album_note(struct album *a, const char *file_id, size_t message);

/* For work: reads what was noted. */
void album_read(struct work *w);

#endif
