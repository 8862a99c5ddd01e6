/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_LOOP_MAILBOX_H
#define CHATBOX_LOOP_MAILBOX_H

#include "base/err.h"

#include <pthread.h>
#include <stdbool.h>
#include <uv.h>

struct shard;

/* A letter gives away everything reachable from it. It is a member of the
 * object it carries. */
struct letter {
    struct letter *next;
    /* On the receiver's thread, unlocked; takes the letter. */
    void (*deliver)(struct shard *here, struct letter *self);
    /* Instead of deliver when the receiver is gone; may be NULL. */
    void (*destroy)(struct letter *self);
};

/* A locked list and a wake-up that is sent only when the list was empty; the
 * receiver takes the whole list at once. */
struct mailbox {
    pthread_mutex_t lock;
    struct letter *first; /* under lock, as the next two */
    struct letter *last;
    bool open; /* letters are delivered, wake may be sent */
    uv_async_t wake;
    struct shard *owner;
};

enum err mailbox_init(struct mailbox *m, uv_loop_t *loop,
                      struct shard *owner) MUST_CHECK;

/* Any thread; takes l. */
void mailbox_post(struct mailbox *m, struct letter *l);

/* On the owner's thread, before the loop closes; also from inside a letter.
 * No letter is delivered from now on: what is there and what is posted later
 * stays in the list. A second call changes nothing. */
void mailbox_close(struct mailbox *m);

/* Destroys letters that were never delivered, in order. */
void mailbox_fini(struct mailbox *m);

#endif
