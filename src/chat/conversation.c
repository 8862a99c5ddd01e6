/* SPDX-License-Identifier: MIT */
/* What a provider's own log knows of ours; see conversation.h. A record may be
 * anything that was stored, so nothing here relies on the log's order but that
 * it is the newest first. */
#include "chat/conversation.h"

#include <string.h>

static bool
is_of(const struct message_record *m, struct str model_id)
{
    return m->conversation != NULL && m->model_id != NULL &&
           m->reply_to != NULL && str_is(model_id, m->model_id);
}

/* The number of the question that records[answer] replies to; 0: it is older
 * than what was read. It mostly stands right behind it. */
static int64_t
question_seq(const struct history_log *log, size_t answer)
{
    for (size_t i = answer + 1; i < log->count; i++) {
        if (strcmp(log->records[i].id, log->records[answer].reply_to) == 0) {
            return log->records[i].seq;
        }
    }
    return 0;
}

static bool
is_history(const struct history_log *log, size_t answer)
{
    return !log->records[answer].superseded &&
           question_seq(log, answer) < log->before_seq;
}

/* Whether all that the conversation of records[newest] says is in the model's
 * history. */
static bool
is_whole(const struct history_log *log, struct str model_id, size_t newest)
{
    const char *id = log->records[newest].conversation;

    for (size_t i = newest; i < log->count; i++) {
        const struct message_record *m = &log->records[i];

        if (is_of(m, model_id) && strcmp(m->conversation, id) == 0 &&
            !is_history(log, i)) {
            return false;
        }
    }
    return true;
}

/* Pairs, oldest first, up to the one with the answer's question. */
static size_t
count_known(const struct history_log *log, size_t answer, const size_t *chosen,
            size_t n)
{
    int64_t last = question_seq(log, answer);
    size_t known = 0;

    while (known < n && log->records[chosen[known]].seq <= last) {
        known += 2;
    }
    return known;
}

struct conversation
conversation_find(const struct history_log *log, struct str model_id,
                  const size_t *chosen, size_t n)
{
    struct conversation found = {.id = NULL};
    size_t i = 0;

    while (i < log->count && !is_of(&log->records[i], model_id)) {
        i++;
    }
    if (i < log->count && is_whole(log, model_id, i)) {
        found.id = log->records[i].conversation;
        found.known = count_known(log, i, chosen, n);
    }
    return found;
}
