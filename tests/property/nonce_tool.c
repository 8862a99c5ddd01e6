/* SPDX-License-Identifier: MIT */
/* Seals as often as it is told and writes the nonces, 12 bytes each, to
 * standard output: a start of a program, for tests/soak/test_nonces.py. */
#include "base/str.h"
#include "codec/base64.h"
#include "store/seal.h"

#include <stdio.h>

#define PREFIX "v1.k."

static int
put_nonce(struct seal *s)
{
    static const struct seal_place place = {{"s", 1}, 1, {NULL, 0}};
    unsigned char raw[SEAL_NONCE_BYTES + 1 + SEAL_TAG_BYTES];
    struct buf text;
    size_t n = 0;
    enum err e;

    buf_init(&text, SEAL_SIZE(1));
    e = seal_put(s, &place, STR("x"), &text);
    if (e == ERR_OK) {
        e = base64_decode(str_from_at(buf_str(&text), sizeof(PREFIX) - 1), raw,
                          sizeof(raw), &n);
    }
    buf_fini(&text);
    return e == ERR_OK && fwrite(raw, SEAL_NONCE_BYTES, 1, stdout) == 1 ? 0 : 1;
}

int
main(int argc, char **argv)
{
    static const unsigned char key[SEAL_KEY_BYTES] =
        "the same key in every program...";
    struct seal_ring *ring = seal_ring_new();
    uint64_t count = 0;
    struct seal *s;
    int failed = 0;

    if (argc != 2 || !str_to_u64(str_from(argv[1]), 1000000000, &count) ||
        seal_ring_add(ring, STR("k"), key) != ERR_OK) {
        return 2;
    }
    s = seal_new(ring);
    for (uint64_t i = 0; i < count && failed == 0; i++) {
        failed = put_nonce(s);
    }
    seal_free(s);
    seal_ring_free(ring);
    return fflush(stdout) == 0 ? failed : 1;
}
