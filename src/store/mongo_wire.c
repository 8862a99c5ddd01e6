/* SPDX-License-Identifier: MIT */
/* Stands before the driver's reader. libmongoc before 1.25 believes the lengths
 * inside a message and runs over its end when they are wrong, and the process
 * with it. Its reader is called by a symbol that the program may take for
 * itself, as the linker looks here first (meson.build exports it; see
 * docs/decisions/0035). Where a driver does not call it like that, this stands
 * aside. Its neighbour is mongo_lib.c, which finds the driver's own function.
 */
#include "store/mongo_wire.h"

#include "store/mongo_lib.h"

#include <string.h>

enum { OP_REPLY = 1, OP_MSG = 2013 };
enum { HEADER = 16, MSG_HEAD = HEADER + 4, REPLY_HEAD = HEADER + 20 };
enum { SHORTEST = 5, CHECKSUM = 4 };

#define HAS_CHECKSUM 1u

static uint32_t
u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

/* Bytes of the document at p, of which n are there; 0: it is none. */
static size_t
document(const uint8_t *p, size_t n)
{
    size_t size = n >= SHORTEST ? u32(p) : 0;

    return size >= SHORTEST && size <= n && p[size - 1] == 0 ? size : 0;
}

static bool
documents(const uint8_t *p, size_t n)
{
    while (n > 0) {
        size_t size = document(p, n);

        if (size == 0) {
            return false;
        }
        p += size;
        n -= size;
    }
    return true;
}

/* A name, and documents behind it. */
static size_t
sequence(const uint8_t *p, size_t n)
{
    size_t size = n >= SHORTEST ? u32(p) : 0;
    const uint8_t *end;

    if (size < SHORTEST || size > n) {
        return 0;
    }
    end = memchr(p + 4, 0, size - 4);
    return end != NULL && documents(end + 1, (size_t)(p + size - end - 1))
               ? size
               : 0;
}

static bool
sections(const uint8_t *p, size_t n)
{
    bool any = false;

    while (n > 0) {
        size_t size = 0;

        if (p[0] <= 1) {
            size = p[0] == 0 ? document(p + 1, n - 1) : sequence(p + 1, n - 1);
        }
        if (size == 0) {
            return false;
        }
        any = true;
        p += size + 1;
        n -= size + 1;
    }
    return any;
}

bool
mongo_wire_whole(const uint8_t *bytes, size_t n)
{
    uint32_t op;
    size_t behind;

    if (n < HEADER || u32(bytes) != n) {
        return false;
    }
    op = u32(bytes + 12);
    if (op == OP_REPLY) {
        return n >= REPLY_HEAD && documents(bytes + REPLY_HEAD, n - REPLY_HEAD);
    }
    if (op != OP_MSG) {
        return true;
    }
    if (n < MSG_HEAD) {
        return false;
    }
    behind = (u32(bytes + HEADER) & HAS_CHECKSUM) != 0 ? CHECKSUM : 0;
    return n - MSG_HEAD > behind &&
           sections(bytes + MSG_HEAD, n - MSG_HEAD - behind);
}

bool
mongo_wire_scatter(void *rpc, const uint8_t *bytes, size_t n)
{
    bool (*scatter)(void *, const uint8_t *, size_t);

    return mongo_wire_whole(bytes, n) &&
           mongo_lib_find("_mongoc_rpc_scatter", &scatter, sizeof(scatter)) &&
           scatter(rpc, bytes, n);
}
