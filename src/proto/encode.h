/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_PROTO_ENCODE_H
#define CHATBOX_PROTO_ENCODE_H

#include "proto/message.h"

/* Server frames, member by member, straight into a buffer:
 *
 *     proto_begin(&b, MESSAGE_ACK, sid, now_ms);
 *     proto_put_text(&b, PROTO_MESSAGE_ID, id);
 *     proto_end(&b);
 *
 * All borrow. Texts are valid UTF-8 (what is not becomes U+FFFD). A buffer
 * that would pass its maximum fails as buf.h says. Pure. */

/* {"type":…,"session_id":…,"timestamp":…; an empty session id is left out. */
void proto_begin(struct buf *b, enum message_type type, struct str session_id,
                 int64_t now_ms);
void proto_put_text(struct buf *b, enum proto_field f, struct str text);
void proto_put_int(struct buf *b, enum proto_field f, int64_t value);
void proto_put_bool(struct buf *b, enum proto_field f, bool value);

/* value is JSON already. */
void proto_put_json(struct buf *b, enum proto_field f, struct str value);

/* Only when text is not empty. */
void proto_put_optional(struct buf *b, enum proto_field f, struct str text);

/* metadata of fixed pairs; the array ends with a NULL name. */
struct proto_pair {
    const char *name;
    struct str value;
};
void proto_put_metadata(struct buf *b, const struct proto_pair *pairs);

/* The error member. message NULL: the table's sentence. retry_after_ms < 0 and
 * field "" are left out. */
struct proto_error {
    enum err err;
    const char *message;
    int64_t retry_after_ms;
    const char *field;
    bool final; /* not recoverable, whatever the table says */
};
void proto_put_error(struct buf *b, const struct proto_error *e);

void proto_end(struct buf *b);

#endif
