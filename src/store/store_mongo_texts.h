/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_MONGO_TEXTS_H
#define CHATBOX_STORE_STORE_MONGO_TEXTS_H

#include "base/buf.h"
#include "store/mongo_doc.h"
#include "store/store_mongo.h"
#include "store/store_mongo_batch.h"

#include <stdint.h>

/* Private to the backend: records as documents and back, with the texts that
 * people and models wrote as the link's vault wants them stored (vault.h). The
 * rest of the backend sees opened texts only.
 *
 * What is put goes into a statement of a batch; one whose text could not be
 * sealed is spoilt (store_mongo_batch.h). All borrow. */

/* The message has its number; as a draft, which has none, it has no text. */
void store_mongo_texts_put_message(struct mongo_link *link,
                                   struct mongo_item *item,
                                   struct mongo_bson *into,
                                   const struct message_record *m);

void store_mongo_texts_put_session(struct mongo_link *link,
                                   struct mongo_item *item,
                                   struct mongo_bson *into,
                                   const struct mongo_session *s);

/* A name that could not be read stays as it is stored. */
void store_mongo_texts_put_change(struct mongo_link *link,
                                  struct mongo_item *item,
                                  struct mongo_bson *into,
                                  const struct mongo_session *s,
                                  enum mongo_change change);

/* m's content as the piece of a running answer that begins at `at`, as the
 * field "content". */
void store_mongo_texts_put_piece(struct mongo_link *link,
                                 struct mongo_item *item,
                                 const struct message_record *m, uint64_t at);

/* The records of documents that were looked for in their session, opened. One
 * that is none is counted, and false; then *out is all zero. Give. */
bool store_mongo_texts_get_message(struct mongo_link *link, const bson_t *doc,
                                   struct message_record *out);
bool store_mongo_texts_get_session(struct mongo_link *link, const bson_t *doc,
                                   struct mongo_session *out);

/* A piece of the running answer m, behind the text that is there; false when it
 * is empty or does not open. */
bool store_mongo_texts_get_piece(struct mongo_link *link, const bson_t *doc,
                                 const struct message_record *m,
                                 struct buf *text);

/* What a message of the session says, of its fields seq and content; empty
 * when it does not open. Inits text, which the caller frees. */
void store_mongo_texts_get_content(struct mongo_link *link, const bson_t *doc,
                                   const char *sid, struct buf *text);

#endif
