/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_MARKDOWN_H
#define CHATBOX_GATE_MARKDOWN_H

#include "base/buf.h"
#include "store/record.h"

/* A transcript as CommonMark. What users and models wrote stands word for word
 * in fenced blocks whose fence is longer than any run of backticks in it, so
 * that no content can end its block, look like another message, or bring HTML
 * or links into the page around it. Append. */

/* The title and the session's own lines. */
void markdown_session(struct buf *out, const struct session_record *s,
                      int64_t now_ms);

/* A heading (who, when, what is special) and the text. */
void markdown_message(struct buf *out, const struct message_record *m);

#endif
