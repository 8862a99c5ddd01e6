/* SPDX-License-Identifier: MIT */
/* What bench/store_fill.c does for SQLite, straight into MongoDB's collections
 * (a server has made them and their indexes): session number i belongs to
 * user-i and has the i-th id of bench/rows.h (seed 1). Sessions are written one
 * after the other, a thousand documents at a time.
 *
 *     mongo_fill URI DATABASE MESSAGES[xSESSIONS]... */
#include "base/check.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "bench/rows.h"
#include "store/mongo_doc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUP 1000

struct fill {
    struct mongo_lib lib;
    mongoc_client_pool_t *pool;
    mongoc_client_t *client;
    const char *database;
    struct rows rows;
    size_t *counts; /* messages of each session */
    size_t sessions, done;
    char question[RAND_ID_CHARS + 1]; /* the last one's id */
    char text[sizeof(rows_content)];
};

static void
run(struct fill *f, const struct mongo_bson *command)
{
    bson_error_t error;
    bson_t reply;

    if (!f->lib.mongoc_client_write_command_with_opts(
            f->client, f->database, &command->b, NULL, &reply, &error)) {
        fprintf(stderr, "an insert failed: %s\n", error.message);
        exit(1);
    }
    f->lib.bson_destroy(&reply);
}

static void
put_session(struct fill *f, size_t i)
{
    struct mongo_bson command, list, doc;
    struct mongo_session s = {.times_ms = NULL};
    char user[32], model[] = "m";

    snprintf(user, sizeof(user), "user-%zu", i);
    memcpy(s.record.sid, rows_session(&f->rows, i), sizeof(s.record.sid));
    memcpy(s.record.epoch, "0123456789abcdef", 17);
    s.record.user_id = user;
    s.record.model_id = model;
    s.record.start_ms = s.record.last_ms = clock_wall_ms();
    s.record.message_count = s.record.seq = (int64_t)f->counts[i];
    mongo_bson_init(&command, &f->lib);
    mongo_bson_text(&command, "insert", "sessions");
    mongo_bson_open_array(&command, "documents", &list);
    mongo_bson_open(&list, "0", &doc);
    mongo_doc_put_session(&doc, &s);
    mongo_bson_close(&list, &doc);
    mongo_bson_close_array(&command, &list);
    run(f, &command);
    mongo_bson_fini(&command);
}

/* Questions and answers in turn, as store_fill has them. */
static void
put_message(struct fill *f, struct mongo_bson *doc, size_t session, size_t n)
{
    char type[2][16] = {"user_message", "ai_response"};
    char model[] = "m", finish[] = "stop";
    bool answer = n % 2 == 1;
    struct message_record m = {.seq = (int64_t)n + 1,
                               .at_ms = clock_wall_ms(),
                               .sender = answer ? SENDER_AI : SENDER_USER,
                               .status = STATUS_COMPLETE,
                               .type = type[answer],
                               .content = f->text,
                               .content_n = strlen(f->text),
                               .duration_ms = answer ? 1800 : -1,
                               .ttft_ms = answer ? 300 : -1};

    memcpy(m.sid, rows_session(&f->rows, session), sizeof(m.sid));
    rows_id(&f->rows, m.id);
    if (answer) {
        m.model_id = model;
        m.finish_reason = finish;
        m.reply_to = f->question;
        m.usage = (struct usage){40, 50, 90, true, false};
    } else {
        memcpy(f->question, m.id, sizeof(f->question));
        m.client_id = f->question;
    }
    mongo_doc_put_message(doc, &m);
    f->done++;
}

static void
put_group(struct fill *f, size_t session, size_t from, size_t end)
{
    char index[MONGO_BSON_INDEX_SIZE];
    struct mongo_bson command, list, doc;

    mongo_bson_init(&command, &f->lib);
    mongo_bson_text(&command, "insert", "messages");
    mongo_bson_open_array(&command, "documents", &list);
    for (size_t n = from; n < end; n++) {
        mongo_bson_open(&list, mongo_bson_index(index, (uint32_t)(n - from)),
                        &doc);
        put_message(f, &doc, session, n);
        mongo_bson_close(&list, &doc);
    }
    mongo_bson_close_array(&command, &list);
    run(f, &command);
    mongo_bson_fini(&command);
}

static void
fill_session(struct fill *f, size_t i)
{
    put_session(f, i);
    for (size_t n = 0; n < f->counts[i]; n += GROUP) {
        size_t end = n + GROUP < f->counts[i] ? n + GROUP : f->counts[i];

        put_group(f, i, n, end);
    }
}

/* "500x100": a hundred sessions of 500 messages. */
static void
add_sessions(struct fill *f, const char *text)
{
    char *end;
    size_t messages = strtoul(text, &end, 10), count = 1;

    count = *end == 'x' ? strtoul(end + 1, NULL, 10) : count;
    f->counts = xrealloc(f->counts, (f->sessions + count) * sizeof(*f->counts));
    for (size_t i = 0; i < count; i++) {
        f->counts[f->sessions++] = messages;
    }
}

static void
connect_to(struct fill *f, const char *text)
{
    char why[512];
    bson_error_t error;
    mongoc_uri_t *uri;

    if (mongo_lib_load(&f->lib, why, sizeof(why)) != ERR_OK) {
        fprintf(stderr, "%s\n", why);
        exit(1);
    }
    f->lib.mongoc_init();
    uri = f->lib.mongoc_uri_new_with_error(text, &error);
    CHECK(uri != NULL);
    f->pool = f->lib.mongoc_client_pool_new_with_error(uri, &error);
    CHECK(f->pool != NULL);
    f->client = f->lib.mongoc_client_pool_pop(f->pool);
    f->lib.mongoc_uri_destroy(uri);
}

int
main(int argc, char **argv)
{
    struct fill f = {.sessions = 0};

    for (int i = 3; i < argc; i++) {
        add_sessions(&f, argv[i]);
    }
    if (f.sessions == 0) {
        fprintf(stderr, "usage: mongo_fill URI DATABASE "
                        "MESSAGES[xSESSIONS]...\n");
        return 2;
    }
    f.database = argv[2];
    memcpy(f.text, rows_content, sizeof(f.text));
    connect_to(&f, argv[1]);
    rows_init(&f.rows, f.sessions, 1);
    for (size_t i = 0; i < f.sessions; i++) {
        fill_session(&f, i);
    }
    f.lib.mongoc_client_pool_push(f.pool, f.client);
    f.lib.mongoc_client_pool_destroy(f.pool);
    rows_fini(&f.rows);
    xfree(f.counts);
    printf("%zu messages in %zu sessions\n", f.done, f.sessions);
    return 0;
}
