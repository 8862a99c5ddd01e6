/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_SQLITE_ROWS_H
#define CHATBOX_STORE_STORE_SQLITE_ROWS_H

#include "store/record.h"
#include "store/store_sqlite.h"

#include <stdint.h>

/* Records as rows and back: the one place that knows the columns' order. */
#define SESSION_COLUMNS                                                        \
    "n,_id,uid,nm,modelId,ts,endTs,adminAssisted,assistingAdminId,"            \
    "assistingAdminName,helpRequested,lastActivity,archived,takeoverEpoch,"    \
    "epoch,seq,msgCount,totalTokens,totalCost,maxRespTime,avgRespTime,"        \
    "respCount,"                                                               \
    "shareToken"

#define MESSAGE_COLUMNS                                                        \
    "_id,sid,seq,cid,ts,sender,type,status,fileId,fileUrl,meta,modelId,"       \
    "promptTokens,completionTokens,totalTokens,estimated,cachedTokens,"        \
    "reasoningTokens,cost,durMs,ttftMs,"                                       \
    "finish,replyTo,replaces,superseded,convId,budgetRoles,content"

#define MESSAGE_VALUES "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?"

#define USAGE_COLUMNS                                                          \
    "ts,modelId,promptTokens,completionTokens,totalTokens,estimated,"          \
    "cachedTokens,reasoningTokens,cost,budgetRoles"

#define SESSION_OF "(SELECT n FROM sessions WHERE _id=?)"

/* The end of a session's life (figures.h). Parameters: ?3 idle_ms, ?4
 * now_ms. */
#define LIVED_UNTIL "coalesce(endTs,max(lastActivity,min(lastActivity+?3,?4)))"

/* A session and its row's own key. */
struct session_row {
    struct session_record record;
    int64_t n; /* 0: there is no such row */
};

/* The row that a SESSION_… statement stands on, or a MESSAGE… one, which was
 * looked for in the session sid: a text that was sealed elsewhere does not
 * open there. Overwrites; gives. */
void store_sqlite_rows_session(struct sqlite_call *c, struct session_row *out);
void store_sqlite_rows_message(struct sqlite_call *c, const char *sid,
                               struct message_record *out);

/* One parameter: the text as the link's vault wants it stored. Borrows until
 * the call has run. */
void store_sqlite_rows_put_sealed(struct sqlite_call *c,
                                  const struct seal_place *at, struct str text);

/* The session's name, or NULL; and, for nm=iif(?,nm,?), whether the one that
 * is stored stays because it could not be read. */
void store_sqlite_rows_put_name(struct sqlite_call *c,
                                const struct session_record *r);
void store_sqlite_rows_put_kept_name(struct sqlite_call *c,
                                     const struct session_record *r);

/* The text of a column, opened. False: it does not open; *out is "" then.
 * Gives. */
bool store_sqlite_rows_open(struct sqlite_call *c, int column,
                            const struct seal_place *at, struct buf *out);

/* The seven columns of a usage: promptTokens … cost. */
void store_sqlite_rows_put_usage(struct sqlite_call *c, const struct usage *u);

/* MESSAGE_COLUMNS in order. Borrows until the call has run. */
void store_sqlite_rows_put_message(struct sqlite_call *c,
                                   const struct message_record *m);

/* From the session's start to its end, or to its last activity. */
int64_t store_sqlite_rows_duration_ms(const struct session_record *r);

/* The stored record takes the place of the caller's. Takes row->record. */
void store_sqlite_rows_give(struct store_job *job, struct session_row *row);

/* The text of a running answer (no number): its pieces, as far as they follow
 * one another and open, are put behind content. Any other message stays as it
 * is. */
enum err store_sqlite_rows_join(struct sqlite_link *link,
                                struct message_record *m) MUST_CHECK;

/* The session by id; out->n is 0 when it is not there, or when owner is not
 * NULL and not its owner. Gives. */
enum err store_sqlite_rows_find(struct sqlite_link *link, const char *sid,
                                const char *owner,
                                struct session_row *out) MUST_CHECK;

/* A message of the session by one of MESSAGE_BY_ID and MESSAGE_BY_CID, a
 * running one with its text. Overwrites out when found; gives.
 * ERR_NOT_FOUND. */
enum err store_sqlite_rows_lookup(struct sqlite_link *link, enum sql by,
                                  const char *key, const char *sid,
                                  struct message_record *out) MUST_CHECK;

/* The answers to job->message, in order, the running one with its text, into
 * job->messages and count. */
enum err store_sqlite_rows_answers(struct sqlite_link *link,
                                   struct store_job *job) MUST_CHECK;

#endif
