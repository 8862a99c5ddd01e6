/* SPDX-License-Identifier: MIT */
/* A wrong key would be seen only when somebody reads an old message, and new
 * ones would be sealed with it meanwhile; so the database has a sealed value of
 * each of its keys, which is opened at every start. */
#include "store/store_sqlite_seals.h"

#include "base/buf.h"
#include "store/store_sqlite.h"

#include <stdio.h>

static enum err
explain(struct sqlite_link *link, enum err e, char *why, size_t why_size)
{
    if (e == ERR_DATABASE_ERROR) {
        snprintf(why, why_size, "The keys of the database cannot be read: %s.",
                 sqlite3_errmsg(link->db));
    }
    return e;
}

enum err
store_sqlite_seals_check(struct sqlite_link *link, char *why, size_t why_size)
{
    struct sqlite_call c = store_sqlite_call(link, SQL_SEALS);
    bool good = true;
    enum err e;

    while (good && store_sqlite_row(&c)) {
        const char *p = (const char *)sqlite3_column_text(c.stmt, 0);
        size_t n = (size_t)sqlite3_column_bytes(c.stmt, 0);

        good = vault_check_get(link->vault, (struct str){p, n}, why, why_size);
    }
    e = store_sqlite_end(&c);
    return explain(link, e == ERR_OK && !good ? ERR_CONFLICT : e, why,
                   why_size);
}

static void
put_key(struct sqlite_call *c)
{
    struct str key = vault_key(c->link->vault);

    store_sqlite_put_bytes(c, key.p, key.n);
}

enum err
store_sqlite_seals_current(struct sqlite_link *link, bool *current_out)
{
    struct sqlite_call c = store_sqlite_call(link, SQL_SEAL_CURRENT);

    put_key(&c);
    *current_out = store_sqlite_row(&c);
    return store_sqlite_end(&c);
}

static enum err
run_on_key(struct sqlite_link *link, enum sql which)
{
    struct sqlite_call c = store_sqlite_call(link, which);

    put_key(&c);
    return store_sqlite_run(&c, NULL);
}

static enum err
put_current(struct sqlite_link *link)
{
    struct sqlite_call c = store_sqlite_call(link, SQL_SEAL_PUT);
    struct buf value;
    enum err e;

    buf_init(&value, VAULT_SIZE(64));
    e = vault_check_put(link->vault, &value);
    if (e == ERR_OK) {
        put_key(&c);
        store_sqlite_put_bytes(&c, value.p, value.n);
        e = store_sqlite_run(&c, NULL);
    }
    buf_fini(&value);
    return e == ERR_OK ? run_on_key(link, SQL_SEALS_LAST) : e;
}

/* In a transaction of its own. */
static enum err
make_current(struct sqlite_link *link)
{
    const struct store_backend *b = link->link.backend;
    enum err e = b->begin(&link->link);

    if (e != ERR_OK) {
        return e;
    }
    e = put_current(link);
    if (e == ERR_OK) {
        e = b->commit(&link->link);
    }
    if (e != ERR_OK) {
        b->rollback(&link->link);
    }
    return e;
}

enum err
store_sqlite_seals_admit(struct sqlite_link *link, char *why, size_t why_size)
{
    bool current = true;
    enum err e = store_sqlite_seals_check(link, why, why_size);

    if (e == ERR_OK && vault_seals(link->vault)) {
        e = store_sqlite_seals_current(link, &current);
    }
    if (e == ERR_OK && !current) {
        e = make_current(link);
    }
    return explain(link, e, why, why_size);
}

enum err
store_sqlite_seals_forget(struct sqlite_link *link)
{
    return run_on_key(link, SQL_SEALS_FORGET);
}
