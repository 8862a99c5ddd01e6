/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_VAULT_H
#define CHATBOX_STORE_VAULT_H

#include "store/seal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Texts on their way into a row or a document and back: where every backend
 * meets encryption at rest (docs/decisions/0021). A backend has one vault a
 * link, used by that link's thread only; it puts each text that people or
 * models wrote just before it is bound, and gets it just after it was read:
 *
 *     at = vault_at_message(m->sid, m->seq);
 *     e = vault_put(v, &at, text, &out);           what is stored is in out
 *     readable = vault_get(v, &at, stored, &out);  what was written is in out
 *
 * Without keys both copy, but what is sealed all the same is not got. */
struct vault;

/* Borrows the ring until vault_free; NULL and an empty one mean that there are
 * no keys. Gives. */
struct vault *vault_new(const struct seal_ring *keys);
void vault_free(struct vault *v);

/* False: there are no keys; a text may be written as it is, without a copy. */
bool vault_seals(const struct vault *v);

/* The places of the three kinds of text. All borrow.
 *
 * message: by its session and number. Not for one without number.
 * piece: of a running answer, which has no number yet: by its session, the
 *     answer's id and how many bytes of the text lie before it.
 * name: of a session, as it may be a message's first line. */
struct seal_place vault_at_message(const char *sid, int64_t seq);
struct seal_place vault_at_piece(const char *sid, const char *answer,
                                 int64_t offset);
struct seal_place vault_at_name(const char *sid);

/* Appends what is to be stored: VAULT_SIZE(text.n) bytes at most. An empty
 * text stays empty. ERR_TOO_BIG, ERR_INTERNAL_ERROR as seal_put. */
#define VAULT_SIZE(n) SEAL_SIZE(n)
enum err vault_put(struct vault *v, const struct seal_place *at,
                   struct str text, struct buf *out) MUST_CHECK;

/* Appends what was written; never more bytes than are stored. False: it does
 * not open; nothing was appended, the metric has counted it, and the log has a
 * line with its place (one a second at most, which says how many there were
 * since the last). What was stored must then be shown to nobody. */
bool vault_get(struct vault *v, const struct seal_place *at, struct str stored,
               struct buf *out) MUST_CHECK;

/* The same of a text from before there was this form: without keys it may be
 * sealed all the same, and is not got then. */
bool vault_get_old(struct vault *v, const struct seal_place *at,
                   struct str stored, struct buf *out) MUST_CHECK;

/* -- another key -- */

/* Whether the text is there as vault_put would write it now. */
bool vault_is_current(const struct vault *v, struct str stored);

/* -- the check values: one for each key that ever sealed in a database -- */

/* The id of the key that seals, which the check value is kept under; empty
 * without keys. Borrowed. */
struct str vault_key(const struct vault *v);

/* Appends the check value of that key. There are keys. */
enum err vault_check_put(struct vault *v, struct buf *out) MUST_CHECK;

/* Whether the vault's keys are those that the check value is of. False: one
 * sentence in why. */
bool vault_check_get(struct vault *v, struct str stored, char *why,
                     size_t why_size) MUST_CHECK;

#endif
