/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CHAT_SESSION_H
#define CHATBOX_CHAT_SESSION_H

#include "chat/state.h"

/* Sessions in memory: being there, who listens, and leaving memory again. */

/* NULL when not in memory. Borrows id. */
struct session *session_find(const struct chat *c, struct str id);

/* A new session of u with a random id, not stored yet. Owned by the chat. */
struct session *session_new(struct user *u);

/* The session of a stored record; the one in memory if there is one. */
struct session *session_load(struct user *u, const struct session_record *r);

/* Takes over what the store says after a write. */
void session_update(struct session *s, const struct session_record *r);

/* The same when the store may have made it by that write: counts a new one. */
void session_saved(struct session *s, const struct session_record *r);

/* m is stored, as the newest of s: the next prompt need not read it. Copies. */
void session_remember(struct session *s, const struct message_record *m);

/* The model of the answers from now on; everybody is told. */
void session_set_model(struct session *s, uint16_t model);

/* The record of a session that the store is to make with its first message.
 * Gives (session_record_fini). */
void session_to_record(const struct session *s, struct session_record *out);

/* o joins (becomes LIVE) or leaves s->outlets. */
void session_join(struct session *s, struct outlet *o);
void session_leave(struct session *s, struct outlet *o);

/* To every outlet but one (may be NULL). Borrows frame. */
void session_broadcast(struct session *s, const struct outlet *except,
                       struct str frame);

/* Something changed: goes to (or comes from) the list of idle ones. */
void session_settle(struct session *s);

/* A store job of s begins and ends; while one is under way s stays. */
void session_job_begin(struct session *s);
void session_job_end(struct session *s);

/* Closes every outlet with a code and drops the session's turns; memory goes
 * when the last job has called back. */
void session_kill(struct session *s, int code, const char *reason);

/* Frees sessions that have been idle for ttl; returns how many. */
size_t session_sweep(struct chat *c, uint64_t now_ms);

/* Frees s whatever it holds; for chat_fini. */
void session_free(struct session *s);

#endif
