/* SPDX-License-Identifier: MIT */
/* A keyed hash as a name; see pseudonym.h. */
#include "guard/pseudonym.h"

#include "base/buf.h"
#include "base/check.h"

#include <openssl/evp.h>
#include <stdio.h>

#define LABEL "chatbox user"
#define HASH_BYTES 32

/* Neither a place nor a user's id has a NUL. */
static void
put_text(struct buf *b, struct str place, struct str user_id)
{
    buf_puts(b, LABEL);
    buf_putc(b, '\0');
    buf_put_str(b, place);
    buf_putc(b, '\0');
    buf_put_str(b, user_id);
    CHECK(!b->failed);
}

void
pseudonym_make(struct str secret, struct str place, struct str user_id,
               char out[static PSEUDONYM_CHARS + 1])
{
    unsigned char hash[HASH_BYTES];
    struct buf text;
    size_t n = 0;

    CHECK(secret.n > 0);
    buf_init(&text, sizeof(LABEL) + place.n + 1 + user_id.n);
    put_text(&text, place, user_id);
    CHECK(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, secret.p, secret.n,
                    (const unsigned char *)text.p, text.n, hash, sizeof(hash),
                    &n) != NULL &&
          n == sizeof(hash));
    buf_fini(&text);
    for (size_t i = 0; i < PSEUDONYM_CHARS / 2; i++) {
        snprintf(out + 2 * i, 3, "%02x", hash[i]);
    }
}
