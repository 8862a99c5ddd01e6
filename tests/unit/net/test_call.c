/* SPDX-License-Identifier: MIT */
#include "net/call.h"

#include "fetch_fixture.h"

#define ANSWER                                                                 \
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"

static struct server server;
static struct call_pool *pool;
static const char *_Atomic said; /* what the script below sends */
static atomic_size_t said_bytes;
static atomic_bool stop;

/* An answer that says so closes the connection behind it. */
static bool
say(struct reply *r)
{
    reply_bytes(r, said, said_bytes);
    return strstr(said, "close") == NULL;
}

static bool
say_nothing(struct reply *r)
{
    reply_until_closed(r);
    return false;
}

static bool
stop_us(struct reply *r)
{
    stop = true;
    return say_nothing(r);
}

static int
setup(void **state)
{
    (void)state;
    (void)asker_events;
    stop = false;
    assert_int_equal(fetch_pool_prepare(), ERR_OK);
    server_start(&server, say);
    pool = call_pool_new();
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    call_pool_free(pool);
    server_stop(&server);
    fetch_pool_forget();
    return 0;
}

static void
answer_with(const char *text, size_t n)
{
    said = text;
    said_bytes = n;
}

static char room[16];

static struct call_answer
call(const char *method, int body_fd, uint64_t body_bytes, size_t room_bytes)
{
    static const char *const headers[] = {"X-Test: 1", NULL};
    char url[64];
    struct call_request r = {.method = method,
                             .url = url,
                             .headers = headers,
                             .body_fd = body_fd,
                             .body_bytes = body_bytes,
                             .room = room,
                             .room_bytes = room_bytes,
                             .connect_timeout_ms = 20000,
                             .idle_timeout_ms = 20000,
                             .total_timeout_ms = 60000,
                             .stop = &stop};
    struct call_answer a;

    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/p", server.port);
    if (server.run == say_nothing) {
        r.idle_timeout_ms = 1;
    }
    call_make(pool, &r, &a);
    return a;
}

static void
an_answer_is_in_the_room(void **state)
{
    struct call_answer a;

    (void)state;
    answer_with(ANSWER, strlen(ANSWER));
    a = call("GET", -1, 0, sizeof(room));
    assert_int_equal(a.status, 200);
    assert_int_equal(a.n, 5);
    assert_int_equal(a.length, 5);
    assert_memory_equal(room, "hello", 5);
    assert_non_null(strstr(server.last, "GET /p HTTP/1.1\r\n"));
    assert_non_null(strstr(server.last, "\r\nX-Test: 1\r\n"));
    assert_int_equal(call("GET", -1, 0, 5).status, 200);
    a = call("GET", -1, 0, 4);
    assert_int_equal(a.status, 0);
    assert_string_equal(a.why, "the answer is larger than it should be");
}

/* Wherever: no answer. */
static void
an_answer_that_is_cut_is_none(void **state)
{
    (void)state;
    for (size_t n = 0; n < strlen(ANSWER); n++) {
        struct call_answer a;

        answer_with(ANSWER, n);
        a = call("GET", -1, 0, sizeof(room));
        if (a.status != 0 || a.why == NULL) {
            fail_msg("cut at %zu: status %d", n, a.status);
        }
    }
}

static void
a_head_has_a_length_and_no_body(void **state)
{
    static const char text[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n";
    struct call_answer a;

    (void)state;
    answer_with(text, strlen(text));
    a = call("HEAD", -1, 0, 0);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.n, 0);
    assert_int_equal(a.length, 104857600);
    a = call("HEAD", -1, 0, 0);
    assert_int_equal(a.status, 200);
    assert_int_equal(server.connections, 1);
}

static void
a_refusal_is_told_with_how_it_begins(void **state)
{
    static char text[4096];
    struct call_answer a;

    (void)state;
    (void)snprintf(text, sizeof(text),
                   "HTTP/1.1 503 No\r\nContent-Length: 2000\r\n\r\n%02000d", 7);
    answer_with(text, strlen(text));
    a = call("GET", -1, 0, 0);
    assert_int_equal(a.status, 503);
    assert_int_equal(a.fault_n, CALL_FAULT_BYTES);
    assert_memory_equal(a.fault, "00000000", 8);
    answer_with(text, strlen(text) - 1);
    assert_int_equal(call("GET", -1, 0, 0).n, 0);
}

static void
a_file_is_sent_from_its_start_and_no_more_of_it_than_said(void **state)
{
    static const char text[] = "HTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\n";
    char name[] = "/tmp/chatbox-call-XXXXXX";
    int fd = mkstemp(name);

    (void)state;
    assert_true(fd >= 0);
    (void)unlink(name);
    assert_int_equal(write(fd, "hello, world", 12), 12);
    answer_with(text, strlen(text));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(call("PUT", fd, 5, 0).status, 201);
        assert_non_null(strstr(server.last, "\r\n\r\nhello"));
        assert_null(strstr(server.last, "hello,"));
    }
    assert_int_equal(server.connections, 1);
    assert_int_equal(call("DELETE", -1, 0, 0).status, 201);
    assert_non_null(strstr(server.last, "DELETE /p "));
    assert_string_equal(call("PUT", fd, 13, 0).why,
                        "the file to send cannot be read");
    (void)close(fd);
}

static void
silence_has_an_end(void **state)
{
    (void)state;
    server.run = say_nothing;
    assert_string_equal(call("GET", -1, 0, 0).why, "nothing came for too long");
}

static void
who_is_told_to_stop_does_not_wait(void **state)
{
    (void)state;
    server.run = stop_us;
    assert_string_equal(call("GET", -1, 0, 0).why,
                        "the server is being stopped");
}

static void
nobody_there_is_told(void **state)
{
    struct call_request r = {.method = "GET",
                             .url = "http://127.0.0.1:1/",
                             .connect_timeout_ms = 20000,
                             .idle_timeout_ms = 20000,
                             .total_timeout_ms = 60000};
    struct call_answer a;

    (void)state;
    call_make(pool, &r, &a);
    assert_int_equal(a.status, 0);
    assert_non_null(strstr(a.why, "connect"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_answer_is_in_the_room, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_answer_that_is_cut_is_none, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_head_has_a_length_and_no_body, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_refusal_is_told_with_how_it_begins,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_file_is_sent_from_its_start_and_no_more_of_it_than_said, setup,
            teardown),
        cmocka_unit_test_setup_teardown(silence_has_an_end, setup, teardown),
        cmocka_unit_test_setup_teardown(who_is_told_to_stop_does_not_wait,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_there_is_told, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
