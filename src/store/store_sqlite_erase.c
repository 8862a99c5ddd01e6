/* SPDX-License-Identifier: MIT */
/* Erasing one user. A running server waits for every transaction of ours, and
 * overwriting takes time: so a session is thinned, message by message for a
 * few milliseconds at a time, and deleted as a whole when little is left of it.
 * Until then it is the user's and is found by another run. */
#include "store/store_sqlite_erase.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "store/store_sqlite_folder.h"
#include "store/store_sqlite_review.h"
#include "store/store_sqlite_scrub.h"
#include "store/store_sqlite_seals.h"
#include "store/store_sqlite_usage.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Of one transaction, and of the rest behind it. */
#define SLICE_MS 25

#define PATIENCE_MS 60000

static void
rest_ms(uint64_t ms)
{
    struct timespec t = {.tv_sec = (time_t)(ms / 1000),
                         .tv_nsec = (long)(ms % 1000) * 1000000};

    (void)nanosleep(&t, NULL);
}

/* -- opening -- */

static enum err
admit(const struct store_settings *settings, char *why, size_t why_size)
{
    if (!store_sqlite_folder_has(settings->data_dir, STORE_SQLITE_FILE) &&
        !store_sqlite_folder_has(settings->data_dir, STORE_SQLITE_RESTORED)) {
        snprintf(why, why_size, "There is no database in the data folder %s.",
                 settings->data_dir);
        return ERR_NOT_FOUND;
    }
    return ERR_OK;
}

enum err
store_sqlite_erase_open(const struct store_settings *settings,
                        struct store_link **out, char *why, size_t why_size)
{
    enum err e = admit(settings, why, why_size);

    if (e != ERR_OK) {
        return e;
    }
    e = store_sqlite.open(settings, out, why, why_size);
    if (e == ERR_CONFLICT) {
        e = store_sqlite_open_beside(settings, out, why, why_size);
        if (e == ERR_OK) {
            e = store_sqlite_seals_check(store_sqlite_of(*out), why, why_size);
        }
    }
    if (e == ERR_OK) {
        struct sqlite_link *link = store_sqlite_of(*out);

        store_sqlite_busy_wait(link->db, &link->busy, PATIENCE_MS);
    } else if (*out != NULL) {
        store_sqlite.close(*out);
        *out = NULL;
    }
    return e;
}

/* -- counting -- */

static enum err
count_one(struct sqlite_call *c, uint64_t *sum)
{
    if (store_sqlite_row(c)) {
        *sum += (uint64_t)sqlite3_column_int64(c->stmt, 0);
    }
    return store_sqlite_end(c);
}

static enum err
count_of(struct sqlite_link *link, enum sql which, const char *user,
         uint64_t *out)
{
    struct sqlite_call c = store_sqlite_call(link, which);

    *out = 0;
    store_sqlite_put_text(&c, user);
    return count_one(&c, out);
}

static enum err
count_events(struct sqlite_link *link, const char *user, uint64_t *out)
{
    enum err e = ERR_OK;

    *out = 0;
    for (size_t i = 0; e == ERR_OK && erase_own_actions[i] != NULL; i++) {
        struct sqlite_call c = store_sqlite_call(link, SQL_USER_EVENTS);

        store_sqlite_put_text(&c, user);
        store_sqlite_put_text(&c, erase_own_actions[i]);
        e = count_one(&c, out);
    }
    return e;
}

static bool
has_before(struct sqlite_link *link)
{
    char path[STORE_SQLITE_PATH_BYTES];
    const char *own = sqlite3_db_filename(link->db, NULL);
    size_t folder = strlen(own) - strlen(STORE_SQLITE_FILE);

    snprintf(path, sizeof(path), "%.*s" STORE_SQLITE_BEFORE, (int)folder, own);
    return access(path, F_OK) == 0;
}

enum err
store_sqlite_erase_count(struct store_link *base, struct erase *e)
{
    struct sqlite_link *link = store_sqlite_of(base);
    enum err result =
        count_of(link, SQL_USER_SESSIONS, e->user_id, &e->sessions);

    e->before = has_before(link);
    if (result == ERR_OK) {
        result = count_of(link, SQL_USER_MESSAGES, e->user_id, &e->messages);
    }
    if (result == ERR_OK) {
        result = count_of(link, SQL_USER_USAGE, e->user_id, &e->entries);
    }
    return result == ERR_OK ? count_events(link, e->user_id, &e->events)
                            : result;
}

/* -- transactions -- */

struct task {
    struct sqlite_link *link;
    const char *user_id;
    const char *word;
    const struct erase *counts;
    int64_t session; /* row */
    bool done;
};

/* One step in a transaction; then the server has as long. */
static enum err
transact(struct task *t, enum err (*step)(struct task *))
{
    struct store_link *base = &t->link->link;
    uint64_t begin_ms = clock_mono_ms();
    enum err e = base->backend->begin(base);

    if (e != ERR_OK) {
        return e;
    }
    e = step(t);
    if (e == ERR_OK) {
        e = base->backend->commit(base);
    }
    if (e != ERR_OK) {
        base->backend->rollback(base);
    }
    (void)base->backend->tend(base);
    rest_ms(clock_mono_ms() - begin_ms);
    return e;
}

/* -- sessions -- */

static enum err
run_on(struct sqlite_link *link, enum sql which, int64_t n, int *changed)
{
    struct sqlite_call c = store_sqlite_call(link, which);

    store_sqlite_put_int(&c, n);
    return store_sqlite_run(&c, changed);
}

static enum err
thin(struct task *t)
{
    uint64_t begin_ms = clock_mono_ms();
    int changed = 1;
    enum err e = ERR_OK;

    while (e == ERR_OK && changed > 0 &&
           clock_mono_ms() - begin_ms < SLICE_MS) {
        e = run_on(t->link, SQL_MESSAGE_THIN, t->session, &changed);
    }
    t->done = changed == 0;
    return e;
}

static enum err
remove_session(struct task *t)
{
    enum err e = run_on(t->link, SQL_PIECES_DELETE, t->session, NULL);

    if (e == ERR_OK) {
        e = run_on(t->link, SQL_MESSAGES_DELETE, t->session, NULL);
    }
    return e == ERR_OK ? run_on(t->link, SQL_SESSION_DELETE, t->session, NULL)
                       : e;
}

/* The next session of the user into t->session; t->done: there is none. */
static enum err
next_session(struct task *t)
{
    struct sqlite_call c = store_sqlite_call(t->link, SQL_USER_NEXT);

    store_sqlite_put_text(&c, t->user_id);
    t->done = !store_sqlite_row(&c);
    if (!t->done) {
        t->session = sqlite3_column_int64(c.stmt, 0);
    }
    return store_sqlite_end(&c);
}

static enum err
remove_sessions(struct task *t)
{
    enum err e = next_session(t);

    while (e == ERR_OK && !t->done) {
        while (e == ERR_OK && !t->done) {
            e = transact(t, thin);
        }
        if (e == ERR_OK) {
            e = transact(t, remove_session);
        }
        if (e == ERR_OK) {
            e = next_session(t);
        }
    }
    return e;
}

/* -- what was used -- */

static enum err
thin_usage(struct task *t)
{
    int changed;
    enum err e = store_sqlite_usage_thin(t->link, t->user_id, &changed);

    t->done = changed == 0;
    return e;
}

static enum err
remove_usage(struct task *t)
{
    enum err e = ERR_OK;

    for (t->done = false; e == ERR_OK && !t->done;) {
        e = transact(t, thin_usage);
    }
    return e;
}

/* -- the audit -- */

static enum err
exec(struct sqlite_link *link, const char *sql)
{
    int rc = sqlite3_exec(link->db, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? ERR_OK : store_sqlite_failed(link, rc);
}

static enum err
rename_all(struct task *t)
{
    enum err e = ERR_OK;

    for (size_t i = 0; e == ERR_OK && erase_own_actions[i] != NULL; i++) {
        struct sqlite_call c = store_sqlite_call(t->link, SQL_AUDIT_RENAME);

        store_sqlite_put_text(&c, t->word);
        store_sqlite_put_text(&c, t->user_id);
        store_sqlite_put_text(&c, erase_own_actions[i]);
        e = store_sqlite_run(&c, NULL);
    }
    return e;
}

/* The text that makes the guard against changes; NULL: there is none. */
static enum err
guard_text(struct sqlite_link *link, char **out)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(link->db,
                                "SELECT sql FROM sqlite_schema"
                                " WHERE type='trigger'"
                                " AND name='audit_unchanged'",
                                -1, &stmt, NULL);

    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
    }
    *out = rc == SQLITE_ROW ? store_sqlite_text_at(stmt, 0) : NULL;
    sqlite3_finalize(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE
               ? ERR_OK
               : store_sqlite_failed(link, rc);
}

/* The guard steps aside for this one change, in the same transaction, so that
 * nobody ever sees the table without it. */
static enum err
rename_guarded(struct task *t)
{
    char *guard = NULL;
    enum err e = guard_text(t->link, &guard);

    if (e == ERR_OK && guard != NULL) {
        e = exec(t->link, "DROP TRIGGER audit_unchanged");
    }
    if (e == ERR_OK) {
        e = rename_all(t);
    }
    if (e == ERR_OK && guard != NULL) {
        e = exec(t->link, guard);
    }
    xfree(guard);
    return e;
}

static enum err
put_down(struct task *t)
{
    enum err e = t->counts->events > 0 ? rename_guarded(t) : ERR_OK;
    struct erase_note note;

    erase_note(&note, t->counts, t->word);
    return e == ERR_OK ? store_sqlite_review_add(t->link, &note.event) : e;
}

/* What the user did while we were at it. */
static enum err
rename_late(struct task *t)
{
    uint64_t late;
    enum err e = count_events(t->link, t->user_id, &late);

    return e == ERR_OK && late > 0 ? transact(t, rename_guarded) : e;
}

/* -- all -- */

/* The event first: nothing is erased without a trace. */
static enum err
erase(struct task *t)
{
    enum err e = transact(t, put_down);

    if (e == ERR_OK) {
        e = remove_sessions(t);
    }
    if (e == ERR_OK) {
        e = remove_usage(t);
    }
    return e == ERR_OK ? rename_late(t) : e;
}

enum err
store_sqlite_erase_run(struct store_link *base, struct erase *e)
{
    char word[ERASE_WORD_SIZE];
    struct task t = {.link = store_sqlite_of(base),
                     .user_id = e->user_id,
                     .word = word,
                     .counts = e};
    enum err result = store_sqlite_erase_count(base, e);

    erase_word(word);
    if (result == ERR_OK && erase_found(e)) {
        result = erase(&t);
    }
    e->remains = result == ERR_OK &&
                 !store_sqlite_scrub_run(sqlite3_db_filename(t.link->db, NULL),
                                         STORE_SQLITE_SCRUB_PATIENCE_MS);
    return result;
}
