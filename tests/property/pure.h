/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_TESTS_PURE_H
#define CHATBOX_TESTS_PURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the shared library gives the property tests beside the rooms. */
struct life;
struct outlet;
struct session;
struct times;
struct turn;

/* life.c: a shard's sessions, in a folder of their own. */
struct life *life_open(const char *dir);
void life_close(struct life *l);
void life_set_ttl(struct life *l, uint64_t ms);
void life_set_clock(struct life *l, uint64_t ms);
struct session *life_begin(struct life *l, const char *user, char *id_out);
size_t life_sweep(struct life *l, uint64_t now_ms);
void life_end(struct session *s, bool ended);
struct outlet *life_join(struct session *s);
void life_leave(struct outlet *o);
struct turn *life_turn_begin(struct session *s);
void life_turn_end(struct session *s, struct turn *t);
void life_kill(struct session *s);
bool life_holds(const struct life *l, const char *id);
void life_counts(const struct life *l, int64_t counts_out[6]);

/* purge.c: the clean-up of the limiter of messages. */
void purge_begin(struct life *l, uint64_t interval_ms);
size_t purge_end(struct life *l);
void purge_use(struct life *l, const char *key, size_t n);
size_t purge_keys(const struct life *l);
bool purge_is_near(const struct life *l);
int64_t purge_planned_ms(const struct life *l);
int64_t purge_await(struct life *l, int64_t *before_ms);

/* times.c: sessions in a database, and what it keeps of an answer's duration.
 * Gives the average; counts_out: how many are kept, the longest ever. */
struct times *times_open(const char *dir);
void times_close(struct times *t);
unsigned times_session(struct times *t);
double times_answer(struct times *t, unsigned session, int64_t duration_ms,
                    size_t most, char list_out[static 4096],
                    int64_t counts_out[2]);

#endif
