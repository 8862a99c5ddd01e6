/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CHAT_ERRAND_H
#define CHATBOX_CHAT_ERRAND_H

#include "chat/state.h"

/* A frame of a client that waits for the store. Its outlet is held meanwhile,
 * and may leave; the session stays in memory until the errand is over. Member
 * of the object that the store job carries. */
struct errand {
    struct outlet *outlet; /* NULL: gone meanwhile */
    struct session *session;
};

/* o is LIVE and has no errand. */
void errand_start(struct errand *e, struct outlet *o);

/* The outlet goes on, if it is still there. */
void errand_end(struct errand *e);

/* The outlet leaves. */
void errand_forget(struct outlet *o);

#endif
