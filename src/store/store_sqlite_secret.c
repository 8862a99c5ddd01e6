/* SPDX-License-Identifier: MIT */
/* Random values that are made once; see store_sqlite_secret.h. */
#include "store/store_sqlite_secret.h"

#include "store/store_sqlite.h"

static enum err
put(struct sqlite_link *link, const char *name, const char *fresh)
{
    struct sqlite_call c = store_sqlite_call(link, SQL_SECRET_PUT);

    store_sqlite_put_text(&c, name);
    store_sqlite_put_text(&c, fresh);
    return store_sqlite_run(&c, NULL);
}

static enum err
get(struct sqlite_link *link, const char *name, char **out)
{
    struct sqlite_call c = store_sqlite_call(link, SQL_SECRET_GET);

    store_sqlite_put_text(&c, name);
    if (store_sqlite_row(&c)) {
        *out = store_sqlite_text_at(c.stmt, 0);
    }
    return store_sqlite_end(&c);
}

/* Looks first: a start on a full disk is not what it fails at. */
enum err
store_sqlite_secret_keep(struct store_link *base, const char *name,
                         const char *fresh, char **out)
{
    struct sqlite_link *link = store_sqlite_of(base);
    enum err e;

    *out = NULL;
    e = get(link, name, out);
    if (e == ERR_OK && *out == NULL) {
        e = put(link, name, fresh);
        if (e == ERR_OK) {
            e = get(link, name, out);
        }
    }
    return e;
}
