/* SPDX-License-Identifier: MIT */
/* store/seal: any stored text. What opens is never longer than it was; what
 * is plain is itself; what does neither gives nothing. */
#include "store/seal.h"

#include "base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct seal *
make_seal(void)
{
    static const unsigned char keys[2][SEAL_KEY_BYTES] = {"one", "two"};
    struct seal_ring *ring = seal_ring_new();

    CHECK(seal_ring_add(ring, STR("k1"), keys[0]) == ERR_OK);
    CHECK(seal_ring_add(ring, STR("k2"), keys[1]) == ERR_OK);
    return seal_new(ring);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct seal_place place = {{"sid", 3}, 1, {NULL, 0}};
    static struct seal *seal;
    struct str stored = {(const char *)data, size};
    struct buf out;
    enum seal_form form;

    seal = seal != NULL ? seal : make_seal();
    buf_init(&out, size);
    form = seal_open(seal, &place, stored, &out);
    CHECK(out.n <= size);
    CHECK(form != SEAL_PLAIN || str_eq(buf_str(&out), stored));
    CHECK(form == SEAL_PLAIN || form == SEAL_OPENED || out.n == 0);
    CHECK(!seal_is_current(seal, stored) || form != SEAL_PLAIN);
    CHECK(seal_key_of(stored).n <= SEAL_KEY_ID_MAX);
    (void)seal_is_sealed(stored);
    buf_fini(&out);
    return 0;
}
