/* SPDX-License-Identifier: MIT */
/* The form a picture is handed over in, and what the app calls it then. */
#include "provider/dify_file.h"

#include "base/check.h"
#include "codec/multipart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static enum err
put(const char *endpoint, const char *base64, struct provider_request *r)
{
    const struct provider_config config = {.endpoint = endpoint,
                                           .api_key = "app-1"};
    const struct picture picture = {.type = STR("image/webp"),
                                    .base64 = str_from(base64)};

    provider_request_init(r, 4096);
    return dify_file_put(&config, &picture, STR("u1"), r);
}

static const struct {
    const char *endpoint;
    const char *url;
} places[] = {
    {"http://h/v1", "http://h/v1/files/upload"},
    {"http://h/v1/", "http://h/v1/files/upload"},
    {"http://h/v1/chat-messages", "http://h/v1/files/upload"},
    {"http://h/v1/chat-messages/?a=b", "http://h/v1/files/upload?a=b"},
    {"http://h/v1?a=b", "http://h/v1/files/upload?a=b"},
};

static void
it_goes_beside_the_questions(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        struct provider_request r;

        assert_int_equal(put(places[i].endpoint, "aGk=", &r), ERR_OK);
        assert_string_equal(r.url, places[i].url);
        provider_request_fini(&r);
    }
}

/* Of the part that comes next. */
static void
expect_part(struct multipart *m, struct str *body, const char *name,
            const char *filename, const char *bytes)
{
    struct str data;

    assert_int_equal(multipart_feed(m, body, &data), MULTIPART_PART);
    assert_true(str_is(m->part.name, name));
    assert_true(filename == NULL ? m->part.filename.p == NULL
                                 : str_is(m->part.filename, filename));
    assert_int_equal(multipart_feed(m, body, &data), MULTIPART_DATA);
    assert_true(str_is(data, bytes));
    assert_int_equal(multipart_feed(m, body, &data), MULTIPART_END);
}

static void
it_is_a_form_with_the_user_and_the_bytes(void **state)
{
    static const char head[] = "Content-Type: ";
    struct provider_request r;
    struct multipart m;
    struct str body, data;

    (void)state;
    assert_int_equal(put("http://h/v1", "aGVsbG8=", &r), ERR_OK);
    assert_memory_equal(r.headers[0], head, sizeof(head) - 1);
    assert_int_equal(
        multipart_init(&m, str_from(r.headers[0] + sizeof(head) - 1)), ERR_OK);
    body = buf_str(&r.body);
    expect_part(&m, &body, "user", NULL, "u1");
    expect_part(&m, &body, "file", "picture.webp", "hello");
    assert_int_equal(multipart_feed(&m, &body, &data), MULTIPART_MORE);
    assert_true(multipart_complete(&m));
    assert_string_equal(r.headers[2], "Authorization: Bearer app-1");
    multipart_fini(&m);
    provider_request_fini(&r);
}

static void
what_is_no_picture_or_too_large_is_not_sent(void **state)
{
    struct provider_request r;
    char *large = malloc(8001);

    (void)state;
    assert_int_equal(put("http://h/v1", "a", &r), ERR_INVALID_FORMAT);
    provider_request_fini(&r);
    memset(large, 'A', 8000);
    large[8000] = '\0';
    assert_int_equal(put("http://h/v1", large, &r), ERR_TOO_BIG);
    provider_request_fini(&r);
    free(large);
}

static const struct {
    const char *answer;
    const char *id; /* NULL: none */
} answers[] = {
    {"{\"id\":\"72fa-9f_A\",\"name\":\"x\",\"size\":[1]}", "72fa-9f_A"},
    {"{\"a\":{\"id\":\"x\"},\"id\":\"y\"}", "y"},
    {"{\"name\":\"x\"}", NULL},
    {"{\"id\":7}", NULL},
    {"{\"id\":\"\"}", NULL},
    {"{\"id\":\"../x\"}", NULL},
    {"{\"id\":\"a\\u0062\"}", NULL},
    {"{\"id\":\"a\"", NULL},
    {"[\"id\"]", NULL},
    {"", NULL},
    {"{\"id\":"
     "\"0123456789012345678901234567890123456789012345678901234567890123"
     "4\"}",
     NULL},
};

static void
its_name_is_an_id_or_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        char id[PROVIDER_ID_MAX + 1] = "";
        bool found = dify_file_id(str_from(answers[i].answer), id);

        assert_int_equal(found, answers[i].id != NULL);
        if (found) {
            assert_string_equal(id, answers[i].id);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_goes_beside_the_questions),
        cmocka_unit_test(it_is_a_form_with_the_user_and_the_bytes),
        cmocka_unit_test(what_is_no_picture_or_too_large_is_not_sent),
        cmocka_unit_test(its_name_is_an_id_or_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
