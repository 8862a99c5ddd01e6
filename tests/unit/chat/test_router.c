/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

static const json_t *
error_of(const struct recorder *r)
{
    return json_object_get(last_type(r, "error"), "error");
}

static int64_t
retry_after(const struct recorder *r)
{
    const json_t *value = json_object_get(error_of(r), "retry_after");

    return value != NULL ? json_integer_value(value) : -1;
}

/* Says a frame and expects one error more at once. */
static void
expect_error(struct recorder *r, const char *frame, const char *code,
             const char *field)
{
    size_t before = r->count;

    recorder_say(r, frame);
    assert_int_equal(r->count, before + 1);
    assert_string_equal(error_code(r), code);
    assert_string_equal(text_at(error_of(r), "field"), field);
    assert_string_equal(text_at(r->frames[before], "session_id"),
                        text_at(r->frames[0], "session_id"));
}

static void
who_watches_may_say_nothing_but_ping_and_auth(void **state)
{
    static const char *const refused[] = {
        ASK("hello"),
        "{\"type\":\"model_select\",\"model_id\":\"m2\"}",
        "{\"type\":\"help_request\"}",
        "{\"type\":\"typing_indicator\"}",
        "{\"type\":\"cancel\"}",
        "{\"type\":\"regenerate\",\"message_id\":\"m\"}",
        "{\"type\":\"admin_join\"}",
        "{\"type\":\"file_upload\",\"file_id\":\"f\","
        "\"file_url\":\"/chatbox/files/f\"}",
        "{\"type\":\"voice_message\",\"file_id\":\"f\","
        "\"file_url\":\"/chatbox/files/f\"}",
    };
    struct house h;
    struct recorder anna, olga;
    struct attach_request request = {.user_id = STR("olga"),
                                     .admin = true,
                                     .last_seq = -1,
                                     .owner = STR("anna")};
    size_t heard;

    (void)state;
    house_open(&h);
    recorder_join(&h, &anna, "anna");
    request.session_id = str_from(text_at(anna.frames[0], "session_id"));
    recorder_start(&h, &olga, &request);
    WAIT_FOR(&h, !olga.held);
    heard = anna.count;
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        expect_error(&olga, refused[i], "INSUFFICIENT_PERMISSIONS", "");
    }
    recorder_say(&olga, "{\"type\":\"ping\"}");
    assert_non_null(last_type(&olga, "pong"));
    recorder_say(&olga, "{\"type\":\"auth\",\"token\":\"good\"}");
    assert_non_null(last_type(&olga, "ack"));
    assert_int_equal(anna.count, heard);
    recorder_fini(&anna);
    recorder_fini(&olga);
    house_close(&h);
}

static void
what_cannot_be_handled_is_one_error_and_nothing_else(void **state)
{
    static const struct {
        const char *frame, *code, *field;
    } rows[] = {
        {"nonsense", "INVALID_FORMAT", ""},
        {"{\"type\":\"ack\"}", "INVALID_FORMAT", "type"},
        {"{\"type\":\"user_message\"}", "MISSING_FIELD", "content"},
        {"{\"type\":\"ping\",\"session_id\":\"another\"}", "NOT_FOUND",
         "session_id"},
        {"{\"type\":\"user_message\",\"content\":\"x\","
         "\"session_id\":\"another\"}",
         "NOT_FOUND", "session_id"},
        {"{\"type\":\"user_message\",\"content\":\"x\",\"model_id\":\"m9\"}",
         "NOT_FOUND", "model_id"},
        {"{\"type\":\"user_message\",\"content\":\"x\",\"file_id\":\"f\"}",
         "NOT_FOUND", "file_id"},
        {"{\"type\":\"user_message\",\"file_id\":\"f\"}", "NOT_FOUND",
         "file_id"},
        {"{\"type\":\"file_upload\",\"file_id\":\"f\","
         "\"file_url\":\"/chatbox/files/f\"}",
         "NOT_FOUND", "file_id"},
        {"{\"type\":\"voice_message\",\"file_id\":\"f\","
         "\"file_url\":\"/chatbox/files/f\"}",
         "NOT_FOUND", "file_id"},
        {"{\"type\":\"model_select\",\"model_id\":\"m9\"}", "NOT_FOUND",
         "model_id"},
        {"{\"type\":\"model_select\"}", "MISSING_FIELD", "model_id"},
        {"{\"type\":\"cancel\"}", "NOT_FOUND", ""},
        {"{\"type\":\"cancel\",\"message_id\":\"x\"}", "NOT_FOUND",
         "message_id"},
        {"{\"type\":\"regenerate\",\"message_id\":\"x\"}", "NOT_FOUND",
         "message_id"},
        {"{\"type\":\"admin_join\"}", "INSUFFICIENT_PERMISSIONS", ""},
        {"{\"type\":\"admin_leave\"}", "INSUFFICIENT_PERMISSIONS", ""},
        {"{\"type\":\"auth\",\"token\":\"bad\"}", "INVALID_TOKEN", ""},
        {"{\"type\":\"auth\",\"token\":\"later\"}", "SERVICE_ERROR", ""},
        {"{\"type\":\"auth\"}", "MISSING_FIELD", "token"},
    };
    struct house h;
    struct recorder r;

    (void)state;
    house_open(&h);
    recorder_join(&h, &r, "anna");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        expect_error(&r, rows[i].frame, rows[i].code, rows[i].field);
        WAIT_SAID(&h, &r);
    }
    assert_int_equal(r.closed, 0);
    assert_int_equal(script.begun, 0);
    assert_int_equal(chat_turns(h.shard.chat), 0);
    assert_false(r.outlet.session->stored);
    recorder_fini(&r);
    house_close(&h);
}

static void
an_error_names_the_clients_own_id(void **state)
{
    struct house h;
    struct recorder r;

    (void)state;
    house_open(&h);
    recorder_join(&h, &r, "anna");
    recorder_say(&r, "{\"type\":\"user_message\",\"content\":\"x\","
                     "\"client_id\":\"c7\",\"model_id\":\"m9\"}");
    assert_string_equal(text_at(last_type(&r, "error"), "client_id"), "c7");
    recorder_fini(&r);
    house_close(&h);
}

static void
ping_auth_and_the_sessions_own_id_are_answered(void **state)
{
    struct house h;
    struct recorder r;
    char frame[128];

    (void)state;
    house_open(&h);
    recorder_join(&h, &r, "anna");
    snprintf(frame, sizeof(frame), "{\"type\":\"ping\",\"session_id\":\" %s\"}",
             text_at(r.frames[0], "session_id"));
    recorder_say(&r, frame);
    assert_int_equal(count_type(&r, "pong"), 1);
    recorder_say(&r, "{\"type\":\"auth\",\"token\":\"good\","
                     "\"client_id\":\"c\"}");
    assert_string_equal(text_at(last_type(&r, "ack"), "client_id"), "c");
    assert_null(json_object_get(last_type(&r, "ack"), "seq"));
    recorder_fini(&r);
    house_close(&h);
}

static void
typing_goes_to_the_others_and_is_not_stored(void **state)
{
    struct house h;
    struct recorder a, b;
    const json_t *f;

    (void)state;
    house_open(&h);
    recorder_join(&h, &a, "anna");
    recorder_join(&h, &b, "anna");
    recorder_say(&a, "{\"type\":\"typing_indicator\",\"metadata\":{\"on\":1}}");
    f = last_type(&b, "typing_indicator");
    assert_non_null(f);
    assert_string_equal(text_at(f, "sender"), "user");
    assert_string_equal(meta_at(f, "on"), "1");
    assert_null(last_type(&a, "typing_indicator"));
    assert_false(a.outlet.session->stored);
    recorder_fini(&a);
    recorder_fini(&b);
    house_close(&h);
}

static void
a_choice_of_the_model_is_told_to_all_and_stored(void **state)
{
    struct house h;
    struct recorder a, b;
    char sid[RAND_ID_CHARS + 1];
    struct attach_request request = {.user_id = STR("anna"), .last_seq = -1};

    (void)state;
    house_open(&h);
    recorder_join(&h, &a, "anna");
    recorder_join(&h, &b, "anna");
    recorder_say(&a, "{\"type\":\"model_select\",\"model_id\":\"m2\"}");
    WAIT_FOR(&h, count_type(&b, "connection_status") == 2);
    assert_string_equal(text_at(last_type(&a, "connection_status"), "content"),
                        "Model changed to Model Two");
    assert_string_equal(text_at(last_type(&b, "connection_status"), "model_id"),
                        "m2");
    assert_false(a.outlet.session->stored); /* waits for the first message */
    WAIT_SAID(&h, &a);
    recorder_say(&a, ASK("one"));
    WAIT_FOR(&h, count_done(&a) == 1);
    assert_string_equal(script.asked, "m2 ");
    recorder_say(&a, "{\"type\":\"model_select\",\"model_id\":\"m3\"}");
    WAIT_FOR(&h, count_type(&b, "connection_status") == 3);
    snprintf(sid, sizeof(sid), "%s", text_at(a.frames[0], "session_id"));
    recorder_fini(&a);
    recorder_fini(&b);
    h.settings.session_ttl_ms = 0;
    WAIT_FOR(&h, h.shard.chat->sessions.count == 0);
    request.session_id = str_from(sid);
    recorder_start(&h, &a, &request);
    WAIT_FOR(&h, !a.held);
    assert_string_equal(text_at(a.frames[0], "model_id"), "m3");
    recorder_fini(&a);
    house_close(&h);
}

/* A limit's answer is exact: one millisecond earlier is refused, too. */
static void
the_rate_limit_tells_when_to_come_again(void **state)
{
    struct house h;
    struct recorder r;
    int64_t wait;

    (void)state;
    house_open(&h);
    limit_free(h.shard.chat->messages);
    h.shard.chat->messages = limit_new(2, 1000000, 100);
    recorder_join(&h, &r, "anna");
    for (size_t i = 1; i <= 2; i++) {
        recorder_say(&r, ASK("x"));
        WAIT_FOR(&h, count_done(&r) == i);
    }
    expect_error(&r, ASK("three"), "TOO_MANY_REQUESTS", "");
    wait = retry_after(&r);
    assert_true(wait > 400000 && wait <= 500000);
    assert_true(json_is_true(json_object_get(error_of(&r), "recoverable")));
    expect_error(&r, "{\"type\":\"regenerate\",\"message_id\":\"x\"}",
                 "TOO_MANY_REQUESTS", "");
    assert_true(retry_after(&r) <= wait);
    recorder_say(&r, "{\"type\":\"ping\"}"); /* others are not limited */
    assert_int_equal(count_type(&r, "pong"), 1);
    assert_int_equal(script.begun, 2);
    recorder_fini(&r);
    house_close(&h);
}

static void
help_is_stored_and_limited_to_three_in_five_minutes(void **state)
{
    struct house h;
    struct recorder r, other;
    struct attach_request request = {.user_id = STR("anna"), .last_seq = -1};
    char sid[RAND_ID_CHARS + 1];

    (void)state;
    house_open(&h);
    recorder_join(&h, &r, "anna");
    for (size_t i = 1; i <= 3; i++) {
        recorder_say(&r, "{\"type\":\"help_request\"}");
        WAIT_FOR(&h, count_type(&r, "connection_status") == i + 1);
        WAIT_SAID(&h, &r);
    }
    assert_true(json_is_true(
        json_object_get(last_type(&r, "connection_status"), "help_requested")));
    expect_error(&r, "{\"type\":\"help_request\"}", "TOO_MANY_REQUESTS", "");
    assert_true(retry_after(&r) > 90000 && retry_after(&r) <= 100000);
    assert_true(r.outlet.session->stored); /* though it has no message */
    recorder_join(&h, &other, "bert");     /* each session has its own */
    recorder_say(&other, "{\"type\":\"help_request\"}");
    WAIT_FOR(&h, count_type(&other, "connection_status") == 2);
    snprintf(sid, sizeof(sid), "%s", text_at(r.frames[0], "session_id"));
    recorder_fini(&r);
    recorder_fini(&other);
    h.settings.session_ttl_ms = 0;
    WAIT_FOR(&h, h.shard.chat->sessions.count == 0);
    request.session_id = str_from(sid);
    recorder_start(&h, &r, &request);
    WAIT_FOR(&h, !r.held);
    assert_string_equal(text_at(r.frames[0], "session_id"), sid);
    assert_true(json_is_true(json_object_get(r.frames[0], "help_requested")));
    recorder_fini(&r);
    house_close(&h);
}

/* Two connections call at once, neither knowing of the other's row. */
static void
a_call_for_help_beside_the_first_message_makes_one_session(void **state)
{
    struct house h;
    struct recorder a, b;

    (void)state;
    house_open(&h);
    recorder_join(&h, &a, "anna");
    recorder_join(&h, &b, "anna");
    recorder_say(&a, "{\"type\":\"help_request\"}");
    recorder_say(&b, "{\"type\":\"help_request\"}");
    WAIT_FOR(&h, count_type(&a, "connection_status") == 3);
    recorder_say(&a, ASK("one"));
    recorder_say(&b, "{\"type\":\"help_request\"}");
    WAIT_FOR(&h,
             count_done(&a) == 1 && count_type(&a, "connection_status") == 4);
    assert_int_equal(count_type(&a, "error") + count_type(&b, "error"), 0);
    assert_int_equal(metric_value(METRIC_SESSIONS_CREATED, 0), 1);
    recorder_fini(&a);
    recorder_fini(&b);
    house_close(&h);
}

/* Everything written to standard error while it is turned to a file. */
struct capture {
    int kept;
    char path[32];
};

static void
capture_begin(struct capture *c)
{
    int fd;

    snprintf(c->path, sizeof(c->path), "/tmp/chatbox-log-XXXXXX");
    fd = mkstemp(c->path);
    assert_true(fd >= 0);
    c->kept = dup(STDERR_FILENO);
    (void)dup2(fd, STDERR_FILENO);
    (void)close(fd);
}

static void
capture_end(struct capture *c, char *text, size_t room)
{
    int fd = open(c->path, O_RDONLY);
    ssize_t n = read(fd, text, room - 1);

    text[n > 0 ? n : 0] = '\0';
    (void)close(fd);
    (void)dup2(c->kept, STDERR_FILENO);
    (void)close(c->kept);
    (void)unlink(c->path);
}

static void
a_refused_message_is_logged_without_its_content(void **state)
{
    struct house h;
    struct recorder r;
    struct capture c;
    char text[4096];

    (void)state;
    house_open(&h);
    recorder_join(&h, &r, "anna");
    log_set_level(LOG_WARN);
    capture_begin(&c);
    recorder_say(&r, "{\"type\":\"user_message\",\"content\":\"private\","
                     "\"sender\":\"ai\"}");
    capture_end(&c, text, sizeof(text));
    assert_non_null(strstr(text, "\"event\":\"validation_failed\""));
    assert_non_null(strstr(text, "\"type\":\"user_message\""));
    assert_non_null(strstr(text, "\"field\":\"sender\""));
    assert_non_null(strstr(text, "\"size\":57"));
    assert_null(strstr(text, "private"));
    recorder_fini(&r);
    house_close(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_watches_may_say_nothing_but_ping_and_auth),
        cmocka_unit_test(what_cannot_be_handled_is_one_error_and_nothing_else),
        cmocka_unit_test(an_error_names_the_clients_own_id),
        cmocka_unit_test(ping_auth_and_the_sessions_own_id_are_answered),
        cmocka_unit_test(typing_goes_to_the_others_and_is_not_stored),
        cmocka_unit_test(a_choice_of_the_model_is_told_to_all_and_stored),
        cmocka_unit_test(the_rate_limit_tells_when_to_come_again),
        cmocka_unit_test(help_is_stored_and_limited_to_three_in_five_minutes),
        cmocka_unit_test(
            a_call_for_help_beside_the_first_message_makes_one_session),
        cmocka_unit_test(a_refused_message_is_logged_without_its_content),
    };

    return cmocka_run_group_tests_name("chat/router", tests, NULL, NULL);
}
