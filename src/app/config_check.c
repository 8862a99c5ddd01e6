/* SPDX-License-Identifier: MIT */
/* One small function per form, and a table of which type has which. They say
 * why a text is refused and never repeat it: it may be a secret. */
#include "app/config_check.h"

#include "app/config_place.h"
#include "base/check.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "codec/utf8.h"
#include "guard/origin.h"
#include "provider/price.h"
#include "store/mongo_name.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <string.h>

#define SECRET_BYTES_MIN 32
#define KEY_BYTES 32

/* It is put one level deep into a request. */
#define JSON_OBJECT_DEPTH (JSON_DEPTH_MAX - 1)

static bool
is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9');
}

/* Only letters, digits and the characters of others. */
static bool
only(struct str s, const char *others)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!is_alnum(s.p[i]) &&
            (s.p[i] == '\0' || strchr(others, s.p[i]) == NULL)) {
            return false;
        }
    }
    return s.n > 0;
}

/* --- secrets ------------------------------------------------------------ */

/* What templates leave for people to fill in. */
static const char *
check_placeholder(struct str s)
{
    static const char *const marks[] = {
        "REPLACE_WITH", "PLACEHOLDER", "CHANGE-ME", "CHANGE_ME",
        "CHANGEME",     "YOUR-",       "YOUR_"};
    const char *open = s.n > 0 ? memchr(s.p, '<', s.n) : NULL;

    for (size_t i = 0; i < COUNT_OF(marks); i++) {
        if (str_contains_nocase(s, str_from(marks[i]))) {
            return "is a placeholder";
        }
    }
    if (open != NULL && memchr(open, '>', s.n - (size_t)(open - s.p))) {
        return "is a placeholder";
    }
    return NULL;
}

static const char *
check_secret32(struct str s)
{
    return s.n < SECRET_BYTES_MIN ? "is shorter than 32 bytes" : NULL;
}

static const char *
check_jwt_secret(struct str s)
{
    static const char *const weak[] = {
        "secret",  "test",    "test123", "password", "admin",      "changeme",
        "default", "example", "demo",    "12345",    "placeholder"};

    if (s.n < SECRET_BYTES_MIN) {
        return check_secret32(s);
    }
    for (size_t i = 0; i < COUNT_OF(weak); i++) {
        if (str_contains_nocase(s, str_from(weak[i]))) {
            return "contains a weak word";
        }
    }
    return NULL;
}

static const char *
check_key32(struct str s)
{
    return s.n != KEY_BYTES ? "is not exactly 32 bytes" : NULL;
}

static const char *
check_key_entry(struct str s)
{
    struct str rest = s, id;
    char key[BASE64_BYTES(BASE64_SIZE(KEY_BYTES))];
    size_t n = 0;
    bool decoded;

    if (!str_split(&rest, ':', &id) || rest.p == NULL || id.n > 64 ||
        !only(id, "_-")) {
        return "is not id:base64";
    }
    decoded = base64_decode(rest, key, sizeof(key), &n) == ERR_OK;
    explicit_bzero(key, sizeof(key));
    return decoded && n == KEY_BYTES ? NULL : "is not base64 of 32 bytes";
}

/* --- text --------------------------------------------------------------- */

static const char *
check_line(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f) {
            return "contains a control character";
        }
    }
    return NULL;
}

static const char *
check_text(struct str s)
{
    return s.n > 0 && memchr(s.p, '\0', s.n) != NULL ? "contains a NUL" : NULL;
}

static const char *
check_id(struct str s)
{
    return only(s, "._:/@+-") ? NULL : "is not an id";
}

static const char *
check_prefix(struct str s)
{
    struct str rest = s, part;

    if (s.p[0] != '/') {
        return "does not begin with /";
    }
    if (s.n == 1) {
        return NULL;
    }
    if (s.p[s.n - 1] == '/') {
        return "ends with /";
    }
    rest = str_from_at(s, 1);
    while (str_split(&rest, '/', &part)) {
        if (!only(part, "._~-") || str_is(part, ".") || str_is(part, "..")) {
            return "is not a plain path";
        }
    }
    return NULL;
}

static const char *
check_mail(struct str s)
{
    struct str domain = s, local;

    if (!str_split(&domain, '@', &local) || domain.p == NULL || s.n > 254 ||
        local.n > 64 || !only(local, ".!#$%&'*+/=?^_`{|}~-") ||
        local.p[0] == '.' || local.p[local.n - 1] == '.' ||
        !only(domain, ".-") || url_host_kind(domain) == URL_HOST_BAD ||
        domain.p[domain.n - 1] == '.') {
        return "is not a mail address";
    }
    return NULL;
}

static const char *
check_phone(struct str s)
{
    uint64_t number;

    if (s.n < 8 || s.n > 16 || s.p[0] != '+' || s.p[1] == '0' ||
        !str_to_u64(str_from_at(s, 1), UINT64_MAX, &number)) {
        return "is not an E.164 number";
    }
    return NULL;
}

static const char *
check_mime(struct str s)
{
    static const char others[] = "!#$&^_.+-";
    struct str subtype = s, type;

    if (!str_split(&subtype, '/', &type) || subtype.p == NULL ||
        !only(type, others) ||
        !(only(subtype, others) || str_is(subtype, "*"))) {
        return "is not a MIME type";
    }
    return NULL;
}

/* --- requests ----------------------------------------------------------- */

/* A text, because it is sent as it was written. */
static const char *
check_temperature(struct str s)
{
    struct str fraction = s, whole;
    uint64_t n, part = 0;

    if (!str_split(&fraction, '.', &whole) || whole.n != 1 ||
        !str_to_u64(whole, 9, &n) ||
        (fraction.p != NULL && !str_to_u64(fraction, UINT64_MAX, &part))) {
        return "is not a decimal number";
    }
    return n > 2 || (n == 2 && part > 0) ? "is out of range" : NULL;
}

static const char *
check_price(struct str s)
{
    int64_t nanos;

    return price_read(s, PRICE_MAX, &nanos)
               ? NULL
               : "is not a decimal number from 0 to 100000 with at most nine "
                 "places";
}

static const char *
check_money(struct str s)
{
    int64_t nanos = 0;

    return price_read(s, CONFIG_MONEY_MAX, &nanos) && nanos > 0
               ? NULL
               : "is not a decimal number above 0, up to 1000000, with at most "
                 "nine places";
}

/* Strict about duplicates: what stands twice means something else to every
 * reader. */
static const char *
check_json_object(struct str s)
{
    json_t *object = json_loadb(s.p, s.n, JSON_REJECT_DUPLICATES, NULL);
    bool ok = json_is_object(object) && json_valid(s, JSON_OBJECT_DEPTH);

    json_decref(object);
    return ok ? NULL : "is not a JSON object";
}

/* --- places ------------------------------------------------------------- */

static bool
parse_address(struct str s, unsigned char address[static 16], bool *v4_out)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    char text[INET6_ADDRSTRLEN];

    if (s.n == 0 || s.n >= sizeof(text) || memchr(s.p, '\0', s.n) != NULL) {
        return false;
    }
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    *v4_out = inet_pton(AF_INET, text, address + 12) == 1;
    if (*v4_out) {
        memcpy(address, mapped, sizeof(mapped));
        return true;
    }
    return inet_pton(AF_INET6, text, address) == 1;
}

bool
config_check_network(struct str text, unsigned char address[static 16],
                     unsigned *bits_out)
{
    struct str bits = text, host;
    uint64_t n;
    bool v4;

    if (!str_split(&bits, '/', &host) || !parse_address(host, address, &v4)) {
        return false;
    }
    n = v4 ? 32 : 128;
    if (bits.p != NULL && (bits.n > 3 || !str_to_u64(bits, n, &n))) {
        return false;
    }
    *bits_out = (unsigned)n + (v4 ? 96 : 0);
    for (unsigned i = *bits_out; i < 128; i++) {
        address[i / 8] &= (unsigned char)~(0x80U >> i % 8);
    }
    return true;
}

static const char *
check_address(struct str s)
{
    unsigned char address[16];
    bool v4;

    return parse_address(s, address, &v4) ? NULL : "is not an address";
}

static const char *
check_network(struct str s)
{
    unsigned char address[16];
    unsigned bits;

    return config_check_network(s, address, &bits) ? NULL : "is not a network";
}

static const char *
check_ws_origin(struct str s)
{
    return origin_valid(s) ? NULL : "is not an origin";
}

static const char *
check_origin(struct str s)
{
    return str_is(s, "null") || str_is(s, "*") ? "is not an origin"
                                               : check_ws_origin(s);
}

static const char *
check_http_url(struct str s)
{
    struct url u;

    return url_parse(s, &u) && url_host_kind(u.host) != URL_HOST_BAD
               ? NULL
               : "is not an http or https URL";
}

static const char *
check_https_url(struct str s)
{
    struct url u;

    return check_http_url(s) == NULL && url_parse(s, &u) && u.tls
               ? NULL
               : "is not an https URL";
}

static const char *
check_host(struct str s)
{
    return url_host_kind(s) != URL_HOST_BAD ? NULL : "is not a host";
}

const char *
config_check_endpoint(struct str text, enum url_host *kind_out)
{
    struct url u;

    *kind_out = URL_HOST_BAD;
    if (!url_parse(text, &u)) {
        return "is not an http or https URL";
    }
    *kind_out = url_host_kind(u.host);
    switch (*kind_out) {
    case URL_HOST_BAD:
        return "has a host that is neither a name nor a canonical address";
    case URL_HOST_LINK_LOCAL:
        return "has a link-local host";
    case URL_HOST_LOOPBACK:
    case URL_HOST_PRIVATE:
    case URL_HOST_LOCAL_NAME:
        return NULL;
    case URL_HOST_RESERVED:
    case URL_HOST_PUBLIC:
        break;
    }
    return u.tls ? NULL : "must be https for a host outside";
}

static const char *
check_endpoint(struct str s)
{
    enum url_host kind;

    return config_check_endpoint(s, &kind);
}

/* The hosts of a MongoDB URI (no user, no path): names or addresses, each
 * with or without a port. */
static bool
mongo_hosts_ok(struct str hosts)
{
    struct str host, port;
    uint64_t n;

    while (str_split(&hosts, ',', &host)) {
        if (host.n > 0 && host.p[0] == '[') {
            continue;
        }
        port = host;
        if (!str_split(&port, ':', &host) || !only(host, "._-%") ||
            (port.p != NULL && !str_to_u64(port, 65535, &n))) {
            return false;
        }
    }
    return true;
}

const char *
config_check_mongo_uri(struct str text)
{
    static const char why[] = "is not a mongodb URI";
    struct str rest, hosts, user;

    if (str_starts(text, STR("mongodb://"))) {
        rest = str_from_at(text, 10);
    } else if (str_starts(text, STR("mongodb+srv://"))) {
        rest = str_from_at(text, 14);
    } else {
        return why;
    }
    if (rest.n == 0 || check_line(text) != NULL ||
        memchr(text.p, ' ', text.n) != NULL) {
        return why;
    }
    hosts = rest;
    for (size_t i = 0; i < rest.n; i++) {
        if (rest.p[i] == '/' || rest.p[i] == '?') {
            hosts.n = i;
            break;
        }
    }
    if (hosts.n > 0 && memchr(hosts.p, '@', hosts.n) != NULL) {
        (void)str_split(&hosts, '@', &user);
    }
    return mongo_hosts_ok(hosts) ? NULL : why;
}

static const char *
check_mongo_database(struct str s)
{
    const char *why = check_line(s);

    return why != NULL ? why : mongo_name_refuse_database(s);
}

static const char *
check_mongo_collection(struct str s)
{
    const char *why = check_line(s);

    return why != NULL ? why : mongo_name_refuse_collection(s);
}

/* --- the table ---------------------------------------------------------- */

static const struct {
    const char *(*check)(struct str);
    bool placeholders; /* are refused */
    bool bytes;        /* need not be UTF-8 */
} forms[] = {
    [CONFIG_TYPE_STRING] = {check_line, false, false},
    [CONFIG_TYPE_TEXT] = {check_text, false, false},
    [CONFIG_TYPE_ID] = {check_id, false, false},
    [CONFIG_TYPE_ADDRESS] = {check_address, false, false},
    [CONFIG_TYPE_PLACE] = {config_place_check, false, false},
    [CONFIG_TYPE_PREFIX] = {check_prefix, false, false},
    [CONFIG_TYPE_PEM_FILE] = {check_line, false, true},
    [CONFIG_TYPE_HOST] = {check_host, false, false},
    [CONFIG_TYPE_HTTP_URL] = {check_http_url, false, false},
    [CONFIG_TYPE_HTTPS_URL] = {check_https_url, false, false},
    [CONFIG_TYPE_ENDPOINT] = {check_endpoint, false, false},
    [CONFIG_TYPE_MONGO_URI] = {config_check_mongo_uri, true, false},
    [CONFIG_TYPE_MONGO_DATABASE] = {check_mongo_database, false, false},
    [CONFIG_TYPE_MONGO_COLLECTION] = {check_mongo_collection, false, false},
    [CONFIG_TYPE_EMAIL] = {check_mail, false, false},
    [CONFIG_TYPE_TEMPERATURE] = {check_temperature, false, false},
    [CONFIG_TYPE_PRICE] = {check_price, false, false},
    [CONFIG_TYPE_MONEY] = {check_money, false, false},
    [CONFIG_TYPE_JSON_OBJECT] = {check_json_object, false, false},
    [CONFIG_TYPE_SECRET] = {check_line, true, false},
    [CONFIG_TYPE_SECRET32] = {check_secret32, true, true},
    [CONFIG_TYPE_KEY32] = {check_key32, true, true},
    [CONFIG_TYPE_JWT_SECRET] = {check_jwt_secret, true, true},
    [CONFIG_TYPE_LIST] = {check_line, false, false},
    [CONFIG_TYPE_NETWORKS] = {check_network, false, false},
    [CONFIG_TYPE_NETWORKS_OR_NONE] = {check_network, false, false},
    [CONFIG_TYPE_ORIGINS] = {check_origin, true, false},
    [CONFIG_TYPE_WS_ORIGINS] = {check_ws_origin, true, false},
    [CONFIG_TYPE_EMAILS] = {check_mail, false, false},
    [CONFIG_TYPE_PHONES] = {check_phone, false, false},
    [CONFIG_TYPE_MIME_TYPES] = {check_mime, false, false},
    [CONFIG_TYPE_KEYS] = {check_key_entry, true, false},
};

const char *
config_check_text(const struct config_row *row, struct str text)
{
    const char *why = NULL;

    if (forms[row->type].placeholders) {
        why = check_placeholder(text);
    }
    if (why == NULL && !forms[row->type].bytes && !utf8_valid(text)) {
        why = "is not valid UTF-8";
    }
    return why != NULL ? why : forms[row->type].check(text);
}
