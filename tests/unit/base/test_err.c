/* SPDX-License-Identifier: MIT */
#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
describes_every_error_a_peer_can_be_told(void **state)
{
    (void)state;
    for (int e = ERR_OK + 1; e < ERR_TOO_BIG; e++) {
        const struct err_info *info = err_info((enum err)e);

        assert_true(info->http >= 400 && info->http <= 599);
        assert_true(strlen(info->sentence) > 5);
        assert_true(info->code[0] >= 'A' && info->slug[0] >= 'a');
        assert_true(info->close == 0 || info->close == 1009 ||
                    info->close == 1011 || info->close == 1013 ||
                    (info->close >= 4400 && info->close <= 4499));
    }
}

static void
hides_what_is_internal(void **state)
{
    (void)state;
    assert_string_equal(err_info(ERR_IO)->code, "INTERNAL_ERROR");
    assert_string_equal(err_info(ERR_TOO_BIG)->code, "INTERNAL_ERROR");
    assert_string_equal(err_info((enum err)9999)->code, "INTERNAL_ERROR");
}

/* The CODEs of protocol.md section 1, status by status. */
static void
maps_every_status_to_its_http_code(void **state)
{
    static const struct {
        enum err e;
        const char *code;
    } rows[] = {
        {ERR_BAD_REQUEST, "BAD_REQUEST"},
        {ERR_UNAUTHORIZED, "UNAUTHORIZED"},
        {ERR_INVALID_TOKEN, "INVALID_TOKEN"},
        {ERR_EXPIRED_TOKEN, "EXPIRED_TOKEN"},
        {ERR_FORBIDDEN, "FORBIDDEN"},
        {ERR_INSUFFICIENT_PERMISSIONS, "FORBIDDEN"},
        {ERR_NOT_FOUND, "NOT_FOUND"},
        {ERR_METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED"},
        {ERR_REQUEST_TIMEOUT, "REQUEST_TIMEOUT"},
        {ERR_CONFLICT, "CONFLICT"},
        {ERR_PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE"},
        {ERR_URI_TOO_LONG, "PAYLOAD_TOO_LARGE"},
        {ERR_HEADERS_TOO_LARGE, "PAYLOAD_TOO_LARGE"},
        {ERR_UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE"},
        {ERR_UPGRADE_REQUIRED, "BAD_REQUEST"},
        {ERR_TOO_MANY_REQUESTS, "TOO_MANY_REQUESTS"},
        {ERR_CONNECTION_LIMIT_EXCEEDED, "TOO_MANY_REQUESTS"},
        {ERR_INTERNAL_ERROR, "INTERNAL_ERROR"},
        {ERR_SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE"},
        {ERR_DATABASE_ERROR, "SERVICE_UNAVAILABLE"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_string_equal(err_http_code(rows[i].e), rows[i].code);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(describes_every_error_a_peer_can_be_told),
        cmocka_unit_test(hides_what_is_internal),
        cmocka_unit_test(maps_every_status_to_its_http_code),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
