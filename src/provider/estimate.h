/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_PROVIDER_ESTIMATE_H
#define CHATBOX_PROVIDER_ESTIMATE_H

#include "base/str.h"

#include <stdint.h>

/* How many tokens a text is, about, without any model's vocabulary. OpenAI's
 * rule of thumb for English is four characters a token; other scripts take
 * more. We count in quarters of a token by the length of a character's UTF-8
 * form: 1 byte (ASCII) 1 quarter; 2 bytes (Latin with accents, Greek,
 * Cyrillic, Hebrew, Arabic) 2; 3 bytes (Chinese, Japanese, Korean, Indic) 4;
 * 4 bytes (emoji, rare signs) 8; rounded up. Meant to be a little high: it
 * guards a context window. */
uint64_t estimate_tokens(struct str text);

/* Not rounded, in quarters: those of a text's pieces add up. */
uint64_t estimate_quarters(struct str text);

/* The same, plus 4 for the role and the marks around a message. */
uint64_t estimate_message_tokens(struct str text);

#endif
