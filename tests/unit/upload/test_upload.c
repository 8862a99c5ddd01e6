/* SPDX-License-Identifier: MIT */
#include "upload/upload.h"

#include "upload/file_id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct upload u = {
    .key = {"0123456789abcdef", 16},
    .prefix = "/chatbox/files/",
    .url_ttl_ms = 60000,
};

/* The numbers in a link. */
static int64_t
read_link(struct str url, struct str *sig)
{
    struct str rest = url, part;
    uint64_t until;

    assert_true(str_split(&rest, '?', &part));
    assert_true(str_split(&rest, '&', &part));
    assert_true(str_starts(part, STR("exp=")));
    assert_true(str_to_u64(str_from_at(part, 4), INT64_MAX, &until));
    assert_true(str_starts(rest, STR("sig=")));
    *sig = str_from_at(rest, 4);
    return (int64_t)until;
}

static void
a_link_is_good_until_it_ends(void **state)
{
    char id[FILE_ID_CHARS + 1];
    const int64_t now_ms = 1700000000001;
    struct buf url;
    struct str sig;
    int64_t until;

    (void)state;
    buf_init(&url, 512);
    file_id_make(u.key, 2, STR("ann"), id);
    upload_put_url(&u, str_from(id), now_ms, &url);
    until = read_link(buf_str(&url), &sig);
    assert_int_equal(until, 1700000061);
    assert_true(upload_link_good(&u, str_from(id), until, sig, now_ms));
    assert_true(upload_link_good(&u, str_from(id), until, sig, now_ms + 60000));
    assert_false(upload_link_good(&u, str_from(id), until, sig, until * 1000));
    assert_false(upload_link_good(&u, str_from(id), until + 1, sig, now_ms));
    assert_true(str_is(upload_id_in(&u, buf_str(&url)), id));
    assert_string_equal(upload_type(str_from(id))->mime, "image/png");
    buf_fini(&url);
}

static void
only_links_of_ours_have_an_id(void **state)
{
    char id[FILE_ID_CHARS + 1], url[256];
    static const char *const forms[] = {
        "/chatbox/files/%s/x",
        "/chatbox/files/%sa",
        "/files/%s",
        "https://example.com/chatbox/files/%s",
        "%s",
        "/chatbox/files/../%s",
    };

    (void)state;
    file_id_make(u.key, 2, STR("ann"), id);
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        char *at = strstr(forms[i], "%s");

        snprintf(url, sizeof(url), "%.*s%s%s", (int)(at - forms[i]), forms[i],
                 id, at + 2);
        assert_int_equal(upload_id_in(&u, str_from(url)).n, 0);
    }
    snprintf(url, sizeof(url), "/chatbox/files/%s", id);
    assert_true(str_is(upload_id_in(&u, str_from(url)), id));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_is_good_until_it_ends),
        cmocka_unit_test(only_links_of_ours_have_an_id),
    };

    return cmocka_run_group_tests_name("upload/upload", tests, NULL, NULL);
}
