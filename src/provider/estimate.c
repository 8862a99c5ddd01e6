/* SPDX-License-Identifier: MIT */
/* The rule of estimate.h: by the first byte of each character. */
#include "provider/estimate.h"

enum { MESSAGE_TOKENS = 4 };

uint64_t
estimate_quarters(struct str text)
{
    uint64_t quarters = 0;

    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];

        quarters += c < 0x80   ? 1
                    : c < 0xC0 ? 0 /* goes on a character */
                    : c < 0xE0 ? 2
                    : c < 0xF0 ? 4
                               : 8;
    }
    return quarters;
}

uint64_t
estimate_tokens(struct str text)
{
    return (estimate_quarters(text) + 3) / 4;
}

uint64_t
estimate_message_tokens(struct str text)
{
    return estimate_tokens(text) + MESSAGE_TOKENS;
}
