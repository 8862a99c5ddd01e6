/* SPDX-License-Identifier: MIT */
#include "codec/multipart.h"

#include "base/xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TYPE "multipart/form-data; boundary=xYz"
#define HEAD "Content-Disposition: form-data; name=\"file\"; filename=\"a.png\""
#define FORM "Content-Disposition: form-data; name=file"

/* A part is written down as <name|filename|type> data ">"; a body that is none
 * as "!", a complete one ends with "$". */
static void
note(struct buf *out, enum multipart_result r, const struct multipart *m,
     struct str data)
{
    if (r == MULTIPART_PART) {
        buf_putc(out, '<');
        buf_put_str(out, m->part.name);
        buf_putc(out, '|');
        buf_put_str(out,
                    m->part.filename.p != NULL ? m->part.filename : STR("-"));
        buf_putc(out, '|');
        buf_put_str(out, m->part.type);
        buf_putc(out, '>');
    } else if (r == MULTIPART_DATA) {
        assert_true(data.n > 0);
        buf_put_str(out, data);
    } else {
        buf_putc(out, '>');
    }
}

/* Each piece is its own allocation, gone after its last event. */
static bool
feed(struct multipart *m, struct str piece, struct buf *out)
{
    char *copy = xmemdup(piece.n > 0 ? piece.p : "", piece.n);
    struct str bytes = {copy, piece.n}, data;
    enum multipart_result r;

    while ((r = multipart_feed(m, &bytes, &data)) > MULTIPART_MORE) {
        note(out, r, m, data);
    }
    assert_true(r == MULTIPART_BAD || bytes.n == 0);
    xfree(copy);
    return r != MULTIPART_BAD;
}

static void
finish(struct multipart *m, struct buf *out, bool ok, const char *expected)
{
    char *text;

    buf_puts(out, !ok ? "!" : multipart_complete(m) ? "$" : "");
    text = buf_give(out);
    assert_string_equal(text, expected);
    xfree(text);
    multipart_fini(m);
}

static void
begin(struct multipart *m, struct buf *out)
{
    assert_int_equal(multipart_init(m, STR(TYPE)), ERR_OK);
    buf_init(out, 1 << 20);
}

static void
run_steps(struct str in, size_t step, const char *expected)
{
    struct multipart m;
    struct buf out;
    bool ok = true;

    begin(&m, &out);
    for (size_t at = 0; ok && at < in.n; at += step) {
        size_t n = in.n - at < step ? in.n - at : step;

        ok = feed(&m, (struct str){in.p + at, n}, &out);
    }
    finish(&m, &out, ok, expected);
}

/* Whole, in steps of one to five bytes, and cut at every position. */
static void
run(const char *text, const char *expected)
{
    struct str in = str_from(text);

    run_steps(in, in.n + 1, expected);
    for (size_t step = 1; step <= 5; step++) {
        run_steps(in, step, expected);
    }
    for (size_t at = 0; at <= in.n; at++) {
        struct multipart m;
        struct buf out;
        bool ok;

        begin(&m, &out);
        ok = feed(&m, (struct str){in.p, at}, &out) &&
             feed(&m, str_from_at(in, at), &out);
        finish(&m, &out, ok, expected);
    }
}

static void
parts_and_their_data_are_found(void **state)
{
    (void)state;
    run("--xYz\r\n" HEAD "\r\nContent-Type: image/png\r\n\r\n"
        "bytes\r\n--xYz--\r\n",
        "<file|a.png|image/png>bytes>$");
    run("--xYz\r\n" FORM "\r\n\r\none\r\n--xYz\r\n"
        "content-disposition:form-data;name=\"b c\"\r\n\r\ntwo\r\n--xYz--",
        "<file|-|>one><b c|-|>two>$");
    run("--xYz\r\n" FORM "\r\n\r\n\r\n--xYz--", "<file|-|>>$");
    run("--xYz--", "$");
    run("", "");
}

static void
what_is_almost_a_delimiter_is_data(void **state)
{
    (void)state;
    run("--xYz\r\n" FORM "\r\n\r\n"
        "\r\r\n\r\n-\r\n--x\r\n--xY\r\r\n--\r--xYz\n--xYz\r"
        "\r\n--xYz--",
        "<file|-|>\r\r\n\r\n-\r\n--x\r\n--xY\r\r\n--\r--xYz\n--xYz\r>$");
}

static void
what_stands_around_the_parts_is_passed_over(void **state)
{
    (void)state;
    run("before\r\n--x\r\nagain--xYz\r\n--xYz \t\r\n" FORM
        "\r\n\r\nA\r\n--xYz--behind\r\n--xYz\r\n",
        "<file|-|>A>$");
    run("\r\n--xYz\r\n" FORM "\r\n\r\nA\r\n--xYz--", "<file|-|>A>$");
}

static void
a_cut_body_is_not_complete(void **state)
{
    (void)state;
    run("--xYz\r\n" FORM "\r\n\r\nbytes\r\n--xYz", "<file|-|>bytes>");
    run("--xYz\r\n" FORM "\r\n\r\nbytes\r\n--xY", "<file|-|>bytes");
    run("--xYz\r\n" FORM "\r\n\r\nbytes\r\n--xYz-", "<file|-|>bytes>");
    run("--xYz\r\n" FORM "\r\n", "");
}

static void
quoted_names_lose_their_backslashes(void **state)
{
    (void)state;
    run("--xYz\r\nContent-Disposition: form-data; name=\"a\\\"b\\\\c\"; "
        "filename=\"\xc3\xa4;b=1\"\r\n\r\nA\r\n--xYz--",
        "<a\"b\\c|\xc3\xa4;b=1|>A>$");
    run("--xYz\r\nContent-Disposition: form-data; filename=\"\"; name=x\r\n"
        "\r\nA\r\n--xYz--",
        "<x||>A>$");
}

static void
all_else_is_refused(void **state)
{
    static const char *const headers[] = {
        "",
        "Content-Type: image/png\r\n",
        "Content-Disposition: form-data\r\n",
        "Content-Disposition: attachment; name=file\r\n",
        "Content-Disposition: form-data; name=a; name=b\r\n",
        FORM "\r\n" FORM "\r\n",
        "Content-Disposition: form-data; name=\"a\r\n",
        "Content-Disposition: form-data; name=\r\n",
        "Content-Disposition: form-data name=a\r\n",
        "Content-Disposition: form-data; name=a b\r\n",
        "Content-Disposition: form-data; name=\"a\x01\"\r\n",
        FORM "\r\n folded: x\r\n",
        FORM "\r\nno colon\r\n",
        FORM "\r\n: no name\r\n",
        FORM "\r\nX: a\x02z\r\n",
        FORM "\r\nX: a\nb\r\n",
    };
    char text[512];

    (void)state;
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        snprintf(text, sizeof(text), "--xYz\r\n%s\r\nA\r\n--xYz--", headers[i]);
        run(text, "!");
    }
    run("--xYz\n" FORM "\r\n\r\nA", "!");
    run("--xYzz\r\n", "!");
    run("--xYz \n", "!");
    run("--xYz\r\r\n", "!");
    run("--xYz-x", "!");
    run("--xYz\r\n" FORM "\r\n\r\nA\r\n--xYzB", "<file|-|>A>!");
}

static void
header_lines_and_parts_have_a_limit(void **state)
{
    static const struct str part = STR("\r\n--xYz\r\n" FORM "\r\n\r\n");
    struct multipart m;
    struct buf out, in;

    (void)state;
    buf_init(&in, 1 << 20);
    begin(&m, &out);
    buf_puts(&in, "--xYz\r\nX: ");
    for (size_t i = 0; i < MULTIPART_HEADERS_MAX; i++) {
        buf_putc(&in, 'a');
    }
    finish(&m, &out, feed(&m, buf_str(&in), &out), "!");
    buf_reset(&in, 0);
    begin(&m, &out);
    for (size_t i = 0; i < MULTIPART_PARTS_MAX; i++) {
        assert_true(feed(&m, part, &out));
    }
    assert_false(feed(&m, part, &out));
    assert_false(feed(&m, STR("--xYz--"), &out));
    buf_fini(&in);
    buf_fini(&out);
    multipart_fini(&m);
}

static void
the_type_says_the_boundary(void **state)
{
    static const struct {
        const char *type;
        enum err e;
    } rows[] = {
        {"multipart/form-data; boundary=a", ERR_OK},
        {" Multipart/Form-Data ;\tBOUNDARY=\"a b\" ", ERR_OK},
        {"multipart/form-data; charset=utf-8; boundary='()+_,-./:=?",
         ERR_BAD_REQUEST},
        {"multipart/form-data; boundary=\"'()+_,-./:=?\"", ERR_OK},
        {"multipart/form-data", ERR_BAD_REQUEST},
        {"multipart/form-data; boundary=", ERR_BAD_REQUEST},
        {"multipart/form-data; boundary=\"\"", ERR_BAD_REQUEST},
        {"multipart/form-data; boundary=\"a \"", ERR_BAD_REQUEST},
        {"multipart/form-data; boundary=\"a\tb\"", ERR_BAD_REQUEST},
        {"multipart/form-data; boundary=a; boundary=a", ERR_BAD_REQUEST},
        {"multipart/form-data; boundary=a;", ERR_BAD_REQUEST},
        {"multipart/form-data; boundary=\"123456789012345678901234567890123456"
         "7890123456789012345678901234567890\"",
         ERR_OK},
        {"multipart/form-data; boundary=\"123456789012345678901234567890123456"
         "78901234567890123456789012345678901\"",
         ERR_BAD_REQUEST},
        {"multipart/form-dat", ERR_UNSUPPORTED_MEDIA_TYPE},
        {"multipart/form-datas; boundary=a", ERR_UNSUPPORTED_MEDIA_TYPE},
        {"multipart/mixed; boundary=a", ERR_UNSUPPORTED_MEDIA_TYPE},
        {"application/json", ERR_UNSUPPORTED_MEDIA_TYPE},
        {"", ERR_UNSUPPORTED_MEDIA_TYPE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct str bytes = STR("--a\r\n"), data;
        struct multipart m;

        assert_int_equal(multipart_init(&m, str_from(rows[i].type)), rows[i].e);
        if (rows[i].e != ERR_OK) {
            assert_int_equal(multipart_feed(&m, &bytes, &data), MULTIPART_BAD);
        }
        multipart_fini(&m);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_and_their_data_are_found),
        cmocka_unit_test(what_is_almost_a_delimiter_is_data),
        cmocka_unit_test(what_stands_around_the_parts_is_passed_over),
        cmocka_unit_test(a_cut_body_is_not_complete),
        cmocka_unit_test(quoted_names_lose_their_backslashes),
        cmocka_unit_test(all_else_is_refused),
        cmocka_unit_test(header_lines_and_parts_have_a_limit),
        cmocka_unit_test(the_type_says_the_boundary),
    };

    return cmocka_run_group_tests_name("codec/multipart", tests, NULL, NULL);
}
