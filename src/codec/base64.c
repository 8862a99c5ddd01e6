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

/* The same for all four: texts are encoded on the way to the disk. */
static void
put_four(char *out, const unsigned char *p, const char *alphabet)
{
    uint32_t group = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];

    out[0] = alphabet[group >> 18];
    out[1] = alphabet[(group >> 12) & 63];
    out[2] = alphabet[(group >> 6) & 63];
    out[3] = alphabet[group & 63];
}

static size_t
encode(struct str bytes, char *out, const char *alphabet)
{
    const unsigned char *p = (const unsigned char *)bytes.p;
    size_t n = 0;
    size_t i = 0;

    for (; bytes.n - i >= 3; i += 3, n += 4) {
        put_four(out + n, p + i, alphabet);
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

/* By character: its value and one, so that 0 is none. */
#define COMMON                                                                 \
    ['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6,          \
    ['G'] = 7, ['H'] = 8, ['I'] = 9, ['J'] = 10, ['K'] = 11, ['L'] = 12,       \
    ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18,    \
    ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,    \
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30,    \
    ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36,    \
    ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42,    \
    ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,    \
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54,    \
    ['2'] = 55, ['3'] = 56, ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60,    \
    ['8'] = 61, ['9'] = 62

static const unsigned char standard_values[256] = {
    COMMON, ['+'] = 63, ['/'] = 64};
static const unsigned char url_safe_values[256] = {
    COMMON, ['-'] = 63, ['_'] = 64};

/* The bits of n characters; false: one of them is none. */
static bool
take_group(const unsigned char *p, size_t n, const unsigned char *values,
           uint32_t *group_out)
{
    uint32_t group = 0;

    for (size_t i = 0; i < n; i++) {
        if (values[p[i]] == 0) {
            return false;
        }
        group = group << 6 | (uint32_t)(values[p[i]] - 1);
    }
    *group_out = group;
    return true;
}

/* All four; a character that is none is looked for once for all of them. */
static bool
take_four(const unsigned char *p, const unsigned char *values, uint32_t *out)
{
    unsigned a = values[p[0]], b = values[p[1]], c = values[p[2]],
             d = values[p[3]];

    *out = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);
    return a != 0 && b != 0 && c != 0 && d != 0;
}

/* The last characters, fewer than four: one byte or two, and bits that must
 * be zero. */
static enum err
decode_end(const unsigned char *p, size_t n, const unsigned char *values,
           unsigned char *out)
{
    unsigned spare = n == 2 ? 4 : 2;
    uint32_t group;

    if (!take_group(p, n, values, &group) ||
        (group & ((UINT32_C(1) << spare) - 1)) != 0) {
        return ERR_INVALID_FORMAT;
    }
    group >>= spare;
    if (n == 3) {
        *out++ = (unsigned char)(group >> 8);
    }
    *out = (unsigned char)group;
    return ERR_OK;
}

/* text without padding. */
static enum err
decode(struct str text, const unsigned char *values, unsigned char *out,
       size_t cap)
{
    const unsigned char *p = (const unsigned char *)text.p;
    size_t whole = text.n / 4 * 4;
    uint32_t group;

    if (text.n % 4 == 1) {
        return ERR_INVALID_FORMAT;
    }
    if (text.n / 4 * 3 + (text.n % 4 * 6) / 8 > cap) {
        return ERR_TOO_BIG;
    }
    for (size_t i = 0; i < whole; i += 4, out += 3) {
        if (!take_four(p + i, values, &group)) {
            return ERR_INVALID_FORMAT;
        }
        out[0] = (unsigned char)(group >> 16);
        out[1] = (unsigned char)(group >> 8);
        out[2] = (unsigned char)group;
    }
    return text.n == whole ? ERR_OK
                           : decode_end(p + whole, text.n - whole, values, out);
}

static enum err
decode_all(struct str text, const unsigned char *values, void *out, size_t cap,
           size_t *n_out)
{
    enum err e = decode(text, values, out, cap);

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
    return decode_all(text, standard_values, out, cap, n_out);
}

enum err
base64_decode_url(struct str text, void *out, size_t cap, size_t *n_out)
{
    return decode_all(text, url_safe_values, out, cap, n_out);
}
