/* SPDX-License-Identifier: MIT */
/* The form a recording is sent in, and what an answer says. */
#include "provider/transcription.h"

#include "base/check.h"
#include "base/xalloc.h"
#include "codec/multipart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static enum err
build(const char *endpoint, const char *model, const char *ending,
      struct str bytes, struct provider_request *r)
{
    const struct transcriber t = {
        .endpoint = endpoint, .api_key = "sk-1", .model = model};
    const struct transcription_file file = {
        .mime = STR("audio/webm"), .ending = str_from(ending), .bytes = bytes};

    provider_request_init(r, 4096);
    return transcription_build(&t, &file, r);
}

static const struct {
    const char *endpoint;
    const char *url;
} places[] = {
    {"http://h/v1", "http://h/v1/audio/transcriptions"},
    {"http://h/v1/", "http://h/v1/audio/transcriptions"},
    {"http://h/v1/audio/transcriptions", "http://h/v1/audio/transcriptions"},
    {"http://h/d/audio/transcriptions?api-version=1",
     "http://h/d/audio/transcriptions?api-version=1"},
};

static void
it_goes_to_the_path_of_the_api(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        struct provider_request r;

        assert_int_equal(build(places[i].endpoint, "m", "ogg", STR("x"), &r),
                         ERR_OK);
        assert_string_equal(r.url, places[i].url);
        provider_request_fini(&r);
    }
}

/* What comes until the part's end. */
static void
expect_data(struct multipart *m, struct str *body, struct str bytes)
{
    struct str data;
    struct buf all;

    buf_init(&all, 4096);
    while (multipart_feed(m, body, &data) == MULTIPART_DATA) {
        buf_put_str(&all, data);
    }
    assert_true(str_eq(buf_str(&all), bytes));
    buf_fini(&all);
}

/* The part that comes next. */
static void
expect_part(struct multipart *m, struct str *body, const char *name,
            const char *filename, struct str bytes)
{
    struct str data;

    assert_int_equal(multipart_feed(m, body, &data), MULTIPART_PART);
    assert_true(str_is(m->part.name, name));
    assert_true(filename == NULL ? m->part.filename.p == NULL
                                 : str_is(m->part.filename, filename));
    expect_data(m, body, bytes);
}

static void
expect_form(const char *model, const char *ending, const char *filename)
{
    static const char head[] = "Content-Type: ";
    struct str sound = {"\0\r\n--x\xff", 8}, body, data;
    struct provider_request r;
    struct multipart m;

    assert_int_equal(build("http://h/v1", model, ending, sound, &r), ERR_OK);
    assert_memory_equal(r.headers[0], head, sizeof(head) - 1);
    assert_int_equal(
        multipart_init(&m, str_from(r.headers[0] + sizeof(head) - 1)), ERR_OK);
    body = buf_str(&r.body);
    if (model[0] != '\0') {
        expect_part(&m, &body, "model", NULL, str_from(model));
    }
    expect_part(&m, &body, "response_format", NULL, STR("json"));
    expect_part(&m, &body, "file", filename, sound);
    assert_int_equal(multipart_feed(&m, &body, &data), MULTIPART_MORE);
    assert_true(multipart_complete(&m));
    assert_string_equal(r.headers[2], "Authorization: Bearer sk-1");
    multipart_fini(&m);
    provider_request_fini(&r);
}

static void
it_is_a_form_with_the_model_and_the_recording(void **state)
{
    (void)state;
    expect_form("whisper-1", "ogg", "voice.ogg");
    expect_form("", "wav", "voice.wav");
}

/* The API knows no "weba". */
static void
sound_alone_has_its_container_s_ending(void **state)
{
    (void)state;
    expect_form("m", "weba", "voice.webm");
}

static void
what_is_too_large_is_not_sent(void **state)
{
    struct provider_request r;
    char *large = calloc(1, 5000);

    (void)state;
    assert_int_equal(
        build("http://h", "m", "ogg", (struct str){large, 5000}, &r),
        ERR_TOO_BIG);
    provider_request_fini(&r);
    free(large);
}

static const struct {
    const char *answer;
    const char *text; /* NULL: none */
} answers[] = {
    {"{\"text\":\"Hello.\"}", "Hello."},
    {"{\"task\":\"transcribe\",\"segments\":[{\"text\":\"x\"}],"
     "\"text\":\" a\\u00e9\\n\" }\n",
     " a\xc3\xa9\n"},
    {"{\"text\":\"\"}", ""},
    {"{\"text\":null}", NULL},
    {"{\"text\":[\"a\"]}", NULL},
    {"{\"segments\":[]}", NULL},
    {"{\"text\":\"a\"}}", NULL},
    {"{\"text\":\"\xff\"}", NULL},
    {"[\"text\"]", NULL},
    {"Hello.", NULL},
    {"", NULL},
};

static void
the_text_or_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        struct buf out;
        bool found;

        buf_init(&out, 100);
        found = transcription_text(str_from(answers[i].answer), &out);
        assert_int_equal(found, answers[i].text != NULL);
        assert_true(!found || str_is(buf_str(&out), answers[i].text));
        buf_fini(&out);
    }
}

static void
an_answer_that_was_cut_says_nothing(void **state)
{
    struct str whole = str_from(answers[1].answer);

    (void)state;
    for (size_t n = 0; n + 3 < whole.n; n++) {
        char *part = str_dup((struct str){whole.p, n});
        struct buf out;

        buf_init(&out, 100);
        assert_false(transcription_text(str_from(part), &out));
        buf_fini(&out);
        xfree(part);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_goes_to_the_path_of_the_api),
        cmocka_unit_test(it_is_a_form_with_the_model_and_the_recording),
        cmocka_unit_test(sound_alone_has_its_container_s_ending),
        cmocka_unit_test(what_is_too_large_is_not_sent),
        cmocka_unit_test(the_text_or_nothing),
        cmocka_unit_test(an_answer_that_was_cut_says_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
