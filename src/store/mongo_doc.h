/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_MONGO_DOC_H
#define CHATBOX_STORE_MONGO_DOC_H

#include "store/mongo_bson.h"
#include "store/record.h"
#include "store/review.h"
#include "store/usage.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Records as documents and back: the one place that knows the fields' names
 * (protocol.md section 4). Times are BSON dates, other numbers are int64 or,
 * if they have fractions, doubles; what is absent in the record has no field.
 *
 * Reading expects anything: fields in any order, absent, unknown, or of a type
 * that nobody would write. A field of a wrong type, or a value that is none
 * of ours, counts as absent and is counted. A document without what makes it
 * a record (its ids; a session's user; of what an answer used the user and the
 * time, too) is no record. */

/* Of a session's document; it says which form it has. */
#define MONGO_DOC_VERSION 1

/* A session and what its document holds beside the record. */
struct mongo_session {
    struct session_record record;
    int64_t *times_ms; /* the response times that the average is over */
    size_t time_count; /* = record.response_count */

    /* Its messages are in its own document (mongo_old.h), whose count and
     * times the record has if they were read along. */
    bool old;
    bool laden; /* the document has such messages, moved or not */
};

void mongo_doc_session_fini(struct mongo_session *s);

/* Append the fields. The session's counters are among them; its durations are
 * made of its times. Borrow. */
void mongo_doc_put_session(struct mongo_bson *out,
                           const struct mongo_session *s);
void mongo_doc_put_message(struct mongo_bson *out,
                           const struct message_record *m);

/* What an update changes: of a session that a message was added to, or that
 * was patched. */
enum mongo_change { MONGO_PROGRESS, MONGO_PATCH };

/* The same fields as $set and, where the record has none, $unset; but a name
 * that could not be read stays as it is stored. Borrows. */
void mongo_doc_put_change(struct mongo_bson *update,
                          const struct mongo_session *s,
                          enum mongo_change change);

/* With this _id. */
void mongo_doc_put_event(struct mongo_bson *out, const char *id,
                         const struct review_event *e);

void mongo_doc_put_usage(struct mongo_bson *out, const struct usage_entry *e);

/* False: no record, and *out is all zero. Otherwise overwrites *out; gives.
 * *odd is raised by one for every field that counts as absent because of what
 * it is. An id of another length than ours cannot be asked for over any route:
 * no session. */
bool mongo_doc_get_session(const struct mongo_lib *lib, const bson_t *doc,
                           struct mongo_session *out, uint64_t *odd);
bool mongo_doc_get_message(const struct mongo_lib *lib, const bson_t *doc,
                           struct message_record *out, uint64_t *odd);
bool mongo_doc_get_event(const struct mongo_lib *lib, const bson_t *doc,
                         struct review_event *out, uint64_t *odd);
bool mongo_doc_get_usage(const struct mongo_lib *lib, const bson_t *doc,
                         struct usage_entry *out, uint64_t *odd);

/* One message of the older form (mongo_old.h): what the element that the
 * iterator stands on says, and nothing of the rest. Overwrites *out; gives. */
void mongo_doc_get_old(const struct mongo_lib *lib, const bson_iter_t *element,
                       struct message_record *out, uint64_t *odd);

/* From the session's start to its end, or to its last activity. */
int64_t mongo_doc_duration_ms(const struct session_record *r);

#endif
