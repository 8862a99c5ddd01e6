/* SPDX-License-Identifier: MIT */
/* The search of the list of sessions (store_sqlite_read.c). There is no index
 * of words: a user's texts are read, the newest session first, until the page
 * is full or enough has been looked at; the list's cursor goes on from there.
 */
#include "store/store_sqlite_search.h"

/* What a row costs however short its text is. */
#define ROW_BYTES 100

void
store_sqlite_search_init(struct sqlite_search *s, struct sqlite_link *link,
                         const char *query, size_t most)
{
    *s = (struct sqlite_search){.link = link, .left = most};
    match_init(&s->match, str_from(query));
}

void
store_sqlite_search_fini(struct sqlite_search *s)
{
    match_fini(&s->match);
}

static bool
look_at(struct sqlite_search *s, struct str text)
{
    size_t cost = text.n + ROW_BYTES;

    s->left -= cost < s->left ? cost : s->left;
    return match_in(&s->match, text);
}

/* A text that does not open has nothing in it. */
static bool
look_at_row(struct sqlite_search *s, struct sqlite_call *c, const char *sid)
{
    struct seal_place at =
        vault_at_message(sid, sqlite3_column_int64(c->stmt, 1));
    struct buf text;
    bool found;

    (void)store_sqlite_rows_open(c, 0, &at, &text);
    found = look_at(s, buf_str(&text));
    buf_fini(&text);
    return found;
}

enum err
store_sqlite_search_try(struct sqlite_search *s, const struct session_row *row,
                        bool *found_out)
{
    struct sqlite_call c;

    *found_out = look_at(s, str_from(row->record.name));
    if (*found_out) {
        return ERR_OK;
    }
    c = store_sqlite_call(s->link, SQL_MESSAGES_TEXT);
    store_sqlite_put_int(&c, row->n);
    while (!*found_out && store_sqlite_row(&c)) {
        *found_out = look_at_row(s, &c, row->record.sid);
    }
    return store_sqlite_end(&c);
}
