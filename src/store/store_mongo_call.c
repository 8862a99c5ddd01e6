/* SPDX-License-Identifier: MIT */
/* Attempts of reads, and what is around the attempts of any operation: see
 * store_mongo_call.h. What an attempt means and whether there is another one
 * says mongo_retry.c; here they are made. Writes are store_mongo_batch.c's. */
#include "store/store_mongo_call.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/rand.h"
#include "base/xalloc.h"

#include <time.h>

/* Commands that this thread's call has sent; the driver tells it by a
 * callback without any object of ours that is one thread's. */
static _Thread_local unsigned sent;

#define SAME(ours, theirs)                                                     \
    _Static_assert((int)MONGO_##ours == (int)MONGOC_ERROR_##theirs,            \
                   "mongo_retry.h has the driver's numbers")

SAME(DOMAIN_CLIENT, CLIENT);
SAME(DOMAIN_STREAM, STREAM);
SAME(DOMAIN_PROTOCOL, PROTOCOL);
SAME(DOMAIN_SASL, SASL);
SAME(DOMAIN_BSON, BSON);
SAME(DOMAIN_SCRAM, SCRAM);
SAME(DOMAIN_SERVER_SELECTION, SERVER_SELECTION);
SAME(DOMAIN_WRITE_CONCERN, WRITE_CONCERN);
SAME(DOMAIN_SERVER, SERVER);
SAME(DOMAIN_POOL, POOL);
SAME(CODE_PROTOCOL_INVALID_REPLY, PROTOCOL_INVALID_REPLY);
SAME(CODE_PROTOCOL_WIRE_VERSION, PROTOCOL_BAD_WIRE_VERSION);

#undef SAME

/* -- attempts -- */

static void
on_started(const mongoc_apm_command_started_t *event)
{
    (void)event;
    sent++;
}

void
store_mongo_call_watch(struct mongo_db *db)
{
    mongoc_apm_callbacks_t *callbacks = db->lib.mongoc_apm_callbacks_new();

    db->lib.mongoc_apm_set_command_started_cb(callbacks, on_started);
    CHECK(db->lib.mongoc_client_pool_set_apm_callbacks(db->pool, callbacks,
                                                       NULL));
    db->lib.mongoc_apm_callbacks_destroy(callbacks);
}

static unsigned
labels_of(const struct mongo_lib *lib, const bson_t *reply)
{
    static const struct {
        const char *word;
        unsigned label;
    } labels[] = {
        {"RetryableWriteError", MONGO_LABEL_RETRYABLE_WRITE},
        {"NoWritesPerformed", MONGO_LABEL_NO_WRITES_PERFORMED},
        {"TransientTransactionError", MONGO_LABEL_TRANSIENT_TRANSACTION},
        {"UnknownTransactionCommitResult", MONGO_LABEL_UNKNOWN_COMMIT},
    };
    unsigned found = 0;

    for (size_t i = 0; i < COUNT_OF(labels); i++) {
        if (lib->mongoc_error_has_label(reply, labels[i].word)) {
            found |= labels[i].label;
        }
    }
    return found;
}

/* writeConcernError.code; one without a code is a failure all the same. */
static uint32_t
concern_of(const struct mongo_lib *lib, const bson_t *reply)
{
    bson_iter_t it, inside;
    int64_t code = 0;

    if (!mongo_bson_find(lib, reply, "writeConcernError", &it) ||
        !mongo_bson_enter(lib, &it, false, &inside)) {
        return 0;
    }
    while (lib->bson_iter_next(&inside)) {
        if (str_is(str_from(lib->bson_iter_key(&inside)), "code")) {
            (void)mongo_bson_get_int(lib, &inside, &code);
        }
    }
    return code > 0 && code <= INT32_MAX ? (uint32_t)code : 1;
}

/* What the call as a whole showed. */
static void
note_result(const struct mongo_lib *lib, bool ok, struct mongo_result *out)
{
    struct mongo_attempt *a = &out->attempt;

    a->ok = ok;
    a->domain = ok ? 0 : out->error.domain;
    a->code = ok ? 0 : out->error.code;
    a->concern_code = concern_of(lib, &out->reply);
    a->labels = labels_of(lib, &out->reply);
    a->sent = sent;
}

static mongoc_client_t *
pop(struct mongo_db *db, struct mongo_attempt *a)
{
    mongoc_client_t *client = db->lib.mongoc_client_pool_pop(db->pool);

    sent = 0;
    if (client == NULL) {
        a->domain = MONGO_DOMAIN_NO_CLIENT;
    }
    return client;
}

bool
store_mongo_call_once(struct mongo_link *link, const struct mongo_bson *command,
                      bool write, struct mongo_result *out)
{
    struct mongo_db *db = link->db;
    mongoc_client_t *client;
    bool ok;

    out->attempt = (struct mongo_attempt){.write = write};
    out->error = (bson_error_t){.code = 0};
    client = pop(db, &out->attempt);
    if (client == NULL) {
        db->lib.bson_init(&out->reply);
        return false;
    }
    ok = write ? db->lib.mongoc_client_write_command_with_opts(
                     client, db->database, &command->b, NULL, &out->reply,
                     &out->error)
               : db->lib.mongoc_client_read_command_with_opts(
                     client, db->database, &command->b, db->primary, NULL,
                     &out->reply, &out->error);
    note_result(&db->lib, ok, out);
    db->lib.mongoc_client_pool_push(db->pool, client);
    return ok;
}

/* -- between attempts -- */

void
store_mongo_call_begin(const struct mongo_link *link, struct mongo_retry *r)
{
    struct mongo_retry_rules rules = link->db->rules;

    rules.deadline_ms = clock_mono_ms() + STORE_MONGO_DEADLINE_MS;
    mongo_retry_begin(r, &rules);
}

struct mongo_step
store_mongo_call_after(struct mongo_retry *r, const struct mongo_attempt *a)
{
    uint64_t random;

    rand_bytes(&random, sizeof(random));
    return mongo_retry_after(r, a, clock_mono_ms(), random);
}

static const char *
word_of(const struct mongo_attempt *a)
{
    const char *name = a->ok ? NULL : mongo_retry_code_name(a->code);

    if (name != NULL) {
        return name;
    }
    switch (a->domain) {
    case MONGO_DOMAIN_STREAM:
        return "network";
    case MONGO_DOMAIN_SERVER_SELECTION:
        return "no_primary";
    case MONGO_DOMAIN_NO_CLIENT:
        return "no_connection";
    default:
        return a->concern_code != 0 ? "write_concern" : "mongodb";
    }
}

static int
number_of(const struct mongo_attempt *a)
{
    return (int)(a->ok ? a->concern_code : a->code);
}

static void
sleep_ms(uint64_t ms)
{
    struct timespec span = {.tv_sec = (time_t)(ms / 1000),
                            .tv_nsec = (long)(ms % 1000) * 1000000};

    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &span, &span) != 0) {
    }
}

void
store_mongo_call_pause(const struct mongo_attempt *a,
                       const struct mongo_retry *r,
                       const struct mongo_step *step)
{
    log_warn(EVENT_STORE_RETRY, "The database failed; once more.",
             log_cstr("code", word_of(a)), log_int("number", number_of(a)),
             log_cstr("outcome", mongo_retry_outcome_name(step->outcome)),
             log_int("attempt", r->attempts),
             log_int("wait_ms", (int64_t)step->wait_ms));
    sleep_ms(step->wait_ms);
}

static enum mongo_reach
reach_of(const struct mongo_attempt *a)
{
    if (a->domain == MONGO_DOMAIN_SERVER_SELECTION) {
        return MONGO_NOBODY;
    }
    return a->domain == MONGO_DOMAIN_STREAM ||
                   a->domain == MONGO_DOMAIN_NO_CLIENT
               ? MONGO_CUT
               : MONGO_REACHED;
}

enum err
store_mongo_call_failed(struct mongo_link *link, const struct mongo_attempt *a)
{
    link->fault = (struct store_fault){word_of(a), number_of(a), false};
    link->reach = reach_of(a);
    return ERR_DATABASE_ERROR;
}

enum err
store_mongo_call_contended(struct mongo_link *link)
{
    link->fault = (struct store_fault){"contended", 0, false};
    link->reach = MONGO_REACHED;
    return ERR_DATABASE_ERROR;
}

/* -- a database that is away -- */

bool
store_mongo_call_ping(struct mongo_link *link, struct mongo_result *out)
{
    struct mongo_bson command;
    bool ok;

    mongo_bson_init(&command, &link->db->lib);
    mongo_bson_int(&command, "ping", 1);
    ok = store_mongo_call_once(link, &command, false, out);
    link->db->lib.bson_destroy(&out->reply);
    mongo_bson_fini(&command);
    return ok;
}

static bool
is_there(struct mongo_link *link)
{
    struct mongo_result result;

    return store_mongo_call_ping(link, &result);
}

bool
store_mongo_call_may(struct mongo_link *link)
{
    struct mongo_db *db = link->db;
    uint64_t due_ms = atomic_load(&db->look_ms);

    if (!atomic_load(&db->away)) {
        return true;
    }
    link->fault = (struct store_fault){"away", 0, false};
    if (clock_mono_ms() >= due_ms &&
        atomic_compare_exchange_strong(&db->look_ms, &due_ms, UINT64_MAX)) {
        bool back = is_there(link);

        atomic_store(&db->away, !back);
        atomic_store(&db->look_ms, clock_mono_ms() + STORE_MONGO_LOOK_MS);
        return back;
    }
    return false;
}

/* While somebody looks nobody else is to: the next time is put down then. */
static void
shut(struct mongo_db *db)
{
    uint64_t due_ms = atomic_load(&db->look_ms);

    if (due_ms != UINT64_MAX) {
        (void)atomic_compare_exchange_strong(
            &db->look_ms, &due_ms, clock_mono_ms() + STORE_MONGO_LOOK_MS);
    }
    atomic_store(&db->away, true);
}

bool
store_mongo_call_look(struct mongo_link *link)
{
    if (!atomic_load(&link->db->away) && !is_there(link)) {
        shut(link->db);
    }
    return !atomic_load(&link->db->away);
}

/* Connections may be cut one after the other though the database is there. */
void
store_mongo_call_settle(struct mongo_link *link)
{
    if (link->reach == MONGO_NOBODY ||
        (link->reach == MONGO_CUT && !is_there(link))) {
        shut(link->db);
    }
    link->reach = MONGO_REACHED;
}

/* -- reads -- */

static enum err
read_failed(struct mongo_link *link, const struct mongo_attempt *a)
{
    enum err e = store_mongo_call_failed(link, a);

    store_mongo_call_settle(link);
    return e;
}

enum err
store_mongo_call_read(struct mongo_link *link, const struct mongo_bson *command,
                      struct mongo_result *out)
{
    struct mongo_retry r;
    struct mongo_step step;

    if (!store_mongo_call_may(link)) {
        return ERR_DATABASE_ERROR;
    }
    store_mongo_call_begin(link, &r);
    while (!store_mongo_call_once(link, command, false, out)) {
        link->db->lib.bson_destroy(&out->reply);
        step = store_mongo_call_after(&r, &out->attempt);
        if (!step.again) {
            return read_failed(link, &out->attempt);
        }
        store_mongo_call_pause(&out->attempt, &r, &step);
    }
    return ERR_OK;
}

/* Whether all rows were given; *any whether some were. */
static bool
walk(struct mongo_db *db, mongoc_cursor_t *cursor, const struct mongo_query *q,
     bool *any, struct mongo_attempt *a)
{
    const bson_t *doc, *reply;
    bson_error_t error;
    bool wanted = true;

    while (wanted && db->lib.mongoc_cursor_next(cursor, &doc)) {
        *any = true;
        wanted = q->row(q->cookie, doc);
    }
    if (!wanted ||
        !db->lib.mongoc_cursor_error_document(cursor, &error, &reply)) {
        return true;
    }
    a->domain = error.domain;
    a->code = error.code;
    a->labels = reply != NULL ? labels_of(&db->lib, reply) : 0;
    a->sent = sent;
    return false;
}

static bool
query_once(struct mongo_link *link, const struct mongo_query *q, bool *any,
           struct mongo_attempt *a)
{
    struct mongo_db *db = link->db;
    mongoc_collection_t *from;
    mongoc_cursor_t *cursor;
    mongoc_client_t *client;
    bool ok;

    *a = (struct mongo_attempt){.ok = false};
    client = pop(db, a);
    if (client == NULL) {
        return false;
    }
    from = db->lib.mongoc_client_get_collection(client, db->database,
                                                db->collections[q->from]);
    cursor = db->lib.mongoc_collection_find_with_opts(
        from, &q->filter->b, q->options != NULL ? &q->options->b : NULL,
        db->primary);
    ok = walk(db, cursor, q, any, a);
    db->lib.mongoc_cursor_destroy(cursor);
    db->lib.mongoc_collection_destroy(from);
    db->lib.mongoc_client_pool_push(db->pool, client);
    return ok;
}

/* What the rows showed that was none of ours. */
static void
count_odd(struct mongo_link *link)
{
    metric_add(METRIC_STORE_ODD_FIELDS, (int64_t)link->odd_fields);
    metric_add(METRIC_STORE_ODD_DOCUMENTS, (int64_t)link->odd_documents);
    link->odd_fields = link->odd_documents = 0;
}

enum err
store_mongo_call_query(struct mongo_link *link, const struct mongo_query *q)
{
    struct mongo_retry r;
    struct mongo_attempt a;
    struct mongo_step step;
    bool any = false, ok;

    if (!store_mongo_call_may(link)) {
        return ERR_DATABASE_ERROR;
    }
    store_mongo_call_begin(link, &r);
    while (!(ok = query_once(link, q, &any, &a))) {
        step = store_mongo_call_after(&r, &a);
        if (!step.again || (any && q->again == NULL)) {
            break;
        }
        if (any) {
            q->again(q->cookie);
            any = false;
        }
        store_mongo_call_pause(&a, &r, &step);
    }
    count_odd(link);
    return ok ? ERR_OK : read_failed(link, &a);
}
