/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CHAT_BUDGET_BOOKS_H
#define CHATBOX_CHAT_BUDGET_BOOKS_H

#include "chat/budget_account.h"

/* The accounts of a process that users share, one for each role whose users
 * ever had a budget together: a reload changes limits and not what was used.
 * Main thread; the accounts themselves are any thread's. */
struct budget_books;

/* Gives. */
struct budget_books *budget_books_new(void);
void budget_books_free(struct budget_books *all); /* NULL is fine */

/* The role's, not ready when it is new; lives as long as all of them. */
struct budget_account *budget_books_of(struct budget_books *all,
                                       const char *role);

#endif
