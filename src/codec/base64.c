/* SPDX-License-Identifier: MIT */
/* base64 and base64url, strict: two texts never mean the same bytes, because
 * tokens and handshake keys are compared and cached by their text. */
#include "codec/base64.h"

#include <stdint.h>

static const char standard[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_safe[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Writes the first `chars` of the four characters of three bytes. */
static void
put_group(char *out, uint32_t group, size_t chars, const char *alphabet)
{
    for (size_t i = 0; i < chars; i++) {
        out[i] = alphabet[(group >> (18 - 6 * i)) & 63];
    }
}

static size_t
encode(struct str bytes, char *out, const char *alphabet)
{
    const unsigned char *p = (const unsigned char *)bytes.p;
    size_t n = 0;
    size_t i = 0;

    for (; bytes.n - i >= 3; i += 3, n += 4) {
        put_group(out + n,
                  (uint32_t)p[i] << 16 | (uint32_t)p[i + 1] << 8 | p[i + 2], 4,
                  alphabet);
    }
    if (bytes.n - i == 1) {
        put_group(out + n, (uint32_t)p[i] << 16, 2, alphabet);
        n += 2;
    } else if (bytes.n - i == 2) {
        put_group(out + n, (uint32_t)p[i] << 16 | (uint32_t)p[i + 1] << 8, 3,
                  alphabet);
        n += 3;
    }
    return n;
}

size_t
base64_encode(struct str bytes, char *out)
{
    size_t n = encode(bytes, out, standard);

    while (n % 4 != 0) {
        out[n++] = '=';
    }
    return n;
}

size_t
base64_encode_url(struct str bytes, char *out)
{
    return encode(bytes, out, url_safe);
}

/* 0..63, or -1. */
static int
value_of(char c, const char *alphabet)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    if (c == alphabet[62]) {
        return 62;
    }
    return c == alphabet[63] ? 63 : -1;
}

/* text without padding. */
static enum err
decode(struct str text, const char *alphabet, unsigned char *out, size_t cap)
{
    uint32_t group = 0;
    unsigned bits = 0;
    size_t n = 0;

    if (text.n % 4 == 1) {
        return ERR_INVALID_FORMAT;
    }
    if (text.n / 4 * 3 + (text.n % 4 * 6) / 8 > cap) {
        return ERR_TOO_BIG;
    }
    for (size_t i = 0; i < text.n; i++) {
        int value = value_of(text.p[i], alphabet);

        if (value < 0) {
            return ERR_INVALID_FORMAT;
        }
        group = group << 6 | (uint32_t)value;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[n++] = (unsigned char)(group >> bits);
            group &= (UINT32_C(1) << bits) - 1;
        }
    }
    return group == 0 ? ERR_OK : ERR_INVALID_FORMAT;
}

static enum err
decode_all(struct str text, const char *alphabet, void *out, size_t cap,
           size_t *n_out)
{
    enum err e = decode(text, alphabet, out, cap);

    *n_out = e == ERR_OK ? text.n / 4 * 3 + (text.n % 4 * 6) / 8 : 0;
    return e;
}

enum err
base64_decode(struct str text, void *out, size_t cap, size_t *n_out)
{
    *n_out = 0;
    if (text.n % 4 != 0) {
        return ERR_INVALID_FORMAT;
    }
    for (int i = 0; i < 2 && text.n > 0 && text.p[text.n - 1] == '='; i++) {
        text.n--;
    }
    return decode_all(text, standard, out, cap, n_out);
}

enum err
base64_decode_url(struct str text, void *out, size_t cap, size_t *n_out)
{
    return decode_all(text, url_safe, out, cap, n_out);
}
