/* SPDX-License-Identifier: MIT */
/* What the token of a connection says of its user. */
#include "base/check.h"
#include "base/xalloc.h"
#include "chat/chat.h"

void
chat_roles_set(struct outlet *o, bool admin, struct str roles)
{
    CHECK(roles.n <= UINT16_MAX);
    o->admin = admin;
    xfree(o->roles);
    o->roles = roles.n > 0 ? xmemdup(roles.p, roles.n) : NULL;
    o->roles_n = (uint16_t)roles.n;
}
