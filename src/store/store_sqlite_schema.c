/* SPDX-License-Identifier: MIT */
/* The tables hold the fields of protocol.md section 4 under the same names.
 * Both, sessions and messages, are rowid tables with an integer key of their
 * own (n): text keys in a clustered tree would scatter the long rows. The
 * indexes of the messages begin with their session's n instead of its sid: that
 * is the same as a key, but short, and sessions that are busy at the same time
 * are mostly of the same age, so that a group of messages touches few pages
 * (measured: 0.8 to 1.1 pages a message instead of 1.8 to 2.2). The version is
 * in PRAGMA user_version. */
#include "store/store_sqlite_schema.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Unfinished answers have no seq, so the drafts' index is short. The index on
 * replyTo finds the answers of a repeated question. */
static const char step_tables[] =
    "PRAGMA application_id=0x63686174;"
    "CREATE TABLE sessions("
    " n INTEGER PRIMARY KEY,"
    " _id TEXT NOT NULL UNIQUE,"
    " uid TEXT NOT NULL,"
    " nm TEXT,"
    " modelId TEXT,"
    " ts INTEGER NOT NULL,"
    " endTs INTEGER,"
    " dur INTEGER NOT NULL DEFAULT 0," /* ms from ts to the last activity */
    " adminAssisted INTEGER NOT NULL DEFAULT 0,"
    " assistingAdminId TEXT,"
    " assistingAdminName TEXT,"
    " helpRequested INTEGER NOT NULL DEFAULT 0,"
    " totalTokens INTEGER NOT NULL DEFAULT 0,"
    " lastActivity INTEGER NOT NULL,"
    " maxRespTime INTEGER NOT NULL DEFAULT 0," /* ms */
    " avgRespTime REAL NOT NULL DEFAULT 0,"    /* ms, over respTimes */
    " respCount INTEGER NOT NULL DEFAULT 0,"   /* how many of them */
    " shareToken TEXT,"
    " msgCount INTEGER NOT NULL DEFAULT 0,"
    " seq INTEGER NOT NULL DEFAULT 0,"
    " epoch TEXT NOT NULL,"
    " archived INTEGER NOT NULL DEFAULT 0,"
    " v INTEGER NOT NULL DEFAULT 1,"
    " takeoverEpoch INTEGER NOT NULL DEFAULT 0,"
    " respTimes TEXT NOT NULL DEFAULT '[]'" /* the last ones, in ms */
    ") STRICT;"
    "CREATE INDEX sessions_activity ON sessions(uid,lastActivity);"
    "CREATE INDEX sessions_start ON sessions(uid,ts);"
    "CREATE TABLE messages("
    " n INTEGER PRIMARY KEY,"
    " session INTEGER NOT NULL," /* sessions.n */
    " _id TEXT NOT NULL,"
    " sid TEXT NOT NULL,"
    " seq INTEGER,"
    " cid TEXT,"
    " ts INTEGER NOT NULL,"
    " sender TEXT NOT NULL,"
    " type TEXT NOT NULL,"
    " status TEXT NOT NULL,"
    " fileId TEXT,"
    " fileUrl TEXT,"
    " meta TEXT,"
    " modelId TEXT,"
    " promptTokens INTEGER," /* these four: usage */
    " completionTokens INTEGER,"
    " totalTokens INTEGER,"
    " estimated INTEGER,"
    " durMs INTEGER,"
    " ttftMs INTEGER,"
    " finish TEXT,"
    " replyTo TEXT,"
    " replaces TEXT,"
    " superseded INTEGER NOT NULL DEFAULT 0,"
    " content TEXT NOT NULL"
    ") STRICT;"
    "CREATE UNIQUE INDEX messages_id ON messages(session,_id);"
    "CREATE UNIQUE INDEX messages_seq ON messages(session,seq)"
    " WHERE seq IS NOT NULL;"
    "CREATE UNIQUE INDEX messages_cid ON messages(session,cid)"
    " WHERE cid IS NOT NULL;"
    "CREATE INDEX messages_draft ON messages(session) WHERE seq IS NULL;"
    "CREATE INDEX messages_answer ON messages(session,replyTo)"
    " WHERE replyTo IS NOT NULL;";

/* The text of the running answers, as it was checkpointed: bytes at to upto
 * of it. answer is messages.n. Clustered: an answer's pieces lie together, and
 * beside those of the answers that began at the same time. */
static const char step_pieces[] = "CREATE TABLE pieces("
                                  " answer INTEGER NOT NULL,"
                                  " at INTEGER NOT NULL,"
                                  " upto INTEGER NOT NULL,"
                                  " content TEXT NOT NULL,"
                                  " PRIMARY KEY(answer,at)"
                                  ") STRICT, WITHOUT ROWID;";

/* A token names one session, and few sessions have one. */
static const char step_share[] =
    "CREATE UNIQUE INDEX sessions_share ON sessions(shareToken)"
    " WHERE shareToken IS NOT NULL;";

/* What operators look for: sessions by their start, and the few that ask for a
 * person or have one. An index by the last activity would be written with
 * every message; that order is sorted instead. The audit is only added to,
 * whoever holds the file open. */
static const char step_review[] =
    "CREATE INDEX sessions_ts ON sessions(ts);"
    "CREATE INDEX sessions_help ON sessions(ts) WHERE helpRequested=1;"
    "CREATE INDEX sessions_assisted ON sessions(ts) WHERE adminAssisted=1;"
    "CREATE TABLE audit("
    " n INTEGER PRIMARY KEY,"
    " ts INTEGER NOT NULL,"
    " actor TEXT NOT NULL,"
    " action TEXT NOT NULL,"
    " sid TEXT,"
    " detail TEXT NOT NULL DEFAULT ''"
    ") STRICT;"
    "CREATE INDEX audit_session ON audit(sid) WHERE sid IS NOT NULL;"
    "CREATE INDEX audit_actor ON audit(actor);"
    "CREATE TRIGGER audit_kept BEFORE DELETE ON audit"
    " BEGIN SELECT RAISE(ABORT,'the audit is append-only'); END;"
    "CREATE TRIGGER audit_unchanged BEFORE UPDATE ON audit"
    " BEGIN SELECT RAISE(ABORT,'the audit is append-only'); END;";

/* For whoever reads the file with other tools: the four columns as the one
 * field of the contract. It takes no room. */
static const char step_usage[] =
    "ALTER TABLE messages ADD COLUMN usage TEXT GENERATED ALWAYS AS ("
    "'{\"prompt_tokens\":'||promptTokens||"
    "',\"completion_tokens\":'||completionTokens||"
    "',\"total_tokens\":'||totalTokens||"
    "CASE WHEN estimated=1 THEN ',\"estimated\":true}' ELSE '}' END"
    ") VIRTUAL;";

/* The check value of each key that texts here may be sealed with; current is
 * the one that seals. */
static const char step_seals[] = "CREATE TABLE seals("
                                 " key TEXT PRIMARY KEY,"
                                 " value TEXT NOT NULL,"
                                 " current INTEGER NOT NULL DEFAULT 0"
                                 ") STRICT, WITHOUT ROWID;";

/* What answers have used (usage.h), beginning with what is stored. */
static const char step_ledger[] =
    "CREATE TABLE usage("
    " n INTEGER PRIMARY KEY,"
    " _id TEXT NOT NULL," /* the answer's */
    " uid TEXT NOT NULL,"
    " modelId TEXT,"
    " ts INTEGER NOT NULL,"
    " promptTokens INTEGER NOT NULL,"
    " completionTokens INTEGER NOT NULL,"
    " totalTokens INTEGER NOT NULL,"
    " estimated INTEGER NOT NULL"
    ") STRICT;"
    "INSERT INTO usage(_id,uid,modelId,ts,promptTokens,completionTokens,"
    "totalTokens,estimated)"
    " SELECT m._id,s.uid,m.modelId,m.ts,m.promptTokens,m.completionTokens,"
    "m.totalTokens,m.estimated FROM messages m JOIN sessions s"
    " ON s.n=m.session WHERE m.totalTokens IS NOT NULL AND m.seq IS NOT NULL"
    " ORDER BY m.n;"
    "CREATE INDEX usage_user ON usage(uid,ts);";

/* What a model's provider calls the conversation that an answer is in. And
 * the random values that are made once and kept for good, by their names. */
static const char step_providers[] =
    "ALTER TABLE messages ADD COLUMN convId TEXT;"
    "CREATE TABLE secrets("
    " name TEXT PRIMARY KEY,"
    " value TEXT NOT NULL"
    ") STRICT, WITHOUT ROWID;";

/* What answers cost, in billionths of the prices' unit, and which of their
 * tokens have a price of their own; what was stored before cost nothing. The
 * generated column says what MongoDB's documents say. The ledger is read by
 * time, too. */
static const char step_money[] =
    "ALTER TABLE sessions ADD COLUMN totalCost INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE messages DROP COLUMN usage;"
    "ALTER TABLE messages ADD COLUMN cachedTokens INTEGER;"
    "ALTER TABLE messages ADD COLUMN reasoningTokens INTEGER;"
    "ALTER TABLE messages ADD COLUMN cost INTEGER;"
    "ALTER TABLE messages ADD COLUMN usage TEXT GENERATED ALWAYS AS ("
    "'{\"prompt_tokens\":'||promptTokens||"
    "',\"completion_tokens\":'||completionTokens||"
    "',\"total_tokens\":'||totalTokens||"
    "CASE WHEN estimated=1 THEN ',\"estimated\":true' ELSE '' END||"
    "CASE WHEN cachedTokens>0 THEN ',\"cached_tokens\":'||cachedTokens"
    " ELSE '' END||"
    "CASE WHEN reasoningTokens>0"
    " THEN ',\"reasoning_tokens\":'||reasoningTokens ELSE '' END||"
    "CASE WHEN cost>0 THEN ',\"cost_nanos\":'||cost ELSE '' END||'}'"
    ") VIRTUAL;"
    "ALTER TABLE usage ADD COLUMN cachedTokens INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE usage ADD COLUMN reasoningTokens INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE usage ADD COLUMN cost INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX usage_ts ON usage(ts);";

/* Whose shared budgets an answer counts towards; and what a running one has
 * used so far. */
static const char step_budgets[] =
    "ALTER TABLE messages ADD COLUMN budgetRoles TEXT;"
    "ALTER TABLE usage ADD COLUMN budgetRoles TEXT;"
    "ALTER TABLE pieces ADD COLUMN tokens INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE pieces ADD COLUMN cost INTEGER NOT NULL DEFAULT 0;";

const char *const store_sqlite_schema_steps[] = {
    step_tables, step_pieces, step_share,     step_review, step_usage,
    step_seals,  step_ledger, step_providers, step_money,  step_budgets};
const int store_sqlite_schema_version =
    sizeof(store_sqlite_schema_steps) / sizeof(store_sqlite_schema_steps[0]);

static int
run(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

int
store_sqlite_schema_configure(sqlite3 *db, bool writer)
{
    /* The writer's cache holds the upper pages of the indexes of a database
     * of some gigabytes; the log is kept at its size between checkpoints. */
    int rc = run(db, writer ? "PRAGMA synchronous=FULL;"
                              "PRAGMA secure_delete=ON;"
                              "PRAGMA wal_autocheckpoint=0;"
                              "PRAGMA journal_size_limit=67108864;"
                              "PRAGMA cache_size=-32768"
                            : "PRAGMA query_only=ON");

    if (rc == SQLITE_OK) {
        rc = run(db, "PRAGMA trusted_schema=OFF;"
                     "PRAGMA cell_size_check=ON");
    }
    return rc;
}

/* A number that a pragma answers; -1 on failure. */
static int64_t
pragma_value(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    int64_t value = -1;

    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW) {
        value = sqlite3_column_int64(stmt, 0);
    }
    sqlite3_finalize(stmt);
    return value;
}

static int
set_version(sqlite3 *db, int64_t version)
{
    char sql[64];

    snprintf(sql, sizeof(sql), "PRAGMA user_version=%lld", (long long)version);
    return run(db, sql);
}

int64_t
store_sqlite_schema_version_of(sqlite3 *db)
{
    return pragma_value(db, "PRAGMA user_version");
}

bool
store_sqlite_schema_is_current(sqlite3 *db)
{
    return store_sqlite_schema_version_of(db) == store_sqlite_schema_version;
}

int
store_sqlite_schema_touch(sqlite3 *db)
{
    int64_t version = pragma_value(db, "PRAGMA user_version");

    return version < 0 ? sqlite3_extended_errcode(db)
                       : set_version(db, version);
}

static int
step_up(sqlite3 *db, const char *step, int64_t version)
{
    int rc = run(db, "BEGIN IMMEDIATE");

    if (rc != SQLITE_OK) {
        return rc;
    }
    rc = run(db, step);
    if (rc == SQLITE_OK) {
        rc = set_version(db, version);
    }
    if (rc == SQLITE_OK) {
        rc = run(db, "COMMIT");
    }
    if (rc != SQLITE_OK && !sqlite3_get_autocommit(db)) {
        (void)run(db, "ROLLBACK");
    }
    return rc;
}

enum err
store_sqlite_schema_migrate_by(sqlite3 *db, const char *const *steps,
                               int version, char *why, size_t why_size)
{
    int64_t now = pragma_value(db, "PRAGMA user_version");

    if (now < 0) {
        snprintf(why, why_size, "The database cannot be read: %s.",
                 sqlite3_errmsg(db));
        return ERR_DATABASE_ERROR;
    }
    if (now > version) {
        snprintf(why, why_size,
                 "The database has schema version %lld, made by a newer "
                 "chatbox; this one knows versions up to %d.",
                 (long long)now, version);
        return ERR_DATABASE_ERROR;
    }
    for (; now < version; now++) {
        int rc = step_up(db, steps[now], now + 1);

        if (rc != SQLITE_OK) { /* and was rolled back: errmsg tells of that */
            snprintf(why, why_size,
                     "The database cannot be brought to schema version "
                     "%lld: %s.",
                     (long long)now + 1, sqlite3_errstr(rc));
            return ERR_DATABASE_ERROR;
        }
    }
    return ERR_OK;
}

/* Ours, or empty. */
static bool
is_ours(sqlite3 *db)
{
    int64_t id = pragma_value(db, "PRAGMA application_id");

    return id == STORE_SQLITE_APPLICATION_ID ||
           (id == 0 &&
            pragma_value(db, "SELECT count(*) FROM sqlite_schema") == 0);
}

/* Some network file systems cannot; then the pragma keeps the old mode. */
static bool
use_wal(sqlite3 *db)
{
    sqlite3_stmt *stmt = NULL;
    bool ok = false;

    if (sqlite3_prepare_v2(db, "PRAGMA journal_mode=WAL", -1, &stmt, NULL) ==
            SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW) {
        ok = strcmp((const char *)sqlite3_column_text(stmt, 0), "wal") == 0;
    }
    sqlite3_finalize(stmt);
    return ok;
}

enum err
store_sqlite_schema_migrate(sqlite3 *db, const char *path, char *why,
                            size_t why_size)
{
    if (!is_ours(db)) {
        snprintf(why, why_size,
                 "The file %s is not a chatbox database, or it is damaged.",
                 path);
        return ERR_DATABASE_ERROR;
    }
    if (!use_wal(db)) {
        snprintf(why, why_size,
                 "The database %s cannot be put into WAL mode: %s.", path,
                 sqlite3_errcode(db) != SQLITE_OK
                     ? sqlite3_errmsg(db)
                     : "its file system does not allow it");
        return ERR_DATABASE_ERROR;
    }
    return store_sqlite_schema_migrate_by(db, store_sqlite_schema_steps,
                                          store_sqlite_schema_version, why,
                                          why_size);
}
