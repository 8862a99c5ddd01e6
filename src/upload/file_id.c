/* SPDX-License-Identifier: MIT */
/* Keyed hashes for ids and links; each use has a label of its own, so that
 * none can stand for another. */
#include "upload/file_id.h"

#include "base/check.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define RANDOM_CHARS RAND_ID_CHARS
#define TYPE_CHARS 2
#define TAG_CHARS (FILE_ID_CHARS - RANDOM_CHARS - TYPE_CHARS)
#define SIG_CHARS 32
#define HASH_BYTES 32
#define TEXT_MAX 1024

/* The first `chars` hexadecimal digits of HMAC-SHA-256 over label, a, b; none
 * of them has a NUL. */
static void
hash(struct str key, const char *label, const struct str parts[static 2],
     size_t chars, char *out)
{
    unsigned char bytes[HASH_BYTES];
    struct buf text;
    size_t n = 0;

    CHECK(key.n > 0 && chars % 2 == 0 && chars <= 2 * HASH_BYTES);
    buf_init(&text, TEXT_MAX);
    buf_puts(&text, label);
    for (size_t i = 0; i < 2; i++) {
        buf_putc(&text, '\0');
        buf_put_str(&text, parts[i]);
    }
    CHECK(!text.failed);
    CHECK(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key.p, key.n,
                    (const unsigned char *)text.p, text.n, bytes, sizeof(bytes),
                    &n) != NULL &&
          n == sizeof(bytes));
    buf_fini(&text);
    for (size_t i = 0; i < chars / 2; i++) {
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    }
}

/* Behind the random bits and the type that stand in id. */
static void
put_tag(struct str key, struct str user_id, char id[static FILE_ID_CHARS + 1])
{
    const struct str parts[] = {{id, RANDOM_CHARS + TYPE_CHARS}, user_id};
    char tag[TAG_CHARS + 1];

    hash(key, "chatbox file", parts, TAG_CHARS, tag);
    memcpy(id + RANDOM_CHARS + TYPE_CHARS, tag, sizeof(tag));
}

void
file_id_make(struct str key, unsigned type, struct str user_id,
             char out[static FILE_ID_CHARS + 1])
{
    CHECK(type <= UINT8_MAX);
    rand_id(out);
    snprintf(out + RANDOM_CHARS, TYPE_CHARS + 1, "%02x", type);
    put_tag(key, user_id, out);
}

static int
digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
file_id_read(struct str id, unsigned *type_out)
{
    if (id.n != FILE_ID_CHARS) {
        return false;
    }
    for (size_t i = 0; i < id.n; i++) {
        if (digit(id.p[i]) < 0) {
            return false;
        }
    }
    *type_out = (unsigned)digit(id.p[RANDOM_CHARS]) * 16 +
                (unsigned)digit(id.p[RANDOM_CHARS + 1]);
    return true;
}

bool
file_id_is_of(struct str key, struct str id, struct str user_id)
{
    char own[FILE_ID_CHARS + 1];
    unsigned type;

    if (!file_id_read(id, &type)) {
        return false;
    }
    memcpy(own, id.p, FILE_ID_CHARS);
    put_tag(key, user_id, own);
    return str_eq_secret(id, (struct str){own, FILE_ID_CHARS});
}

static void
signature(struct str key, struct str id, int64_t until_s,
          char out[static SIG_CHARS + 1])
{
    char until[32];
    struct str parts[] = {id, {NULL, 0}};

    snprintf(until, sizeof(until), "%lld", (long long)until_s);
    parts[1] = str_from(until);
    hash(key, "chatbox link", parts, SIG_CHARS, out);
}

void
file_id_sign(struct str key, struct str id, int64_t until_s, struct buf *out)
{
    char sig[SIG_CHARS + 1];

    signature(key, id, until_s, sig);
    buf_puts(out, "exp=");
    buf_put_i64(out, until_s);
    buf_puts(out, "&sig=");
    buf_puts(out, sig);
}

bool
file_id_signed(struct str key, struct str id, int64_t until_s, struct str sig)
{
    char own[SIG_CHARS + 1];
    unsigned type;

    if (!file_id_read(id, &type)) {
        return false;
    }
    signature(key, id, until_s, own);
    return str_eq_secret(sig, (struct str){own, SIG_CHARS});
}
