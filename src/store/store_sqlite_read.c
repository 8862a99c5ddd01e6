/* SPDX-License-Identifier: MIT */
/* Reading jobs, on a reader's own connection. What takes more than one
 * statement runs in one transaction, so that all of it is of one moment. */
#include "store/store_sqlite_read.h"

#include "base/check.h"
#include "base/xalloc.h"
#include "store/store_sqlite_rows.h"
#include "store/store_sqlite_search.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Two numbers: the last session's lastActivity and n. */
#define CURSOR_CHARS (2 * STORE_SQLITE_NUMBER_CHARS)

enum err
store_sqlite_read_session(struct store_link *base, struct store_job *job)
{
    struct session_row row;
    enum err e = store_sqlite_rows_find(store_sqlite_of(base), job->session.sid,
                                        job->user_id, &row);

    if (e != ERR_OK || row.n == 0) {
        return e != ERR_OK ? e : ERR_NOT_FOUND;
    }
    store_sqlite_rows_give(job, &row);
    return ERR_OK;
}

/* The one row of a call that asks for one. */
static enum err
give_session(struct sqlite_call *c, struct store_job *job)
{
    struct session_row row;
    bool found = store_sqlite_row(c);
    enum err e;

    if (found) {
        store_sqlite_rows_session(c, &row);
        store_sqlite_rows_give(job, &row);
    }
    e = store_sqlite_end(c);
    return e == ERR_OK && !found ? ERR_NOT_FOUND : e;
}

enum err
store_sqlite_read_shared(struct store_link *base, struct store_job *job)
{
    struct sqlite_call c =
        store_sqlite_call(store_sqlite_of(base), SQL_SESSION_SHARED);

    store_sqlite_put_text(&c, job->share_token);
    return give_session(&c, job);
}

enum err
store_sqlite_read_latest(struct store_link *base, struct store_job *job)
{
    struct sqlite_call c =
        store_sqlite_call(store_sqlite_of(base), SQL_SESSION_LATEST);

    store_sqlite_put_text(&c, job->user_id);
    store_sqlite_put_int(&c, job->since_ms);
    return give_session(&c, job);
}

/* -- the list of sessions -- */

struct place {
    int64_t last_ms;
    int64_t n;
};

bool
store_sqlite_read_number(const char *p, int64_t *out)
{
    uint64_t value = 0;

    for (int i = 0; i < STORE_SQLITE_NUMBER_CHARS; i++) {
        const char *digits = "0123456789abcdef";
        const char *at = p[i] != '\0' ? strchr(digits, p[i]) : NULL;

        if (at == NULL) {
            return false;
        }
        value = value << 4 | (uint64_t)(at - digits);
    }
    *out = (int64_t)value;
    return value <= INT64_MAX;
}

/* No cursor: before everything. */
static bool
read_cursor(const char *cursor, struct place *from)
{
    *from = (struct place){INT64_MAX, INT64_MAX};
    return cursor == NULL ||
           (strlen(cursor) == CURSOR_CHARS &&
            store_sqlite_read_number(cursor, &from->last_ms) &&
            store_sqlite_read_number(cursor + CURSOR_CHARS / 2, &from->n));
}

static char *
make_cursor(const struct place *at)
{
    char text[CURSOR_CHARS + 1];

    snprintf(text, sizeof(text), "%016" PRIx64 "%016" PRIx64,
             (uint64_t)at->last_ms, (uint64_t)at->n);
    return xstrdup(text);
}

/* Without a search every session is one that is wanted. */
static enum err
is_wanted(struct sqlite_search *search, const struct session_row *row,
          bool *wanted_out)
{
    *wanted_out = true;
    return search == NULL ? ERR_OK
                          : store_sqlite_search_try(search, row, wanted_out);
}

/* Takes the row's record, or frees it. The page is full once there is one that
 * no longer has room in it. */
static enum err
collect_one(struct session_row *row, struct sqlite_search *search,
            struct store_job *job, bool *full_out)
{
    bool wanted;
    enum err e = is_wanted(search, row, &wanted);

    *full_out = e == ERR_OK && wanted && job->count == job->limit;
    if (e != ERR_OK || !wanted || *full_out) {
        session_record_fini(&row->record);
        return e;
    }
    job->sessions =
        xrealloc(job->sessions, (job->count + 1) * sizeof(*job->sessions));
    job->sessions[job->count++] = row->record;
    return ERR_OK;
}

/* Until the page is full or the search has looked at enough; then the cursor
 * stands behind the last session that was passed. */
static enum err
collect_sessions(struct sqlite_call *c, struct sqlite_search *search,
                 struct store_job *job)
{
    struct place last = {0, 0};
    bool more = false;
    enum err e = ERR_OK, ended;

    while (e == ERR_OK && !more && store_sqlite_row(c)) {
        struct session_row row;
        struct place here;

        if (search != NULL && search->left == 0) {
            more = true;
            break;
        }
        store_sqlite_rows_session(c, &row);
        here = (struct place){row.record.last_ms, row.n};
        e = collect_one(&row, search, job, &more);
        last = more ? last : here;
    }
    ended = store_sqlite_end(c);
    job->next_cursor = more ? make_cursor(&last) : NULL;
    return e != ERR_OK ? e : ended;
}

static enum err
read_list(struct sqlite_link *link, struct sqlite_search *search,
          struct store_job *job)
{
    struct sqlite_call c = store_sqlite_call(link, SQL_SESSION_LIST);
    struct place from;

    if (!read_cursor(job->cursor, &from)) {
        return ERR_BAD_REQUEST;
    }
    store_sqlite_put_text(&c, job->user_id);
    store_sqlite_put_int(&c, from.last_ms);
    store_sqlite_put_int(&c, from.n);
    return collect_sessions(&c, search, job);
}

enum err
store_sqlite_read_list(struct store_link *base, struct store_job *job)
{
    struct sqlite_link *link = store_sqlite_of(base);
    struct sqlite_search search;
    enum err e;

    CHECK(job->limit > 0 && job->limit < INT32_MAX);
    if (job->query == NULL || job->query[0] == '\0') {
        return read_list(link, NULL, job);
    }
    if (strlen(job->query) > STORE_QUERY_BYTES) {
        return ERR_BAD_REQUEST;
    }
    store_sqlite_search_init(&search, link, job->query, STORE_SEARCH_BYTES);
    e = read_list(link, &search, job);
    store_sqlite_search_fini(&search);
    return e;
}

/* -- messages -- */

/* What is beyond the limit, or beyond a page's bytes, is left for the next
 * call; a page has at least one message. */
static enum err
collect_messages(struct sqlite_call *c, struct store_job *job)
{
    size_t most = job->limit_bytes > 0 ? job->limit_bytes : STORE_PAGE_BYTES;
    size_t bytes = 0;

    while (store_sqlite_row(c)) {
        if (job->count == job->limit || bytes > most) {
            job->more = true;
            break;
        }
        job->messages =
            xrealloc(job->messages, (job->count + 1) * sizeof(*job->messages));
        store_sqlite_rows_message(c, job->session.sid,
                                  &job->messages[job->count]);
        bytes += job->messages[job->count++].content_n;
    }
    return store_sqlite_end(c);
}

static void
reverse(struct message_record *m, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        struct message_record kept = m[i];

        m[i] = m[count - 1 - i];
        m[count - 1 - i] = kept;
    }
}

static enum err
collect_range(struct sqlite_link *link, struct store_job *job)
{
    bool backward = job->before_seq > 0;
    struct sqlite_call c = store_sqlite_call(
        link, backward ? SQL_MESSAGES_BEFORE : SQL_MESSAGES_AFTER);
    enum err e;

    store_sqlite_put_text(&c, job->session.sid);
    store_sqlite_put_int(&c, backward ? job->before_seq : job->after_seq);
    store_sqlite_put_int(&c, (int64_t)job->limit + 1);
    e = collect_messages(&c, job);
    if (backward) {
        reverse(job->messages, job->count);
    }
    return e;
}

/* No token is asked for, or it is the session's. */
static bool
token_fits(const struct store_job *job, const struct session_record *s)
{
    return job->share_token == NULL ||
           (s->share_token != NULL &&
            strcmp(job->share_token, s->share_token) == 0);
}

/* Without an owner the session is not looked at: no messages, no harm. */
static enum err
check_owner(struct sqlite_link *link, const struct store_job *job)
{
    struct session_row row;
    bool may;
    enum err e;

    if ((job->user_id == NULL || job->user_id[0] == '\0') &&
        job->share_token == NULL) {
        return ERR_OK;
    }
    e = store_sqlite_rows_find(link, job->session.sid, job->user_id, &row);
    may = row.n != 0 && token_fits(job, &row.record);
    session_record_fini(&row.record);
    return e == ERR_OK && !may ? ERR_NOT_FOUND : e;
}

static enum err
find_message(struct sqlite_link *link, struct store_job *job)
{
    struct message_record *wanted = &job->message, found;
    bool by_id = wanted->id[0] != '\0';
    enum err e;

    if (!by_id && wanted->client_id == NULL) {
        return ERR_NOT_FOUND;
    }
    e = store_sqlite_rows_lookup(
        link, by_id ? SQL_MESSAGE_BY_ID : SQL_MESSAGE_BY_CID,
        by_id ? wanted->id : wanted->client_id, job->session.sid, &found);
    if (e != ERR_OK) {
        return e;
    }
    message_record_fini(wanted);
    *wanted = found;
    return store_sqlite_rows_answers(link, job);
}

static enum err
read_range(struct sqlite_link *link, struct store_job *job)
{
    enum err e = check_owner(link, job);

    return e == ERR_OK ? collect_range(link, job) : e;
}

static enum err
read_found(struct sqlite_link *link, struct store_job *job)
{
    enum err e = check_owner(link, job);

    return e == ERR_OK ? find_message(link, job) : e;
}

enum err
store_sqlite_read_snapshot(struct store_link *base, struct store_job *job,
                           enum err (*read)(struct sqlite_link *,
                                            struct store_job *))
{
    struct sqlite_link *link = store_sqlite_of(base);
    struct sqlite_call begin = store_sqlite_call(link, SQL_BEGIN_READ);
    struct sqlite_call end = store_sqlite_call(link, SQL_COMMIT);
    enum err e = store_sqlite_run(&begin, NULL), ended;

    if (e == ERR_OK) {
        e = read(link, job);
    }
    if (sqlite3_get_autocommit(link->db)) {
        return e;
    }
    ended = store_sqlite_run(&end, NULL);
    return ended == ERR_OK ? e : ended;
}

enum err
store_sqlite_read_messages(struct store_link *base, struct store_job *job)
{
    CHECK(job->limit > 0 && job->limit < INT32_MAX);
    return store_sqlite_read_snapshot(base, job, read_range);
}

enum err
store_sqlite_read_find(struct store_link *base, struct store_job *job)
{
    return store_sqlite_read_snapshot(base, job, read_found);
}

enum err
store_sqlite_read_ping(struct store_link *base, struct store_job *job)
{
    (void)job;
    return base->backend->probe(base);
}
