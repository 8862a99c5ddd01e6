/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_SHAPE_H
#define CHATBOX_GATE_SHAPE_H

#include "base/buf.h"
#include "store/record.h"

/* Stored records as the JSON objects of protocol.md section 1. Append. */

/* Item. */
void shape_item(struct buf *out, const struct session_record *s);

/* Msg. */
void shape_message(struct buf *out, const struct message_record *m);

/* Msg for whoever has a share's token: without what is the user's alone (the
 * client's id, metadata, files and their signatures) and without the name of
 * an older answer, which is not shown. */
void shape_shared_message(struct buf *out, const struct message_record *m);

#endif
