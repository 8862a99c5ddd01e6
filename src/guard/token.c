/* SPDX-License-Identifier: MIT */
/* Tokens, rule by rule (protocol.md section 3, RFC 7519, RFC 8725). The order
 * matters: form, header, signature, and only then the claims; the expiry comes
 * last, so that EXPIRED_TOKEN is said of good tokens alone. token_keys.c
 * checks signatures, token_claims.c reads claims. */
#include "guard/token.h"

#include "codec/json.h"
#include "codec/jwt.h"
#include "guard/jwks.h"
#include "guard/token_claims.h"
#include "guard/token_keys.h"

static bool
has_text(const char *s)
{
    return s != NULL && s[0] != '\0';
}

/* --- header ------------------------------------------------------------- */

static bool
type_ok(const struct jwt_header *h)
{
    struct str type = str_from(h->type);

    return !h->has_type || str_is_nocase(type, "JWT") ||
           str_is_nocase(type, "at+jwt");
}

/* NULL when the header asks for anything that is refused. kid, jku, x5u, x5c
 * and jwk are not looked at: the key is ours to choose. */
static const struct token_algorithm *
algorithm_of(struct str part)
{
    struct jwt_header h;

    if (!jwt_header(part, &h) || h.critical || !type_ok(&h)) {
        return NULL;
    }
    return token_keys_algorithm(str_from(h.algorithm));
}

static enum err
check_by_key(const struct token_keys *keys, const struct jwt *parts)
{
    unsigned char signature[TOKEN_SIGNATURE_MAX];
    size_t n = sizeof(signature);
    const struct token_algorithm *a = algorithm_of(parts->header);

    if (a == NULL || !jwt_bytes(parts->signature, signature, &n)) {
        return ERR_INVALID_TOKEN;
    }
    return token_keys_check(keys, a, parts->signed_text,
                            (struct str){(const char *)signature, n});
}

static enum err
check_by_set(const struct jwks *set, const struct jwt *parts)
{
    unsigned char signature[TOKEN_SIGNATURE_MAX];
    size_t n = sizeof(signature);
    const struct token_algorithm *a = algorithm_of(parts->header);
    struct buf text;
    struct str kid;
    enum err e;

    if (a == NULL || !jwt_bytes(parts->signature, signature, &n)) {
        return ERR_INVALID_TOKEN;
    }
    buf_init(&text, JWT_MAX_BYTES);
    e = jwt_key_id(parts->header, &text);
    if (e == ERR_INVALID_FORMAT) {
        e = ERR_INVALID_TOKEN;
    } else {
        kid = buf_str(&text);
        e = jwks_check(set, e == ERR_OK ? &kid : NULL, a, parts->signed_text,
                       (struct str){(const char *)signature, n});
    }
    buf_fini(&text);
    return e;
}

/* --- claims ------------------------------------------------------------- */

/* Everything but the expiry. */
static bool
claims_ok(const struct token_claims_read *c, const struct token_rules *rules,
          int64_t now_ms)
{
    return c->has_user && (c->issuer_matches || !has_text(rules->issuer)) &&
           (c->audience_matches || !has_text(rules->audience)) &&
           (c->has_exp || !rules->require_exp) &&
           (c->nbf_ms == INT64_MIN || c->nbf_ms <= now_ms + rules->leeway_ms);
}

/* The signature holds. */
static enum err
take_claims(const struct jwt *parts, const struct token_rules *rules,
            int64_t now_ms, struct identity *out)
{
    struct token_claims_read claims;
    char text[JWT_MAX_BYTES];
    size_t n;

    if (!jwt_text(parts->claims, text, &n) ||
        !token_claims_read((struct str){text, n}, rules, out, &claims) ||
        !claims_ok(&claims, rules, now_ms)) {
        return ERR_INVALID_TOKEN;
    }
    out->exp_ms = claims.exp_ms;
    return !claims.has_exp || now_ms < claims.exp_ms + rules->leeway_ms
               ? ERR_OK
               : ERR_EXPIRED_TOKEN;
}

enum err
token_verify(const struct token_keys *keys, const struct token_rules *rules,
             struct str jwt, int64_t now_ms, struct identity *out)
{
    struct jwt parts;
    enum err e = ERR_INVALID_TOKEN;

    if (jwt_split(jwt, &parts)) {
        e = check_by_key(keys, &parts);
    }
    return e == ERR_OK ? take_claims(&parts, rules, now_ms, out) : e;
}

enum err
token_verify_by_set(const struct jwks *set, const struct token_rules *rules,
                    struct str jwt, int64_t now_ms, struct identity *out)
{
    struct jwt parts;
    enum err e = ERR_INVALID_TOKEN;

    if (jwt_split(jwt, &parts)) {
        e = check_by_set(set, &parts);
    }
    return e == ERR_OK ? take_claims(&parts, rules, now_ms, out) : e;
}

/* --- signing ------------------------------------------------------------ */

static void
put_optional(struct buf *b, const char *name, const char *value)
{
    if (has_text(value)) {
        json_put_member(b, name, str_from(value));
    }
}

static void
put_claims(struct buf *b, const struct token_claims *c)
{
    buf_putc(b, '{');
    json_put_comma(b);
    json_put_string(
        b, str_from(has_text(c->user_claim) ? c->user_claim : "user_id"));
    buf_putc(b, ':');
    json_put_string(b, str_from(c->user_id));
    put_optional(b, "name", c->name);
    if (c->roles != NULL && c->roles[0] != NULL) {
        json_put_key(b, "roles");
        buf_putc(b, '[');
        for (const char *const *role = c->roles; *role != NULL; role++) {
            json_put_comma(b);
            json_put_string(b, str_from(*role));
        }
        buf_putc(b, ']');
    }
    put_optional(b, "iss", c->issuer);
    put_optional(b, "aud", c->audience);
    json_put_member_i64(b, "iat", c->issued_s);
    if (c->expires_s != 0) {
        json_put_member_i64(b, "exp", c->expires_s);
    }
    buf_putc(b, '}');
}

void
token_sign_hs256(struct str secret, const struct token_claims *claims,
                 struct buf *out)
{
    unsigned char mac[32];
    struct buf text;
    size_t begin = out->n;

    buf_init(&text, 1 << 16);
    put_claims(&text, claims);
    jwt_put_part(out, STR("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"));
    buf_putc(out, '.');
    jwt_put_part(out, buf_str(&text));
    buf_fini(&text);
    token_keys_hs256(secret, str_from_at(buf_str(out), begin), mac);
    buf_putc(out, '.');
    jwt_put_part(out, (struct str){(const char *)mac, sizeof(mac)});
}
