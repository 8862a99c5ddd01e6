/* SPDX-License-Identifier: MIT */
/* The form of tokens: jwt.h. Whatever is read here was seen by our scanner as
 * a whole before; nothing is allocated, because half of it is read before the
 * signature is known to hold. */
#include "codec/jwt.h"

#include "codec/base64.h"
#include "codec/json.h"

#include <string.h>

bool
jwt_split(struct str token, struct jwt *out)
{
    struct str rest = token;

    if (token.n == 0 || token.n > JWT_MAX_BYTES ||
        !str_split(&rest, '.', &out->header) ||
        !str_split(&rest, '.', &out->claims) ||
        !str_split(&rest, '.', &out->signature) || rest.p != NULL) {
        return false;
    }
    out->signed_text = (struct str){token.p, out->header.n + 1 + out->claims.n};
    return out->header.n > 0 && out->claims.n > 0 && out->signature.n > 0;
}

bool
jwt_text(struct str part, char out[static JWT_MAX_BYTES], size_t *n)
{
    return part.n <= JWT_MAX_BYTES &&
           base64_decode_url(part, out, JWT_MAX_BYTES, n) == ERR_OK &&
           json_valid((struct str){out, *n}, JWT_DEPTH_MAX);
}

/* --- header ------------------------------------------------------------- */

enum { HEADER_MEMBERS_MAX = 32 };

static void
read_word(struct json_scan *s, char out[static 16])
{
    struct json_text value;
    struct buf text;

    if (!json_scan_string(s, &value)) {
        return;
    }
    buf_init(&text, 15);
    json_unescape(&value, &text);
    if (text.failed || (text.n > 0 && memchr(text.p, '\0', text.n) != NULL)) {
        json_scan_fail(s);
    } else if (text.n > 0) {
        memcpy(out, text.p, text.n);
        out[text.n] = '\0';
    }
    buf_fini(&text);
}

static void
read_header_member(struct json_scan *s, struct str name, struct jwt_header *out)
{
    if (str_eq(name, STR("alg"))) {
        read_word(s, out->algorithm);
    } else if (str_eq(name, STR("typ"))) {
        out->has_type = true;
        read_word(s, out->type);
    } else {
        out->critical = out->critical || str_eq(name, STR("crit"));
        json_scan_skip(s);
    }
}

/* names[0..count): those before it. */
static bool
is_new_name(const struct json_text *name, const struct str *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq(name->raw, names[i])) {
            return false;
        }
    }
    return !name->escaped && count < HEADER_MEMBERS_MAX;
}

bool
jwt_header(struct str part, struct jwt_header *out)
{
    char text[JWT_MAX_BYTES];
    struct str names[HEADER_MEMBERS_MAX];
    size_t n, count = 0;
    struct json_scan s;
    struct json_text name;

    *out = (struct jwt_header){0};
    if (!jwt_text(part, text, &n)) {
        return false;
    }
    json_scan_init(&s, (struct str){text, n});
    json_scan_enter(&s, '{');
    while (json_scan_member(&s, &name)) {
        if (!is_new_name(&name, names, count)) {
            return false;
        }
        names[count++] = name.raw;
        read_header_member(&s, name.raw, out);
    }
    return json_scan_end(&s);
}

static enum err
read_key_id(struct json_scan *s, struct buf *out)
{
    struct json_text value;

    if (!json_scan_string(s, &value)) {
        return ERR_INVALID_FORMAT;
    }
    json_unescape(&value, out);
    return out->failed ? ERR_INVALID_FORMAT : ERR_OK;
}

enum err
jwt_key_id(struct str part, struct buf *out)
{
    char text[JWT_MAX_BYTES];
    size_t n;
    struct json_scan s;
    struct json_text name;

    if (!jwt_text(part, text, &n)) {
        return ERR_INVALID_FORMAT;
    }
    json_scan_init(&s, (struct str){text, n});
    json_scan_enter(&s, '{');
    while (json_scan_member(&s, &name)) {
        if (json_text_is(&name, STR("kid"))) {
            return read_key_id(&s, out);
        }
        json_scan_skip(&s);
    }
    return ERR_NOT_FOUND;
}

/* --- parts -------------------------------------------------------------- */

bool
jwt_bytes(struct str part, unsigned char *out, size_t *n)
{
    return base64_decode_url(part, out, *n, n) == ERR_OK;
}

void
jwt_put_part(struct buf *b, struct str bytes)
{
    char *to = bytes.n > 0 ? buf_reserve(b, BASE64_SIZE(bytes.n)) : NULL;

    if (to != NULL) {
        b->n += base64_encode_url(bytes, to);
    }
}
