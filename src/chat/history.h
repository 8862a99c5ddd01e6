/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CHAT_HISTORY_H
#define CHATBOX_CHAT_HISTORY_H

#include "chat/state.h"
#include "provider/provider.h"

/* What the model sees: the system prompt, the newest earlier pairs of question
 * and answer that fit into the budget of tokens, and the new message. Pairs
 * are tied by reply_to, never by their place in the log, and are taken whole
 * or not at all. Read from the store page by page, newest first, no further
 * back than the budget reaches. */
struct history;

struct history_wish {
    const struct message_record *question; /* stored; borrowed until done or
                                              cancel */
    bool pictures; /* somebody sees: uploaded ones are read (album.h) */
    void (*done)(void *cookie, enum err e);
    void *cookie;
};

/* Borrows wish. done runs once, later, with OK or DATABASE_ERROR; unless
 * nothing stands before the question, or what does is remembered (recall.h),
 * and there is no picture to be read: then all is there at once, and *ready. A
 * picture that cannot be had is left out, and logged. */
struct history *history_start(struct session *s,
                              const struct history_wish *wish, bool *ready);

/* Valid when it is ready, or after done with OK, until history_cancel. */
const struct provider_turn *history_prompt(const struct history *h);

/* The same for a model that keeps its own log: prompt, which is a copy of that
 * one, gets the conversation that the question belongs to, and less of the
 * messages: those that are in it. What it borrows is valid as long. */
void history_resume(const struct history *h, struct str model_id,
                    struct provider_turn *prompt);

/* Estimated tokens of that prompt. */
uint64_t history_tokens(const struct history *h);

/* Frees it, before or after done; done does not run any more. NULL is fine. */
void history_cancel(struct history *h);

/* The pure part, for tests. Of records (newest first, as read) below
 * before_seq the pairs that fit into budget, in tokens, newest first until one
 * does not fit. chosen has room for count indices; it gets the pairs chosen,
 * oldest first, as question, answer, question, answer …; returns their number.
 * reached_out: no older record can matter any more. */
struct history_log {
    const struct message_record *records;
    size_t count;
    int64_t before_seq;
    uint64_t budget;
};
size_t history_choose(const struct history_log *log, size_t *chosen,
                      bool *reached_out);

#endif
