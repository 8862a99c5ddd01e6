/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_STORE_WORKER_H
#define CHATBOX_STORE_STORE_WORKER_H

#include "base/err.h"
#include "store/backend.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The threads of this room and the queues they take from: one of the two
 * places of the program that lock.
 *
 * Checkpoints of running answers come in a steady drizzle and nobody waits
 * for them; alone in the queue they linger for a while. Any other job ends the
 * wait at once. */

/* While the storage fails it is tried this often, so that it is seen to work
 * again without traffic. */
#define STORE_PROBE_MS 1000

/* Damage is seen by chance, when somebody needs what is damaged, and other
 * accesses go well: the storage is not called healthy before so long after the
 * last sight of it. */
#define STORE_DAMAGE_MS 5000

/* A write of which it is not known whether it is stored is sent again until it
 * is known; after so long its sender is told an error all the same. */
#define STORE_OPEN_MS 20000

/* What the workers of one kind saw last. */
struct store_health {
    atomic_bool ok;
    _Atomic uint64_t damaged_until_ms;
};

/* A bounded queue of jobs, linked by their letters. Writes of unknown outcome,
 * which the writer has, fill places as those do that wait. */
struct store_inbox {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct store_job *first;
    struct store_job *last;
    size_t count;
    atomic_size_t open; /* with the writer, of unknown outcome */
    size_t max;
    uint64_t linger_ms;
    size_t pressing;   /* jobs that do not linger */
    uint64_t since_ms; /* when first came into the empty queue */
    bool closing;
};

struct store_worker {
    struct store_inbox *inbox;
    struct store_link *link;
    struct store_health *health; /* shared by the workers of one kind */
    bool watches;                /* reader: probes though nothing fails */
    struct store_job *open;      /* writer: jobs of unknown outcome, in order */
    pthread_t thread;
    bool started;
    uint64_t logged_ms; /* of the last line about a failure */
    uint64_t unlogged;  /* failures since that line */
};

/* At most max jobs; those that linger do so for linger_ms. */
void store_worker_inbox_init(struct store_inbox *inbox, size_t max,
                             uint64_t linger_ms);

/* Nobody uses it any more; it is empty. */
void store_worker_inbox_fini(struct store_inbox *inbox);

/* Takes the job; false (not taken) when the queue is full. Any thread. */
bool store_worker_push(struct store_inbox *inbox,
                       struct store_job *job) MUST_CHECK;

/* The threads finish what is queued and then end. */
void store_worker_inbox_close(struct store_inbox *inbox);

/* Starts the thread, with every signal blocked: groups of write jobs, or
 * reads one by one. Borrows w until joined. */
enum err store_worker_start_writer(struct store_worker *w) MUST_CHECK;
enum err store_worker_start_reader(struct store_worker *w) MUST_CHECK;

/* After store_worker_inbox_close; not started is fine. */
void store_worker_join(struct store_worker *w);

/* The next job of a chain, or NULL. */
struct store_job *store_worker_next(const struct store_job *job);

/* Sends the job home with this result. Takes the job. */
void store_worker_answer(struct store_job *job, enum err result);

#endif
