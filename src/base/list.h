/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_BASE_LIST_H
#define CHATBOX_BASE_LIST_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>

/* A circular doubly linked list whose links are members of the objects. A
 * link that is in no list points at itself (list_init) or is all zero. */
struct list {
    struct list *next;
    struct list *prev;
};

static inline void
list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool
list_empty(const struct list *l)
{
    return l->next == l || l->next == NULL;
}

static inline void
list_push_back(struct list *l, struct list *item)
{
    item->prev = l->prev;
    item->next = l;
    l->prev->next = item;
    l->prev = item;
}

/* Taking out a link that is in no list does nothing. */
static inline void
list_remove(struct list *item)
{
    if (item->next != NULL) {
        item->next->prev = item->prev;
        item->prev->next = item->next;
    }
    list_init(item);
}

static inline struct list *
list_pop_front(struct list *l)
{
    struct list *item = l->next;

    if (list_empty(l)) {
        return NULL;
    }
    list_remove(item);
    return item;
}

/* Moves everything of from (which becomes empty) to the end of to. */
static inline void
list_splice_back(struct list *to, struct list *from)
{
    if (list_empty(from)) {
        return;
    }
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

/* The body may remove `it` (not its successor).
 * NOLINTBEGIN(bugprone-macro-parentheses): it is a name, not a value. */
#define LIST_FOREACH(it, head)                                                 \
    for (struct list *it = (head)->next, *it##_next = it->next; it != (head);  \
         it = it##_next, it##_next = it->next)
/* NOLINTEND(bugprone-macro-parentheses) */

#endif
