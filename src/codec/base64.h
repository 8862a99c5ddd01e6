/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CODEC_BASE64_H
#define CHATBOX_CODEC_BASE64_H

#include "base/err.h"
#include "base/str.h"

#include <stddef.h>

/* RFC 4648: section 4 ("+/", padded) and section 5 ("-_", here always
 * without padding, as in RFC 7515). */

/* Characters that n bytes become, padding included; the unpadded form needs
 * at most as many. */
#define BASE64_SIZE(n) (((n) + 2) / 3 * 4)

/* Bytes that n characters become, at most. */
#define BASE64_BYTES(n) ((n) / 4 * 3 + 2)

/* Writes BASE64_SIZE(bytes.n) characters at most, without a NUL; returns how
 * many. out must not overlap bytes. */
size_t base64_encode(struct str bytes, char *out);
size_t base64_encode_url(struct str bytes, char *out);

/* Strict: no white space, no other alphabet, padding exactly as the form has
 * it, unused bits zero. ERR_INVALID_FORMAT otherwise, ERR_TOO_BIG when out
 * has room for fewer than the bytes in the text. out may be text.p itself.
 */
enum err base64_decode(struct str text, void *out, size_t cap,
                       size_t *n_out) MUST_CHECK;
enum err base64_decode_url(struct str text, void *out, size_t cap,
                           size_t *n_out) MUST_CHECK;

#endif
