/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_PROVIDER_SCAN_H
#define CHATBOX_PROVIDER_SCAN_H

#include "codec/json.h"
#include "provider/provider.h"

/* What the texts of several providers are read with. */

/* A string or null; null is the empty text. */
void scan_text(struct json_scan *s, struct json_text *out);

/* A count; *out stays when it is not one, for an odd number must not cost an
 * answer, and is -1 when it is not whole or too large. */
void scan_count(struct json_scan *s, int64_t *out);

/* What a provider says is part of a count: none when it is negative, all of it
 * when it is more. */
int64_t scan_part(int64_t part, int64_t whole);

/* OpenAI's form of a usage, which others took over: prompt_tokens,
 * completion_tokens and total_tokens, of which one of the last two may be
 * missing (embeddings have no completion_tokens), as may be
 * prompt_tokens_details.cached_tokens and
 * completion_tokens_details.reasoning_tokens. False when it is not that. */
bool scan_usage(struct json_scan *s, struct provider_usage *out);

/* The string of that name in a text that is one object; false: there is none,
 * or the text is not that. Borrows from the text. */
bool scan_member_of(struct str text, struct str name, struct json_text *out);

/* Enters an object; false for null, or when it is neither. */
bool scan_object(struct json_scan *s);

#endif
