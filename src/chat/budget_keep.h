/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CHAT_BUDGET_KEEP_H
#define CHATBOX_CHAT_BUDGET_KEEP_H

#include "base/list.h"
#include "base/map.h"
#include "base/str.h"
#include "chat/budget_account.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The accounts that a shard has at hand, and how they become ready: what the
 * usage entries of the running month say is read once. Private to budget.c; the
 * shard's thread. */
struct chat;
struct budget_keep;

/* An account as this shard knows it. */
struct budget_entry {
    struct map_node node;
    struct list link; /* keep->unused while refs is 0 */
    struct budget_keep *keep;
    struct budget_account *account; /* own, or a book's */
    struct budget_account own;      /* of a user */
    uint32_t refs;                  /* claims */
    bool loading;
    bool failed; /* the last reading */
    uint16_t key_n;
    char key[]; /* 'u' and the user's id, or 'r' and the role */
};

/* on_news: an entry has become ready, or could not be read (failed); later
 * than the call that began it. */
struct budget_keep *
budget_keep_new(struct chat *c, void (*on_news)(void *cookie), void *cookie);
void budget_keep_free(struct budget_keep *k); /* NULL is fine */

/* The user's, or the role's that all its users share, with one reference more;
 * borrows the texts. */
struct budget_entry *budget_keep_user(struct budget_keep *k, struct str id);
struct budget_entry *budget_keep_role(struct budget_keep *k, struct str role,
                                      struct budget_account *account);
void budget_keep_release(struct budget_entry *e);

/* Unless it is ready, it is being read from now on. */
void budget_keep_load(struct budget_entry *e);

#endif
