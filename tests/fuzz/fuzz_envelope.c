/* SPDX-License-Identifier: MIT */
/* proto/decode: whatever is accepted keeps every bound of protocol.md section
 * 2.3, and, written again by proto/encode, is accepted as the same message;
 * whatever is refused has a fault that can be told to the client. */
#include "base/xalloc.h"
#include "codec/json.h"
#include "codec/utf8.h"
#include "proto/encode.h"
#include "proto/message.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct proto_rules rules = {
    .max_content_chars = 100,
    .now_ms = INT64_C(1700000000000),
    .file_prefix = {"/chatbox/files/", 15},
};

/* Largest bytes of a member. */
static size_t
bound(int field)
{
    static const size_t limits[] = {
#define FIELD(ID, name, KIND, limit, ts, text) [PROTO_##ID] = (limit),
#include "proto/field.def"
#undef FIELD
    };

    if (field == PROTO_TOKEN) {
        return SIZE_MAX;
    }
    return field == PROTO_CONTENT ? 4 * rules.max_content_chars : limits[field];
}

static void
check_text(struct str s, size_t most)
{
    CHECK(s.n > 0 || s.p == NULL);
    CHECK(s.n <= most && utf8_valid(s));
    CHECK(s.n == 0 || memchr(s.p, '\0', s.n) == NULL);
}

static void
check_message(const struct proto_message *m)
{
    CHECK(m->type < MESSAGE_TYPES);
    for (int f = 0; f < PROTO_FIELDS; f++) {
        check_text(m->field[f], bound(f));
    }
    CHECK(m->metadata == NULL ||
          json_valid(str_from(m->metadata), PROTO_DEPTH_MAX));
}

static void
write_again(const struct proto_message *m, struct buf *out)
{
    proto_begin(out, m->type, m->field[PROTO_SESSION_ID], rules.now_ms);
    for (int f = PROTO_SESSION_ID + 1; f < PROTO_FIELDS; f++) {
        if (f != PROTO_TIMESTAMP) {
            proto_put_optional(out, (enum proto_field)f, m->field[f]);
        }
    }
    if (m->metadata != NULL) {
        proto_put_json(out, PROTO_METADATA, str_from(m->metadata));
    }
    proto_end(out);
}

static void
check_same(const struct proto_message *a, const struct proto_message *b)
{
    CHECK(a->type == b->type);
    for (int f = PROTO_SESSION_ID; f < PROTO_FIELDS; f++) {
        CHECK(f == PROTO_TIMESTAMP || str_eq(a->field[f], b->field[f]));
    }
    CHECK((a->metadata == NULL) == (b->metadata == NULL));
    CHECK(a->metadata == NULL || strcmp(a->metadata, b->metadata) == 0);
}

static void
check_again(const struct proto_message *m)
{
    struct proto_message again;
    struct proto_fault fault;
    struct buf frame;

    buf_init(&frame, (size_t)4 << 20);
    write_again(m, &frame);
    CHECK(proto_decode(buf_str(&frame), &rules, &again, &fault) == ERR_OK);
    check_same(m, &again);
    proto_message_fini(&again);
    buf_fini(&frame);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str frame = {(const char *)data, size};
    struct proto_message m;
    struct proto_fault fault;
    enum err e = proto_decode(frame, &rules, &m, &fault);

    if (e == ERR_OK) {
        check_message(&m);
        check_again(&m);
        proto_message_fini(&m);
        return 0;
    }
    CHECK(e == ERR_INVALID_FORMAT || e == ERR_MISSING_FIELD);
    CHECK(fault.err == e && utf8_valid(str_from(fault.field)));
    return 0;
}
