/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_CENSUS_H
#define CHATBOX_GATE_CENSUS_H

#include <stdint.h>

/* How many connections the sessions of a store's answer have at this moment.
 * Only the shard that owns a session's user knows; so a letter goes from one
 * such shard to the next, and home. */
struct gate;
struct store_job;

/* The whole way may take so long. */
#define CENSUS_MS 2000

/* Counts those of job->sessions or, if there are none and one is meant, of
 * job->session; each has its user_id. Takes the job until done, which runs on
 * the gate's shard, later than this call, exactly once: counts[i] belongs to
 * sessions[i]; borrowed during the call; NULL when it took too long. */
void census_start(struct gate *g, struct store_job *job,
                  void (*done)(struct store_job *job, const uint32_t *counts));

#endif
