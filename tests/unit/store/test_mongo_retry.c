/* SPDX-License-Identifier: MIT */
/* What one attempt says; test_mongo_retry_steps.c has what follows from it. */
#include "store/mongo_retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SERVER MONGO_DOMAIN_SERVER
#define LABEL MONGO_LABEL_RETRYABLE_WRITE

struct told {
    const char *what;
    struct mongo_attempt attempt;
    enum mongo_outcome outcome;
    bool passing;
};

static void
check(const struct told *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (mongo_retry_outcome(&rows[i].attempt) != rows[i].outcome ||
            mongo_retry_passing(&rows[i].attempt) != rows[i].passing) {
            fail_msg(
                "%s: %s, %spassing", rows[i].what,
                mongo_retry_outcome_name(mongo_retry_outcome(&rows[i].attempt)),
                mongo_retry_passing(&rows[i].attempt) ? "" : "not ");
        }
    }
}

static void
test_only_the_return_value_says_that_it_went_well(void **state)
{
    static const struct told rows[] = {
        {"a success",
         {.ok = true, .write = true, .sent = 1},
         MONGO_STORED,
         false},
        {"a success that left a code behind",
         {.ok = true,
          .write = true,
          .domain = SERVER,
          .code = 10107,
          .labels = LABEL,
          .sent = 2},
         MONGO_STORED,
         false},
        {"a read's success", {.ok = true, .sent = 1}, MONGO_STORED, false},
        {"a failure without a code",
         {.write = true, .sent = 1},
         MONGO_UNKNOWN,
         false},
        {"a read's failure without a code", {.sent = 1}, MONGO_NOT_EVER, false},
    };

    (void)state;
    check(rows, COUNT(rows));
}

static void
test_what_was_not_sent_is_not_stored(void **state)
{
    static const struct told rows[] = {
        {"no server",
         {.write = true,
          .domain = MONGO_DOMAIN_SERVER_SELECTION,
          .code = 13053},
         MONGO_NOT_NOW,
         true},
        {"a server of another age",
         {.write = true,
          .domain = MONGO_DOMAIN_SERVER_SELECTION,
          .code = MONGO_CODE_SELECTION_WIRE_VERSION},
         MONGO_NOT_EVER,
         false},
        {"a server of another age, found by its greeting",
         {.write = true,
          .domain = MONGO_DOMAIN_PROTOCOL,
          .code = MONGO_CODE_PROTOCOL_WIRE_VERSION},
         MONGO_NOT_EVER,
         false},
        {"no connection",
         {.write = true, .domain = MONGO_DOMAIN_STREAM, .code = 5},
         MONGO_NOT_NOW,
         true},
        {"no client in the pool",
         {.write = true, .domain = MONGO_DOMAIN_NO_CLIENT},
         MONGO_NOT_NOW,
         true},
        {"wrong credentials",
         {.write = true, .domain = MONGO_DOMAIN_CLIENT, .code = 11},
         MONGO_NOT_EVER,
         false},
        {"wrong password",
         {.write = true, .domain = MONGO_DOMAIN_SCRAM, .code = 29},
         MONGO_NOT_EVER,
         false},
        {"no such mechanism",
         {.write = true, .domain = MONGO_DOMAIN_SASL},
         MONGO_NOT_EVER,
         false},
        {"a document too large for BSON",
         {.write = true, .domain = MONGO_DOMAIN_BSON, .code = 18},
         MONGO_NOT_EVER,
         false},
    };

    (void)state;
    check(rows, COUNT(rows));
}

/* Req 9.1: a lost answer is tried again. */
static void
test_an_answer_that_was_lost_says_nothing(void **state)
{
    static const struct told rows[] = {
        {"cut",
         {.write = true, .domain = MONGO_DOMAIN_STREAM, .code = 4, .sent = 1},
         MONGO_UNKNOWN,
         true},
        {"garbage",
         {.write = true,
          .domain = MONGO_DOMAIN_PROTOCOL,
          .code = 14,
          .sent = 1},
         MONGO_UNKNOWN,
         true},
        {"garbage inside",
         {.write = true, .domain = MONGO_DOMAIN_BSON, .code = 18, .sent = 1},
         MONGO_UNKNOWN,
         true},
        {"cut, then nobody there",
         {.write = true,
          .domain = MONGO_DOMAIN_SERVER_SELECTION,
          .code = 13053,
          .sent = 1},
         MONGO_UNKNOWN,
         true},
        {"cut, then refused by another",
         {.write = true, .domain = SERVER, .code = 10107, .sent = 2},
         MONGO_UNKNOWN,
         true},
        {"cut, then forbidden",
         {.write = true, .domain = SERVER, .code = 13, .sent = 2},
         MONGO_UNKNOWN,
         false},
        {"a read that was cut",
         {.domain = MONGO_DOMAIN_STREAM, .code = 4, .sent = 1},
         MONGO_NOT_NOW,
         true},
    };

    (void)state;
    check(rows, COUNT(rows));
}

/* Property 6, Property 8: by the code, in whatever domain it comes. */
static void
test_the_table_tells_what_passes_from_what_lasts(void **state)
{
    static const struct told rows[] = {
        {"not the primary",
         {.write = true, .domain = SERVER, .code = 10107, .sent = 1},
         MONGO_NOT_NOW,
         true},
        {"the same for a group",
         {.write = true,
          .shared = true,
          .domain = SERVER,
          .code = 10107,
          .sent = 1},
         MONGO_UNKNOWN,
         true},
        {"stepped down",
         {.write = true, .domain = SERVER, .code = 189, .sent = 1},
         MONGO_UNKNOWN,
         true},
        {"going down",
         {.write = true, .domain = SERVER, .code = 11600, .sent = 1},
         MONGO_UNKNOWN,
         true},
        {"by an old interface",
         {.write = true, .domain = 5, .code = 91, .sent = 1},
         MONGO_UNKNOWN,
         true},
        {"in a bulk operation",
         {.write = true, .domain = 11, .code = 112, .sent = 1},
         MONGO_NOT_NOW,
         true},
        {"a read of a primary that was",
         {.domain = SERVER, .code = 13435, .sent = 1},
         MONGO_NOT_NOW,
         true},
        {"a read whose cursor is gone",
         {.domain = SERVER, .code = 43, .sent = 1},
         MONGO_NOT_NOW,
         true},
        {"a write with a read's code",
         {.write = true, .domain = SERVER, .code = 43, .sent = 1},
         MONGO_NOT_EVER,
         false},
        {"forbidden",
         {.write = true, .domain = SERVER, .code = 13, .sent = 1},
         MONGO_NOT_EVER,
         false},
        {"not valid",
         {.write = true, .domain = SERVER, .code = 121, .sent = 1},
         MONGO_NOT_EVER,
         false},
        {"too large",
         {.write = true, .domain = SERVER, .code = 10334, .sent = 1},
         MONGO_NOT_EVER,
         false},
        {"a read that is forbidden",
         {.domain = SERVER, .code = 13, .sent = 1},
         MONGO_NOT_EVER,
         false},
        {"an error that does not know itself",
         {.write = true, .domain = SERVER, .code = 8, .sent = 1},
         MONGO_UNKNOWN,
         false},
    };

    (void)state;
    check(rows, COUNT(rows));
}

static void
test_labels_say_more_than_codes(void **state)
{
    static const struct told rows[] = {
        {"retryable, of a code that is not in the table",
         {.write = true,
          .domain = SERVER,
          .code = 99999,
          .labels = LABEL,
          .sent = 1},
         MONGO_UNKNOWN,
         true},
        {"retryable, nothing was written",
         {.write = true,
          .domain = SERVER,
          .code = 189,
          .labels = LABEL | MONGO_LABEL_NO_WRITES_PERFORMED,
          .sent = 1},
         MONGO_NOT_NOW,
         true},
        {"nothing was written by the second of two",
         {.write = true,
          .domain = SERVER,
          .code = 189,
          .labels = LABEL | MONGO_LABEL_NO_WRITES_PERFORMED,
          .sent = 2},
         MONGO_UNKNOWN,
         true},
        {"a transaction that was undone",
         {.write = true,
          .domain = SERVER,
          .code = 251,
          .labels = MONGO_LABEL_TRANSIENT_TRANSACTION,
          .sent = 1},
         MONGO_NOT_NOW,
         true},
        {"a commit without an answer",
         {.write = true,
          .domain = SERVER,
          .code = 50,
          .labels = MONGO_LABEL_UNKNOWN_COMMIT,
          .sent = 1},
         MONGO_UNKNOWN,
         true},
        {"a handshake that was cut",
         {.write = true,
          .domain = MONGO_DOMAIN_CLIENT,
          .code = 11,
          .labels = LABEL},
         MONGO_NOT_NOW,
         true},
    };

    (void)state;
    check(rows, COUNT(rows));
}

static void
test_a_write_that_is_not_confirmed_is_there(void **state)
{
    static const struct told rows[] = {
        {"in time",
         {.write = true,
          .domain = MONGO_DOMAIN_WRITE_CONCERN,
          .code = 64,
          .sent = 1},
         MONGO_UNCONFIRMED,
         true},
        {"in time, beside a success",
         {.ok = true, .write = true, .concern_code = 64, .sent = 1},
         MONGO_UNCONFIRMED,
         true},
        {"because the primary goes",
         {.ok = true, .write = true, .concern_code = 91, .sent = 1},
         MONGO_UNCONFIRMED,
         true},
        {"ever: there are not so many members",
         {.ok = true, .write = true, .concern_code = 100, .sent = 1},
         MONGO_UNCONFIRMED,
         false},
        {"ever: there is no such concern",
         {.write = true,
          .domain = MONGO_DOMAIN_WRITE_CONCERN,
          .code = 79,
          .sent = 1},
         MONGO_UNCONFIRMED,
         false},
        {"and was there before",
         {.write = true,
          .own_key = true,
          .domain = SERVER,
          .code = 11000,
          .concern_code = 64,
          .sent = 1},
         MONGO_UNCONFIRMED,
         true},
        {"though this document failed",
         {.write = true,
          .domain = SERVER,
          .code = 121,
          .concern_code = 64,
          .sent = 1},
         MONGO_NOT_EVER,
         false},
    };

    (void)state;
    check(rows, COUNT(rows));
}

static void
test_our_own_key_means_delivered_and_another_one_never(void **state)
{
    static const struct told rows[] = {
        {"ours",
         {.write = true,
          .own_key = true,
          .domain = SERVER,
          .code = 11000,
          .sent = 1},
         MONGO_DELIVERED,
         false},
        {"ours, after a retry of the driver's",
         {.write = true,
          .own_key = true,
          .domain = SERVER,
          .code = 11000,
          .labels = LABEL,
          .sent = 2},
         MONGO_DELIVERED,
         false},
        {"ours, in a bulk operation",
         {.write = true,
          .own_key = true,
          .domain = 11,
          .code = 11000,
          .sent = 1},
         MONGO_DELIVERED,
         false},
        {"somebody else's",
         {.write = true, .domain = SERVER, .code = 11000, .sent = 1},
         MONGO_NOT_EVER,
         false},
        {"somebody else's, after a retry of the driver's",
         {.write = true,
          .domain = SERVER,
          .code = 11000,
          .labels = LABEL,
          .sent = 2},
         MONGO_NOT_EVER,
         false},
        {"the driver's own number",
         {.write = true,
          .own_key = true,
          .domain = MONGO_DOMAIN_STREAM,
          .code = 11000,
          .sent = 1},
         MONGO_UNKNOWN,
         true},
    };

    (void)state;
    check(rows, COUNT(rows));
}

static void
test_codes_and_outcomes_have_names(void **state)
{
    (void)state;
    assert_string_equal(mongo_retry_code_name(189), "PrimarySteppedDown");
    assert_string_equal(mongo_retry_code_name(10107), "NotWritablePrimary");
    assert_null(mongo_retry_code_name(13));
    assert_null(mongo_retry_code_name(0));
    assert_string_equal(mongo_retry_outcome_name(MONGO_STORED), "stored");
    assert_string_equal(mongo_retry_outcome_name(MONGO_NOT_EVER), "not_ever");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_the_return_value_says_that_it_went_well),
        cmocka_unit_test(test_what_was_not_sent_is_not_stored),
        cmocka_unit_test(test_an_answer_that_was_lost_says_nothing),
        cmocka_unit_test(test_the_table_tells_what_passes_from_what_lasts),
        cmocka_unit_test(test_labels_say_more_than_codes),
        cmocka_unit_test(test_a_write_that_is_not_confirmed_is_there),
        cmocka_unit_test(
            test_our_own_key_means_delivered_and_another_one_never),
        cmocka_unit_test(test_codes_and_outcomes_have_names),
    };

    return cmocka_run_group_tests_name("store/mongo_retry", tests, NULL, NULL);
}
