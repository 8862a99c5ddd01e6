/* SPDX-License-Identifier: MIT */
/* Fields of documents that are absent, or something else than they ought to
 * be. */
#include "doc_kinds.h"

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

/* No value is an id of a session, which has one length. */
static const struct field session_fields[] = {
    {"_id", 0, true},
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
    {"totalCost", INT, false},
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
    {"convId", TEXT, false},   {"budgetRoles", TEXT, false},
};

static const struct field event_fields[] = {
    {"ts", TIME, false},  {"actor", TEXT, false},  {"action", TEXT, false},
    {"sid", TEXT, false}, {"detail", TEXT, false},
};

static const struct field entry_fields[] = {
    {"_id", ID, true},
    {"uid", TEXT, true},
    {"modelId", TEXT, false},
    {"ts", TIME, true},
    {"promptTokens", INT, false},
    {"completionTokens", INT, false},
    {"totalTokens", INT, false},
    {"estimated", BOOL, false},
    {"cachedTokens", INT, false},
    {"reasoningTokens", INT, false},
    {"cost", INT, false},
    {"budgetRoles", TEXT, false},
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
    try_fields(&entry, entry_fields, COUNT_OF(entry_fields));
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_field_of_any_type_is_taken_or_counted_as_absent),
        cmocka_unit_test(an_id_that_is_too_long_is_none),
        cmocka_unit_test(what_is_odd_inside_is_left_out),
    };

    return cmocka_run_group_tests_name("store/mongo_doc_odd", tests, load,
                                       NULL);
}
