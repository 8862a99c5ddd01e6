/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_BASE_CLOCK_H
#define CHATBOX_BASE_CLOCK_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* Bytes of "2026-11-21T05:26:51.123Z" and its NUL. */
#define CLOCK_TEXT_SIZE 25

/* Monotonic: for waiting and measuring. Never steps. */
uint64_t clock_mono_us(void);
uint64_t clock_mono_ms(void);

/* Milliseconds since 1970 UTC: for what is stored, shown and signed. Steps
 * when the administrator steps it. */
int64_t clock_wall_ms(void);

/* RFC 3339 UTC with milliseconds; years 1970 to 9999 (clamped). */
void clock_format(int64_t wall_ms, char out[static CLOCK_TEXT_SIZE]);

/* An RFC 3339 date-time with any offset and 0 to 9 fractional digits (what is
 * below a millisecond is cut). False for anything else. Borrows. */
bool clock_parse(struct str text, int64_t *wall_ms_out);

#endif
