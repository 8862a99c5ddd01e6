/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_BASE_RAND_H
#define CHATBOX_BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

#define RAND_ID_CHARS 32

/* Bytes of the operating system's generator (getrandom); any thread. */
void rand_bytes(void *out, size_t n);

/* 128 random bits as 32 lower-case hexadecimal digits and a NUL: the ids of
 * sessions, messages and requests. */
void rand_id(char out[static RAND_ID_CHARS + 1]);

/* Uniform in 0..bound-1, for jitter; bound > 0. */
uint64_t rand_below(uint64_t bound);

/* Two words drawn once per process, at the first call; any thread. */
const uint64_t *rand_process_key(void);

#endif
