/* SPDX-License-Identifier: MIT */
/* upload/s3_wire: whatever a server says, what is found lies inside of it, a
 * list comes to its end, and a token is asked for in letters of an address. */
#include "upload/s3_wire.h"

#include "base/check.h"
#include "base/xalloc.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
inside(struct str part, struct str whole)
{
    CHECK(part.n == 0 ||
          (part.p >= whole.p && part.p + part.n <= whole.p + whole.n));
}

static void
ask(struct str token)
{
    struct buf out;

    buf_init(&out, 4 * token.n + 100);
    s3_wire_put_list(token, 1000, &out);
    CHECK(!out.failed);
    for (size_t i = 0; i < out.n; i++) {
        CHECK(out.p[i] > ' ' && out.p[i] < 0x7f && out.p[i] != '#');
    }
    buf_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = xmemdup(data, size);
    struct str page = {copy, size}, rest = page;
    struct s3_wire_entry entry;
    struct buf token;
    bool bad;

    while (s3_wire_next(&rest, &entry)) {
        inside(entry.key, page);
        inside(rest, page);
    }
    inside(s3_wire_code(page), page);
    buf_init(&token, 4096);
    if (s3_wire_more(page, &token, &bad)) {
        CHECK(!bad && token.n > 0 && token.n <= size);
        ask(buf_str(&token));
    }
    buf_fini(&token);
    xfree(copy);
    return 0;
}
