/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_KEYGEN_H
#define CHATBOX_APP_KEYGEN_H

#include "base/buf.h"

/* Secrets from the operating system's generator; all append to out, which
 * has room. */

/* A value for JWT_SECRET that the settings accept: base64 of 32 bytes. */
void keygen_jwt(struct buf *out);

/* An entry of ENCRYPTION_KEYS: "k<8 hex>:<base64 of 32 bytes>". */
void keygen_encryption(struct buf *out);

#endif
