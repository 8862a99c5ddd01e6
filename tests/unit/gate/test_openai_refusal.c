/* SPDX-License-Identifier: MIT */
#include "gate/openai_refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define THEIRS                                                                 \
    STR("{\"type\":\"error\",\"error\":{\"type\":\"x\",\"message\":\"a "       \
        "\\u0062\"}}")

static const struct {
    struct exchange_end end;
    bool foreign;
    int status;
    const char *told; /* part of it */
} rows[] = {
    /* about the request: in the provider's words */
    {{.status = 400, .refusal = THEIRS}, false, 400, "{\"type\":\"error\","},
    {{.status = 413, .refusal = THEIRS},
     true,
     413,
     "{\"error\":{\"message\":\"a b\",\"type\":\"invalid_request_error\","
     "\"param\":null,\"code\":\"BAD_REQUEST\"}}"},
    {{.status = 422, .refusal = STR("{\"error\":{}}")},
     true,
     422,
     "\"code\":\"BAD_REQUEST\""},
    {{.status = 400, .refusal = STR("{\"error\":\"x\"}")},
     true,
     400,
     "\"code\":\"BAD_REQUEST\""},
    /* not to be told as it is */
    {{.status = 400, .refusal = STR("{\"error\":")},
     true,
     502,
     "LLM_UNAVAILABLE"},
    {{.status = 400, .refusal = STR("{}")}, false, 502, "LLM_UNAVAILABLE"},
    {{.status = 401, .refusal = THEIRS}, true, 502, "LLM_UNAVAILABLE"},
    {{.status = 500, .refusal = THEIRS}, false, 502, "LLM_UNAVAILABLE"},
    {{.status = 429}, false, 503, "LLM_UNAVAILABLE"},
    {{.timeout = true}, false, 504, "LLM_TIMEOUT"},
    {{.refused = ERR_BUDGET_EXCEEDED}, false, 429, "BUDGET_EXCEEDED"},
};

static void
failures_are_told_with_their_status(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf b;

        buf_init(&b, 4096);
        assert_int_equal(openai_refusal_put(&b, &rows[i].end, rows[i].foreign),
                         rows[i].status);
        if (!str_contains_nocase(buf_str(&b), str_from(rows[i].told))) {
            fail_msg("row %zu: %.*s", i, STR_ARG(buf_str(&b)));
        }
        buf_reset(&b, 0);
        openai_refusal_put_own(&b, &rows[i].end); /* whatever they said */
        assert_false(str_contains_nocase(buf_str(&b), STR("a b")));
        assert_true(str_contains_nocase(buf_str(&b), STR("{\"error\":{")));
        buf_fini(&b);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_are_told_with_their_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
