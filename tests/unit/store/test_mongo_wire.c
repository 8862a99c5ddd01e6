/* SPDX-License-Identifier: MIT */
/* Which messages of the database are passed on to the driver. */
#include "store/mongo_wire.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define DOC "\x05\0\0\0\0" /* the empty document */
#define FLAGS "\0\0\0\0"
#define REPLY FLAGS "\0\0\0\0\0\0\0\0" FLAGS "\x01\0\0\0"

enum { OP_REPLY = 1, OP_COMPRESSED = 2012, OP_MSG = 2013 };

static void
put_u32(struct buf *b, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        buf_putc(b, (char)(value >> 8 * i));
    }
}

/* A message with this body and the length that it has. */
static void
make(struct buf *b, uint32_t op, const char *body, size_t n)
{
    buf_init(b, 1000);
    put_u32(b, (uint32_t)n + 16);
    put_u32(b, 7);
    put_u32(b, 8);
    put_u32(b, op);
    buf_put(b, body, n);
}

static bool
is_whole(const struct buf *b)
{
    return mongo_wire_whole((const uint8_t *)b->p, b->n);
}

#define BODY(text) text, sizeof(text) - 1

static const struct {
    const char *what;
    uint32_t op;
    const char *body;
    size_t n;
    bool whole;
} rows[] = {
    {"a document", OP_MSG, BODY(FLAGS "\0" DOC), true},
    {"with a field", OP_MSG, BODY(FLAGS "\0\x0c\0\0\0\x10n\0\x01\0\0\0\0"),
     true},
    {"with a checksum", OP_MSG, BODY("\x01\0\0\0\0" DOC "abcd"), true},
    {"a sequence", OP_MSG, BODY(FLAGS "\0" DOC "\x01\x10\0\0\0d\0" DOC DOC),
     true},
    {"an empty sequence", OP_MSG, BODY(FLAGS "\x01\x06\0\0\0d\0"), true},
    {"a reply", OP_REPLY, BODY(REPLY DOC), true},
    {"a reply without documents", OP_REPLY, BODY(REPLY), true},
    {"what we do not read", OP_COMPRESSED, BODY("anything"), true},
    {"no section", OP_MSG, BODY(FLAGS), false},
    {"a checksum alone", OP_MSG, BODY("\x01\0\0\0abcd"), false},
    {"no flags", OP_MSG, BODY("\0\0"), false},
    {"a section of another kind", OP_MSG, BODY(FLAGS "\x02" DOC), false},
    {"a document that is longer than the message", OP_MSG,
     BODY(FLAGS "\0\x06\0\0\0\0"), false},
    {"one that is longer than all memory", OP_MSG,
     BODY(FLAGS "\0\xff\xff\xff\xff\0"), false},
    {"a negative one", OP_MSG, BODY(FLAGS "\0\xa5\xa5\xa5\xa5\0"), false},
    {"one that is too short to be one", OP_MSG, BODY(FLAGS "\0\x04\0\0\0\0"),
     false},
    {"one without its end", OP_MSG, BODY(FLAGS "\0\x05\0\0\0x"), false},
    {"something behind it", OP_MSG, BODY(FLAGS "\0" DOC "\0"), false},
    {"a sequence that is too long", OP_MSG,
     BODY(FLAGS "\x01\x12\0\0\0d\0" DOC DOC), false},
    {"one that ends in a document", OP_MSG,
     BODY(FLAGS "\x01\x0e\0\0\0d\0" DOC DOC), false},
    {"one without a name", OP_MSG, BODY(FLAGS "\x01\x06\0\0\0dd"), false},
    {"a reply that is cut", OP_REPLY, BODY(FLAGS "\0\0"), false},
    {"a reply with a cut document", OP_REPLY, BODY(REPLY "\x05\0\0\0"), false},
};

static void
what_adds_up_is_passed_on_and_nothing_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf b;

        make(&b, rows[i].op, rows[i].body, rows[i].n);
        if (is_whole(&b) != rows[i].whole) {
            fail_msg("%s", rows[i].what);
        }
        buf_fini(&b);
    }
}

static void
a_message_that_is_cut_anywhere_is_none(void **state)
{
    struct buf b;

    (void)state;
    make(&b, OP_MSG, BODY(FLAGS "\0" DOC "\x01\x10\0\0\0d\0" DOC DOC));
    for (size_t n = 0; n < b.n; n++) {
        uint8_t *copy = (uint8_t *)test_malloc(n + 1); /* no byte behind it */

        memcpy(copy, b.p, n);
        assert_false(mongo_wire_whole(copy, n));
        test_free(copy);
    }
    assert_true(is_whole(&b));
    buf_putc(&b, 0);
    assert_false(is_whole(&b)); /* longer than it says */
    buf_fini(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_adds_up_is_passed_on_and_nothing_else),
        cmocka_unit_test(a_message_that_is_cut_anywhere_is_none),
    };

    return cmocka_run_group_tests_name("store/mongo_wire", tests, NULL, NULL);
}
