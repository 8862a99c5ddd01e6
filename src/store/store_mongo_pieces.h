/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_MONGO_PIECES_H
#define CHATBOX_STORE_STORE_MONGO_PIECES_H

#include "store/store_mongo.h"

#include <stdbool.h>
#include <stdint.h>

/* Private to the backend: the text of running answers in pieces, each a
 * document {_id, sid, at, upto, content} that is known by its answer and by how
 * many bytes lie before it. */

/* How much text there is up to the last one of the answer's pieces that begin
 * from `from` to `to`; -1: there is no such piece. */
enum err store_mongo_pieces_last(struct mongo_link *link, const char *answer,
                                 uint64_t from, uint64_t to,
                                 int64_t *end_out) MUST_CHECK;

/* job->message's content as the piece at job->draft_offset. ERR_CONFLICT: one
 * is there that is not this one. */
enum err store_mongo_pieces_insert(struct mongo_link *link,
                                   const struct store_job *job) MUST_CHECK;

/* Those that begin at `at` or behind it. lasting as in store_mongo_batch.h. */
enum err store_mongo_pieces_delete(struct mongo_link *link, const char *answer,
                                   uint64_t at, bool lasting) MUST_CHECK;

/* All pieces of each of these answers, which have ended; not lasting. */
enum err store_mongo_pieces_delete_all(struct mongo_link *link,
                                       const char *const *answers,
                                       size_t count) MUST_CHECK;

/* All of them: no answer is running. */
enum err store_mongo_pieces_clear(struct mongo_link *link) MUST_CHECK;

/* The text of a running answer (no number): its pieces, as far as they follow
 * one another and open. Any other message stays as it is. */
enum err store_mongo_pieces_join(struct mongo_link *link,
                                 struct message_record *m) MUST_CHECK;

#endif
