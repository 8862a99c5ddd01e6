/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_BASE_BUF_H
#define CHATBOX_BASE_BUF_H

#include "base/err.h"
#include "base/str.h"

#include <stddef.h>

/* A growable run of bytes that is born with its maximum. Once a put would
 * pass it the buffer keeps what it had and `failed` sticks, so a series of
 * puts needs one check at its end. Invariant: n <= cap <= max, and p != NULL
 * when cap > 0. An empty buffer owns no memory until its first put. */
struct buf {
    char *p;
    size_t n;
    size_t cap;
    size_t max;
    bool failed;
};

void buf_init(struct buf *b, size_t max_bytes);
void buf_fini(struct buf *b);

/* Empties; keeps the memory unless it is larger than keep_bytes. Clears
 * failed. */
void buf_reset(struct buf *b, size_t keep_bytes);

/* Appends; all borrow. Beyond max nothing is appended and failed is set. */
void buf_put(struct buf *b, const void *bytes, size_t n);
void buf_puts(struct buf *b, const char *c_string);
void buf_put_str(struct buf *b, struct str s);
void buf_putc(struct buf *b, char c);
void buf_put_u64(struct buf *b, uint64_t value);
void buf_put_i64(struct buf *b, int64_t value);
void buf_printf(struct buf *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Room for n more bytes at the end, or NULL (failed set). After writing k <= n
 * of them the caller adds k to b->n. Borrowed until the next call. */
char *buf_reserve(struct buf *b, size_t n);

/* Drops n <= b->n bytes at the front. */
void buf_consume(struct buf *b, size_t n);

/* The content; borrowed until the next call. */
struct str buf_str(const struct buf *b);

/* The content NUL-terminated (the NUL is not counted, and may lie one byte
 * beyond max); the buffer becomes empty. Gives. */
char *buf_give(struct buf *b);

/* ERR_TOO_BIG if any put since init or reset failed. */
enum err buf_err(const struct buf *b) MUST_CHECK;

#endif
