/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_SHAPE_H
#define CHATBOX_GATE_SHAPE_H

#include "base/buf.h"
#include "store/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct upload;

/* Stored records as the JSON objects of protocol.md section 1. Append. */

/* Item. */
void shape_item(struct buf *out, const struct session_record *s);

/* Item's members alone, behind an opening brace; and its `connections`, which
 * operators see: of this moment, not stored. */
void shape_item_members(struct buf *out, const struct session_record *s);
void shape_connections(struct buf *out, uint32_t connections);

/* Msg, and its members alone. u makes the links of files (upload_put_shown);
 * NULL: there is nobody who could follow them. */
void shape_message_members(struct buf *out, const struct upload *u,
                           const struct message_record *m);
void shape_message(struct buf *out, const struct upload *u,
                   const struct message_record *m);

/* Msg for whoever has a share's token: without what is the user's alone (the
 * client's id, metadata, files and their signatures) and without the name of
 * an older answer, which is not shown. */
void shape_shared_message(struct buf *out, const struct message_record *m);

/* The members `messages` and, when there are older ones, `next_before_seq`. */
void shape_page(struct buf *out, const struct upload *u,
                const struct message_record *messages, size_t count, bool more);

/* A member with a wall-clock time. */
void shape_time(struct buf *out, const char *name, int64_t at_ms);

#endif
