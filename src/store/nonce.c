/* SPDX-License-Identifier: MIT */
/* Counting nonces, apart from the cipher that uses them (seal.c), so that the
 * end of a run can be looked at without 2^32 texts. */
#include "store/nonce.h"

#include "base/rand.h"

#include <stddef.h>

/* 96 bits, counted up with their carry. */
void
nonce_step(struct nonce *n)
{
    if (n->left == 0) {
        rand_bytes(n->bytes, sizeof(n->bytes));
        n->left = NONCE_RUN;
    }
    n->left--;
    for (size_t i = sizeof(n->bytes); i-- > 0 && ++n->bytes[i] == 0;) {
    }
}
