/* SPDX-License-Identifier: MIT */
/* A list: there are few, and they are looked for when settings are read. */
#include "chat/budget_books.h"

#include "base/list.h"
#include "base/xalloc.h"

#include <string.h>

struct book {
    struct list link;
    struct budget_account account;
    char *role;
};

struct budget_books {
    struct list all;
};

struct budget_books *
budget_books_new(void)
{
    struct budget_books *b = xcalloc(1, sizeof(*b));

    list_init(&b->all);
    return b;
}

void
budget_books_free(struct budget_books *b)
{
    while (b != NULL && !list_empty(&b->all)) {
        struct book *book = CONTAINER_OF(b->all.next, struct book, link);

        list_remove(&book->link);
        xfree(book->role);
        xfree(book);
    }
    xfree(b);
}

struct budget_account *
budget_books_of(struct budget_books *b, const char *role)
{
    struct book *book;

    LIST_FOREACH (it, &b->all) {
        book = CONTAINER_OF(it, struct book, link);
        if (strcmp(book->role, role) == 0) {
            return &book->account;
        }
    }
    book = xcalloc(1, sizeof(*book));
    book->role = xstrdup(role);
    list_push_back(&b->all, &book->link);
    return &book->account;
}
