/* SPDX-License-Identifier: MIT */
/* The only place that calls malloc. Handling exhaustion at each small
 * allocation costs a cleanup ladder everywhere and is never exercised;
 * instead all that strangers can size is capped, and this aborts. */
#include "base/xalloc.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

void *
xmalloc(size_t n)
{
    void *p = malloc(n > 0 ? n : 1);

    CHECK(p != NULL);
    return p;
}

void *
xcalloc(size_t count, size_t n)
{
    void *p = calloc(count > 0 ? count : 1, n > 0 ? n : 1);

    CHECK(p != NULL);
    return p;
}

void *
xrealloc(void *p, size_t n)
{
    void *q = realloc(p, n > 0 ? n : 1);

    CHECK(q != NULL);
    return q;
}

char *
xstrdup(const char *s)
{
    return xmemdup(s, strlen(s));
}

char *
xmemdup(const void *p, size_t n)
{
    char *copy = xmalloc(n + 1);

    if (n > 0) {
        memcpy(copy, p, n);
    }
    copy[n] = '\0';
    return copy;
}

void
xfree(void *p)
{
    free(p);
}

void
xwipe(void *p, size_t n)
{
    if (p != NULL) {
        explicit_bzero(p, n);
    }
}
