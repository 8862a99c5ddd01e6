/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_UPLOAD_FILE_TYPE_H
#define CHATBOX_UPLOAD_FILE_TYPE_H

#include "base/str.h"
#include "codec/utf8.h"

#include <stdbool.h>
#include <stddef.h>

/* What a file is, by its content: neither its name nor what its sender says
 * decides, but between types that look alike (a WebM with or without
 * pictures). Static; pure. */
struct file_type {
    unsigned number; /* in ids; never changes its meaning */
    const char *mime;
    const char *ending; /* of a name, without the dot */
    int family;         /* private */
};

/* So much of the beginning is looked at. */
#define FILE_TYPE_HEAD 512

/* By the first bytes, all of them or FILE_TYPE_HEAD; declared is the sender's
 * Content-Type, or empty. NULL: nothing that is known. */
const struct file_type *file_type_of(struct str head, struct str declared);

/* Texts (HTML and XML too) are so in every byte: what file_type_of takes for
 * one has to go through this from its first byte on. */
bool file_type_is_text(const struct file_type *t);
bool file_type_text_feed(struct utf8 *u, struct str bytes);

/* NULL: there is none. */
const struct file_type *file_type_find(unsigned number);

/* Whether the list (NULL at the end) has it: a type, or all of a kind as in
 * "image/ *" (without the space). */
bool file_type_listed(const struct file_type *t, const char *const *types);

/* A picture that every model which sees takes. */
bool file_type_is_picture(const struct file_type *t);

/* Harmless where it is shown in a page of ours: a picture that cannot hold
 * scripts, a sound, a film. */
bool file_type_is_inline(const struct file_type *t);

#endif
