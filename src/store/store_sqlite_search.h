/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_SQLITE_SEARCH_H
#define CHATBOX_STORE_STORE_SQLITE_SEARCH_H

#include "store/match.h"
#include "store/store_sqlite_rows.h"

/* Whose name or messages contain a text. */
struct sqlite_search {
    struct sqlite_link *link;
    struct match match;
    size_t left; /* bytes that may still be looked at; 0: it is enough */
};

/* A search that looks at about `most` bytes. Borrows link until fini. */
void store_sqlite_search_init(struct sqlite_search *s, struct sqlite_link *link,
                              const char *query, size_t most);
void store_sqlite_search_fini(struct sqlite_search *s);

/* Looks into one session, all of it however long it is. */
enum err store_sqlite_search_try(struct sqlite_search *s,
                                 const struct session_row *row,
                                 bool *found_out) MUST_CHECK;

#endif
