/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CHAT_FRAMES_H
#define CHATBOX_CHAT_FRAMES_H

#include "chat/state.h"
#include "proto/encode.h"

/* The frames that a session sends, each composed in the chat's scratch buffer
 * and returned as a borrowed str that the next call overwrites. */

struct frame_status {
    const char *content;  /* NULL: none */
    const char *event;    /* metadata.event, or NULL */
    struct str requested; /* metadata.requested_session_id, or empty */
    bool first;           /* with models, user_id, epoch, resumed */
    bool resumed;
    bool admin;
};
struct str frame_status(const struct session *s,
                        const struct frame_status *what);

struct str frame_error(struct chat *c, struct str session_id,
                       const struct proto_error *e, struct str message_id,
                       struct str client_id);

/* m NULL: of something that is not in the log (a new token). */
struct str frame_ack(const struct session *s, struct str client_id,
                     const struct message_record *m);

struct str frame_loading(const struct session *s, const char *answer_id,
                         const char *question_id);

/* A stored message of a person, as other connections (or a replay) get it. */
struct str frame_message(const struct session *s,
                         const struct message_record *m, bool replay);

/* A stored answer as one frame with done; a running one (STATUS_STREAMING)
 * as a snapshot with the text given, which is chunk 0. */
struct str frame_answer(const struct session *s,
                        const struct message_record *m);
struct str frame_snapshot(const struct session *s, const char *answer_id,
                          const char *reply_to, struct str text);

/* A delta without its end: the caller appends the chunk's number and '}' with
 * frame_delta_chunk for each outlet. */
void frame_delta_begin(const struct session *s, const char *answer_id,
                       struct str text);
struct str frame_delta_chunk(struct chat *c, uint32_t chunk);

/* The last frame of a turn. m->seq 0: nothing was stored. stopped: the error
 * that cut it short, or NULL. */
struct str frame_done(const struct session *s, const struct message_record *m,
                      const struct proto_error *stopped);

/* {type, session_id, sender, metadata?} of an inbound event for the others. */
struct str frame_pass_on(const struct session *s, const struct proto_message *m,
                         const char *sender);

struct str frame_notification(struct chat *c, struct str session_id,
                              const char *event, const char *content);

struct str frame_pong(const struct session *s);

#endif
