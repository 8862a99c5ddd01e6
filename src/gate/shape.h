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

#endif
