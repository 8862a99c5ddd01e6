/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_KEYS_H
#define CHATBOX_GATE_KEYS_H

#include "base/err.h"
#include "base/list.h"
#include "guard/token.h"

/* Which keys this shard checks tokens with: the configured one, or the newest
 * published set (docs/decisions/0015). With a set, the first shard fetches it
 * and every gate holds a reference to the same immutable set, which comes by
 * letter. A set is fetched at the start until it is there, and again when a
 * token names a key that it lacks, at most once in 30 s. */
struct gate;
struct gate_settings;
struct keys;

/* Somebody whose token names a key that a newer set might have. */
struct keys_waiter {
    struct list link; /* of nobody while it does not wait */
    void (*wake)(struct keys_waiter *w);
};

/* On the gate's shard; g->keys stays NULL where no set is configured. Begins
 * to fetch if this is the first shard. */
void keys_init(struct gate *g);

/* Nobody waits from now on: wakes those who do. */
void keys_close(struct gate *g);

/* After keys_close. */
void keys_fini(struct gate *g);

/* token_verify's answers, for some time without looking again (token_known.h);
 * SERVICE_UNAVAILABLE while there is no set or too many wait; AGAIN: call
 * keys_wait and verify again when woken. */
enum err keys_verify(struct gate *g, struct str token,
                     struct identity *out) MUST_CHECK;

/* w->wake runs once, later, on this thread: within the time that one fetch may
 * take. Only after AGAIN. */
void keys_wait(struct gate *g, struct keys_waiter *w);

/* wake will not run. */
void keys_unwait(struct gate *g, struct keys_waiter *w);

/* Any thread: every shard has keys. */
bool keys_ready(const struct gate_settings *settings);

#endif
