/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_ERASE_H
#define CHATBOX_STORE_ERASE_H

#include "store/review.h"

#include <stdbool.h>
#include <stdint.h>

/* Everything of one user: what is erased, and what is said of it. */
struct erase {
    /* in */
    const char *user_id;

    /* out */
    uint64_t sessions;
    uint64_t messages; /* of these sessions, running answers included */
    uint64_t events;   /* of the audit that name the user as the owner */
    uint64_t entries;  /* of what answers have used */
    bool before;       /* a database from before a restore is kept beside,
                          which may have the user, too; it is left alone */
    bool remains;      /* it is deleted, but somebody who does not stop reading
                          keeps the log file, which may still have it */
};

/* What the user of a session does with it, and the audit keeps: in these
 * events a word takes the user's place. NULL at the end. */
extern const char *const erase_own_actions[];

/* Whether anything of the user was found. */
bool erase_found(const struct erase *e);

/* "erased-" and 16 digits, drawn anew each time: the events of one person stay
 * together, and lead to nobody. */
#define ERASE_WORD_SIZE 24
void erase_word(char out[static ERASE_WORD_SIZE]);

/* The event that says what was erased: the counts as they are in e, and the
 * word. */
struct erase_note {
    struct review_event event; /* its strings are the note's */
    char actor[8];
    char action[8];
    char detail[96];
};

void erase_note(struct erase_note *out, const struct erase *e,
                const char *word);

#endif
