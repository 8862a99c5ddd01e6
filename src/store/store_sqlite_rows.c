/* SPDX-License-Identifier: MIT */
/* Rows and records; see store_sqlite_rows.h. Every read goes through here,
 * so a column is added in this file, in the two column lists and in a
 * migration. */
#include "store/store_sqlite_rows.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/xalloc.h"

#include <stdio.h>
#include <string.h>

/* In the order of SESSION_COLUMNS. */
enum {
    S_N,
    S_ID,
    S_UID,
    S_NM,
    S_MODEL,
    S_TS,
    S_END,
    S_ASSISTED,
    S_ADMIN_ID,
    S_ADMIN_NAME,
    S_HELP,
    S_LAST,
    S_ARCHIVED,
    S_TAKEOVER,
    S_EPOCH,
    S_SEQ,
    S_COUNT,
    S_TOKENS,
    S_COST,
    S_MAX_RESP,
    S_AVG_RESP,
    S_RESP_COUNT,
    S_SHARE
};

/* In the order of MESSAGE_COLUMNS. */
enum {
    M_ID,
    M_SID,
    M_SEQ,
    M_CID,
    M_TS,
    M_SENDER,
    M_TYPE,
    M_STATUS,
    M_FILE_ID,
    M_FILE_URL,
    M_META,
    M_MODEL,
    M_PROMPT,
    M_COMPLETION,
    M_TOTAL,
    M_ESTIMATED,
    M_CACHED,
    M_REASONING,
    M_COST,
    M_DUR,
    M_TTFT,
    M_FINISH,
    M_REPLY_TO,
    M_REPLACES,
    M_SUPERSEDED,
    M_CONVERSATION,
    M_BUDGET_ROLES,
    M_CONTENT
};

static const char *
word_at(sqlite3_stmt *stmt, int column)
{
    const char *p = (const char *)sqlite3_column_text(stmt, column);

    return p != NULL ? p : "";
}

static bool
bool_at(sqlite3_stmt *stmt, int column)
{
    return sqlite3_column_int(stmt, column) != 0;
}

static int64_t
int_at(sqlite3_stmt *stmt, int column, int64_t when_null)
{
    return sqlite3_column_type(stmt, column) == SQLITE_NULL
               ? when_null
               : sqlite3_column_int64(stmt, column);
}

/* -- sealed texts -- */

bool
store_sqlite_rows_open(struct sqlite_call *c, int column,
                       const struct seal_place *at, struct buf *out)
{
    const char *p = (const char *)sqlite3_column_text(c->stmt, column);
    size_t n = (size_t)sqlite3_column_bytes(c->stmt, column);

    buf_init(out, n);
    return vault_get(c->link->vault, at, (struct str){p, n}, out);
}

void
store_sqlite_rows_put_sealed(struct sqlite_call *c, const struct seal_place *at,
                             struct str text)
{
    struct buf sealed;
    size_t n;

    if (!vault_seals(c->link->vault) || text.n == 0) {
        store_sqlite_put_bytes(c, text.p != NULL ? text.p : "", text.n);
        return;
    }
    buf_init(&sealed, VAULT_SIZE(text.n));
    if (vault_put(c->link->vault, at, text, &sealed) != ERR_OK) {
        c->rc = c->rc == SQLITE_OK ? SQLITE_NOMEM : c->rc;
    }
    n = sealed.n;
    store_sqlite_give_bytes(c, buf_give(&sealed), n);
}

void
store_sqlite_rows_put_name(struct sqlite_call *c,
                           const struct session_record *r)
{
    struct seal_place at = vault_at_name(r->sid);

    if (r->name == NULL) {
        store_sqlite_put_null(c);
    } else {
        store_sqlite_rows_put_sealed(c, &at, str_from(r->name));
    }
}

void
store_sqlite_rows_put_kept_name(struct sqlite_call *c,
                                const struct session_record *r)
{
    store_sqlite_put_int(c, r->name_unreadable);
    store_sqlite_rows_put_name(c, r);
}

/* -- rows to records -- */

static void
read_name(struct sqlite_call *c, struct session_record *r)
{
    struct seal_place at = vault_at_name(r->sid);
    struct buf name;

    if (sqlite3_column_type(c->stmt, S_NM) == SQLITE_NULL) {
        return;
    }
    r->name_unreadable = !store_sqlite_rows_open(c, S_NM, &at, &name);
    r->name = r->name_unreadable ? NULL : buf_give(&name);
    buf_fini(&name);
}

void
store_sqlite_rows_session(struct sqlite_call *c, struct session_row *out)
{
    struct session_record *r = &out->record;
    sqlite3_stmt *stmt = c->stmt;

    *out = (struct session_row){.n = sqlite3_column_int64(stmt, S_N)};
    snprintf(r->sid, sizeof(r->sid), "%s", word_at(stmt, S_ID));
    snprintf(r->epoch, sizeof(r->epoch), "%s", word_at(stmt, S_EPOCH));
    r->user_id = store_sqlite_text_at(stmt, S_UID);
    read_name(c, r);
    r->model_id = store_sqlite_text_at(stmt, S_MODEL);
    r->start_ms = sqlite3_column_int64(stmt, S_TS);
    r->end_ms = sqlite3_column_int64(stmt, S_END);
    r->admin_assisted = bool_at(stmt, S_ASSISTED);
    r->assisting_admin_id = store_sqlite_text_at(stmt, S_ADMIN_ID);
    r->assisting_admin_name = store_sqlite_text_at(stmt, S_ADMIN_NAME);
    r->help_requested = bool_at(stmt, S_HELP);
    r->last_ms = sqlite3_column_int64(stmt, S_LAST);
    r->archived = bool_at(stmt, S_ARCHIVED);
    r->takeover_epoch = sqlite3_column_int64(stmt, S_TAKEOVER);
    r->seq = sqlite3_column_int64(stmt, S_SEQ);
    r->message_count = sqlite3_column_int64(stmt, S_COUNT);
    r->total_tokens = sqlite3_column_int64(stmt, S_TOKENS);
    r->cost_nanos = sqlite3_column_int64(stmt, S_COST);
    r->max_response_ms = sqlite3_column_int64(stmt, S_MAX_RESP);
    r->avg_response_ms = sqlite3_column_double(stmt, S_AVG_RESP);
    r->response_count = sqlite3_column_int64(stmt, S_RESP_COUNT);
    r->share_token = store_sqlite_text_at(stmt, S_SHARE);
}

static void
read_usage(sqlite3_stmt *stmt, struct usage *u)
{
    u->present = sqlite3_column_type(stmt, M_TOTAL) != SQLITE_NULL;
    u->prompt_tokens = sqlite3_column_int64(stmt, M_PROMPT);
    u->completion_tokens = sqlite3_column_int64(stmt, M_COMPLETION);
    u->total_tokens = sqlite3_column_int64(stmt, M_TOTAL);
    u->estimated = bool_at(stmt, M_ESTIMATED);
    u->cached_tokens = sqlite3_column_int64(stmt, M_CACHED);
    u->reasoning_tokens = sqlite3_column_int64(stmt, M_REASONING);
    u->cost_nanos = sqlite3_column_int64(stmt, M_COST);
}

/* Words that are not ours (somebody else wrote the file) read as system and
 * complete: shown, never run. */
static void
read_words(sqlite3_stmt *stmt, struct message_record *m)
{
    m->sender = SENDER_SYSTEM;
    m->status = STATUS_COMPLETE;
    (void)sender_of_word(word_at(stmt, M_SENDER), &m->sender);
    (void)status_of_word(word_at(stmt, M_STATUS), &m->status);
}

/* The caller has read sid and seq. A draft has no text here. */
static void
read_content(struct sqlite_call *c, const char *sid, struct message_record *m)
{
    struct seal_place at = vault_at_message(sid, m->seq);
    struct buf text;

    m->unreadable = !store_sqlite_rows_open(c, M_CONTENT, &at, &text);
    m->content_n = text.n;
    m->content = buf_give(&text);
}

void
store_sqlite_rows_message(struct sqlite_call *c, const char *sid,
                          struct message_record *m)
{
    sqlite3_stmt *stmt = c->stmt;

    *m = (struct message_record){.seq = sqlite3_column_int64(stmt, M_SEQ)};
    snprintf(m->id, sizeof(m->id), "%s", word_at(stmt, M_ID));
    snprintf(m->sid, sizeof(m->sid), "%s", word_at(stmt, M_SID));
    m->at_ms = sqlite3_column_int64(stmt, M_TS);
    read_words(stmt, m);
    m->type = store_sqlite_text_at(stmt, M_TYPE);
    m->client_id = store_sqlite_text_at(stmt, M_CID);
    m->file_id = store_sqlite_text_at(stmt, M_FILE_ID);
    m->file_url = store_sqlite_text_at(stmt, M_FILE_URL);
    m->metadata = store_sqlite_text_at(stmt, M_META);
    m->model_id = store_sqlite_text_at(stmt, M_MODEL);
    m->finish_reason = store_sqlite_text_at(stmt, M_FINISH);
    m->reply_to = store_sqlite_text_at(stmt, M_REPLY_TO);
    m->replaces = store_sqlite_text_at(stmt, M_REPLACES);
    m->superseded = bool_at(stmt, M_SUPERSEDED);
    m->conversation = store_sqlite_text_at(stmt, M_CONVERSATION);
    m->budget_roles = store_sqlite_text_at(stmt, M_BUDGET_ROLES);
    read_usage(stmt, &m->usage);
    m->duration_ms = int_at(stmt, M_DUR, -1);
    m->ttft_ms = int_at(stmt, M_TTFT, -1);
    read_content(c, sid, m);
}

/* NULL when unknown. */
static void
put_span(struct sqlite_call *c, int64_t ms)
{
    if (ms < 0) {
        store_sqlite_put_null(c);
    } else {
        store_sqlite_put_int(c, ms);
    }
}

void
store_sqlite_rows_put_usage(struct sqlite_call *c, const struct usage *u)
{
    store_sqlite_put_int(c, u->prompt_tokens);
    store_sqlite_put_int(c, u->completion_tokens);
    store_sqlite_put_int(c, u->total_tokens);
    store_sqlite_put_int(c, u->estimated);
    store_sqlite_put_int(c, u->cached_tokens);
    store_sqlite_put_int(c, u->reasoning_tokens);
    store_sqlite_put_int(c, u->cost_nanos);
}

static void
put_usage(struct sqlite_call *c, const struct message_record *m)
{
    if (m->usage.present) {
        store_sqlite_rows_put_usage(c, &m->usage);
    } else {
        for (int i = 0; i < 7; i++) {
            store_sqlite_put_null(c);
        }
    }
    put_span(c, m->duration_ms);
    put_span(c, m->ttft_ms);
}

void
store_sqlite_rows_put_message(struct sqlite_call *c,
                              const struct message_record *m)
{
    struct seal_place at = vault_at_message(m->sid, m->seq);

    store_sqlite_put_text(c, m->id);
    store_sqlite_put_text(c, m->sid);
    store_sqlite_put_time(c, m->seq);
    store_sqlite_put_text(c, m->client_id);
    store_sqlite_put_int(c, m->at_ms);
    store_sqlite_put_text(c, sender_word(m->sender));
    store_sqlite_put_text(c, m->type != NULL ? m->type : "");
    store_sqlite_put_text(c, status_word(m->status));
    store_sqlite_put_text(c, m->file_id);
    store_sqlite_put_text(c, m->file_url);
    store_sqlite_put_text(c, m->metadata);
    store_sqlite_put_text(c, m->model_id);
    put_usage(c, m);
    store_sqlite_put_text(c, m->finish_reason);
    store_sqlite_put_text(c, m->reply_to);
    store_sqlite_put_text(c, m->replaces);
    store_sqlite_put_int(c, m->superseded);
    store_sqlite_put_text(c, m->conversation);
    store_sqlite_put_text(c, m->budget_roles);
    store_sqlite_rows_put_sealed(c, &at,
                                 (struct str){m->content, m->content_n});
}

int64_t
store_sqlite_rows_duration_ms(const struct session_record *r)
{
    int64_t until = r->end_ms != 0 ? r->end_ms : r->last_ms;

    return until > r->start_ms ? until - r->start_ms : 0;
}

void
store_sqlite_rows_give(struct store_job *job, struct session_row *row)
{
    session_record_fini(&job->session);
    job->session = row->record;
}

enum err
store_sqlite_rows_find(struct sqlite_link *link, const char *sid,
                       const char *owner, struct session_row *out)
{
    struct sqlite_call c = store_sqlite_call(link, SQL_SESSION_GET);
    enum err e;

    *out = (struct session_row){0};
    store_sqlite_put_text(&c, sid);
    if (store_sqlite_row(&c)) {
        store_sqlite_rows_session(&c, out);
    }
    e = store_sqlite_end(&c);
    if (out->n != 0 && owner != NULL && owner[0] != '\0' &&
        strcmp(owner, out->record.user_id) != 0) {
        session_record_fini(&out->record);
        out->n = 0;
    }
    return e;
}

/* The piece that the row is, unless it does not follow what is there or does
 * not open: false then, and the text ends before it. */
static bool
join_piece(struct sqlite_call *c, const struct message_record *m,
           struct buf *text)
{
    struct seal_place at = vault_at_piece(m->sid, m->id, (int64_t)text->n);
    struct buf piece;
    bool good = false;

    if (sqlite3_column_int64(c->stmt, 0) == (int64_t)text->n) {
        good = store_sqlite_rows_open(c, 1, &at, &piece);
        buf_put_str(text, buf_str(&piece));
        buf_fini(&piece);
    }
    return good;
}

enum err
store_sqlite_rows_join(struct sqlite_link *link, struct message_record *m)
{
    struct sqlite_call c;
    struct buf text;

    if (m->seq != 0) {
        return ERR_OK;
    }
    c = store_sqlite_call(link, SQL_PIECES_GET);
    buf_init(&text, SIZE_MAX / 2);
    buf_put(&text, m->content, m->content_n);
    store_sqlite_put_text(&c, m->id);
    store_sqlite_put_text(&c, m->sid);
    while (store_sqlite_row(&c) && join_piece(&c, m, &text)) {
    }
    xfree(m->content);
    m->content_n = text.n;
    m->content = buf_give(&text);
    return store_sqlite_end(&c);
}

enum err
store_sqlite_rows_lookup(struct sqlite_link *link, enum sql by, const char *key,
                         const char *sid, struct message_record *out)
{
    struct sqlite_call c = store_sqlite_call(link, by);
    bool found;
    enum err e;

    store_sqlite_put_text(&c, key);
    store_sqlite_put_text(&c, sid);
    found = store_sqlite_row(&c);
    if (found) {
        store_sqlite_rows_message(&c, sid, out);
    }
    e = store_sqlite_end(&c);
    if (e == ERR_OK && found) {
        e = store_sqlite_rows_join(link, out);
    }
    if (e != ERR_OK && found) {
        message_record_fini(out);
    }
    return e == ERR_OK && !found ? ERR_NOT_FOUND : e;
}

enum err
store_sqlite_rows_answers(struct sqlite_link *link, struct store_job *job)
{
    struct sqlite_call c = store_sqlite_call(link, SQL_MESSAGE_ANSWERS);
    enum err e;

    CHECK(job->messages == NULL);
    store_sqlite_put_text(&c, job->message.id);
    store_sqlite_put_text(&c, job->message.sid);
    while (store_sqlite_row(&c)) {
        job->messages =
            xrealloc(job->messages, (job->count + 1) * sizeof(*job->messages));
        store_sqlite_rows_message(&c, job->message.sid,
                                  &job->messages[job->count++]);
    }
    e = store_sqlite_end(&c);
    for (size_t i = 0; e == ERR_OK && i < job->count; i++) {
        e = store_sqlite_rows_join(link, &job->messages[i]);
    }
    return e;
}
