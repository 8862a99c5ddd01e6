/* SPDX-License-Identifier: MIT */
/* provider/picture: whatever stands there as a picture's URL, what is read of
 * it is a part of it, of a known type, and base64 that decodes. */
#include "provider/picture.h"

#include "base/check.h"
#include "base/xalloc.h"
#include "codec/base64.h"
#include "codec/url.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(struct str in, const struct picture *p)
{
    struct str part = p->base64.n > 0 ? p->base64 : p->url;

    CHECK((p->base64.n > 0) != (p->url.n > 0));
    CHECK(part.p >= in.p && part.p + part.n <= in.p + in.n);
    if (p->base64.n > 0) {
        CHECK(p->type.n > 0 && str_ends(in, part) && part.n % 4 == 0);
    } else {
        CHECK(url_is_public_https(p->url));
    }
}

/* But for the bits that the padding leaves over, which a reader ignores. */
static void
check_decodes(struct str base64)
{
    char *room = xmalloc(BASE64_BYTES(base64.n));
    size_t n, whole = base64.n > 4 ? base64.n - 4 : 0;

    CHECK(base64_decode((struct str){base64.p, whole}, room,
                        BASE64_BYTES(base64.n), &n) == ERR_OK);
    xfree(room);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size};
    struct picture p;

    if (picture_read(in, &p)) {
        check(in, &p);
        if (p.base64.n > 0) {
            check_decodes(p.base64);
        }
    }
    if (picture_read_link(in, &p)) {
        check(in, &p);
        CHECK(p.type.n > 0 && p.base64.n == 0);
    }
    return 0;
}
