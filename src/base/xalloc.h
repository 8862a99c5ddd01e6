/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_BASE_XALLOC_H
#define CHATBOX_BASE_XALLOC_H

#include <stddef.h>

/* Allocation that does not fail: running out of memory aborts the process
 * with one line. Only for sizes that a stranger cannot choose; whatever a
 * stranger can size lives in a struct buf, which has a cap. All give. */
void *xmalloc(size_t n) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t count, size_t n) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t n) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));

/* A copy of n bytes with a NUL after them. */
char *xmemdup(const void *p, size_t n) __attribute__((malloc, returns_nonnull));

/* xfree(NULL) is fine. */
void xfree(void *p);

/* Overwrites n bytes in a way that the compiler keeps; p may be NULL. */
void xwipe(void *p, size_t n);

#endif
