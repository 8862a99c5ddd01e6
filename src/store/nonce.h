/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_NONCE_H
#define CHATBOX_STORE_NONCE_H

#include <stdint.h>

/* Private to seal.c: numbers that are used once, in runs. A run begins at 96
 * random bits and counts up; after NONCE_RUN it begins anew, elsewhere. seal.h
 * says why none comes twice. */
#define NONCE_BYTES 12
#define NONCE_RUN ((uint64_t)1 << 32)

/* All zero: before the first run. */
struct nonce {
    unsigned char bytes[NONCE_BYTES]; /* the one to use, highest byte first */
    uint64_t left;                    /* of this run */
};

/* Makes it the next one; never the same again within NONCE_RUN steps. */
void nonce_step(struct nonce *n);

#endif
