/* SPDX-License-Identifier: MIT */
/* AES-256-GCM by OpenSSL's EVP, and the texts around it. The stores call this
 * on their own threads, on the way to a row and back; nothing above them ever
 * sees a sealed text. */
#include "store/seal.h"

#include "base/xalloc.h"
#include "codec/base64.h"
#include "codec/utf8.h"
#include "store/nonce.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define EXTRA (SEAL_NONCE_BYTES + SEAL_TAG_BYTES)

_Static_assert(SEAL_NONCE_BYTES == NONCE_BYTES, "one size of nonces");

struct key {
    char id[SEAL_KEY_ID_MAX + 1];
    unsigned char bytes[SEAL_KEY_BYTES];
};

struct seal_ring {
    struct key *keys;
    size_t count;
};

struct seal {
    const struct seal_ring *ring;
    EVP_CIPHER_CTX *ctx;
    struct nonce nonce; /* the last one */
};

/* --- keys --------------------------------------------------------------- */

struct seal_ring *
seal_ring_new(void)
{
    return xcalloc(1, sizeof(struct seal_ring));
}

/* Letters and digits of ASCII, and those of `more`. */
static bool
only(struct str s, const char *more)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
            !(c >= '0' && c <= '9') && (c == '\0' || strchr(more, c) == NULL)) {
            return false;
        }
    }
    return true;
}

static bool
good_id(struct str id)
{
    return id.n > 0 && id.n <= SEAL_KEY_ID_MAX && only(id, "_-");
}

static const struct key *
find_key(const struct seal_ring *ring, struct str id)
{
    for (size_t i = 0; i < ring->count; i++) {
        if (str_is(id, ring->keys[i].id)) {
            return &ring->keys[i];
        }
    }
    return NULL;
}

/* Grows by hand, so that no copy of a key is left behind in freed memory. */
enum err
seal_ring_add(struct seal_ring *ring, struct str id,
              const unsigned char key[static SEAL_KEY_BYTES])
{
    size_t n = ring->count;
    struct key *more;

    if (!good_id(id)) {
        return ERR_INVALID_FORMAT;
    }
    if (find_key(ring, id) != NULL) {
        return ERR_CONFLICT;
    }
    more = xcalloc(n + 1, sizeof(*more));
    if (n > 0) {
        memcpy(more, ring->keys, n * sizeof(*more));
        xwipe(ring->keys, n * sizeof(*more));
    }
    memcpy(more[n].id, id.p, id.n);
    memcpy(more[n].bytes, key, SEAL_KEY_BYTES);
    xfree(ring->keys);
    ring->keys = more;
    ring->count = n + 1;
    return ERR_OK;
}

struct str
seal_ring_first(const struct seal_ring *ring)
{
    return ring->count > 0 ? str_from(ring->keys[0].id) : (struct str){NULL, 0};
}

void
seal_ring_free(struct seal_ring *ring)
{
    if (ring == NULL) {
        return;
    }
    if (ring->keys != NULL) {
        xwipe(ring->keys, ring->count * sizeof(*ring->keys));
    }
    xfree(ring->keys);
    xfree(ring);
}

void
seal_key_id(const unsigned char key[static SEAL_KEY_BYTES],
            char out[static SEAL_KEY_ID_BYTES])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n;

    CHECK(EVP_Digest(key, SEAL_KEY_BYTES, digest, &n, EVP_sha256(), NULL) == 1);
    (void)snprintf(out, SEAL_KEY_ID_BYTES, "k%02x%02x%02x%02x", digest[0],
                   digest[1], digest[2], digest[3]);
}

/* --- threads ------------------------------------------------------------ */

struct seal *
seal_new(const struct seal_ring *ring)
{
    struct seal *s = xcalloc(1, sizeof(*s));

    s->ring = ring;
    s->ctx = EVP_CIPHER_CTX_new();
    CHECK(s->ctx != NULL);
    return s;
}

void
seal_free(struct seal *s)
{
    if (s != NULL) {
        EVP_CIPHER_CTX_free(s->ctx);
        xfree(s);
    }
}

/* --- the cipher --------------------------------------------------------- */

static bool
bind_bytes(EVP_CIPHER_CTX *ctx, const void *p, size_t n)
{
    int done;

    return n == 0 ||
           (n <= INT_MAX && EVP_CipherUpdate(ctx, NULL, &done, p, (int)n) == 1);
}

/* What makes each place another one; see struct seal_place. NULL: the older
 * form, which has none. */
static bool
bind_place(EVP_CIPHER_CTX *ctx, const struct seal_place *place)
{
    unsigned char number[9] = {0}; /* the NUL, then seq */

    if (place == NULL) {
        return true;
    }
    for (int i = 0; i < 8; i++) {
        number[8 - i] = (unsigned char)((uint64_t)place->seq >> (8 * i));
    }
    return bind_bytes(ctx, place->sid.p, place->sid.n) &&
           bind_bytes(ctx, number, sizeof(number)) &&
           bind_bytes(ctx, place->part.p, place->part.n);
}

static bool
begin(struct seal *s, bool sealing, const struct key *key,
      const unsigned char *nonce, const struct seal_place *place)
{
    return EVP_CipherInit_ex(s->ctx, EVP_aes_256_gcm(), NULL, key->bytes, nonce,
                             sealing) == 1 &&
           bind_place(s->ctx, place);
}

/* into has room for text.n bytes and the tag behind them. */
static bool
encrypt(struct seal *s, struct str text, unsigned char *into)
{
    int n = 0;

    return (text.n == 0 ||
            EVP_CipherUpdate(s->ctx, into, &n, (const void *)text.p,
                             (int)text.n) == 1) &&
           EVP_CipherFinal_ex(s->ctx, into + n, &n) == 1 &&
           EVP_CIPHER_CTX_ctrl(s->ctx, EVP_CTRL_GCM_GET_TAG, SEAL_TAG_BYTES,
                               into + text.n) == 1;
}

/* In place; false: the tag does not fit, and the bytes are worth nothing. */
static bool
decrypt(struct seal *s, unsigned char *bytes, size_t n)
{
    int done = 0, last = 0;

    return EVP_CIPHER_CTX_ctrl(s->ctx, EVP_CTRL_GCM_SET_TAG, SEAL_TAG_BYTES,
                               bytes + n) == 1 &&
           (n == 0 ||
            EVP_CipherUpdate(s->ctx, bytes, &done, bytes, (int)n) == 1) &&
           EVP_CipherFinal_ex(s->ctx, bytes + done, &last) == 1;
}

/* --- sealing ------------------------------------------------------------ */

enum err
seal_put(struct seal *s, const struct seal_place *place, struct str text,
         struct buf *out)
{
    const struct key *key = s->ring->keys;
    unsigned char *bytes;
    char *at;
    bool ok;

    CHECK(s->ring->count > 0 && text.n <= INT_MAX / 2);
    buf_puts(out, SEAL_PREFIX);
    buf_puts(out, key->id);
    buf_putc(out, '.');
    at = buf_reserve(out, BASE64_SIZE(text.n + EXTRA));
    if (at == NULL) {
        return ERR_TOO_BIG;
    }
    nonce_step(&s->nonce);
    bytes = xmalloc(text.n + EXTRA);
    memcpy(bytes, s->nonce.bytes, SEAL_NONCE_BYTES);
    ok = begin(s, true, key, s->nonce.bytes, place) &&
         encrypt(s, text, bytes + SEAL_NONCE_BYTES);
    if (ok) {
        out->n += base64_encode(
            (struct str){(const char *)bytes, text.n + EXTRA}, at);
    }
    xfree(bytes);
    return ok ? ERR_OK : ERR_INTERNAL_ERROR;
}

/* --- the form ----------------------------------------------------------- */

/* "v1.<id>." and what is behind it. False: another form. */
static bool
split(struct str stored, struct str *id, struct str *body)
{
    struct str rest;

    if (!str_starts(stored, STR(SEAL_PREFIX))) {
        return false;
    }
    rest = str_from_at(stored, sizeof(SEAL_PREFIX) - 1);
    if (!str_split(&rest, '.', id) || rest.p == NULL) {
        return false;
    }
    *body = rest;
    return good_id(*id);
}

/* Text that a person wrote may begin like a sealed one ("v1.2.3"): the body
 * tells, unless the key is one of ours. */
#define BODY_LEAST 16

static bool
looks_sealed(struct str body)
{
    return body.n >= BODY_LEAST && only(body, "+/=");
}

/* Appends what the key makes of the base64 text. */
static bool
open_body(struct seal *s, const struct key *key, const struct seal_place *place,
          struct str body, struct buf *out)
{
    unsigned char *bytes = xmalloc(BASE64_BYTES(body.n));
    size_t n;
    bool ok = body.n <= INT_MAX &&
              base64_decode(body, bytes, BASE64_BYTES(body.n), &n) == ERR_OK &&
              n >= EXTRA && begin(s, false, key, bytes, place) &&
              decrypt(s, bytes + SEAL_NONCE_BYTES, n - EXTRA);

    if (ok) {
        buf_put(out, bytes + SEAL_NONCE_BYTES, n - EXTRA);
    }
    xwipe(bytes, BASE64_BYTES(body.n));
    xfree(bytes);
    return ok && !out->failed;
}

/* --- the older form ------------------------------------------------------ */

static bool
looks_old(struct str stored)
{
    return stored.n >= BASE64_SIZE(EXTRA) && only(stored, "+/=");
}

static bool
has_both_cases(struct str s)
{
    bool upper = false, lower = false;

    for (size_t i = 0; i < s.n; i++) {
        upper = upper || (s.p[i] >= 'A' && s.p[i] <= 'Z');
        lower = lower || (s.p[i] >= 'a' && s.p[i] <= 'z');
    }
    return upper && lower;
}

/* Base64 of what nobody can have written; its end may be missing or
 * damaged. */
static bool
is_random(struct str stored)
{
    struct str sure = {stored.p, (stored.n / 4 - 1) * 4};
    struct utf8 text = {0};
    char *bytes;
    size_t n;
    bool random;

    if (!has_both_cases(stored)) {
        return false;
    }
    bytes = xmalloc(BASE64_BYTES(sure.n));
    random = base64_decode(sure, bytes, BASE64_BYTES(sure.n), &n) == ERR_OK &&
             !utf8_feed(&text, bytes, n);
    xfree(bytes);
    return random;
}

static enum seal_form
open_old(struct seal *s, struct str stored, struct buf *out)
{
    const struct seal_ring *ring = s->ring;

    for (size_t i = 0; i < ring->count; i++) {
        if (open_body(s, &ring->keys[i], NULL, stored, out)) {
            return SEAL_OPENED;
        }
    }
    return out->failed || is_random(stored) ? SEAL_BROKEN : SEAL_PLAIN;
}

/* --- opening -------------------------------------------------------------- */

static size_t
differing(const char *a, const char *b, size_t n)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        count += a[i] != b[i];
    }
    return count;
}

/* One byte before the body is another than when one of our keys sealed. */
static bool
was_ours(const struct seal_ring *ring, struct str stored)
{
    for (size_t i = 0; i < ring->count; i++) {
        char head[sizeof(SEAL_PREFIX) + SEAL_KEY_ID_MAX + 1];
        size_t n = (size_t)snprintf(head, sizeof(head), SEAL_PREFIX "%s.",
                                    ring->keys[i].id);

        if (stored.n >= n + BASE64_SIZE(EXTRA) &&
            differing(stored.p, head, n) == 1 &&
            only(str_from_at(stored, n), "+/=")) {
            return true;
        }
    }
    return false;
}

enum seal_form
seal_open(struct seal *s, const struct seal_place *place, struct str stored,
          struct buf *out)
{
    enum seal_form form = SEAL_PLAIN;
    struct str id, body;

    if (split(stored, &id, &body)) {
        const struct key *key = find_key(s->ring, id);

        if (key != NULL) {
            return open_body(s, key, place, body, out) ? SEAL_OPENED
                                                       : SEAL_BROKEN;
        }
        if (looks_sealed(body)) {
            return SEAL_UNKNOWN_KEY;
        }
    } else if (looks_old(stored)) {
        form = open_old(s, stored, out);
    }
    if (form == SEAL_PLAIN && was_ours(s->ring, stored)) {
        return SEAL_BROKEN;
    }
    if (form == SEAL_PLAIN) {
        buf_put_str(out, stored);
    }
    return out->failed ? SEAL_BROKEN : form;
}

bool
seal_is_sealed(struct str stored)
{
    struct str id, body;

    return split(stored, &id, &body) && looks_old(body) && is_random(body);
}

bool
seal_is_old(struct str stored)
{
    return looks_old(stored) && is_random(stored);
}

struct str
seal_key_of(struct str stored)
{
    struct str id, body;

    return split(stored, &id, &body) ? id : (struct str){NULL, 0};
}

bool
seal_is_current(const struct seal *s, struct str stored)
{
    return s->ring->count > 0 &&
           str_is(seal_key_of(stored), s->ring->keys[0].id);
}
