/* SPDX-License-Identifier: MIT */
/* From a client's text frame to a message: JSON, then every member against
 * its row in field.def, then the type's row in message.def. Limits hold for
 * what was sent; sanitising comes after them. Parsing is jansson's: a client
 * sends a few frames a minute, the token path goes the other way. */
#include "proto/message.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "codec/json.h"
#include "codec/url.h"
#include "codec/utf8.h"
#include "proto/blame.h"
#include "proto/sanitise.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind {
    LINE,
    CONTENT,
    URL,
    JWT,
    TIME,
    SENDER,
    METADATA,
    OBJECT,
    ARRAY,
    INTEGER,
    STRING,
    ANY
};

static const struct {
    const char *name;
    enum kind kind;
    size_t limit;
} fields[PROTO_FIELDS] = {
#define FIELD(ID, name, KIND, limit, ts, text) {name, KIND, limit},
#include "proto/field.def"
#undef FIELD
};

#define CLIENT MESSAGE_CLIENT
#define SERVER MESSAGE_SERVER
#define BOTH MESSAGE_BOTH
#define F(ID) (1u << PROTO_##ID)

static const struct {
    const char *word;
    enum message_direction direction;
    uint32_t required;
} messages[MESSAGE_TYPES] = {
#define MESSAGE(ID, type, direction, required, members, text)                  \
    {type, direction, required},
#include "proto/message.def"
#undef MESSAGE
};

_Static_assert(PROTO_FIELDS <= 32, "the masks of message.def are 32 bits");

const char *
message_word(enum message_type type)
{
    return messages[type].word;
}

const char *
proto_field_name(enum proto_field field)
{
    return fields[field].name;
}

/* One frame on its way through the checks. */
struct decoding {
    const struct proto_rules *rules;
    struct proto_message *out;
    struct proto_fault *fault;
};

static enum err
refuse(struct decoding *d, enum err e, const char *field)
{
    d->fault->err = e;
    snprintf(d->fault->field, sizeof(d->fault->field), "%s", field);
    return e;
}

static enum err
refuse_field(struct decoding *d, enum err e, enum proto_field f)
{
    return refuse(d, e, fields[f].name);
}

static enum err
refuse_key(struct decoding *d, struct str key)
{
    d->fault->err = ERR_INVALID_FORMAT;
    snprintf(d->fault->field, sizeof(d->fault->field), "metadata.%.*s",
             key.n > 256 ? 0 : (int)key.n, key.p);
    return ERR_INVALID_FORMAT;
}

/* --- the frame as a whole ----------------------------------------------- */

/* What has no exact double: integers of as many bytes and more. */
#define LONG_INTEGER 16

static bool
is_long_integer(struct str number)
{
    return number.n >= LONG_INTEGER &&
           memchr(number.p, '.', number.n) == NULL &&
           memchr(number.p, 'e', number.n) == NULL &&
           memchr(number.p, 'E', number.n) == NULL;
}

/* s is before a value; *done is how far the text is in out already. */
static void
quote_value(struct json_scan *s, const char **done, struct buf *out)
{
    char first = json_scan_peek(s);
    struct str number;

    if (first != '-' && (first < '0' || first > '9')) {
        (void)json_scan_skip(s);
        return;
    }
    if (json_scan_number(s, &number) && is_long_integer(number)) {
        buf_put(out, *done, (size_t)(number.p - *done));
        buf_putc(out, '"');
        buf_put_str(out, number);
        buf_putc(out, '"');
        *done = number.p + number.n;
    }
}

static void
quote_metadata(struct json_scan *s, const char **done, struct buf *out)
{
    struct json_text name;

    if (json_scan_peek(s) != '{') {
        (void)json_scan_skip(s);
        return;
    }
    (void)json_scan_enter(s, '{');
    while (json_scan_member(s, &name)) {
        quote_value(s, done, out);
    }
}

/* The frame, which is valid JSON, with the long integers of its metadata as
 * strings: they will be, and keep their digits so. */
static void
quote_long_integers(struct str frame, struct buf *out)
{
    const char *done = frame.p;
    struct json_text name;
    struct json_scan s;

    json_scan_init(&s, frame);
    (void)json_scan_enter(&s, '{');
    while (json_scan_member(&s, &name)) {
        if (json_text_is(&name, str_from(fields[PROTO_METADATA].name))) {
            quote_metadata(&s, &done, out);
        } else {
            (void)json_scan_skip(&s);
        }
    }
    buf_put(out, done, frame.n - (size_t)(done - frame.p));
}

static json_t *
load(struct str frame, size_t flags, json_error_t *why)
{
    return json_loadb(frame.p, frame.n,
                      flags | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, why);
}

/* An integer beyond 64 bits becomes a real number, in metadata its digits. */
static json_t *
load_or_blame(struct decoding *d, struct str frame)
{
    json_error_t why;
    json_t *root = load(frame, 0, &why);
    struct buf quoted;

    buf_init(&quoted, 2 * frame.n);
    if (root == NULL && json_error_code(&why) == json_error_numeric_overflow) {
        quote_long_integers(frame, &quoted);
        frame = buf_str(&quoted);
        root = load(frame, JSON_DECODE_INT_AS_REAL, &why);
    }
    if (root == NULL) {
        /* A double name, or a number beyond all real ones: jansson stops
         * right behind it. */
        blame_at(frame, (size_t)why.position - 1, d->fault->field);
    }
    buf_fini(&quoted);
    return root;
}

/* frame is valid JSON. */
static enum err
take_root(struct decoding *d, struct str frame, json_t **root_out)
{
    json_t *root = load_or_blame(d, frame);

    if (root == NULL) {
        return d->fault->err = ERR_INVALID_FORMAT;
    }
    if (!json_is_object(root)) {
        json_decref(root);
        return refuse(d, ERR_INVALID_FORMAT, "");
    }
    *root_out = root;
    return ERR_OK;
}

static enum err
parse(struct decoding *d, struct str frame, json_t **root_out)
{
    char *copy;
    enum err e;

    /* Stricter than jansson, which lets a NUL byte pass behind a number … */
    if (!json_valid(frame, PROTO_DEPTH_MAX)) {
        blame_invalid(frame, d->fault->field);
        return d->fault->err = ERR_INVALID_FORMAT;
    }
    if (!sanitise_has_nul(frame)) {
        return take_root(d, frame, root_out);
    }
    /* … and laxer: it takes none in a name. */
    copy = xmemdup(frame.p, frame.n);
    frame = (struct str){copy, sanitise_names(copy, frame.n)};
    e = take_root(d, frame, root_out);
    xfree(copy);
    return e;
}

/* --- one member --------------------------------------------------------- */

static struct str
text_of(const json_t *value)
{
    return (struct str){json_string_value(value), json_string_length(value)};
}

/* Without NUL bytes, trimmed, at the end of m->text, whose room was reserved
 * for the whole frame: earlier strs stay where they are. */
static struct str
sanitised(struct proto_message *m, struct str raw)
{
    size_t used;
    struct str clean;

    CHECK(m->text.cap - m->text.n >= raw.n);
    clean = sanitise_text(raw, m->text.p + m->text.n, &used);
    m->text.n += used;
    return clean;
}

static bool
within_limit(const struct decoding *d, enum proto_field f, struct str raw)
{
    if (fields[f].kind == CONTENT) {
        return utf8_count(raw) <= d->rules->max_content_chars;
    }
    return raw.n <= fields[f].limit || fields[f].kind == JWT;
}

static bool
time_ok(const struct decoding *d, struct str raw)
{
    int64_t at_ms;

    return clock_parse(raw, &at_ms) &&
           at_ms <= d->rules->now_ms + PROTO_FUTURE_MS;
}

static bool
sender_ok(const struct decoding *d, struct str s)
{
    return str_eq(s, STR("user")) ||
           (str_eq(s, STR("admin")) && d->rules->may_be_admin);
}

static bool
url_ok(const struct decoding *d, struct str s)
{
    if (s.n == 0) {
        return true;
    }
    return (d->rules->file_prefix.n > 0 &&
            str_starts(s, d->rules->file_prefix)) ||
           url_is_public_https(s);
}

static enum err
take_string(struct decoding *d, enum proto_field f, const json_t *value)
{
    struct str raw = text_of(value), clean;
    bool ok;

    if (!json_is_string(value) || !within_limit(d, f, raw)) {
        return refuse_field(d, ERR_INVALID_FORMAT, f);
    }
    clean = sanitised(d->out, raw);
    ok = fields[f].kind == TIME     ? time_ok(d, clean)
         : fields[f].kind == SENDER ? sender_ok(d, clean)
         : fields[f].kind == URL    ? url_ok(d, clean)
                                    : true;
    if (!ok) {
        return refuse_field(d, ERR_INVALID_FORMAT, f);
    }
    d->out->field[f] = clean;
    return ERR_OK;
}

/* --- metadata ----------------------------------------------------------- */

/* A number as people write it: the shortest form that reads back equal. */
static void
number_text(double value, char out[static 32])
{
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(out, 32, "%.*g", digits, value);
        if (strtod(out, NULL) == value) {
            return;
        }
    }
}

static bool
value_text(const json_t *value, char room[static 32], struct str *out)
{
    if (json_is_string(value)) {
        *out = text_of(value);
    } else if (json_is_integer(value)) {
        snprintf(room, 32, "%lld", (long long)json_integer_value(value));
        *out = str_from(room);
    } else if (json_is_real(value)) {
        number_text(json_real_value(value), room);
        *out = str_from(room);
    } else if (json_is_boolean(value)) {
        *out = json_is_true(value) ? STR("true") : STR("false");
    } else {
        return false;
    }
    return out->n <= PROTO_METADATA_VALUE_BYTES;
}

static void
put_clean(struct buf *to, struct str raw)
{
    char room[PROTO_METADATA_VALUE_BYTES];
    size_t used;

    json_put_string(to, sanitise_text(raw, room, &used));
}

/* Whether an earlier member of object has the same name once both are
 * trimmed. */
static bool
is_double(json_t *object, const char *name)
{
    struct str clean = sanitise_trim(str_from(name));
    const char *other;
    json_t *value;

    json_object_foreach(object, other, value)
    {
        if (other == name) {
            return false;
        }
        if (str_eq(sanitise_trim(str_from(other)), clean)) {
            return true;
        }
    }
    return false;
}

static enum err
take_pair(struct decoding *d, struct buf *to, const char *name,
          const json_t *value)
{
    struct str key = str_from(name), text;
    char room[32];

    if (key.n > PROTO_METADATA_KEY_BYTES || !value_text(value, room, &text)) {
        return refuse_key(d, key);
    }
    buf_putc(to, to->n == 0 ? '{' : ',');
    put_clean(to, key);
    buf_putc(to, ':');
    put_clean(to, text);
    return ERR_OK;
}

/* Becomes a JSON object of strings behind what m->text holds already. */
static enum err
take_metadata(struct decoding *d, json_t *object)
{
    struct buf json;
    enum err e = ERR_OK;
    const char *name;
    json_t *value;

    if (!json_is_object(object) ||
        json_object_size(object) > PROTO_METADATA_KEYS) {
        return refuse_field(d, ERR_INVALID_FORMAT, PROTO_METADATA);
    }
    buf_init(&json, 1u << 20);
    json_object_foreach(object, name, value)
    {
        e = is_double(object, name) ? refuse_key(d, str_from(name))
                                    : take_pair(d, &json, name, value);
        if (e != ERR_OK) {
            break;
        }
    }
    if (e == ERR_OK && json.n > 0) {
        buf_putc(&json, '}');
        d->out->metadata = buf_give(&json);
    }
    buf_fini(&json);
    return e;
}

/* Beyond 2^53 a real number says nothing about its last digit. */
static bool
is_whole(const json_t *value)
{
    double v = json_real_value(value);

    return json_is_integer(value) || (json_is_real(value) && v > -0x1p53 &&
                                      v < 0x1p53 && v == (double)(int64_t)v);
}

static bool
type_ok(enum kind kind, const json_t *value)
{
    switch (kind) {
    case OBJECT:
        return json_is_object(value);
    case ARRAY:
        return json_is_array(value);
    case INTEGER:
        return is_whole(value);
    case STRING:
        return json_is_string(value);
    default:
        return true;
    }
}

static enum err
take_member(struct decoding *d, enum proto_field f, json_t *value)
{
    if (value == NULL || json_is_null(value)) {
        return ERR_OK;
    }
    if (fields[f].kind == METADATA) {
        return take_metadata(d, value);
    }
    if (fields[f].kind <= SENDER) {
        return take_string(d, f, value);
    }
    return type_ok(fields[f].kind, value)
               ? ERR_OK
               : refuse_field(d, ERR_INVALID_FORMAT, f);
}

/* --- the type's row ----------------------------------------------------- */

static enum err
take_type(struct decoding *d, json_t *root)
{
    enum err e = take_member(d, PROTO_TYPE, json_object_get(root, "type"));
    struct str word = d->out->field[PROTO_TYPE];

    if (e != ERR_OK) {
        return e;
    }
    if (word.n == 0) {
        return refuse_field(d, ERR_MISSING_FIELD, PROTO_TYPE);
    }
    for (unsigned t = 0; t < MESSAGE_TYPES; t++) {
        if (str_is(word, messages[t].word) && messages[t].direction != SERVER) {
            d->out->type = d->fault->type = (enum message_type)t;
            return ERR_OK;
        }
    }
    return refuse_field(d, ERR_INVALID_FORMAT, PROTO_TYPE);
}

static enum err
check_required(struct decoding *d)
{
    uint32_t required = messages[d->out->type].required;

    if (d->out->type == MESSAGE_USER_MESSAGE &&
        d->out->field[PROTO_FILE_ID].n > 0) {
        required = 0;
    }
    for (unsigned f = 0; f < PROTO_FIELDS; f++) {
        if ((required & (1u << f)) != 0 && d->out->field[f].n == 0) {
            return refuse_field(d, ERR_MISSING_FIELD, (enum proto_field)f);
        }
    }
    return ERR_OK;
}

static enum err
take_all(struct decoding *d, json_t *root)
{
    enum err e = take_type(d, root);

    for (unsigned f = PROTO_TYPE + 1; e == ERR_OK && f < PROTO_FIELDS; f++) {
        e = take_member(d, (enum proto_field)f,
                        json_object_get(root, fields[f].name));
    }
    return e == ERR_OK ? check_required(d) : e;
}

enum err
proto_decode(struct str frame, const struct proto_rules *rules,
             struct proto_message *out, struct proto_fault *fault)
{
    struct decoding d = {rules, out, fault};
    json_t *root = NULL;
    enum err e;

    *out = (struct proto_message){.type = MESSAGE_TYPES};
    *fault = (struct proto_fault){.type = MESSAGE_TYPES};
    e = parse(&d, frame, &root);
    if (e != ERR_OK) {
        return e;
    }
    buf_init(&out->text, frame.n + 1);
    (void)buf_reserve(&out->text, frame.n + 1);
    e = take_all(&d, root);
    json_decref(root);
    if (e != ERR_OK) {
        proto_message_fini(out);
    }
    return e;
}

void
proto_message_fini(struct proto_message *m)
{
    buf_fini(&m->text);
    xfree(m->metadata);
    m->metadata = NULL;
}
