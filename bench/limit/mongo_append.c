/* SPDX-License-Identifier: MIT */
/* The limit for bench/load_acks.c on MongoDB: threads that insert the document
 * of a message, one by one, with the write concern of a message, each on a
 * connection of its own. No session, no number to be found, nobody to answer.
 * The server has made the collection and its indexes before.
 *
 *     mongo_append URI DATABASE THREADS SECONDS [RATE]
 *
 * With a RATE all threads together insert so many a second, and the time of
 * each is counted from the moment in which it was due. The first second does
 * not count. */
#include "base/check.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "bench/load.h"
#include "bench/rows.h"
#include "store/mongo_doc.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define WARM_UP_S 1.0
#define THREADS_MAX 256
#define TIMES_MAX (1 << 20)

struct limit {
    struct mongo_lib lib;
    mongoc_client_pool_t *pool;
    const char *database;
    unsigned threads;
    double begin, end; /* of what counts */
    double every_s;    /* of each thread; 0: at once */
};

struct inserter {
    const struct limit *limit;
    pthread_t thread;
    struct rows rows;
    unsigned number;
    double *us;
    size_t count;
};

/* The message of load_acks, as the server stores it. */
static void
put_document(struct mongo_bson *doc, struct rows *rows)
{
    struct message_record m = {.seq = 1,
                               .at_ms = clock_wall_ms(),
                               .sender = SENDER_USER,
                               .status = STATUS_COMPLETE,
                               .duration_ms = -1,
                               .ttft_ms = -1};
    char type[] = "user_message", cid[] = "c-1000", text[sizeof(rows_content)];

    memcpy(text, rows_content, sizeof(text));
    rows_id(rows, m.id);
    rows_id(rows, m.sid);
    m.type = type;
    m.client_id = cid;
    m.content = text;
    m.content_n = strlen(text);
    mongo_doc_put_message(doc, &m);
}

static void
put_concern(struct mongo_bson *command)
{
    struct mongo_bson concern;

    mongo_bson_open(command, "writeConcern", &concern);
    mongo_bson_text(&concern, "w", "majority");
    mongo_bson_bool(&concern, "j", true);
    mongo_bson_close(command, &concern);
}

static void
insert(struct inserter *i, mongoc_client_t *client)
{
    const struct mongo_lib *lib = &i->limit->lib;
    struct mongo_bson command, list, doc;
    bson_error_t error;
    bson_t reply;

    mongo_bson_init(&command, lib);
    mongo_bson_text(&command, "insert", "messages");
    put_concern(&command);
    mongo_bson_open_array(&command, "documents", &list);
    mongo_bson_open(&list, "0", &doc);
    put_document(&doc, &i->rows);
    mongo_bson_close(&list, &doc);
    mongo_bson_close_array(&command, &list);
    if (!lib->mongoc_client_write_command_with_opts(
            client, i->limit->database, &command.b, NULL, &reply, &error) ||
        mongo_bson_find_int(lib, &reply, "n", 0) != 1) {
        fprintf(stderr, "an insert failed: %s\n", error.message);
        exit(1);
    }
    lib->bson_destroy(&reply);
    mongo_bson_fini(&command);
}

static void
wait_until(double due)
{
    double left = due - load_now();

    if (left > 0) {
        usleep((useconds_t)(left * 1e6));
    }
}

static void *
inserter_main(void *arg)
{
    struct inserter *i = arg;
    const struct limit *l = i->limit;
    mongoc_client_t *client = l->lib.mongoc_client_pool_pop(l->pool);
    double due = load_now() + l->every_s * i->number / l->threads, now;

    while ((now = load_now()) < l->end) {
        if (l->every_s > 0) {
            wait_until(due);
        } else {
            due = now;
        }
        insert(i, client);
        now = load_now();
        if (now >= l->begin && i->count < TIMES_MAX) {
            i->us[i->count++] = (now - due) * 1e6;
        }
        due += l->every_s;
    }
    l->lib.mongoc_client_pool_push(l->pool, client);
    return NULL;
}

static void
connect_to(struct limit *l, const char *text)
{
    char why[512];
    bson_error_t error;
    mongoc_uri_t *uri;

    if (mongo_lib_load(&l->lib, why, sizeof(why)) != ERR_OK) {
        fprintf(stderr, "%s\n", why);
        exit(1);
    }
    l->lib.mongoc_init();
    uri = l->lib.mongoc_uri_new_with_error(text, &error);
    CHECK(uri != NULL);
    l->lib.mongoc_uri_set_option_as_int32(uri, MONGOC_URI_MAXPOOLSIZE,
                                          THREADS_MAX);
    l->pool = l->lib.mongoc_client_pool_new_with_error(uri, &error);
    CHECK(l->pool != NULL);
    l->lib.mongoc_uri_destroy(uri);
}

static double
cpu_seconds(void)
{
    struct rusage u;

    CHECK(getrusage(RUSAGE_SELF, &u) == 0);
    return (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void
report(const struct inserter *all, unsigned threads, double seconds)
{
    double *us = xcalloc((size_t)threads * TIMES_MAX, sizeof(*us));
    size_t n = 0;

    for (unsigned i = 0; i < threads; i++) {
        memcpy(us + n, all[i].us, all[i].count * sizeof(*us));
        n += all[i].count;
    }
    printf("%.0f messages/s, %.0f us CPU each, p50 %.0f us, p99 %.0f us, "
           "p99.9 %.0f us\n",
           (double)n / seconds, cpu_seconds() * 1e6 / (double)(n > 0 ? n : 1),
           load_quantile(us, n, 0.5), load_quantile(us, n, 0.99),
           load_quantile(us, n, 0.999));
    xfree(us);
}

static void
run(const struct limit *l, struct inserter *all)
{
    for (unsigned i = 0; i < l->threads; i++) {
        all[i].limit = l;
        all[i].number = i;
        all[i].us = xcalloc(TIMES_MAX, sizeof(double));
        rows_init(&all[i].rows, 1, (uint64_t)clock_wall_ms() * 1000 + i);
        CHECK(pthread_create(&all[i].thread, NULL, inserter_main, &all[i]) ==
              0);
    }
    for (unsigned i = 0; i < l->threads; i++) {
        CHECK(pthread_join(all[i].thread, NULL) == 0);
    }
}

int
main(int argc, char **argv)
{
    struct inserter all[THREADS_MAX] = {0};
    struct limit l = {.every_s = 0};
    double seconds;

    if (argc < 5) {
        fprintf(stderr, "usage: mongo_append URI DATABASE THREADS SECONDS "
                        "[RATE]\n");
        return 2;
    }
    l.threads = (unsigned)strtoul(argv[3], NULL, 10);
    seconds = strtod(argv[4], NULL);
    CHECK(l.threads > 0 && l.threads <= THREADS_MAX);
    if (argc > 5 && strtod(argv[5], NULL) > 0) {
        l.every_s = l.threads / strtod(argv[5], NULL);
    }
    l.database = argv[2];
    connect_to(&l, argv[1]);
    l.begin = load_now() + WARM_UP_S;
    l.end = l.begin + seconds;
    run(&l, all);
    report(all, l.threads, seconds);
    l.lib.mongoc_client_pool_destroy(l.pool);
    return 0;
}
