/* SPDX-License-Identifier: MIT */
/* The gate before a database that is away, with a driver that only pings. */
#include "store/store_mongo_call.h"

#include "base/clock.h"
#include "base/xalloc.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define THREADS 8

/* -- the driver -- */

static struct {
    struct mongo_lib lib;
    atomic_bool there; /* the database answers */
    atomic_bool held;  /* a ping waits as long as this is so */
    atomic_uint pings; /* so far */
    atomic_uint now;   /* at this moment */
    atomic_uint most;  /* of that */
} driver;

static mongoc_client_t *
pop(mongoc_client_pool_t *pool)
{
    static char client;

    (void)pool;
    return (mongoc_client_t *)(void *)&client;
}

static void
push(mongoc_client_pool_t *pool, mongoc_client_t *client)
{
    (void)pool;
    (void)client;
}

static void
breathe(void)
{
    const struct timespec span = {.tv_nsec = 200000};

    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &span, NULL);
}

static bool
ping(mongoc_client_t *client, const char *database, const bson_t *command,
     const mongoc_read_prefs_t *prefs, const bson_t *options, bson_t *reply,
     bson_error_t *error)
{
    unsigned now = atomic_fetch_add(&driver.now, 1) + 1;
    unsigned most = atomic_load(&driver.most);

    (void)client;
    (void)database;
    (void)command;
    (void)prefs;
    (void)options;
    while (most < now &&
           !atomic_compare_exchange_weak(&driver.most, &most, now)) {
    }
    atomic_fetch_add(&driver.pings, 1);
    do {
        breathe();
    } while (atomic_load(&driver.held));
    driver.lib.bson_init(reply);
    error->domain = MONGOC_ERROR_SERVER_SELECTION;
    atomic_fetch_sub(&driver.now, 1);
    return atomic_load(&driver.there);
}

static int
load(void **state)
{
    char why[256];

    (void)state;
    assert_int_equal(mongo_lib_load(&driver.lib, why, sizeof(why)), ERR_OK);
    driver.lib.mongoc_client_pool_pop = pop;
    driver.lib.mongoc_client_pool_push = push;
    driver.lib.mongoc_client_read_command_with_opts = ping;
    return 0;
}

static struct mongo_db *
make_db(bool there)
{
    struct mongo_db *db = xcalloc(1, sizeof(*db));

    db->lib = driver.lib;
    atomic_store(&driver.there, there);
    atomic_store(&driver.held, false);
    atomic_store(&driver.pings, 0);
    atomic_store(&driver.most, 0);
    return db;
}

static void
shut(struct mongo_link *link)
{
    link->reach = MONGO_NOBODY;
    store_mongo_call_settle(link);
}

/* -- one thread -- */

static void
test_it_is_open_until_nobody_is_reached(void **state)
{
    struct mongo_db *db = make_db(false);
    struct mongo_link link = {.db = db};

    (void)state;
    assert_true(store_mongo_call_may(&link));
    link.reach = MONGO_REACHED;
    store_mongo_call_settle(&link);
    assert_true(store_mongo_call_may(&link));
    assert_int_equal(atomic_load(&driver.pings), 0);
    shut(&link);
    assert_false(store_mongo_call_may(&link));
    assert_string_equal(link.fault.name, "away");
    assert_int_equal(atomic_load(&driver.pings), 0); /* not so soon */
    xfree(db);
}

static void
test_a_connection_that_was_cut_shuts_it_only_if_a_ping_fails_too(void **state)
{
    struct mongo_db *db = make_db(true);
    struct mongo_link link = {.db = db, .reach = MONGO_CUT};

    (void)state;
    store_mongo_call_settle(&link);
    assert_true(store_mongo_call_may(&link));
    assert_int_equal(atomic_load(&driver.pings), 1);
    atomic_store(&driver.there, false);
    link.reach = MONGO_CUT;
    store_mongo_call_settle(&link);
    assert_false(store_mongo_call_may(&link));
    xfree(db);
}

/* -- many -- */

struct crowd {
    struct mongo_db *db;
    atomic_bool over;
    atomic_uint passed; /* threads that were let through */
};

/* Asks all the time; every second one fails once while somebody looks, as an
 * operation may that began before the gate was shut. */
static void *
ask(void *arg)
{
    static atomic_uint number;
    struct crowd *c = arg;
    struct mongo_link link = {.db = c->db};
    bool fails = atomic_fetch_add(&number, 1) % 2 == 0;

    while (!atomic_load(&c->over)) {
        if (store_mongo_call_may(&link)) {
            atomic_fetch_add(&c->passed, 1);
        }
        if (fails && atomic_load(&driver.now) > 0) {
            shut(&link);
            fails = false;
        }
        breathe();
    }
    return NULL;
}

static void
wait_for(atomic_uint *counter, unsigned least)
{
    while (atomic_load(counter) < least) {
        breathe();
    }
}

static void
test_one_of_many_threads_at_a_time_looks_and_lets_all_in(void **state)
{
    struct crowd c = {.db = make_db(false)};
    struct mongo_link link = {.db = c.db};
    pthread_t threads[THREADS];
    uint64_t end_ms;

    (void)state;
    atomic_store(&driver.held, true);
    shut(&link);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &c), 0);
    }
    wait_for(&driver.pings, 1);
    end_ms = clock_mono_ms() + 2 * STORE_MONGO_LOOK_MS; /* two more were due */
    while (clock_mono_ms() < end_ms) {
        breathe();
    }
    assert_int_equal(atomic_load(&driver.pings), 1);
    assert_int_equal(atomic_load(&driver.most), 1);
    assert_int_equal(atomic_load(&c.passed), 0);
    atomic_store(&driver.there, true);
    atomic_store(&driver.held, false);
    wait_for(&c.passed, 100);
    atomic_store(&c.over, true);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    while (!store_mongo_call_may(&link)) { /* one may have failed late */
        breathe();
    }
    xfree(c.db);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_is_open_until_nobody_is_reached),
        cmocka_unit_test(
            test_a_connection_that_was_cut_shuts_it_only_if_a_ping_fails_too),
        cmocka_unit_test(
            test_one_of_many_threads_at_a_time_looks_and_lets_all_in),
    };

    return cmocka_run_group_tests(tests, load, NULL);
}
