/* SPDX-License-Identifier: MIT */
/* Recorded streams of each service (the fuzz targets' corpus): the events are
 * the same whole, byte by byte and in two pieces cut at every place; and a
 * stream that ends at any place has given nothing but what stands before it. */
#include "provider/trace.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define RECORDED_MAX 65536

static const char *corpus;

/* In pieces: a first one of `first` bytes, then the rest by `step`. A text may
 * hold NUL, so a trace has a length. */
static struct buf
trace_of(const struct provider_ops *ops, struct str body, size_t first,
         size_t step)
{
    struct buf trace;
    struct provider_sink sink = {trace_note, &trace};
    void *answer = ops->open(STR("text/event-stream"), 1000);

    buf_init(&trace, 1 << 20);
    trace_feed(ops, answer, (struct str){body.p, first}, &sink);
    for (size_t at = first; at < body.n; at += step) {
        size_t n = step < body.n - at ? step : body.n - at;

        trace_feed(ops, answer, (struct str){body.p + at, n}, &sink);
    }
    ops->end(answer, &sink);
    ops->close(answer);
    return trace;
}

static void
expect(struct str whole, struct buf other, const char *name, size_t at)
{
    if (!str_eq(whole, buf_str(&other))) {
        fail_msg("%s cut at %zu: %.*s, and whole: %.*s", name, at,
                 STR_ARG(buf_str(&other)), STR_ARG(whole));
    }
    buf_fini(&other);
}

/* Fed byte by byte, and looked at after each: what has been told so far. */
static void
expect_beginnings(const struct provider_ops *ops, struct str body,
                  struct str whole, const char *name)
{
    struct buf trace;
    struct provider_sink sink = {trace_note, &trace};
    void *answer = ops->open(STR("text/event-stream"), 1000);

    buf_init(&trace, 1 << 20);
    for (size_t at = 0; at < body.n; at++) {
        trace_feed(ops, answer, (struct str){body.p + at, 1}, &sink);
        if (!str_starts(whole, buf_str(&trace))) {
            fail_msg("%s, %zu bytes of it: %.*s, and whole: %.*s", name, at + 1,
                     STR_ARG(buf_str(&trace)), STR_ARG(whole));
        }
    }
    ops->close(answer);
    buf_fini(&trace);
}

static void
try_body(const struct provider_ops *ops, struct str body, const char *name)
{
    struct buf whole = trace_of(ops, body, body.n, 1);

    expect(buf_str(&whole), trace_of(ops, body, 0, 1), name, 0);
    for (size_t cut = 0; cut < body.n; cut++) {
        expect(buf_str(&whole), trace_of(ops, body, cut, body.n), name, cut);
    }
    expect_beginnings(ops, body, buf_str(&whole), name);
    buf_fini(&whole);
}

/* How many recorded streams of this provider there are. */
static size_t
try_all(const char *type)
{
    const struct provider_ops *ops = registry_find(str_from(type));
    char path[1024];
    struct dirent *entry;
    size_t count = 0;
    DIR *folder;

    (void)snprintf(path, sizeof(path), "%s/%s", corpus, type);
    folder = opendir(path);
    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL) {
        static char body[RECORDED_MAX];
        FILE *file;
        size_t n;

        if (entry->d_name[0] == '.') {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%s/%s/%s", corpus, type,
                       entry->d_name);
        file = fopen(path, "rb");
        assert_non_null(file);
        n = fread(body, 1, sizeof(body), file);
        (void)fclose(file);
        assert_true(n < sizeof(body));
        try_body(ops, (struct str){body, n}, entry->d_name);
        count++;
    }
    (void)closedir(folder);
    return count;
}

static void
streams_of_openai_s_form(void **state)
{
    (void)state;
    assert_true(try_all("openai") >= 10);
}

static void
streams_of_anthropic_s_form(void **state)
{
    (void)state;
    assert_true(try_all("anthropic") >= 10);
}

static void
streams_of_dify_s_form(void **state)
{
    (void)state;
    assert_true(try_all("dify") >= 5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_of_openai_s_form),
        cmocka_unit_test(streams_of_anthropic_s_form),
        cmocka_unit_test(streams_of_dify_s_form),
    };

    corpus = getenv("CORPUS");
    assert_non_null(corpus);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
