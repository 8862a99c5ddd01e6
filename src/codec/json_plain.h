/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CODEC_JSON_PLAIN_H
#define CHATBOX_CODEC_JSON_PLAIN_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Private to json.c and json_put.c: strings are looked through eight bytes at
 * a time. Inline, because most strings are short. */

#define JSON_ONES UINT64_C(0x0101010101010101)
#define JSON_HIGHS UINT64_C(0x8080808080808080)

static inline uint64_t
json_load(const char *p)
{
    uint64_t word;

    memcpy(&word, p, 8);
    return le64toh(word);
}

/* The high bit of each byte that is zero; bits above the lowest one may be
 * wrong, and are not used (Mycroft's test). */
static inline uint64_t
json_zero_bytes(uint64_t x)
{
    return (x - JSON_ONES) & ~x & JSON_HIGHS;
}

/* The high bit of each byte that ends a run of plain text: quote, backslash,
 * control character. As exact as json_zero_bytes. */
static inline uint64_t
json_special_bytes(uint64_t x)
{
    return json_zero_bytes(x ^ (JSON_ONES * '"')) |
           json_zero_bytes(x ^ (JSON_ONES * '\\')) |
           ((x - JSON_ONES * 0x20) & ~x & JSON_HIGHS);
}

static inline bool
json_is_special(char c)
{
    return c == '"' || c == '\\' || (unsigned char)c < 0x20;
}

/* The first quote, backslash or control character, or end. *high is set when
 * a byte beyond ASCII may have been passed. */
static inline const char *
json_plain_end(const char *p, const char *end, bool *high)
{
    uint64_t seen = 0;

    while (end - p >= 8) {
        uint64_t word = json_load(p);
        uint64_t special = json_special_bytes(word);

        seen |= word;
        if (special != 0) {
            *high |= (seen & JSON_HIGHS) != 0;
            return p + __builtin_ctzll(special) / 8;
        }
        p += 8;
    }
    for (; p < end && !json_is_special(*p); p++) {
        seen |= (uint64_t)(unsigned char)*p;
    }
    *high |= (seen & JSON_HIGHS) != 0;
    return p;
}

#endif
