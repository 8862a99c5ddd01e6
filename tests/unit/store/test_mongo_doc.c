/* SPDX-License-Identifier: MIT */
#include "store/mongo_doc.h"

#include "base/xalloc.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define T0 1700000000000
#define RAW_MAX 4096

/* -- documents as bytes -- */

struct raw {
    uint8_t bytes[RAW_MAX];
    uint32_t n;
};

static struct mongo_lib lib;
static const uint8_t *(*get_data)(const bson_t *);
static bool (*init_static)(bson_t *, const uint8_t *, size_t);

static int
load(void **state)
{
    char why[256];
    void *bson = dlopen("libbson-1.0.so.0", RTLD_NOW | RTLD_NODELETE);

    (void)state;
    assert_int_equal(mongo_lib_load(&lib, why, sizeof(why)), ERR_OK);
    *(void **)(void *)&get_data = dlsym(bson, "bson_get_data");
    *(void **)(void *)&init_static = dlsym(bson, "bson_init_static");
    assert_true(get_data != NULL && init_static != NULL);
    return 0;
}

static void
raw_of(struct mongo_bson *d, struct raw *out)
{
    assert_true(d->b.len <= RAW_MAX);
    memcpy(out->bytes, get_data(&d->b), d->b.len);
    out->n = d->b.len;
    mongo_bson_fini(d);
}

static void
begin_raw(struct raw *r)
{
    r->n = 4;
}

static void
add_bytes(struct raw *r, const void *p, size_t n)
{
    assert_true(r->n + n <= RAW_MAX);
    memcpy(r->bytes + r->n, p, n);
    r->n += (uint32_t)n;
}

static void
end_raw(struct raw *r)
{
    add_bytes(r, "", 1);
    for (int i = 0; i < 4; i++) {
        r->bytes[i] = (uint8_t)(r->n >> (8 * i));
    }
}

static void
view(const struct raw *r, bson_t *out)
{
    assert_true(init_static(out, r->bytes, r->n));
}

/* -- what is read, as one kind of thing -- */

struct thing {
    struct mongo_session session;
    struct message_record message;
    struct review_event event;
};

struct kind {
    bool (*get)(const bson_t *doc, struct thing *out, uint64_t *odd);
    void (*put)(struct mongo_bson *out, const struct thing *t);
    void (*fini)(struct thing *t);
    void (*full)(struct thing *t); /* every member set */
};

static bool
get_session(const bson_t *doc, struct thing *out, uint64_t *odd)
{
    return mongo_doc_get_session(&lib, doc, &out->session, odd);
}

static void
put_session(struct mongo_bson *out, const struct thing *t)
{
    mongo_doc_put_session(out, &t->session);
}

static void
fini_session(struct thing *t)
{
    mongo_doc_session_fini(&t->session);
}

static void
full_session(struct thing *t)
{
    struct session_record *r = &t->session.record;

    *r = (struct session_record){
        .sid = "0123456789abcdef0123456789abcdef",
        .epoch = "fedcba9876543210",
        .user_id = xstrdup("ann"),
        .name = xstrdup("Nuts \xf0\x9f\x8c\xb0"),
        .model_id = xstrdup("demo"),
        .start_ms = T0,
        .last_ms = T0 + 5,
        .end_ms = T0 + 7,
        .seq = 4,
        .message_count = 4,
        .total_tokens = 5000000000,
        .max_response_ms = 31,
        .response_count = 2,
        .avg_response_ms = 20.5,
        .archived = true,
        .help_requested = true,
        .admin_assisted = true,
        .takeover_epoch = 3,
        .assisting_admin_id = xstrdup("op"),
        .assisting_admin_name = xstrdup("Olga"),
        .share_token = xstrdup("token"),
    };
    t->session.time_count = 2;
    t->session.times_ms = xcalloc(2, sizeof(int64_t));
    t->session.times_ms[0] = 10;
    t->session.times_ms[1] = 31;
}

static bool
get_message(const bson_t *doc, struct thing *out, uint64_t *odd)
{
    return mongo_doc_get_message(&lib, doc, &out->message, odd);
}

static void
put_message(struct mongo_bson *out, const struct thing *t)
{
    mongo_doc_put_message(out, &t->message);
}

static void
fini_message(struct thing *t)
{
    message_record_fini(&t->message);
}

static void
full_message(struct thing *t)
{
    t->message = (struct message_record){
        .id = "00000000000000000000000000000011",
        .sid = "0123456789abcdef0123456789abcdef",
        .seq = 9,
        .at_ms = T0,
        .sender = SENDER_AI,
        .status = STATUS_CANCELLED,
        .type = xstrdup("ai_response"),
        .content = xmemdup("nul \0 and \xc3\xa9", 12),
        .content_n = 12,
        .client_id = xstrdup("c-1"),
        .file_id = xstrdup("file"),
        .file_url = xstrdup("https://example.org/f"),
        .metadata = xstrdup("{\"a\":\"b \\\"c\\\"\",\"$d.e\":\"\"}"),
        .model_id = xstrdup("demo"),
        .finish_reason = xstrdup("stop"),
        .reply_to = xstrdup("q"),
        .replaces = xstrdup("a"),
        .superseded = true,
        .usage = {.prompt_tokens = 1,
                  .completion_tokens = 2,
                  .total_tokens = 3,
                  .present = true,
                  .estimated = true},
        .duration_ms = 40,
        .ttft_ms = 0,
    };
}

static bool
get_event(const bson_t *doc, struct thing *out, uint64_t *odd)
{
    return mongo_doc_get_event(&lib, doc, &out->event, odd);
}

static void
put_event(struct mongo_bson *out, const struct thing *t)
{
    mongo_doc_put_event(out, "e-1", &t->event);
}

static void
fini_event(struct thing *t)
{
    xfree(t->event.actor);
    xfree(t->event.action);
    xfree(t->event.sid);
    xfree(t->event.detail);
}

static void
full_event(struct thing *t)
{
    t->event = (struct review_event){.at_ms = T0,
                                     .actor = xstrdup("op"),
                                     .action = xstrdup(REVIEW_DELETE),
                                     .sid = xstrdup("s"),
                                     .detail = xstrdup("Gone.")};
}

static const struct kind session = {get_session, put_session, fini_session,
                                    full_session};
static const struct kind message = {get_message, put_message, fini_message,
                                    full_message};
static const struct kind event = {get_event, put_event, fini_event, full_event};

static void
written(const struct kind *k, const struct thing *t, struct raw *out)
{
    static struct mongo_bson d; /* aligned whatever the sanitizer does */

    mongo_bson_init(&d, &lib);
    k->put(&d, t);
    raw_of(&d, out);
}

static void
full_raw(const struct kind *k, struct raw *out)
{
    struct thing t = {0};

    k->full(&t);
    written(k, &t, out);
    k->fini(&t);
}

/* Whether it is a record; then *again is what that would be written as. */
static bool
read_again(const struct kind *k, const struct raw *r, struct raw *again,
           uint64_t *odd)
{
    struct thing t = {0};
    bson_t doc;
    bool ok;

    *odd = 0;
    view(r, &doc);
    ok = k->get(&doc, &t, odd);
    if (ok) {
        written(k, &t, again);
        k->fini(&t);
    }
    return ok;
}

/* The same document without the field, or with another value for it: value
 * (of n bytes) begins with its type. False when there is no such field. */
static bool
replaced(const struct raw *r, const char *name, const void *value, size_t n,
         struct raw *out)
{
    bool found = false;
    static bson_iter_t it;
    bson_t doc;

    view(r, &doc);
    begin_raw(out);
    assert_true(lib.bson_iter_init(&it, &doc));
    while (lib.bson_iter_next(&it)) {
        const char *key = lib.bson_iter_key(&it);
        bool here = strcmp(key, name) == 0;

        found = found || here;
        if (!here) {
            add_bytes(out, r->bytes + it.off, it.next_off - it.off);
        } else if (value != NULL) {
            add_bytes(out, value, 1);
            add_bytes(out, key, strlen(key) + 1);
            add_bytes(out, (const char *)value + 1, n - 1);
        }
    }
    end_raw(out);
    return found;
}

static void
assert_same(const struct raw *a, const struct raw *b)
{
    assert_int_equal(a->n, b->n);
    assert_memory_equal(a->bytes, b->bytes, a->n);
}

/* -- round trip -- */

static void
what_is_written_is_read(const struct kind *k)
{
    struct raw first, second;
    uint64_t odd;

    full_raw(k, &first);
    assert_true(read_again(k, &first, &second, &odd));
    assert_int_equal(odd, 0);
    assert_same(&first, &second);
}

static void
a_session_is_read_as_it_was_written(void **state)
{
    struct thing t = {0};
    struct raw r;
    bson_t doc;
    uint64_t odd = 0;
    struct session_record *s = &t.session.record;

    (void)state;
    what_is_written_is_read(&session);
    full_raw(&session, &r);
    view(&r, &doc);
    assert_true(session.get(&doc, &t, &odd));
    assert_string_equal(s->sid, "0123456789abcdef0123456789abcdef");
    assert_string_equal(s->epoch, "fedcba9876543210");
    assert_string_equal(s->user_id, "ann");
    assert_string_equal(s->assisting_admin_name, "Olga");
    assert_int_equal(s->start_ms, T0);
    assert_int_equal(s->end_ms, T0 + 7);
    assert_true(s->total_tokens == 5000000000);
    assert_true(s->avg_response_ms == 20.5);
    assert_int_equal(s->response_count, 2);
    assert_int_equal(t.session.times_ms[1], 31);
    assert_true(s->archived && s->help_requested && s->admin_assisted);
    session.fini(&t);
}

static void
a_message_is_read_as_it_was_written(void **state)
{
    struct thing t = {0}, full = {0};
    struct message_record *m = &t.message;
    struct raw r;
    bson_t doc;
    uint64_t odd = 0;

    (void)state;
    what_is_written_is_read(&message);
    full_raw(&message, &r);
    view(&r, &doc);
    message.full(&full);
    assert_true(message.get(&doc, &t, &odd));
    assert_int_equal(m->content_n, 12);
    assert_memory_equal(m->content, full.message.content, 13);
    assert_string_equal(m->metadata, full.message.metadata);
    assert_int_equal(m->sender, SENDER_AI);
    assert_int_equal(m->status, STATUS_CANCELLED);
    assert_int_equal(m->seq, 9);
    assert_int_equal(m->ttft_ms, 0);
    assert_true(m->usage.present && m->usage.estimated && m->superseded);
    assert_int_equal(m->usage.total_tokens, 3);
    message.fini(&t);
    message.fini(&full);
}

static void
an_event_is_read_as_it_was_written(void **state)
{
    (void)state;
    what_is_written_is_read(&event);
}

static void
what_a_message_does_not_have_is_not_written(void **state)
{
    static const char *const absent[] = {
        "seq",     "cid",      "fileId",    "fileUrl", "meta",
        "modelId", "usage",    "durMs",     "ttftMs",  "finish",
        "replyTo", "replaces", "superseded"};
    struct thing t = {0}, back = {0};
    struct raw r, without;
    bson_t doc;
    uint64_t odd = 0;

    (void)state;
    t.message = (struct message_record){
        .id = "m", .sid = "s", .duration_ms = -1, .ttft_ms = -1};
    written(&message, &t, &r);
    for (size_t i = 0; i < COUNT_OF(absent); i++) {
        assert_false(replaced(&r, absent[i], NULL, 0, &without));
    }
    view(&r, &doc);
    assert_true(message.get(&doc, &back, &odd));
    assert_int_equal(back.message.seq, 0);
    assert_int_equal(back.message.duration_ms, -1);
    assert_int_equal(back.message.ttft_ms, -1);
    assert_false(back.message.usage.present);
    assert_string_equal(back.message.content, "");
    assert_string_equal(back.message.type, "");
    assert_null(back.message.metadata);
    message.fini(&back);
}

/* -- fields that are absent, or something else -- */

enum {
    ID = 1,
    TEXT = 2,
    BYTES = 4,
    INT = 8,
    REAL = 16,
    BOOL = 32,
    TIME = 64,
    DOC = 128,
    LIST = 256,
    WORD = 512
};

/* One value of every BSON type, and some that are of the type but none of
 * ours; which kinds of fields take it. */
#define VALUE(literal, takes)                                                  \
    {                                                                          \
        literal, sizeof(literal) - 1, takes                                    \
    }
static const struct value {
    const char *p;
    size_t n;
    int takes;
} values[] = {
    VALUE("\x01\0\0\0\0\0\0\xf8\x3f", REAL),             /* 1.5 */
    VALUE("\x01\0\0\0\0\0\0\0\x40", REAL | INT),         /* 2.0 */
    VALUE("\x01\0\0\0\0\0\0\xf0\xbf", REAL),             /* -1.0 */
    VALUE("\x01\0\0\0\0\0\0\xf8\x7f", 0),                /* NaN */
    VALUE("\x01\0\0\0\0\0\0\xf0\x7f", 0),                /* infinite */
    VALUE("\x01\xff\xff\xff\xff\xff\xff\xef\x7f", REAL), /* the largest */
    VALUE("\x02\x02\0\0\0x\0", ID | TEXT | BYTES),
    VALUE("\x02\x01\0\0\0\0", TEXT | BYTES), /* empty */
    VALUE("\x02\x04\0\0\0x\0y\0", BYTES),    /* a NUL inside */
    VALUE("\x02\x02\0\0\0\xff\0", 0),        /* not UTF-8 */
    VALUE("\x03\x05\0\0\0\0", DOC),
    VALUE("\x04\x05\0\0\0\0", LIST),
    VALUE("\x05\x01\0\0\0\0x", 0), /* binary */
    VALUE("\x06", 0),              /* undefined */
    VALUE("\x07"
          "123456789012",
          0), /* ObjectId */
    VALUE("\x08\x01", BOOL),
    VALUE("\x09\x05\0\0\0\0\0\0\0", TIME),
    VALUE("\x09\xff\xff\xff\xff\xff\xff\xff\xff", 0), /* before 1970 */
    VALUE("\x09\xff\xff\xff\xff\xff\xff\xff\x7f", 0), /* after 9999 */
    VALUE("\x12\xff\xff\xff\xff\xff\xff\xff\x7f", 0), /* beyond 2^53 */
    VALUE("\x0bx\0i\0", 0),                           /* regular expression */
    VALUE("\x0c\x02\0\0\0x\0"
          "123456789012",
          0),                                            /* DBPointer */
    VALUE("\x0d\x02\0\0\0x\0", 0),                       /* code */
    VALUE("\x0e\x02\0\0\0x\0", 0),                       /* symbol */
    VALUE("\x0f\x0f\0\0\0\x02\0\0\0x\0\x05\0\0\0\0", 0), /* code with scope */
    VALUE("\x10\x07\0\0\0", INT | REAL),
    VALUE("\x10\xff\xff\xff\xff", 0),   /* -1 */
    VALUE("\x11\x07\0\0\0\0\0\0\0", 0), /* timestamp */
    VALUE("\x12\x07\0\0\0\0\0\0\0", INT | REAL),
    VALUE("\x12\xff\xff\xff\xff\xff\xff\xff\xff", 0),
    VALUE("\x13"
          "1234567890123456",
          0),         /* decimal */
    VALUE("\xff", 0), /* least key */
    VALUE("\x7f", 0), /* greatest key */
};

struct field {
    const char *name;
    int takes;
    bool needed; /* without it there is no record */
};

static const struct field session_fields[] = {
    {"_id", ID, true},
    {"uid", TEXT, true},
    {"nm", TEXT, false},
    {"modelId", TEXT, false},
    {"ts", TIME, false},
    {"endTs", TIME, false},
    {"adminAssisted", BOOL, false},
    {"assistingAdminId", TEXT, false},
    {"assistingAdminName", TEXT, false},
    {"helpRequested", BOOL, false},
    {"totalTokens", INT, false},
    {"lastActivity", TIME, false},
    {"maxRespTime", INT, false},
    {"avgRespTime", REAL, false},
    {"respTimes", LIST, false},
    {"shareToken", TEXT, false},
    {"msgCount", INT, false},
    {"seq", INT, false},
    {"epoch", ID, false},
    {"archived", BOOL, false},
    {"takeoverEpoch", INT, false},
};

static const struct field message_fields[] = {
    {"_id", ID, true},         {"sid", ID, true},
    {"seq", INT, false},       {"cid", TEXT, false},
    {"ts", TIME, false},       {"sender", WORD, false},
    {"type", TEXT, false},     {"content", BYTES, false},
    {"fileId", TEXT, false},   {"fileUrl", TEXT, false},
    {"meta", DOC, false},      {"status", WORD, false},
    {"modelId", TEXT, false},  {"usage", DOC, false},
    {"durMs", INT, false},     {"ttftMs", INT, false},
    {"finish", TEXT, false},   {"replyTo", TEXT, false},
    {"replaces", TEXT, false}, {"superseded", BOOL, false},
};

static const struct field event_fields[] = {
    {"ts", TIME, false},  {"actor", TEXT, false},  {"action", TEXT, false},
    {"sid", TEXT, false}, {"detail", TEXT, false},
};

/* The value counts as absent, and is counted once; or it is taken. */
static void
try_value(const struct kind *k, const struct raw *full, const struct field *f,
          const struct value *v)
{
    struct raw doc, without, again, again_without;
    uint64_t odd, none;
    bool ok;

    assert_true(replaced(full, f->name, v->p, v->n, &doc));
    assert_true(replaced(full, f->name, NULL, 0, &without));
    assert_int_equal(read_again(k, &without, &again_without, &none),
                     !f->needed);
    assert_int_equal(none, 0);
    ok = read_again(k, &doc, &again, &odd);
    if (v->takes & f->takes) {
        assert_true(ok);
        assert_int_equal(odd, 0);
        return;
    }
    assert_int_equal(odd, 1);
    assert_int_equal(ok, !f->needed);
    if (ok) {
        assert_same(&again, &again_without);
    }
}

static void
try_fields(const struct kind *k, const struct field *fields, size_t count)
{
    static const struct value null = VALUE("\x0a", 0);
    struct raw full, doc, again;
    uint64_t odd;

    full_raw(k, &full);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < COUNT_OF(values); j++) {
            try_value(k, &full, &fields[i], &values[j]);
        }
        assert_true(replaced(&full, fields[i].name, null.p, null.n, &doc));
        assert_int_equal(read_again(k, &doc, &again, &odd), !fields[i].needed);
        assert_int_equal(odd, 0);
    }
}

static void
a_field_of_any_type_is_taken_or_counted_as_absent(void **state)
{
    (void)state;
    try_fields(&session, session_fields, COUNT_OF(session_fields));
    try_fields(&message, message_fields, COUNT_OF(message_fields));
    try_fields(&event, event_fields, COUNT_OF(event_fields));
}

static void
an_id_that_is_too_long_is_none(void **state)
{
    static const char id[] = "\x02\x22\0\0\0"
                             "0123456789abcdef0123456789abcdefX";
    struct raw full, doc, again;
    uint64_t odd;

    (void)state;
    full_raw(&session, &full);
    assert_true(replaced(&full, "_id", id, sizeof(id), &doc));
    assert_false(read_again(&session, &doc, &again, &odd));
    assert_int_equal(odd, 1);
}

static void
what_is_odd_inside_is_left_out(void **state)
{
    /* {"a": 7, "b": "x"} and [7, "x"] */
    static const char meta[] = "\x03\x15\0\0\0\x10"
                               "a\0\x07\0\0\0\x02"
                               "b\0"
                               "\x02\0\0\0x\0";
    static const char times[] = "\x04\x15\0\0\0\x10"
                                "0\0\x07\0\0\0\x02"
                                "1\0"
                                "\x02\0\0\0x\0";
    struct thing t = {0};
    struct raw full, doc;
    uint64_t odd = 0;
    bson_t b;

    (void)state;
    full_raw(&message, &full);
    assert_true(replaced(&full, "meta", meta, sizeof(meta), &doc));
    view(&doc, &b);
    assert_true(message.get(&b, &t, &odd));
    assert_int_equal(odd, 1);
    assert_string_equal(t.message.metadata, "{\"b\":\"x\"}");
    message.fini(&t);

    full_raw(&session, &full);
    assert_true(replaced(&full, "respTimes", times, sizeof(times), &doc));
    view(&doc, &b);
    assert_true(session.get(&b, &t, &odd));
    assert_int_equal(odd, 2);
    assert_int_equal(t.session.record.response_count, 1);
    assert_int_equal(t.session.times_ms[0], 7);
    session.fini(&t);
}

/* -- bytes that are no document -- */

static void
read_wreck(const struct kind *k, const uint8_t *bytes, size_t n)
{
    uint8_t *copy = (uint8_t *)xmemdup(bytes, n); /* its end is guarded */
    struct thing t = {0};
    uint64_t odd = 0;
    bson_t doc;

    if (init_static(&doc, copy, n) && k->get(&doc, &t, &odd)) {
        k->fini(&t);
    }
    xfree(copy);
}

static void
damaged_bytes_are_read_without_harm(void **state)
{
    static const struct kind *const kinds[] = {&session, &message, &event};
    struct raw full, hurt;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        full_raw(kinds[i], &full);
        for (uint32_t at = 0; at < full.n; at++) {
            for (int bit = 0; bit < 8; bit++) {
                hurt = full;
                hurt.bytes[at] ^= (uint8_t)(1 << bit);
                read_wreck(kinds[i], hurt.bytes, hurt.n);
            }
            read_wreck(kinds[i], full.bytes, at);
        }
    }
}

static void
a_document_that_breaks_off_is_no_record(void **state)
{
    struct thing t = {0};
    struct raw full;
    uint64_t odd = 0;
    bson_t doc;

    (void)state;
    full_raw(&message, &full);
    full.bytes[full.n - 2] = 'x'; /* the last text has no end */
    view(&full, &doc);
    assert_false(message.get(&doc, &t, &odd));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_is_read_as_it_was_written),
        cmocka_unit_test(a_message_is_read_as_it_was_written),
        cmocka_unit_test(an_event_is_read_as_it_was_written),
        cmocka_unit_test(what_a_message_does_not_have_is_not_written),
        cmocka_unit_test(a_field_of_any_type_is_taken_or_counted_as_absent),
        cmocka_unit_test(an_id_that_is_too_long_is_none),
        cmocka_unit_test(what_is_odd_inside_is_left_out),
        cmocka_unit_test(damaged_bytes_are_read_without_harm),
        cmocka_unit_test(a_document_that_breaks_off_is_no_record),
    };

    return cmocka_run_group_tests(tests, load, NULL);
}
