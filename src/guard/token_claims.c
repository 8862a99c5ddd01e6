/* SPDX-License-Identifier: MIT */
/* The claims of a token in one pass and without a document: every upgrade and
 * every request carries one. A row of a table per claim; types and bounds are
 * protocol.md section 3's. Claims that are not in the table are skipped, but
 * none may be there twice: two readers would see two different tokens. */
#include "guard/token_claims.h"

#include "codec/json.h"

#include <string.h>

enum { CLAIMS_MAX = 128, EXPONENT_MAX = 1000 };

/* About the year 287 000, in milliseconds. */
#define TIME_MAX INT64_C(9000000000000000)

struct reading {
    struct json_scan scan;
    const struct token_rules *rules;
    struct identity *who;
    struct token_claims_read *out;
    struct json_text names[CLAIMS_MAX];
    size_t count;
};

/* --- values ------------------------------------------------------------- */

/* A string of at most max bytes without NUL, as a C string. Anything else
 * fails the scan and leaves "". */
static void
read_string(struct json_scan *s, char *out, size_t max)
{
    struct json_text t;
    struct buf text;

    out[0] = '\0';
    if (!json_scan_string(s, &t)) {
        return;
    }
    buf_init(&text, max);
    if (t.escaped) {
        json_unescape(&t, &text);
        t.raw = buf_str(&text);
    }
    if (text.failed || t.raw.n > max ||
        (t.raw.n > 0 && memchr(t.raw.p, '\0', t.raw.n) != NULL)) {
        json_scan_fail(s);
    } else if (t.raw.n > 0) {
        memcpy(out, t.raw.p, t.raw.n);
        out[t.raw.n] = '\0';
    }
    buf_fini(&text);
}

/* The exponent of a number's text, clamped: beyond 1000 it makes no
 * difference. */
static int64_t
exponent_of(struct str number)
{
    struct str rest = number, mantissa;
    uint64_t value = 0;
    bool minus;

    if (memchr(number.p, 'E', number.n) != NULL) {
        str_split(&rest, 'E', &mantissa);
    } else {
        str_split(&rest, 'e', &mantissa);
    }
    if (rest.n == 0) {
        return 0;
    }
    minus = rest.p[0] == '-';
    rest = str_from_at(rest, minus || rest.p[0] == '+');
    if (!str_to_u64(rest, EXPONENT_MAX, &value)) {
        value = EXPONENT_MAX;
    }
    return minus ? -(int64_t)value : (int64_t)value;
}

/* The first `count` digits of an unsigned mantissa as a number, with zeros
 * behind its last; at most TIME_MAX. */
static int64_t
leading_digits(struct str mantissa, int64_t count)
{
    int64_t value = 0;
    size_t at = 0;

    for (; count > 0 && value < TIME_MAX; count--) {
        at += at < mantissa.n && mantissa.p[at] == '.';
        value *= 10;
        if (at < mantissa.n && mantissa.p[at] >= '0' && mantissa.p[at] <= '9') {
            value += mantissa.p[at++] - '0';
        }
    }
    return value < TIME_MAX ? value : TIME_MAX;
}

/* Seconds since 1970, also with a fraction (RFC 7519, section 2), to whole
 * milliseconds without a detour over floating point. Beyond what fits,
 * centuries away, the bound will do. */
static int64_t
read_time(struct json_scan *s)
{
    struct str number;
    bool minus;
    int64_t before_point = 0, ms;

    if (!json_scan_number(s, &number)) {
        return 0;
    }
    minus = number.p[0] == '-';
    number = str_from_at(number, minus);
    while ((size_t)before_point < number.n && number.p[before_point] >= '0' &&
           number.p[before_point] <= '9') {
        before_point++;
    }
    ms = leading_digits(number, before_point + exponent_of(number) + 3);
    return minus ? -ms : ms;
}

static bool
is_text(const char *wanted)
{
    return wanted != NULL && wanted[0] != '\0';
}

/* A string; whether it is the wanted one, if there is one. */
static bool
read_match(struct json_scan *s, const char *wanted)
{
    struct json_text t;

    return json_scan_string(s, &t) && is_text(wanted) &&
           json_text_is(&t, str_from(wanted));
}

/* --- claims ------------------------------------------------------------- */

static void
read_name(struct reading *r)
{
    read_string(&r->scan, r->who->name, TOKEN_NAME_MAX);
}

static bool
is_admin(const struct token_rules *rules, const char *role)
{
    const char *const *admin = rules->admin_roles;

    for (; admin != NULL && *admin != NULL; admin++) {
        if (strcmp(role, *admin) == 0) {
            return true;
        }
    }
    return false;
}

static void
keep_role(struct identity *who, const char *role)
{
    size_t n = strlen(role) + 1;

    if (n <= sizeof(who->roles) - who->roles_n) {
        memcpy(who->roles + who->roles_n, role, n);
        who->roles_n += n;
    }
}

static void
read_roles(struct reading *r)
{
    char role[TOKEN_ROLE_MAX + 1];
    int count = 0;

    json_scan_enter(&r->scan, '[');
    while (json_scan_element(&r->scan)) {
        read_string(&r->scan, role, TOKEN_ROLE_MAX);
        r->who->admin = r->who->admin || is_admin(r->rules, role);
        keep_role(r->who, role);
        if (++count > TOKEN_ROLES_MAX) {
            json_scan_fail(&r->scan);
        }
    }
}

static void
read_issuer(struct reading *r)
{
    r->out->issuer_matches = read_match(&r->scan, r->rules->issuer);
}

/* A string or an array of strings (RFC 7519, section 4.1.3). */
static void
read_audience(struct reading *r)
{
    const char *wanted = r->rules->audience;
    bool found = false;

    if (json_scan_peek(&r->scan) == '[') {
        json_scan_enter(&r->scan, '[');
        while (json_scan_element(&r->scan)) {
            found = read_match(&r->scan, wanted) || found;
        }
    } else {
        found = read_match(&r->scan, wanted);
    }
    r->out->audience_matches = found;
}

static void
read_exp(struct reading *r)
{
    r->out->exp_ms = read_time(&r->scan);
    r->out->has_exp = true;
}

static void
read_nbf(struct reading *r)
{
    r->out->nbf_ms = read_time(&r->scan);
}

static void
read_iat(struct reading *r)
{
    (void)read_time(&r->scan);
}

static const struct {
    struct str name;
    void (*read)(struct reading *r);
} claims[] = {
    {STR("name"), read_name},  {STR("roles"), read_roles},
    {STR("iss"), read_issuer}, {STR("aud"), read_audience},
    {STR("exp"), read_exp},    {STR("nbf"), read_nbf},
    {STR("iat"), read_iat},
};

/* C0, DEL, and C1, which in UTF-8 is C2 80 to C2 9F. */
static bool
has_control(const char *s)
{
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)s[0];

        if (c < 0x20 || c == 0x7F ||
            (c == 0xC2 && (unsigned char)s[1] < 0xA0)) {
            return true;
        }
    }
    return false;
}

/* Works on a copy of the scan: the user's claim may be one of the table's,
 * too. */
static void
read_user(struct reading *r)
{
    struct json_scan copy = r->scan;
    char *id = r->who->user_id;

    read_string(&copy, id, TOKEN_USER_ID_MAX);
    r->out->has_user = true;
    if (copy.failed || id[0] == '\0' || has_control(id)) {
        json_scan_fail(&r->scan);
    }
}

static void
read_claim(struct reading *r, const struct json_text *name)
{
    const char *user = r->rules->user_claim;

    if (json_text_is(name, is_text(user) ? str_from(user) : STR("user_id"))) {
        read_user(r);
    }
    for (size_t i = 0; i < COUNT_OF(claims); i++) {
        if (json_text_is(name, claims[i].name)) {
            claims[i].read(r);
            return;
        }
    }
    json_scan_skip(&r->scan);
}

/* --- names -------------------------------------------------------------- */

static bool
same_name(const struct json_text *a, const struct json_text *b)
{
    struct buf plain;
    bool same;

    if (!a->escaped) {
        return json_text_is(b, a->raw);
    }
    buf_init(&plain, a->raw.n);
    json_unescape(a, &plain);
    same = json_text_is(b, buf_str(&plain));
    buf_fini(&plain);
    return same;
}

/* Remembers the name; false if it was there, or there are too many. */
static bool
is_new_name(struct reading *r, const struct json_text *name)
{
    if (r->count == CLAIMS_MAX) {
        return false;
    }
    for (size_t i = 0; i < r->count; i++) {
        if (same_name(name, &r->names[i])) {
            return false;
        }
    }
    r->names[r->count++] = *name;
    return true;
}

bool
token_claims_read(struct str json, const struct token_rules *rules,
                  struct identity *who, struct token_claims_read *out)
{
    struct reading r;
    struct json_text name;

    *out = (struct token_claims_read){.nbf_ms = INT64_MIN};
    who->admin = false;
    who->exp_ms = 0;
    who->roles_n = 0;
    who->user_id[0] = who->name[0] = '\0';
    r.rules = rules;
    r.who = who;
    r.out = out;
    r.count = 0;
    json_scan_init(&r.scan, json);
    json_scan_enter(&r.scan, '{');
    while (json_scan_member(&r.scan, &name)) {
        if (!is_new_name(&r, &name)) {
            return false;
        }
        read_claim(&r, &name);
    }
    return json_scan_end(&r.scan);
}
