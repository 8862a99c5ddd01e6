/* SPDX-License-Identifier: MIT */
/* How many connections a user has, and would have: what the gate asks before it
 * lets another one in. */
#include "chat/attach.h"
#include "chat/state.h"
#include "chat/user.h"

bool
chat_user_is(const struct outlet *o, struct str id)
{
    return str_eq(user_id(o->user), id);
}

size_t
chat_user_connections(const struct chat *c, struct str id, struct str session,
                      struct str device)
{
    const struct user *u = user_find(c, id);

    return u != NULL ? u->connections - attach_replaced(u, session, device) : 0;
}

size_t
chat_user_replaced(const struct chat *c, struct str id, struct str session,
                   struct str device)
{
    const struct user *u = user_find(c, id);

    return u != NULL ? attach_replaced(u, session, device) : 0;
}

void
chat_user_away(struct chat *c, struct str id, bool begins)
{
    struct user *u = user_get(c, id);

    if (begins) {
        u->connections++;
        u->holds++;
    } else {
        u->connections--;
        u->holds--;
        user_release(u);
    }
}
