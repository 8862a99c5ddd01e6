/* SPDX-License-Identifier: MIT */
/* Tokens signed with a secret, for the tests of token_verify. */
#ifndef CHATBOX_TESTS_TOKEN_FIXTURE_H
#define CHATBOX_TESTS_TOKEN_FIXTURE_H

#include "guard/token.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "codec/jwt.h"
#include "guard/token_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOW_S 1700000000
#define HEAD "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define SECRET "0123456789abcdef0123456789abcdef"

/* A good token's claims: the user, the expiry, and whatever a row adds. */
#define WHO "\"user_id\":\"u1\""
#define LATER "\"exp\":1700000600"
#define C(more) "{" WHO "," LATER more "}"

static struct token_keys *keys;
static const char *const admin_roles[] = {"admin", "chat_admin", NULL};
static struct token_rules rules;

static inline int
setup(void **state)
{
    (void)state;
    rules = (struct token_rules){
        .require_exp = true, .leeway_ms = 30000, .admin_roles = admin_roles};
    keys = token_keys_secret(STR(SECRET));
    return 0;
}

static inline int
teardown(void **state)
{
    (void)state;
    token_keys_free(keys);
    return 0;
}

/* header.claims.signature by HS256, whatever the header says. */
static inline void
sign(struct buf *out, struct str header, struct str claims)
{
    unsigned char mac[32];

    buf_init(out, 1 << 20);
    jwt_put_part(out, header);
    buf_putc(out, '.');
    jwt_put_part(out, claims);
    token_keys_hs256(STR(SECRET), buf_str(out), mac);
    buf_putc(out, '.');
    jwt_put_part(out, (struct str){(const char *)mac, sizeof(mac)});
}

static inline enum err
verify(struct str header, struct str claims, struct identity *out)
{
    struct buf token;
    enum err e;

    sign(&token, header, claims);
    e = token_verify(keys, &rules, buf_str(&token), (int64_t)NOW_S * 1000, out);
    buf_fini(&token);
    return e;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
