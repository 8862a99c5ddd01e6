/* SPDX-License-Identifier: MIT */
/* Ownership of the records' strings and the words for their enums; what is in
 * the records is record.h's matter, how a backend holds them the backend's. */
#include "store/record.h"

#include "base/check.h"
#include "base/xalloc.h"

#include <string.h>

static const char *const sender_words[] = {"user", "ai", "admin", "system"};

static const char *const status_words[] = {"complete", "streaming",
                                           "interrupted", "cancelled"};

/* The members that own memory, so that fini and copy cannot disagree. */
static const size_t session_strings[] = {
    offsetof(struct session_record, user_id),
    offsetof(struct session_record, name),
    offsetof(struct session_record, model_id),
    offsetof(struct session_record, assisting_admin_id),
    offsetof(struct session_record, assisting_admin_name),
    offsetof(struct session_record, share_token),
};

static const size_t message_strings[] = {
    offsetof(struct message_record, type),
    offsetof(struct message_record, client_id),
    offsetof(struct message_record, file_id),
    offsetof(struct message_record, file_url),
    offsetof(struct message_record, metadata),
    offsetof(struct message_record, model_id),
    offsetof(struct message_record, finish_reason),
    offsetof(struct message_record, reply_to),
    offsetof(struct message_record, replaces),
    offsetof(struct message_record, conversation),
    offsetof(struct message_record, budget_roles),
};

static char **
string_at(void *record, size_t offset)
{
    return (char **)(void *)((char *)record + offset);
}

static void
free_strings(void *record, const size_t *offsets, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        xfree(*string_at(record, offsets[i]));
    }
}

/* The record is a bitwise copy of another: gives it strings of its own. */
static void
own_strings(void *record, const size_t *offsets, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char **p = string_at(record, offsets[i]);

        *p = *p == NULL ? NULL : xstrdup(*p);
    }
}

void
session_record_fini(struct session_record *r)
{
    free_strings(r, session_strings, COUNT_OF(session_strings));
    memset(r, 0, sizeof(*r));
}

void
message_record_fini(struct message_record *r)
{
    free_strings(r, message_strings, COUNT_OF(message_strings));
    xfree(r->content);
    memset(r, 0, sizeof(*r));
}

void
session_record_copy(struct session_record *to,
                    const struct session_record *from)
{
    *to = *from;
    own_strings(to, session_strings, COUNT_OF(session_strings));
}

void
message_record_copy(struct message_record *to,
                    const struct message_record *from)
{
    *to = *from;
    own_strings(to, message_strings, COUNT_OF(message_strings));
    if (from->content != NULL) {
        to->content = xmemdup(from->content, from->content_n);
    }
}

const char *
sender_word(enum sender s)
{
    CHECK((size_t)s < COUNT_OF(sender_words));
    return sender_words[s];
}

const char *
status_word(enum message_status s)
{
    CHECK((size_t)s < COUNT_OF(status_words));
    return status_words[s];
}

/* The index of word, or -1. */
static int
find_word(const char *const *words, size_t count, const char *word)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i], word) == 0) {
            return (int)i;
        }
    }
    return -1;
}

bool
sender_of_word(const char *word, enum sender *out)
{
    int i = find_word(sender_words, COUNT_OF(sender_words), word);

    if (i >= 0) {
        *out = (enum sender)i;
    }
    return i >= 0;
}

bool
status_of_word(const char *word, enum message_status *out)
{
    int i = find_word(status_words, COUNT_OF(status_words), word);

    if (i >= 0) {
        *out = (enum message_status)i;
    }
    return i >= 0;
}
