/* SPDX-License-Identifier: MIT */
/* guard/token: the input is taken as a token as it stands, and as header and
 * claims (divided by the first NUL) of a token that is signed correctly, so
 * that the fuzzer gets past the signature. Whatever is accepted keeps every
 * bound of protocol.md section 3. */
#include "codec/jwt.h"
#include "codec/utf8.h"
#include "guard/token_keys.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECRET STR("0123456789abcdef0123456789abcdef")
#define NOW_MS INT64_C(1700000000000)

static void
verify(struct str token, bool forged)
{
    static const char *const admin_roles[] = {"admin", NULL};
    static const struct token_rules rules = {
        .require_exp = true, .leeway_ms = 30000, .admin_roles = admin_roles};
    struct token_keys *keys = token_keys_secret(SECRET);
    struct identity who;
    enum err e = token_verify(keys, &rules, token, NOW_MS, &who);

    CHECK(e == ERR_OK || e == ERR_INVALID_TOKEN || e == ERR_EXPIRED_TOKEN);
    CHECK(!forged || e == ERR_INVALID_TOKEN);
    if (e == ERR_OK) {
        struct str user = str_from(who.user_id);

        CHECK(user.n >= 1 && user.n <= TOKEN_USER_ID_MAX && utf8_valid(user));
        CHECK(utf8_valid(str_from(who.name)));
        CHECK(who.exp_ms + rules.leeway_ms > NOW_MS);
        CHECK(token.n <= JWT_MAX_BYTES);
    }
    token_keys_free(keys);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size}, header, claims = text;
    unsigned char mac[32];
    struct buf token;

    verify(text, true);
    if (size == 0 || !str_split(&claims, '\0', &header)) {
        return 0;
    }
    buf_init(&token, 4 * size + 100);
    jwt_put_part(&token, header);
    buf_putc(&token, '.');
    jwt_put_part(&token, claims);
    token_keys_hs256(SECRET, buf_str(&token), mac);
    buf_putc(&token, '.');
    jwt_put_part(&token, (struct str){(const char *)mac, sizeof(mac)});
    verify(buf_str(&token), false);
    buf_fini(&token);
    return 0;
}
