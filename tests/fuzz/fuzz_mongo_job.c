/* SPDX-License-Identifier: MIT */
/* The jobs of the MongoDB backend against a database that says anything. The
 * first line names the job, a space, and letters of its settings (below); what
 * follows is what each command and each query is answered with (answers.h).
 * Whatever comes: no crash, no leak, a result that is complete, and nothing
 * counts as stored that no answer has confirmed. */
#include "answers.h"

#include "base/check.h"
#include "base/xalloc.h"
#include "store/store_mongo.h"
#include "store/store_mongo_answer.h"
#include "store/store_mongo_call.h"
#include "store/store_mongo_delete.h"
#include "store/store_mongo_erase.h"
#include "store/store_mongo_finish.h"
#include "store/store_mongo_index.h"
#include "store/store_mongo_known.h"
#include "store/store_mongo_mark.h"
#include "store/store_mongo_move.h"
#include "store/store_mongo_old.h"
#include "store/store_mongo_seals.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SID "0123456789abcdef0123456789abcdef"
#define MID "00000000000000000000000000000011"
#define T0 1700000000000
#define LIMIT 3

/* -- the driver -- */

/* What stands in for the database of this run. */
static struct {
    struct answers answers;
    const struct mongo_lib *lib; /* the real one */
    void (*started)(const mongoc_apm_command_started_t *);
    struct mongo_bson doc; /* the last one that a cursor gave */
    bool has_doc;
    struct answers_end end; /* of the cursor's answer */
    uint64_t confirmed;     /* commands that were answered well */
} database;

static mongoc_client_t *
fake_pop(mongoc_client_pool_t *pool)
{
    static char client;

    (void)pool;
    return (mongoc_client_t *)(void *)&client;
}

static void
fake_push(mongoc_client_pool_t *pool, mongoc_client_t *client)
{
    (void)pool;
    (void)client;
}

static void
fake_set_started(mongoc_apm_callbacks_t *callbacks,
                 mongoc_apm_command_started_cb_t started)
{
    (void)callbacks;
    database.started = started;
}

static bool
fake_set_callbacks(mongoc_client_pool_t *pool,
                   mongoc_apm_callbacks_t *callbacks, void *cookie)
{
    (void)pool;
    (void)callbacks;
    (void)cookie;
    return true;
}

static bool
answer(bson_t *reply, bson_error_t *error)
{
    struct mongo_bson doc;
    struct answers_end end;

    database.started(NULL);
    if (answers_next(&database.answers, &doc)) {
        database.lib->bson_copy_to(&doc.b, reply);
        mongo_bson_fini(&doc);
    } else {
        database.lib->bson_init(reply);
    }
    end = answers_finish(&database.answers);
    error->domain = end.domain;
    error->code = end.code;
    database.confirmed += !end.failed;
    return !end.failed;
}

static bool
fake_write(mongoc_client_t *client, const char *name, const bson_t *command,
           const bson_t *options, bson_t *reply, bson_error_t *error)
{
    (void)client;
    (void)name;
    (void)command;
    (void)options;
    return answer(reply, error);
}

static bool
fake_read(mongoc_client_t *client, const char *name, const bson_t *command,
          const mongoc_read_prefs_t *prefs, const bson_t *options,
          bson_t *reply, bson_error_t *error)
{
    (void)client;
    (void)name;
    (void)command;
    (void)prefs;
    (void)options;
    return answer(reply, error);
}

static mongoc_collection_t *
fake_collection(mongoc_client_t *client, const char *name, const char *of)
{
    (void)name;
    CHECK(of != NULL);
    return (mongoc_collection_t *)(void *)client;
}

static void
fake_collection_destroy(mongoc_collection_t *collection)
{
    (void)collection;
}

static mongoc_cursor_t *
fake_find(mongoc_collection_t *collection, const bson_t *filter,
          const bson_t *options, const mongoc_read_prefs_t *prefs)
{
    (void)filter;
    (void)options;
    (void)prefs;
    database.started(NULL);
    return (mongoc_cursor_t *)(void *)collection;
}

static void
drop_doc(void)
{
    if (database.has_doc) {
        mongo_bson_fini(&database.doc);
    }
    database.has_doc = false;
}

static bool
fake_next(mongoc_cursor_t *cursor, const bson_t **doc)
{
    (void)cursor;
    drop_doc();
    database.has_doc = answers_next(&database.answers, &database.doc);
    *doc = &database.doc.b;
    return database.has_doc;
}

static bool
fake_error(mongoc_cursor_t *cursor, bson_error_t *error, const bson_t **reply)
{
    struct answers_end end = answers_finish(&database.answers);

    (void)cursor;
    error->domain = end.domain;
    error->code = end.code;
    *reply = NULL;
    return end.failed;
}

/* One that was given up in the middle is over all the same. */
static void
fake_cursor_destroy(mongoc_cursor_t *cursor)
{
    (void)cursor;
    if (database.has_doc) {
        (void)answers_finish(&database.answers);
    }
    drop_doc();
}

static void
fake(struct mongo_lib *lib)
{
    lib->mongoc_client_pool_pop = fake_pop;
    lib->mongoc_client_pool_push = fake_push;
    lib->mongoc_apm_set_command_started_cb = fake_set_started;
    lib->mongoc_client_pool_set_apm_callbacks = fake_set_callbacks;
    lib->mongoc_client_write_command_with_opts = fake_write;
    lib->mongoc_client_read_command_with_opts = fake_read;
    lib->mongoc_client_get_collection = fake_collection;
    lib->mongoc_collection_destroy = fake_collection_destroy;
    lib->mongoc_collection_find_with_opts = fake_find;
    lib->mongoc_cursor_next = fake_next;
    lib->mongoc_cursor_error_document = fake_error;
    lib->mongoc_cursor_destroy = fake_cursor_destroy;
}

/* -- a link -- */

/* What every run has, made by the first one. */
struct house {
    struct mongo_lib lib;
    struct mongo_db db;
    struct vault *plain;
    struct vault *sealed;
};

static const struct house *
build(void)
{
    static const unsigned char key[SEAL_KEY_BYTES] = "one";
    static struct house h;
    struct seal_ring *ring;
    char why[256];

    if (h.plain != NULL) {
        return &h;
    }
    ring = seal_ring_new();
    CHECK(seal_ring_add(ring, STR("k1"), key) == ERR_OK);
    CHECK(mongo_lib_load(&h.lib, why, sizeof(why)) == ERR_OK);
    h.db = (struct mongo_db){.lib = h.lib,
                             .database = xstrdup("db"),
                             .rules = {.delay_ms = 1, .max_delay_ms = 1}};
    for (int i = 0; i < MONGO_COLLECTIONS; i++) {
        h.db.collections[i] = xstrdup("c");
    }
    fake(&h.db.lib);
    store_mongo_call_watch(&h.db);
    h.sealed = vault_new(ring);
    h.plain = vault_new(NULL);
    database.lib = &h.lib;
    return &h;
}

/* -- jobs -- */

/* Letters behind the job's name. */
static bool
has(struct str settings, char letter)
{
    return settings.n > 0 && memchr(settings.p, letter, settings.n) != NULL;
}

/* o: of an owner; t: by a share token; c: by the client's id; b: backwards;
 * q: a search; n: the session is old; d: not the first piece; p: left open by
 * an earlier round. */
static struct store_job *
make_job(enum store_op op, struct str settings)
{
    static const char text[] = "caf\xc3\xa9 and more";
    struct store_job *job = xcalloc(1, sizeof(*job));
    struct message_record *m = &job->message;

    job->op = op;
    job->limit = LIMIT;
    job->patch = STORE_PATCH_NAME | STORE_PATCH_END | STORE_PATCH_SHARE;
    job->review = review_new();
    job->review->to_ms = INT64_MAX;
    job->review->event.actor = xstrdup("ann");
    job->review->event.action = xstrdup(REVIEW_DELETE);
    job->user_id =
        op >= STORE_SESSION_PUT || has(settings, 'o') ? xstrdup("ann") : NULL;
    job->share_token = has(settings, 't') ? xstrdup("token") : NULL;
    job->query = has(settings, 'q') ? xstrdup("AND") : NULL;
    job->before_seq = has(settings, 'b') ? 7 : 0;
    job->draft_offset = has(settings, 'd') ? 4 : 0;
    job->session = (struct session_record){.sid = SID,
                                           .epoch = "fedcba9876543210",
                                           .user_id = xstrdup("ann"),
                                           .start_ms = T0,
                                           .last_ms = T0};
    job->session.seq = has(settings, 'n') ? 4 : 0;
    job->open_ms = has(settings, 'p') ? 1 : 0;
    *m = (struct message_record){.sid = SID,
                                 .at_ms = T0,
                                 .type = xstrdup("user_message"),
                                 .content = xmemdup(text, sizeof(text) - 1),
                                 .content_n = sizeof(text) - 1,
                                 .duration_ms = -1,
                                 .ttft_ms = -1};
    m->client_id = has(settings, 'c') ? xstrdup("c-1") : NULL;
    if (op != STORE_MESSAGE_FIND || !has(settings, 'c')) {
        memcpy(m->id, MID, sizeof(MID));
    }
    if (op == STORE_ANSWER_FINISH) {
        m->sender = SENDER_AI;
        m->duration_ms = 40;
        m->replaces = has(settings, 'b') ? xstrdup("earlier") : NULL;
    }
    return job;
}

static void
check_texts(const struct store_job *job)
{
    for (size_t i = 0; job->messages != NULL && i < job->count; i++) {
        const struct message_record *m = &job->messages[i];

        CHECK(m->content != NULL && m->type != NULL);
        CHECK(m->content[m->content_n] == '\0');
    }
}

/* What a page may have at most, and what a write must have heard. */
static void
check_job(const struct store_job *job)
{
    bool page = job->op == STORE_SESSION_LIST || job->op == STORE_MESSAGES;

    CHECK(!page || job->count <= job->limit);
    CHECK(job->review->event_count <= job->limit);
    CHECK(job->op < STORE_SESSION_PUT || job->result != ERR_OK ||
          database.confirmed > 0);
    check_texts(job);
}

static void
run_job(struct mongo_link *link, enum store_op op, struct str settings)
{
    struct store_job *job = make_job(op, settings);

    if (op == STORE_ANSWER_FINISH && has(settings, 'g')) {
        store_mongo_finish_group(link, &job, 1);
    } else {
        job->result = store_mongo.ops[op](&link->link, job);
    }
    if (job->result == ERR_OK) {
        check_job(job);
    }
    store_job_free(job);
}

/* -- what is done at the start, and by commands -- */

static void
move(struct mongo_link *link, struct str settings)
{
    struct mongo_move out;
    enum err e = store_mongo_move(link, SID, has(settings, 'd'), &out);

    CHECK(e != ERR_OK || out.opened + out.unreadable <= out.messages);
    CHECK(out.odd >= 0 && out.problem < MONGO_MOVE_PROBLEMS);
}

static void
start(struct mongo_link *link, struct str settings)
{
    char why[512];
    enum err e = store_mongo_index_check(link, why, sizeof(why));

    (void)settings;
    if (e == ERR_OK) {
        e = store_mongo_index_prepare(link, why, sizeof(why));
    }
    if (e == ERR_OK) {
        e = store_mongo_seals_admit(link, why, sizeof(why));
    }
    CHECK(e == ERR_OK || strlen(why) > 0);
}

static void
recover(struct mongo_link *link, struct str settings)
{
    (void)settings;
    (void)!store_mongo_old_prepare(link);
    (void)!store_mongo_delete_recover(link);
    (void)!store_mongo_mark_recover(link);
    (void)!store_mongo_answer_recover(link);
}

static void
erase(struct mongo_link *link, struct str settings)
{
    struct erase e = {.user_id = "ann"};

    (void)!(has(settings, 'd') ? store_mongo_erase_count
                               : store_mongo_erase_run)(&link->link, &e);
}

/* -- which -- */

static const struct {
    const char *name;
    enum store_op op; /* if there is no function */
    void (*run)(struct mongo_link *link, struct str settings);
} acts[] = {
    {"get", STORE_SESSION_GET, NULL},
    {"shared", STORE_SESSION_SHARED, NULL},
    {"latest", STORE_SESSION_LATEST, NULL},
    {"list", STORE_SESSION_LIST, NULL},
    {"messages", STORE_MESSAGES, NULL},
    {"find", STORE_MESSAGE_FIND, NULL},
    {"ping", STORE_PING, NULL},
    {"browse", STORE_SESSION_BROWSE, NULL},
    {"figures", STORE_SESSION_FIGURES, NULL},
    {"audit", STORE_AUDIT_LIST, NULL},
    {"put", STORE_SESSION_PUT, NULL},
    {"patch", STORE_SESSION_PATCH, NULL},
    {"delete", STORE_SESSION_DELETE, NULL},
    {"append", STORE_MESSAGE_APPEND, NULL},
    {"piece", STORE_DRAFT_PUT, NULL},
    {"drop", STORE_DRAFT_DROP, NULL},
    {"finish", STORE_ANSWER_FINISH, NULL},
    {"event", STORE_AUDIT_PUT, NULL},
    {"move", STORE_OPS, move},
    {"start", STORE_OPS, start},
    {"recover", STORE_OPS, recover},
    {"erase", STORE_OPS, erase},
};

static void
act(struct mongo_link *link, struct str name, struct str settings)
{
    for (size_t i = 0; i < COUNT_OF(acts); i++) {
        if (str_is(name, acts[i].name) && acts[i].run != NULL) {
            acts[i].run(link, settings);
        } else if (str_is(name, acts[i].name)) {
            run_job(link, acts[i].op, settings);
            if (has(settings, 'w')) {
                run_job(link, acts[i].op, settings);
            }
        }
    }
}

/* g: an answer ends in a group; w: the job is done twice, so that the second
 * one finds what the first one knew; k: with keys; h: documents of the older
 * form were met before; r: there is a second attempt. */
static void
run(const struct house *h, struct str name, struct str settings)
{
    struct mongo_db db = h->db;
    struct mongo_link link = {
        .link = {&store_mongo},
        .db = &db,
        .writes = true,
        .vault = has(settings, 'k') ? h->sealed : h->plain,
        .known = store_mongo_known_new(),
        .times_max = 3,
    };

    db.rules.attempts = has(settings, 'r') ? 2 : 1;
    atomic_init(&db.old, has(settings, 'h'));
    act(&link, name, settings);
    store_mongo_known_free(link.known);
    CHECK(!database.has_doc);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct house *h = build();
    struct str all = {size > 0 ? (const char *)data : "", size};
    struct str settings, name;

    if (!str_split(&all, '\n', &settings) ||
        !str_split(&settings, ' ', &name)) {
        return 0;
    }
    database.confirmed = 0;
    answers_begin(&database.answers, &h->lib, (const uint8_t *)all.p, all.n);
    run(h, name, settings);
    return 0;
}
