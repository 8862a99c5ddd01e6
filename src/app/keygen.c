/* SPDX-License-Identifier: MIT */
/* By chance a random text can contain a word that the settings refuse (about
 * once in 10,000); then another one is drawn. */
#include "app/keygen.h"

#include "app/config_check.h"
#include "base/rand.h"
#include "base/xalloc.h"
#include "codec/base64.h"

#define KEY_BYTES 32

static void
put_key(struct buf *out)
{
    unsigned char key[KEY_BYTES];
    char *room = buf_reserve(out, BASE64_SIZE(KEY_BYTES));

    CHECK(room != NULL);
    rand_bytes(key, sizeof(key));
    out->n += base64_encode((struct str){(const char *)key, sizeof(key)}, room);
    xwipe(key, sizeof(key));
}

/* Draws with put until the settings take what it appended. */
static void
put_accepted(enum config_id id, void (*put)(struct buf *), struct buf *out)
{
    size_t begin = out->n;

    do {
        out->n = begin;
        put(out);
    } while (config_check_text(&config_table_rows[id],
                               str_from_at(buf_str(out), begin)) != NULL);
}

void
keygen_jwt(struct buf *out)
{
    put_accepted(CONFIG_ID_auth_jwt_secret, put_key, out);
}

static void
put_entry(struct buf *out)
{
    unsigned char id[4];

    rand_bytes(id, sizeof(id));
    buf_printf(out, "k%02x%02x%02x%02x:", id[0], id[1], id[2], id[3]);
    put_key(out);
}

void
keygen_encryption(struct buf *out)
{
    put_accepted(CONFIG_ID_store_encryption_keys, put_entry, out);
}
