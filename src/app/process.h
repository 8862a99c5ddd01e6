/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_PROCESS_H
#define CHATBOX_APP_PROCESS_H

/* What a server asks of the operating system for its process. Main thread,
 * before any other one exists. */

/* No core dumps (there are keys in memory), as many descriptors as are
 * allowed, SIGPIPE and SIGXFSZ ignored: a write fails instead. */
void process_prepare(void);

/* For a process that has the keys of stored messages: also a core dump that
 * somebody else's limits would allow has nothing to take, and only the
 * superuser may read the memory (prctl(2), PR_SET_DUMPABLE). After
 * process_prepare. */
void process_hide(void);

/* SIGTERM, SIGINT and SIGHUP are from now on read from the descriptor that
 * this returns (signalfd), by whoever polls it; -1 on failure. */
int process_signals_open(void);

/* The next signal that is waiting, 0 when there is none. */
int process_signal_next(int fd);

/* Cores that this process may run on; at least 1. */
unsigned process_cores(void);

#endif
