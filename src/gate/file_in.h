/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_FILE_IN_H
#define CHATBOX_GATE_FILE_IN_H

#include <stdbool.h>

/* POST upload: a form with one file, which goes to the disk while it comes.
 * However large it is, no more than a few hundred KiB of it are in memory: a
 * disk that is slower than the client holds the client back. */
struct request;

/* Before the body: it is taken from now on. False: refused. */
bool file_in_begin(struct request *r);

/* The body is complete. */
void file_in_handle(struct request *r);

#endif
