/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CHAT_CONVERSATION_H
#define CHATBOX_CHAT_CONVERSATION_H

#include "chat/history.h"

/* Which conversation of a model that keeps its own (provider.h, keeps_log) a
 * question belongs to (decision 40). Pure. */
struct conversation {
    const char *id; /* borrowed from a record; NULL: a new one begins */
    size_t known;   /* so many of the chosen messages, from the front, are in
                       it */
};

/* Of the log's records those of the newest answer of this model that has a
 * conversation, if the model's history (all but superseded answers, and of
 * questions before log->before_seq) has all that it says. chosen, n: what
 * history_choose chose of the same log. Borrows. */
struct conversation conversation_find(const struct history_log *log,
                                      struct str model_id, const size_t *chosen,
                                      size_t n);

#endif
