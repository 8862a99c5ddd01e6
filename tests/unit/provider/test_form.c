/* SPDX-License-Identifier: MIT */
/* A form, byte by byte as RFC 7578 has it. */
#include "provider/form.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
fields_and_a_file(void **state)
{
    struct provider_request r;
    struct form f;
    char want[512], type[128];

    (void)state;
    provider_request_init(&r, 4096);
    provider_request_put(&r, NULL, STR("http://h/"));
    form_begin(&f, &r, "key");
    form_field(&f, "a", STR("1"));
    form_field(&f, "b", STR(""));
    form_file(&f, "x.png", STR("image/png"));
    buf_put(&r.body, "\0\r\n", 3);
    form_end(&f);
    assert_int_equal(provider_request_seal(&r), ERR_OK);
    snprintf(want, sizeof(want),
             "--%s\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n"
             "--%s\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\n\r\n"
             "--%s\r\nContent-Disposition: form-data; name=\"file\"; "
             "filename=\"x.png\"\r\nContent-Type: image/png\r\n\r\n"
             "0\r\n\r\n--%s--\r\n",
             f.boundary, f.boundary, f.boundary, f.boundary);
    assert_int_equal(r.body.n, strlen(want));
    *(char *)memchr(r.body.p, '\0', r.body.n) = '0';
    assert_memory_equal(r.body.p, want, r.body.n);
    snprintf(type, sizeof(type),
             "Content-Type: multipart/form-data; boundary=%s", f.boundary);
    assert_string_equal(r.headers[0], type);
    assert_string_equal(r.headers[1], "Accept: application/json");
    assert_string_equal(r.headers[2], "Authorization: Bearer key");
    assert_null(r.headers[3]);
    provider_request_fini(&r);
}

static void
no_key_no_bearer_and_never_the_same_boundary(void **state)
{
    char before[RAND_ID_CHARS + 1] = "";

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct provider_request r;
        struct form f;

        provider_request_init(&r, 4096);
        provider_request_put(&r, NULL, STR("http://h/"));
        form_begin(&f, &r, "");
        form_end(&f);
        assert_int_equal(provider_request_seal(&r), ERR_OK);
        assert_null(r.headers[2]);
        assert_string_not_equal(f.boundary, before);
        memcpy(before, f.boundary, sizeof(before));
        provider_request_fini(&r);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_and_a_file),
        cmocka_unit_test(no_key_no_bearer_and_never_the_same_boundary),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
