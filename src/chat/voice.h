/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CHAT_VOICE_H
#define CHATBOX_CHAT_VOICE_H

#include "chat/state.h"

/* Recordings into questions: a voice_message that is stored is read from the
 * shelf, sent to the transcription service, and what was said is asked as a
 * user_message of its own, whose metadata names the recording (decision 61).
 * At most VOICE_BUSY of a shard are read and sent at a time, the others wait,
 * in the order of arrival; VOICE_MAX of a shard and VOICE_SESSION_MAX of a
 * session are taken at all. Whatever fails is told to the session, with the
 * recording's message_id; the recording stays. */
#define VOICE_BUSY 4
#define VOICE_MAX 64
#define VOICE_SESSION_MAX 4

/* m has just been stored in s. Does nothing when no service is configured, and
 * with what is no voice_message or names no file of ours. roles are the
 * speaker's, each with a NUL. Borrows. */
void voice_begin(struct session *s, const struct message_record *m,
                 struct str roles);

/* The session is deleted: what it has under way goes without a word. */
void voice_drop(struct session *s);

/* Shutdown: those that wait are refused; those under way, too. */
void voice_drain(struct chat *c);
void voice_cut(struct chat *c);

/* For chat_fini: frees all. */
void voice_fini_all(struct chat *c);

#endif
