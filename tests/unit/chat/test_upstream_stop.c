/* SPDX-License-Identifier: MIT */
#include "chat/upstream_stop.h"

#include "canned.h"

#define STATUS(line)                                                           \
    "HTTP/1.1 " line "\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"

static int64_t
sent(const struct house *h)
{
    return metric_value(METRIC_LLM_STOPS, h->shard.chat->terms->slots[0].stops);
}

static int64_t
failed(const struct house *h)
{
    return metric_value(METRIC_LLM_STOP_FAILURES,
                        h->shard.chat->terms->slots[0].stop_failures);
}

static void
send_one(struct house *h)
{
    upstream_stop_send(h->shard.chat->terms, 0, STR("t-1"), STR("somebody"));
}

static const struct {
    const char *bytes;
    int failures;
} rows[] = {
    {STATUS("200 OK"), 0},
    {STATUS("204 No"), 0},
    {STATUS("404 Not Found"), 1},
    {STATUS("500 Oh"), 1},
    {STATUS("302 Elsewhere"), 1},
    {"", 1},
    {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", 1},
};

static void
what_came_of_it_is_counted(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct canned c = {.bytes = rows[i].bytes};
        struct house h;

        canned_start(&c);
        room_open(&h, "dify", c.endpoint);
        send_one(&h);
        assert_int_equal(sent(&h), 1);
        assert_int_equal(failed(&h), 0);
        WAIT_FOR(&h, list_empty(&h.shard.chat->stops));
        assert_int_equal(failed(&h), rows[i].failures);
        assert_int_equal(sent(&h), 1);
        room_close(&h);
        canned_stop(&c);
    }
}

static void
it_names_the_task_and_the_user(void **state)
{
    static const char path[] = "POST /v1/chat-messages/t-1/stop HTTP/1.1\r\n";
    struct canned c = {.bytes = STATUS("200 OK")};
    struct house h;

    (void)state;
    canned_start(&c);
    room_open(&h, "dify", c.endpoint);
    send_one(&h);
    WAIT_FOR(&h, list_empty(&h.shard.chat->stops));
    room_close(&h);
    canned_stop(&c);
    assert_int_equal(strncmp(canned_request, path, strlen(path)), 0);
    assert_non_null(strstr(canned_request, "\r\n\r\n{\"user\":\"somebody\"}"));
}

static void
a_provider_that_has_no_stop_is_told_nothing(void **state)
{
    struct canned c = {.bytes = STATUS("200 OK")};
    struct house h;

    (void)state;
    canned_start(&c);
    room_open(&h, "openai", c.endpoint);
    send_one(&h);
    assert_true(list_empty(&h.shard.chat->stops));
    assert_int_equal(sent(&h), 0);
    room_close(&h);
    canned_stop(&c);
}

/* A shard that has ended cannot send. */
static void
nothing_is_sent_when_the_chat_is_over(void **state)
{
    struct canned c = {.bytes = STATUS("200 OK")};
    struct house h;

    (void)state;
    canned_start(&c);
    room_open(&h, "dify", c.endpoint);
    h.shard.chat->over = true;
    send_one(&h);
    assert_true(list_empty(&h.shard.chat->stops));
    room_close(&h);
    canned_stop(&c);
}

static void
closing_the_chat_frees_what_is_under_way(void **state)
{
    struct canned c = {.bytes = "", .stays = true};
    struct house h;

    (void)state;
    canned_start(&c);
    room_open(&h, "dify", c.endpoint);
    send_one(&h);
    send_one(&h);
    assert_false(list_empty(&h.shard.chat->stops));
    room_close(&h);
    canned_stop(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_came_of_it_is_counted),
        cmocka_unit_test(it_names_the_task_and_the_user),
        cmocka_unit_test(a_provider_that_has_no_stop_is_told_nothing),
        cmocka_unit_test(nothing_is_sent_when_the_chat_is_over),
        cmocka_unit_test(closing_the_chat_frees_what_is_under_way),
    };

    return cmocka_run_group_tests_name("chat/upstream_stop", tests, NULL, NULL);
}
