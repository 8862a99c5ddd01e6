/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_PROVIDER_PICTURE_H
#define CHATBOX_PROVIDER_PICTURE_H

#include "base/str.h"

#include <stdbool.h>

/* A picture in a message to a model, as bytes or as a link that the provider
 * follows: nothing here is ever fetched by us. Borrows. */
struct picture {
    struct str type; /* "image/png", "image/jpeg", "image/gif", "image/webp" */
    struct str base64; /* the bytes (RFC 4648 section 4, padded); empty: url */
    struct str url;    /* https, to a public host; then type may be empty */
};

/* Reads what OpenAI's clients write: a data URL of one of these types in
 * base64, or a link. False for anything else, also for base64 that is none and
 * for a link to somewhere private. */
bool picture_read(struct str url, struct picture *out);

/* A link that says by its name that it leads to a picture. */
bool picture_read_link(struct str url, struct picture *out);

#endif
