/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_SEAL_H
#define CHATBOX_STORE_SEAL_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* Texts at rest: AES-256-GCM (NIST SP 800-38D) as
 *
 *   v1.<key id>.<base64 of nonce, ciphertext and tag>
 *
 * with the place of the text as associated data, so that one that is moved to
 * another session or number does not open. The first key of the ring seals,
 * all of them open. The same text at the same place is another text each time.
 *
 * Nonces: each `struct seal` begins at 96 random bits and counts up; after
 * 2^32 texts it begins anew (nonce.h). Two runs under one key meet only when
 * their beginnings lie within one run's length of each other: for 2^20 runs
 * (restarts times threads) of 2^20 messages that is 2^(20+20) pairs of 2^21
 * places of 2^96, below 2^-35, where random nonces alone would have 2^-17.
 * Within a run none can repeat. */
struct seal_ring; /* keys; does not change while somebody seals or opens */
struct seal;      /* one thread's way to use them */

#define SEAL_PREFIX "v1."
#define SEAL_KEY_BYTES 32
#define SEAL_KEY_ID_BYTES 10 /* of seal_key_id, with its NUL */
#define SEAL_NONCE_BYTES 12
#define SEAL_TAG_BYTES 16
#define SEAL_KEY_ID_MAX 64

/* Bytes that n bytes of text become, at most. */
#define SEAL_SIZE(n)                                                           \
    (sizeof("v1..") + SEAL_KEY_ID_MAX +                                        \
     ((n) + SEAL_NONCE_BYTES + SEAL_TAG_BYTES + 2) / 3 * 4)

/* Where a text belongs; as associated data sid, NUL, seq as 8 bytes with the
 * highest first, part. Of a message part is empty (protocol.md 4); what else a
 * store keeps of a text has one (vault.h), so that no two places are alike.
 * Borrowed. */
struct seal_place {
    struct str sid; /* without NUL */
    int64_t seq;
    struct str part;
};

enum seal_form {
    SEAL_OPENED,      /* it was sealed, and here is what was inside */
    SEAL_PLAIN,       /* it was never sealed; given back as it is */
    SEAL_UNKNOWN_KEY, /* sealed with a key that the ring does not have */
    SEAL_BROKEN       /* damaged, moved, or not sealed by its key */
};

struct seal_ring *seal_ring_new(void);

/* Copies the key. ERR_INVALID_FORMAT: the id is empty, longer than
 * SEAL_KEY_ID_MAX or has other characters than A-Z a-z 0-9 _ -; ERR_CONFLICT:
 * the id is there. */
enum err
seal_ring_add(struct seal_ring *ring, struct str id,
              const unsigned char key[static SEAL_KEY_BYTES]) MUST_CHECK;

/* Wipes the keys; NULL is fine. No `struct seal` may use it any more. */
void seal_ring_free(struct seal_ring *ring);

/* The id of the key that seals, or the empty str. Borrowed. */
struct str seal_ring_first(const struct seal_ring *ring);

/* "k" and eight hexadecimal digits of the key's SHA-256, for a key that came
 * without an id. */
void seal_key_id(const unsigned char key[static SEAL_KEY_BYTES],
                 char out[static SEAL_KEY_ID_BYTES]);

/* Borrows the ring. Gives. */
struct seal *seal_new(const struct seal_ring *ring);
void seal_free(struct seal *s);

/* Appends the sealed text to out; the ring has a key. ERR_TOO_BIG: out is
 * full; ERR_INTERNAL_ERROR: OpenSSL had no memory. Nothing of use is in out
 * then. */
enum err seal_put(struct seal *s, const struct seal_place *place,
                  struct str text, struct buf *out) MUST_CHECK;

/* Appends what is inside of `stored`, in any of the forms, to out; nothing
 * unless SEAL_OPENED or SEAL_PLAIN. Never longer than `stored`; a full out
 * (out->failed) is SEAL_BROKEN.
 *
 * Text that names a key of the ring is never plain; nor is one that names
 * another and goes on in base64, or that differs from ours in one byte before
 * the base64. The older form is bare base64 (padded) of
 * nonce, ciphertext and tag without associated data: any key of the ring may
 * open it. Base64 that none of them opens, whole or without its end, is
 * SEAL_BROKEN when it can only have been random bytes: as many as a nonce and
 * a tag or more, not UTF-8, in letters of both cases (which 40 random
 * characters of base64 lack once in a billion). Other base64 is what somebody
 * wrote: a digest, a word. */
enum seal_form seal_open(struct seal *s, const struct seal_place *place,
                         struct str stored, struct buf *out) MUST_CHECK;

/* Whether it can only be a sealed text, for whoever has no key: it names one
 * and goes on in base64 of random bytes, as seal_open has it. */
bool seal_is_sealed(struct str stored);

/* Whether it can only be one of the older form, in the same way. */
bool seal_is_old(struct str stored);

/* The key that a text in the new form names, or the empty str. Whether it is
 * the one that seals now tells a rotation what is left to do. */
struct str seal_key_of(struct str stored);
bool seal_is_current(const struct seal *s, struct str stored);

#endif
