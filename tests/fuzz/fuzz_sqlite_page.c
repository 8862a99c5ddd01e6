/* SPDX-License-Identifier: MIT */
/* store/store_sqlite_scrub: any bytes as a page of a database, as a damaged
 * file has them. The first byte says how large the page is, the rest fills it.
 * Zeros go inside of the page, behind its head, each byte once; and when they
 * have been written there is nothing left to do. */
#include "base/check.h"
#include "base/xalloc.h"
#include "store/store_sqlite_scrub.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The smallest head of a page of a tree. */
#define HEAD 8

struct page {
    unsigned char *bytes;
    size_t usable;
    size_t end; /* of the last zeros */
    size_t count;
};

static void
zero(void *cookie, size_t at, size_t n)
{
    struct page *p = cookie;

    CHECK(n > 0 && n <= p->usable && at <= p->usable - n);
    CHECK(at >= HEAD && at >= p->end);
    p->end = at + n;
    p->count++;
}

/* The same, and they are written when all is known: as they are to a file. */
static void
write_zeros(void *cookie, size_t at, size_t n)
{
    struct page *p = cookie;

    zero(p, at, n);
    memset(p->bytes + at, 0, n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t sizes[] = {512, 1024, 4096, 65536, 257, 4064};
    struct page p = {.count = 0};
    unsigned char *before;

    if (size == 0) {
        return 0;
    }
    p.usable = sizes[data[0] % COUNT_OF(sizes)];
    p.bytes = xcalloc(p.usable, 1);
    memcpy(p.bytes, data + 1, size - 1 < p.usable ? size - 1 : p.usable);
    before = (unsigned char *)xmemdup(p.bytes, p.usable);
    store_sqlite_scrub_page(p.bytes, p.usable, zero, &p);
    CHECK(memcmp(before, p.bytes, p.usable) == 0);
    p.end = 0;
    store_sqlite_scrub_page(before, p.usable, write_zeros, &p);
    p.end = p.count = 0;
    store_sqlite_scrub_page(p.bytes, p.usable, zero, &p);
    CHECK(p.count == 0);
    xfree(before);
    xfree(p.bytes);
    return 0;
}
