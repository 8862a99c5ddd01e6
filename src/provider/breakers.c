/* SPDX-License-Identifier: MIT */
/* A list: there are few, and they are looked for when settings are read. */
#include "provider/breakers.h"

#include "base/list.h"
#include "base/xalloc.h"

#include <string.h>

struct named {
    struct list link;
    struct breaker breaker;
    char *id;
    bool named; /* since the last sweep */
};

struct breakers {
    struct list all;
};

struct breakers *
breakers_new(void)
{
    struct breakers *b = xcalloc(1, sizeof(*b));

    list_init(&b->all);
    return b;
}

void
breakers_free(struct breakers *b)
{
    while (b != NULL && !list_empty(&b->all)) {
        struct named *n = CONTAINER_OF(b->all.next, struct named, link);

        list_remove(&n->link);
        xfree(n->id);
        xfree(n);
    }
    xfree(b);
}

static struct named *
find(struct breakers *b, const char *id)
{
    LIST_FOREACH (it, &b->all) {
        struct named *n = CONTAINER_OF(it, struct named, link);

        if (strcmp(n->id, id) == 0) {
            return n;
        }
    }
    return NULL;
}

struct breaker *
breakers_of(struct breakers *b, const char *id)
{
    struct named *n = find(b, id);

    if (n == NULL) {
        n = xcalloc(1, sizeof(*n));
        n->id = xstrdup(id);
        list_push_back(&b->all, &n->link);
    }
    n->named = true;
    breaker_revive(&n->breaker);
    return &n->breaker;
}

void
breakers_sweep(struct breakers *b, void (*on_closed)(const char *id))
{
    LIST_FOREACH (it, &b->all) {
        struct named *n = CONTAINER_OF(it, struct named, link);

        if (!n->named && breaker_retire(&n->breaker)) {
            on_closed(n->id);
        }
        n->named = false;
    }
}
