/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_LOOP_SHARD_H
#define CHATBOX_LOOP_SHARD_H

#include "base/list.h"
#include "loop/mailbox.h"
#include "loop/timer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

/* A shard: one thread, one libuv loop, one mailbox, and everything of the
 * users it owns. The rooms above hang their per-shard part in the pointers,
 * which this room never looks into. Only `shard_post` may be called from
 * another thread. */

/* What runs at the end of every turn of the loop, just before it waits for
 * the next events, in this order. */
enum shard_phase {
    SHARD_PHASE_CHAT, /* running answers become frames */
    SHARD_PHASE_NET,  /* each socket that has output is written once */
    SHARD_PHASES
};

struct chat;
struct gate;
struct fetch_pool;
struct net;
struct notify;

/* Freed at the end of the turn of the loop, never inside a callback. */
struct deferred {
    struct list link;
    void (*run)(struct deferred *);
};

struct shard {
    uv_loop_t loop;
    struct mailbox mailbox;
    struct timers timers;
    unsigned index;
    struct chat *chat;
    struct gate *gate;
    struct fetch_pool *fetch;
    struct net *net;
    struct notify *notify;
    /* Answers that other threads owe it; counted by whoever asks (one more)
     * and by the letter that brings the answer (one less). */
    atomic_size_t awaited;
    /* the rest is private to shard.c */
    struct {
        void (*fn)(void *cookie);
        void *cookie;
    } phases[SHARD_PHASES];
    struct list deferred;
    uv_prepare_t prepare;
    uv_idle_t idle; /* runs while the loop must not wait */
    pthread_t thread;
    void (*on_start)(struct shard *);
    bool again;
    bool stopped; /* shard_stop was called */
    bool ended;   /* the loop is over and every handle closed */
};

/* Prepares loop and mailbox; index also goes into the log. */
enum err shard_init(struct shard *s, unsigned index) MUST_CHECK;

/* Frees what init made; the thread has ended and every handle is closed. */
void shard_fini(struct shard *s);

/* Starts the thread; on_start runs on it before the loop turns. */
enum err shard_start(struct shard *s,
                     void (*on_start)(struct shard *)) MUST_CHECK;

/* Runs the loop on the calling thread instead (small programs, tests); returns
 * after shard_stop. */
void shard_run(struct shard *s);

/* On the shard's own thread: no letter is delivered any more, and the loop
 * ends once this turn is over. Handles that are still open are closed by
 * shard_run before it returns, without calling anybody; the rooms free what is
 * left when they are taken down. */
void shard_stop(struct shard *s);

/* Waits until the thread has ended. */
void shard_join(struct shard *s);

/* Any thread. Takes the letter and all that it points to; it is delivered on
 * the shard's thread, letters of one sender in order, exactly once. A letter
 * posted to a shard that has stopped is never delivered: it stays in the
 * mailbox for mailbox_fini to destroy. */
void shard_post(struct shard *to, struct letter *l);

/* Sets the function of one phase; NULL takes it out. */
void shard_at_phase(struct shard *s, enum shard_phase phase,
                    void (*fn)(void *cookie), void *cookie);

/* Runs d->run(d) at the end of this turn, after all phases, which then run
 * again. d must not be waiting already. */
void shard_defer(struct shard *s, struct deferred *d);

/* Takes d back; fine when it is not waiting. */
void shard_undefer(struct deferred *d);

/* The phases have work left: they run again before the loop waits. Work that
 * never ends does not starve the rest: polling comes in between. */
void shard_again(struct shard *s);

/* uv_close, but also after the loop is over: then closed (may be NULL) runs at
 * once. */
void shard_close_handle(struct shard *s, uv_handle_t *handle,
                        void (*closed)(uv_handle_t *));

/* The loop's time, cached once per turn; monotonic. */
uint64_t shard_now_ms(const struct shard *s);

#endif
