/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CHAT_USER_H
#define CHATBOX_CHAT_USER_H

#include "chat/state.h"

/* Users in memory of one shard. */

/* NULL when not in memory. Borrows id. */
struct user *user_find(const struct chat *c, struct str id);

/* Found or made. Borrows id. */
struct user *user_get(struct chat *c, struct str id);

/* Frees the user when nothing of it is left in memory. */
void user_release(struct user *u);

/* The outlet counts among the user's connections from here on; no more. */
static inline void
user_count(const struct outlet *o)
{
    o->user->connections += !o->aside;
}
static inline void
user_uncount(const struct outlet *o)
{
    o->user->connections -= !o->aside;
}

#endif
