/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_BASE_PROC_H
#define CHATBOX_BASE_PROC_H

#include <stdbool.h>
#include <stdint.h>

/* Which process this is, in words that another process can judge: a number may
 * be given again, but not with the same start, on the same machine, since its
 * last boot. Linux. */

#define PROC_PLACE_SIZE 96

struct proc_id {
    /* The machine's boot and the space of process numbers: what the others
     * mean only here. Empty when the system does not tell. */
    char place[PROC_PLACE_SIZE];
    int64_t pid;
    int64_t start; /* ticks from the boot to its start; 0: not known */
};

/* This process. Any thread. */
void proc_self(struct proc_id *out);

/* Whether the process of that number and start still runs, seen from the same
 * place. When the system does not tell it is taken as running; one that has
 * ended and was not waited for does not run. Any thread. */
bool proc_lives(const struct proc_id *p);

#endif
