/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CODEC_HTTP1_CHARS_H
#define CHATBOX_CODEC_HTTP1_CHARS_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* The character classes of HTTP and URIs, one bit each. */
enum {
    HTTP1_CHARS_TOKEN = 1, /* tchar, RFC 9110 section 5.6.2 */
    HTTP1_CHARS_VALUE = 2, /* field-vchar, SP, HTAB: section 5.5 */
    HTTP1_CHARS_PATH = 4,  /* pchar, "/" and "%", RFC 3986 section 3.3 */
    HTTP1_CHARS_QUERY = 8, /* the same and "?", section 3.4 */
    HTTP1_CHARS_HOST = 16, /* of a reg-name and "%", section 3.2.2 */
    HTTP1_CHARS_HEX = 32
};

extern const uint8_t http1_chars_table[256];

static inline bool
http1_chars_is(char c, unsigned classes)
{
    return (http1_chars_table[(unsigned char)c] & classes) != 0;
}

/* How many bytes at the beginning of s are of one of the classes. */
size_t http1_chars_run(struct str s, unsigned classes);

/* s is not empty and nothing but that. */
bool http1_chars_all(struct str s, unsigned classes);

/* The value of a hexadecimal digit; only for one. */
unsigned http1_chars_hex(char c);

#endif
