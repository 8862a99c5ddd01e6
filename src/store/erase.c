/* SPDX-License-Identifier: MIT */
/* What both databases say in the audit when a user is erased. */
#include "store/erase.h"

#include "base/clock.h"
#include "base/rand.h"

#include <inttypes.h>
#include <stdio.h>

#define DIGITS 16

/* Operators' acts are not among them: who looked into whose conversation is
 * kept for the sake of those whose conversation it was. */
const char *const erase_own_actions[] = {REVIEW_DELETE, REVIEW_EXPORT, NULL};

bool
erase_found(const struct erase *e)
{
    return e->sessions + e->events + e->entries > 0;
}

void
erase_word(char out[static ERASE_WORD_SIZE])
{
    char id[RAND_ID_CHARS + 1];

    rand_id(id);
    snprintf(out, ERASE_WORD_SIZE, "erased-%.*s", DIGITS, id);
}

void
erase_note(struct erase_note *out, const struct erase *e, const char *word)
{
    *out = (struct erase_note){.actor = "system", .action = REVIEW_ERASE};
    snprintf(out->detail, sizeof(out->detail),
             "sessions: %" PRIu64 ", messages: %" PRIu64 ", of %s", e->sessions,
             e->messages, word);
    out->event = (struct review_event){.at_ms = clock_wall_ms(),
                                       .actor = out->actor,
                                       .action = out->action,
                                       .detail = out->detail};
}
