/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_MONGO_RETRY_H
#define CHATBOX_STORE_MONGO_RETRY_H

#include <stdbool.h>
#include <stdint.h>

/* What came back from the database, and what follows: is it stored, is it to
 * be tried again, and after which pause. Pure: no driver, no clock, no dice of
 * its own; any thread. The caller makes the attempts, sleeps the pauses on its
 * worker thread and writes the log.
 *
 * It decides by the return value, by numbers and by labels, never by the text
 * of an error. Which numbers pass by themselves stands in mongo_retry.def. */

/* What is known of an operation. For a read, STORED says that it was answered,
 * and UNKNOWN and UNCONFIRMED do not occur. */
enum mongo_outcome {
    MONGO_STORED,      /* as the write concern asks */
    MONGO_DELIVERED,   /* an earlier attempt did it: our own key is taken */
    MONGO_UNCONFIRMED, /* on the primary, but not yet where it cannot be lost */
    MONGO_UNKNOWN,     /* it went out, and what became of it was not learned */
    MONGO_NOT_NOW,     /* surely not stored, for a reason that passes */
    MONGO_NOT_EVER     /* surely not stored, and trying again would not help */
};

/* enum mongoc_error_domain_t of libmongoc 1.23, as bson_error_t.domain has it;
 * the backend asserts that they are equal. Answers of the server come in
 * SERVER (the pool is set to error API version 2), bulk operations give their
 * write errors in COMMAND; every domain that is not named here is taken as
 * the server's. */
enum {
    MONGO_DOMAIN_CLIENT = 1,
    MONGO_DOMAIN_STREAM = 2,
    MONGO_DOMAIN_PROTOCOL = 3,
    MONGO_DOMAIN_SASL = 7,
    MONGO_DOMAIN_BSON = 8,
    MONGO_DOMAIN_SCRAM = 14,
    MONGO_DOMAIN_SERVER_SELECTION = 15,
    MONGO_DOMAIN_WRITE_CONCERN = 16,
    MONGO_DOMAIN_SERVER = 17,
    MONGO_DOMAIN_POOL = 20,
    /* No domain of the driver's: mongoc_client_pool_pop gave NULL because
     * waitQueueTimeoutMS passed. */
    MONGO_DOMAIN_NO_CLIENT = 1000
};

/* Codes of mongoc_error_code_t in the domains PROTOCOL and SERVER_SELECTION:
 * an answer that is none; the server is too old or too new for this driver. */
enum {
    MONGO_CODE_PROTOCOL_INVALID_REPLY = 14,
    MONGO_CODE_PROTOCOL_WIRE_VERSION = 15,
    MONGO_CODE_SELECTION_WIRE_VERSION = 13052
};

/* errorLabels of the reply, as mongoc_error_has_label finds them. */
enum mongo_label {
    MONGO_LABEL_RETRYABLE_WRITE = 1 << 0,       /* RetryableWriteError */
    MONGO_LABEL_NO_WRITES_PERFORMED = 1 << 1,   /* NoWritesPerformed */
    MONGO_LABEL_TRANSIENT_TRANSACTION = 1 << 2, /* TransientTransactionError */
    MONGO_LABEL_UNKNOWN_COMMIT = 1 << 3 /* UnknownTransactionCommitResult */
};

/* sent, by a caller that does not count. */
#define MONGO_SENT_UNCOUNTED 2

/* One call of the driver, for one document. Of a group each document has an
 * attempt of its own: its own entry of writeErrors, else the call's result.
 * Zeroed it is a read that failed before it was sent. */
struct mongo_attempt {
    /* The call's return value, and nothing else, says whether it went well: a
     * success after a retry inside the driver leaves a code behind. */
    bool ok;
    bool write;
    /* The error is that of a command that held other documents too, not this
     * document's own entry of writeErrors. */
    bool shared;
    /* Of a duplicate key: what holds the key is what we wanted to write (it
     * has our _id, or our (sid, cid)). */
    bool own_key;
    uint32_t domain;
    uint32_t code;
    /* writeConcernError.code of the reply; 0: there was none. */
    uint32_t concern_code;
    unsigned labels; /* enum mongo_label */
    /* How often the command went out in this call: the driver's
     * command-started events. 0: the database has not seen it. Above 1: the
     * driver itself has tried again, and the error is the last one's, while
     * the answer of the first is lost. */
    unsigned sent;
};

/* From the settings store.mongo.retry_*. */
struct mongo_retry_rules {
    unsigned attempts;     /* most, in all; >= 1 */
    uint64_t delay_ms;     /* before the second; > 0 */
    uint64_t max_delay_ms; /* >= delay_ms */
    uint64_t deadline_ms;  /* monotonic: no attempt begins at or after it */
};

/* One operation over its attempts. */
struct mongo_retry {
    struct mongo_retry_rules rules;
    unsigned attempts;         /* made so far */
    bool perhaps;              /* an earlier one may have stored it */
    enum mongo_outcome so_far; /* then: UNKNOWN or UNCONFIRMED */
};

struct mongo_step {
    /* Of the operation, not only of the last attempt: what an earlier attempt
     * may have stored is not called "not stored" because a later one failed.
     * While again it is what is known so far. */
    enum mongo_outcome outcome;
    bool again;
    uint64_t wait_ms; /* before the next attempt; 0 unless again */
};

/* Borrows rules. */
void mongo_retry_begin(struct mongo_retry *r,
                       const struct mongo_retry_rules *rules);

/* After begin: an operation of which an earlier one has left open whether it
 * is stored. */
void mongo_retry_doubt(struct mongo_retry *r);

/* After an attempt that ended at now_ms. random: 64 random bits, for the
 * jitter. A write that is sent again carries the same keys and the same write
 * concern: the server waits for that also when it answers with a duplicate
 * key, so a duplicate without concern_code is as durable as a success. */
struct mongo_step mongo_retry_after(struct mongo_retry *r,
                                    const struct mongo_attempt *a,
                                    uint64_t now_ms, uint64_t random);

/* What one attempt alone says, and whether the reason why it did not say
 * STORED or DELIVERED is one that passes. */
enum mongo_outcome mongo_retry_outcome(const struct mongo_attempt *a);
bool mongo_retry_passing(const struct mongo_attempt *a);

/* The pause after attempt n (from 1): delay_ms, doubled with every further
 * attempt up to max_delay_ms, less up to half of that, so that many who failed
 * together do not come back together. While it doubles no pause is shorter
 * than the one before. */
uint64_t mongo_retry_pause_ms(const struct mongo_retry_rules *rules, unsigned n,
                              uint64_t random);

/* For the log; static. The name of a code of the table, else NULL. */
const char *mongo_retry_code_name(uint32_t code);
const char *mongo_retry_outcome_name(enum mongo_outcome outcome);

#endif
