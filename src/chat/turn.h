/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CHAT_TURN_H
#define CHATBOX_CHAT_TURN_H

#include "chat/asking.h"
#include "chat/state.h"
#include "guard/pseudonym.h"

struct turn_carry;

/* A turn: one question and its answer, from arrival to its one end. A table
 * of named steps (turn.def); whatever ends it early enters turn_end, which
 * produces exactly one end (turn_end.def). Turns of a session run one at a
 * time in the order of arrival. A turn belongs to its session, not to the
 * connection that asked: that may leave at any time. */

enum turn_step {
#define STEP(NAME, function, text) TURN_##NAME,
#include "chat/turn.def"
#undef STEP
    TURN_STEPS
};

enum turn_ending {
#define END(NAME, finish, status, error, text) TURN_END_##NAME,
#include "chat/turn_end.def"
#undef END
    TURN_ENDINGS
};

struct turn {
    struct list link; /* session->turns, in order of arrival */
    struct session *session;
    struct outlet *asker; /* NULL once it has gone, and when there was none */
    enum turn_step step;
    enum turn_ending ending; /* valid from STORE on */
    struct message_record question;
    struct message_record answer; /* id, reply_to, … from the start */
    struct buf text;              /* of the answer so far */
    uint64_t begun_ms;            /* when the model was first asked */
    uint64_t first_ms;            /* when its first text came; 0: not yet */
    uint64_t drafted_ms;          /* when a checkpoint was last sent off */
    size_t drafted;               /* bytes of text that were sent off so far */
    size_t durable;               /* bytes of text that the store has */
    int64_t retry_after_ms;       /* of the last failure; -1: unknown */
    struct asking asking;         /* from READ to the end of STREAM */
    struct timer timer;           /* STREAM: drafts; LATE: when to try again */
    struct history *history;      /* from READ until nobody can be asked with it
                                     any more */
    struct turn_carry *carry;     /* NULL until a provider has broken off and
                                     another one goes on (turn_carry.h) */
    uint64_t prompt_tokens;       /* of the prompt, by estimate */
    struct usage so_far;          /* of all that was asked and has come, by
                                     estimate, chunk by chunk */
    struct budget_claim *claim;   /* from the end of READ; NULL: no budget */
    char *roles;                  /* the asker's, each with a NUL; or NULL */
    uint16_t roles_n;
    uint8_t jobs;            /* store jobs that will call back */
    uint8_t tries;           /* LATE: to store the answer after all */
    bool drafting;           /* durable to drafted is on its way */
    bool paused;             /* upstream waits: all outlets are full */
    bool behind;             /* upstream waits: the store has too little */
    bool unasked;            /* there never was an asker */
    bool dropped;            /* the session is gone; say nothing */
    bool told;               /* its one end */
    enum turn_ending finish; /* what the provider's finish reason means */
    char pseudonym[PSEUDONYM_CHARS + 1]; /* the user's at a provider */
};

/* A client's message becomes a turn: stored, acknowledged, run. Takes the
 * question's strings. o is the asker. */
void turn_begin(struct session *s, struct outlet *o,
                struct message_record *question, uint16_t provider);

/* The same of a question that no connection asks (voice.h); everybody is shown
 * it. roles are those of who does, borrowed. */
void turn_begin_unasked(struct session *s, struct message_record *question,
                        struct str roles);

/* A question that is stored already is asked (again): no SAVE. replaces is
 * the id of the answer that this one takes the place of, or NULL. Takes the
 * question's strings. */
void turn_begin_stored(struct session *s, struct outlet *o,
                       struct message_record *question, const char *replaces);

/* The turn of the session that answers this question, or NULL. */
struct turn *turn_find(const struct session *s, const char *question_id);

/* Stops the running turn for a client. False when none runs, or message_id is
 * given and is not its answer's. */
bool turn_cancel(struct session *s, struct str message_id);

/* o goes: no turn may speak to it any more. */
void turn_forget_outlet(struct session *s, struct outlet *o);

/* The session is deleted: its turns stop without a word. */
void turn_drop_all(struct session *s);

/* The same, whatever is under way; for chat_fini, when no job comes back. */
void turn_free_all(struct session *s);

/* Turns that do not run yet end now: at shutdown, and while the storage fails
 * under the one that runs. */
void turn_refuse_waiting(struct session *s, enum turn_ending ending);

/* For the other files of the turn. enter runs the step's function; next
 * starts the first waiting turn if none runs; free takes an OVER turn out. */
void turn_enter(struct turn *t, enum turn_step step);
void turn_next(struct session *s);
void turn_free(struct turn *t);

/* A store job of the turn, of its session, that counts as under way until
 * turn_job_done has been called first thing in done. Gives. */
struct store_job *turn_job(struct turn *t, enum store_op op,
                           void (*done)(struct store_job *));

/* False: the turn was dropped meanwhile (and may be freed by now); the caller
 * frees the job and says nothing. */
bool turn_job_done(struct turn *t);

#endif
