/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CHAT_CARRY_H
#define CHATBOX_CHAT_CARRY_H

#include "codec/overlap.h"
#include "store/record.h"

#include <stdint.h>

/* An answer in parts: what one provider began and broke off, another one goes
 * on with (decision 0046). A part is what one provider does for the answer:
 * from its being asked to its failure, or to the answer's end. What a turn of a
 * conversation and a request at the OpenAI door have in common: what was shown
 * stays, what the next one says of it again is left out, usage is added up.
 * Shown is all text that has been given out, of all parts; its owner keeps it.
 * A shard's; its thread alone. */
struct carry {
    struct overlap overlap; /* of what was shown and the running part */
    struct usage used;      /* of the parts before */
    size_t from;            /* bytes of shown when the running part began */
    size_t said;            /* bytes that it has said */
};

/* Of an answer in its first part, which has said so many bytes. */
void carry_init(struct carry *c, size_t said);
void carry_fini(struct carry *c);

/* The running part is over, and was this; the next one begins. Borrows. */
void carry_break(struct carry *c, struct str shown, const struct usage *part);

/* What of the part's text is new; perhaps nothing, yet. Borrowed as of
 * overlap_feed. */
struct str carry_text(struct carry *c, struct str text);

/* No more text comes: what was held back of it. Borrowed likewise. */
struct str carry_rest(struct carry *c);

/* Some of the running part is in what was shown. */
static inline bool
carry_has_share(const struct carry *c, struct str shown)
{
    return shown.n > c->from;
}

/* Estimated tokens that the running part has said, also again. */
uint64_t carry_tokens(const struct carry *c, struct str shown);

/* to is the sum; estimated if one of them is. */
void carry_add(struct usage *to, const struct usage *part);

#endif
