/* SPDX-License-Identifier: MIT */
/* Tokens, rule by rule (protocol.md section 3, RFC 7519, RFC 8725). The order
 * matters: form, header, signature, and only then the claims; the expiry comes
 * last, so that EXPIRED_TOKEN is said of good tokens alone. token_keys.c
 * checks signatures. */
#include "guard/token.h"

#include "codec/json.h"
#include "codec/jwt.h"
#include "codec/utf8.h"
#include "guard/token_keys.h"

#include <string.h>

static bool
has_text(const char *s)
{
    return s != NULL && s[0] != '\0';
}

static struct str
text_of(const json_t *value)
{
    return (struct str){json_string_value(value), json_string_length(value)};
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

static bool
signature_ok(const struct token_keys *keys, const struct jwt *parts)
{
    unsigned char signature[TOKEN_SIGNATURE_MAX];
    size_t n = sizeof(signature);
    const struct token_algorithm *a = algorithm_of(parts->header);

    return a != NULL && jwt_bytes(parts->signature, signature, &n) &&
           token_keys_check(keys, a, parts->signed_text,
                            (struct str){(const char *)signature, n});
}

/* --- claims ------------------------------------------------------------- */

/* C0, DEL, and C1, which in UTF-8 is C2 80 to C2 9F. */
static bool
has_control(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c < 0x20 || c == 0x7F ||
            (c == 0xC2 && i + 1 < s.n && (unsigned char)s.p[i + 1] < 0xA0)) {
            return true;
        }
    }
    return false;
}

static bool
take_user(const json_t *value, char out[static TOKEN_USER_ID_MAX + 1])
{
    struct str id = text_of(value);

    if (!json_is_string(value) || id.n == 0 || id.n > TOKEN_USER_ID_MAX ||
        has_control(id)) {
        return false;
    }
    memcpy(out, id.p, id.n + 1);
    return true;
}

static bool
take_name(const json_t *value, char out[static TOKEN_NAME_MAX + 1])
{
    struct str name = text_of(value);

    out[0] = '\0';
    if (value == NULL) {
        return true;
    }
    if (!json_is_string(value) || name.n > TOKEN_NAME_MAX) {
        return false;
    }
    memcpy(out, name.p, name.n + 1);
    return true;
}

static bool
is_one_of(struct str word, const char *const *list)
{
    for (; list != NULL && *list != NULL; list++) {
        if (str_is(word, *list)) {
            return true;
        }
    }
    return false;
}

static bool
take_roles(const json_t *roles, const struct token_rules *rules, bool *admin)
{
    size_t i;
    const json_t *role;

    *admin = false;
    if (roles == NULL) {
        return true;
    }
    if (!json_is_array(roles) || json_array_size(roles) > TOKEN_ROLES_MAX) {
        return false;
    }
    json_array_foreach(roles, i, role)
    {
        struct str text = text_of(role);

        if (!json_is_string(role) || text.n > TOKEN_ROLE_MAX) {
            return false;
        }
        *admin = *admin || is_one_of(text, rules->admin_roles);
    }
    return true;
}

/* `aud`: a string or an array of strings (RFC 7519, section 4.1.3). */
static bool
audience_ok(const json_t *aud, const char *wanted)
{
    bool found = !has_text(wanted) ||
                 (json_is_string(aud) && str_is(text_of(aud), wanted));
    size_t i;
    const json_t *item;

    if (aud == NULL || json_is_string(aud)) {
        return found;
    }
    json_array_foreach(aud, i, item)
    {
        if (!json_is_string(item)) {
            return false;
        }
        found = found || str_is(text_of(item), wanted);
    }
    return json_is_array(aud) && found;
}

static bool
issuer_ok(const json_t *iss, const char *wanted)
{
    if (iss != NULL && !json_is_string(iss)) {
        return false;
    }
    return !has_text(wanted) || (iss != NULL && str_is(text_of(iss), wanted));
}

/* Seconds since 1970, also with a fraction (RFC 7519, section 2). Beyond what
 * fits, centuries away, the bound will do. */
static int64_t
to_ms(double seconds)
{
    const double limit = 9e15;
    double ms = seconds * 1000;

    return ms > limit    ? (int64_t)limit
           : ms < -limit ? -(int64_t)limit
                         : (int64_t)ms;
}

static bool
number_or_absent(const json_t *value)
{
    return value == NULL || json_is_number(value);
}

/* All but the expiry. */
static bool
times_ok(const json_t *claims, const struct token_rules *rules, int64_t now_ms)
{
    const json_t *exp = json_object_get(claims, "exp");
    const json_t *nbf = json_object_get(claims, "nbf");

    if (!number_or_absent(exp) || !number_or_absent(nbf) ||
        !number_or_absent(json_object_get(claims, "iat")) ||
        (exp == NULL && rules->require_exp)) {
        return false;
    }
    return nbf == NULL ||
           to_ms(json_number_value(nbf)) <= now_ms + rules->leeway_ms;
}

static enum err
take_expiry(const json_t *exp, const struct token_rules *rules, int64_t now_ms,
            struct identity *out)
{
    out->exp_ms = 0;
    if (exp == NULL) {
        return ERR_OK;
    }
    out->exp_ms = to_ms(json_number_value(exp));
    return now_ms < out->exp_ms + rules->leeway_ms ? ERR_OK : ERR_EXPIRED_TOKEN;
}

static enum err
take_claims(const json_t *claims, const struct token_rules *rules,
            int64_t now_ms, struct identity *out)
{
    const char *user =
        has_text(rules->user_claim) ? rules->user_claim : "user_id";

    if (!take_user(json_object_get(claims, user), out->user_id) ||
        !take_name(json_object_get(claims, "name"), out->name) ||
        !take_roles(json_object_get(claims, "roles"), rules, &out->admin) ||
        !issuer_ok(json_object_get(claims, "iss"), rules->issuer) ||
        !audience_ok(json_object_get(claims, "aud"), rules->audience) ||
        !times_ok(claims, rules, now_ms)) {
        return ERR_INVALID_TOKEN;
    }
    return take_expiry(json_object_get(claims, "exp"), rules, now_ms, out);
}

enum err
token_verify(const struct token_keys *keys, const struct token_rules *rules,
             struct str jwt, int64_t now_ms, struct identity *out)
{
    struct jwt parts;
    json_t *claims;
    enum err e;

    if (!jwt_split(jwt, &parts) || !signature_ok(keys, &parts)) {
        return ERR_INVALID_TOKEN;
    }
    claims = jwt_object(parts.claims);
    if (claims == NULL) {
        return ERR_INVALID_TOKEN;
    }
    e = take_claims(claims, rules, now_ms, out);
    json_decref(claims);
    return e;
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
