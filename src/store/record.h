/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_RECORD_H
#define CHATBOX_STORE_RECORD_H

#include "base/rand.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is stored, as both backends hold it (protocol.md section 4). Strings
 * are owned by the record; NULL means absent. Times are wall-clock
 * milliseconds; 0 means absent. */

#define RECORD_EPOCH_CHARS 16

/* What is told instead of a text that does not open. */
#define RECORD_UNREADABLE "This message is stored, but it cannot be opened."

enum sender { SENDER_USER, SENDER_AI, SENDER_ADMIN, SENDER_SYSTEM };

enum message_status {
    STATUS_COMPLETE,
    STATUS_STREAMING,
    STATUS_INTERRUPTED,
    STATUS_CANCELLED
};

/* Of an answer. What it cost is computed once, when it ends: prices that
 * change later do not change it. */
struct usage {
    int64_t prompt_tokens;
    int64_t completion_tokens;
    int64_t total_tokens;
    bool present;
    bool estimated;           /* counted by us (provider/estimate.h) */
    int64_t cached_tokens;    /* of the prompt's */
    int64_t reasoning_tokens; /* of the completion's */
    int64_t cost_nanos;       /* billionths of the prices' unit */
};

struct message_record {
    char id[RAND_ID_CHARS + 1];
    char sid[RAND_ID_CHARS + 1];
    int64_t seq; /* 0: not numbered (a running answer) */
    int64_t at_ms;
    enum sender sender;
    enum message_status status;
    char *type;    /* "user_message", "ai_response", … */
    char *content; /* content_n bytes and a NUL */
    size_t content_n;
    bool unreadable; /* a text is stored that does not open; content is "" */
    char *client_id; /* unique per session */
    char *file_id;
    char *file_url;
    char *metadata; /* a JSON object of strings, or NULL */
    char *model_id;
    char *finish_reason;
    char *reply_to;     /* an answer's question */
    char *replaces;     /* the answer this one was regenerated from */
    char *conversation; /* what model_id's provider calls the conversation that
                           the answer is in; NULL: it keeps none */
    char *budget_roles; /* "\nrole\nrole\n": whose shared budgets the answer
                          counts towards; NULL: none's */
    bool superseded;
    struct usage usage;
    int64_t duration_ms; /* -1: unknown */
    int64_t ttft_ms;     /* -1: unknown */
};

struct session_record {
    char sid[RAND_ID_CHARS + 1];
    char epoch[RECORD_EPOCH_CHARS + 1];
    char *user_id;
    char *name;
    bool name_unreadable; /* one is stored that does not open; name is NULL */
    char *model_id;
    int64_t start_ms;
    int64_t last_ms;
    int64_t end_ms; /* 0: active */
    int64_t seq;    /* of the last numbered event */
    int64_t message_count;
    int64_t total_tokens;
    int64_t cost_nanos; /* of all answers */
    int64_t max_response_ms;
    int64_t response_count; /* answers that avg_response_ms is over */
    double avg_response_ms;
    bool archived;
    bool help_requested;
    bool admin_assisted;
    int64_t takeover_epoch;
    char *assisting_admin_id;
    char *assisting_admin_name;
    char *share_token; /* whoever has it may read; NULL: not shared */
};

/* Frees the strings and zeroes. */
void session_record_fini(struct session_record *r);
void message_record_fini(struct message_record *r);

/* Deep copies into *to (overwritten, not freed first). Gives. */
void session_record_copy(struct session_record *to,
                         const struct session_record *from);
void message_record_copy(struct message_record *to,
                         const struct message_record *from);

/* The words on the wire and in the store: "user", "complete". */
const char *sender_word(enum sender s);
const char *status_word(enum message_status s);

/* And back; false (*out untouched) for any other word. Borrow. */
bool sender_of_word(const char *word, enum sender *out);
bool status_of_word(const char *word, enum message_status *out);

#endif
