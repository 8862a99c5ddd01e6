/* SPDX-License-Identifier: MIT */
/* Users: who has connections or sessions on this shard. A user's record is
 * nothing but that; names and roles belong to the token of a connection. */
#include "chat/user.h"

#include "base/xalloc.h"

#include <string.h>

static struct user *
user_of(const struct map_node *node)
{
    return CONTAINER_OF(node, struct user, node);
}

struct user *
user_find(const struct chat *c, struct str id)
{
    struct map_node *node = map_find(&c->users, id);

    return node != NULL ? user_of(node) : NULL;
}

struct user *
user_get(struct chat *c, struct str id)
{
    struct user *u = user_find(c, id);

    if (u != NULL) {
        return u;
    }
    CHECK(id.n > 0 && id.n <= UINT16_MAX);
    u = xcalloc(1, sizeof(*u) + id.n + 1);
    u->chat = c;
    u->id_n = (uint16_t)id.n;
    memcpy(u->id, id.p, id.n);
    list_init(&u->sessions);
    list_init(&u->outlets);
    list_init(&u->arrivals);
    map_add(&c->users, &u->node);
    return u;
}

void
user_release(struct user *u)
{
    if (u->holds > 0 || !list_empty(&u->sessions) ||
        !list_empty(&u->arrivals)) {
        return;
    }
    map_remove(&u->chat->users, &u->node);
    xfree(u);
}
