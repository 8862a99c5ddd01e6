/* SPDX-License-Identifier: MIT */
#include "gate/transcript.h"

#include "fixture.h"

/* --- sessions by hand --------------------------------------------------- */

#define SID "0123456789abcdef0123456789abcdef"

static void
on_stored(struct store_job *job)
{
    size_t *left = job->cookie;

    assert_int_equal(job->result, ERR_OK);
    store_job_free(job);
    --*left;
}

/* count messages of ann, each of n bytes, in session SID. */
static void
fill(struct house *h, size_t count, size_t n)
{
    size_t left = count;

    for (size_t i = 0; i < count; i++) {
        struct store_job *job =
            store_job_new(STORE_MESSAGE_APPEND, &h->shard, on_stored, &left);

        job->user_id = xstrdup("ann");
        memcpy(job->session.sid, SID, sizeof(SID));
        job->session.model_id = xstrdup("m1");
        job->session.name = xstrdup("Long one");
        rand_id(job->message.id);
        job->message.at_ms = 1;
        job->message.type = xstrdup("user_message");
        job->message.client_id = xstrdup(job->message.id);
        job->message.content = xcalloc(1, n + 1);
        memset(job->message.content, 'x', n);
        job->message.content_n = n;
        store_submit(h->store, job);
    }
    WAIT_FOR(h, left == 0);
}

static void
share(struct house *h, char line[static 80])
{
    struct answer a;

    ask_as(h, "ann", "POST /chatbox/sessions/" SID "/share", NULL, &a);
    assert_int_equal(a.status, 200);
    snprintf(line, 80, "GET /chatbox/shared/%s",
             text_at(a.json, "share_token"));
    answer_fini(&a);
}

static void
assert_numbers(const struct answer *a, size_t count)
{
    const json_t *messages = json_object_get(a->json, "messages");

    assert_int_equal(json_array_size(messages), count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(int_at(json_array_get(messages, i), "seq"), i + 1);
    }
}

/* --- whole answers ------------------------------------------------------ */

static const size_t counts[] = {1, 499, 500, 501, 1203};

static void
test_every_number_of_messages_comes_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        struct house h;
        struct answer a;
        char line[80];

        house_open(&h);
        fill(&h, counts[i], 10);
        ask_as(&h, "ann", "GET /chatbox/sessions/" SID "/export", NULL, &a);
        assert_int_equal(a.status, 200);
        assert_common_headers(&a);
        assert_string_equal(text_at(a.json, "session_id"), SID);
        assert_numbers(&a, counts[i]);
        answer_fini(&a);
        share(&h, line);
        ask(&h, line, "", NULL, &a);
        assert_int_equal(a.status, 200);
        assert_common_headers(&a);
        assert_numbers(&a, counts[i]);
        assert_null(strstr(a.body, SID));
        assert_null(strstr(a.body, "client_id"));
        answer_fini(&a);
        house_close(&h);
    }
}

static void
test_pages_of_long_messages_come_whole(void **state)
{
    struct house h;
    struct answer a;

    (void)state;
    house_open(&h);
    fill(&h, 12, 100000);
    ask_as(&h, "ann", "GET /chatbox/sessions/" SID "/export", NULL, &a);
    assert_numbers(&a, 12);
    assert_string_equal(header_of(&a, "Transfer-Encoding"), "chunked");
    assert_string_equal(header_of(&a, "Content-Disposition"),
                        "attachment; filename=\"chat-Long-one-01234567.json\"");
    answer_fini(&a);
    ask_as(&h, "ann", "GET /chatbox/sessions/" SID "/export?format=md", NULL,
           &a);
    assert_true(a.body_n > 12 * 100000);
    assert_string_equal(header_of(&a, "Content-Type"),
                        "text/markdown; charset=utf-8");
    answer_fini(&a);
    house_close(&h);
}

static void
test_a_session_without_messages_is_whole_too(void **state)
{
    struct house h;
    struct answer a;
    char line[200];

    (void)state;
    house_open(&h);
    ask_as(&h, "ann", "POST /chatbox/sessions", "{\"name\":\"X\"}", &a);
    snprintf(line, sizeof(line), "GET /chatbox/sessions/%s/export",
             text_at(a.json, "id"));
    answer_fini(&a);
    ask_as(&h, "ann", line, NULL, &a);
    assert_int_equal(a.status, 200);
    assert_numbers(&a, 0);
    answer_fini(&a);
    house_close(&h);
}

/* The one answer in parts that is under way waits for its client to read. */
static bool
is_waiting(struct house *h)
{
    LIST_FOREACH (it, &h->shard.gate->requests) {
        return CONTAINER_OF(it, struct request, link)->go_on != NULL;
    }
    return false;
}

/* --- the connection ----------------------------------------------------- */

static void
request_export(struct house *h, struct client *c, const char *rest)
{
    char *token = token_of("ann");
    char text[1500];

    snprintf(text, sizeof(text),
             "GET /chatbox/sessions/" SID "/export%s"
             "Authorization: Bearer %s\r\n\r\n",
             rest, token);
    client_open(h, c);
    client_send(c, text);
    xfree(token);
}

static void
test_the_next_request_is_answered_behind_the_last_chunk(void **state)
{
    struct house h;
    struct client c;
    struct answer a;

    (void)state;
    house_open(&h);
    fill(&h, 5, 100000);
    request_export(&h, &c, " HTTP/1.1\r\nHost: x\r\n");
    client_send(&c, "GET /chatbox/healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    client_answer(&c, &a);
    assert_numbers(&a, 5);
    answer_fini(&a);
    client_answer(&c, &a);
    assert_int_equal(a.status, 200);
    assert_string_equal(text_at(a.json, "status"), "healthy");
    answer_fini(&a);
    client_close(&c);
    house_close(&h);
}

static void
test_a_client_of_http_1_0_gets_it_to_the_end_of_the_connection(void **state)
{
    struct house h;
    struct client c;
    char *body;

    (void)state;
    house_open(&h);
    fill(&h, 5, 100000);
    request_export(&h, &c, " HTTP/1.0\r\nConnection: keep-alive\r\n");
    WAIT_FOR(&h, client_eof(&c));
    buf_putc(&c.got, '\0');
    assert_non_null(strstr(c.got.p, "\r\nConnection: close\r\n"));
    assert_null(strstr(c.got.p, "Transfer-Encoding"));
    body = strstr(c.got.p, "\r\n\r\n") + 4;
    assert_int_equal(body[0], '{');
    assert_string_equal(body + strlen(body) - 3, "}]}");
    client_close(&c);
    house_close(&h);
}

static void
test_a_client_that_does_not_read_is_cut_off_after_a_while(void **state)
{
    struct house h;
    struct client c;

    (void)state;
    house_open(&h);
    fill(&h, 40, 100000);
    request_export(&h, &c, " HTTP/1.1\r\nHost: x\r\n");
    WAIT_FOR(&h, is_waiting(&h));
    assert_int_equal(net_conn_count(&h.shard), 1);
    house_skip(&h, 31000);
    WAIT_FOR(&h, net_conn_count(&h.shard) == 0);
    assert_true(list_empty(&h.shard.gate->requests));
    WAIT_FOR(&h, client_eof(&c));
    assert_true(c.got.n < 40 * 100000);
    client_close(&c);
    house_close(&h);
}

static void
test_a_client_that_reads_slowly_is_served_to_the_end(void **state)
{
    struct house h;
    struct client c;
    struct answer a = {0};

    (void)state;
    house_open(&h);
    fill(&h, 40, 100000);
    request_export(&h, &c, " HTTP/1.1\r\nHost: x\r\n");
    while (!take_answer(&c, false, &a)) {
        for (int i = 0; i < 8; i++) {
            client_read(&c); /* enough for the system to take more */
        }
        assert_false(c.eof);
        for (int i = 0; i < 5; i++) {
            house_turn(&h);
        }
        house_skip(&h, 29000);
    }
    assert_numbers(&a, 40);
    answer_fini(&a);
    client_close(&c);
    house_close(&h);
}

static void
test_a_client_that_goes_away_leaves_nothing(void **state)
{
    struct house h;

    (void)state;
    house_open(&h);
    fill(&h, 40, 100000);
    for (int turns = 0; turns < 30; turns++) {
        struct client c;

        request_export(&h, &c, " HTTP/1.1\r\nHost: x\r\n");
        for (int i = 0; i < turns; i++) {
            house_turn(&h);
        }
        client_close(&c);
        WAIT_FOR(&h, net_conn_count(&h.shard) == 0 &&
                         list_empty(&h.shard.gate->requests));
    }
    house_close(&h);
}

static void
test_what_is_deleted_meanwhile_is_cut_off_not_ended(void **state)
{
    struct house h;
    struct client c;
    struct answer a;

    (void)state;
    house_open(&h);
    fill(&h, 40, 100000);
    request_export(&h, &c, " HTTP/1.1\r\nHost: x\r\n");
    WAIT_FOR(&h, is_waiting(&h));
    ask_as(&h, "ann", "DELETE /chatbox/sessions/" SID, NULL, &a);
    assert_int_equal(a.status, 204);
    answer_fini(&a);
    WAIT_FOR(&h, client_eof(&c));
    assert_true(c.got.n > 0 && c.got.n < 40 * 100000);
    assert_memory_not_equal(c.got.p + c.got.n - 5, "0\r\n\r\n", 5);
    client_close(&c);
    house_close(&h);
}

static void
test_a_head_request_reads_no_further_than_it_must(void **state)
{
    struct house h;
    struct answer a;

    (void)state;
    house_open(&h);
    fill(&h, 12, 100000);
    ask_as(&h, "ann", "HEAD /chatbox/sessions/" SID "/export", NULL, &a);
    assert_int_equal(a.status, 200);
    assert_true(has_header(&a, "Content-Disposition"));
    assert_common_headers(&a);
    answer_fini(&a);
    house_close(&h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_number_of_messages_comes_whole),
        cmocka_unit_test(test_pages_of_long_messages_come_whole),
        cmocka_unit_test(test_a_session_without_messages_is_whole_too),
        cmocka_unit_test(
            test_the_next_request_is_answered_behind_the_last_chunk),
        cmocka_unit_test(
            test_a_client_of_http_1_0_gets_it_to_the_end_of_the_connection),
        cmocka_unit_test(
            test_a_client_that_does_not_read_is_cut_off_after_a_while),
        cmocka_unit_test(test_a_client_that_reads_slowly_is_served_to_the_end),
        cmocka_unit_test(test_a_client_that_goes_away_leaves_nothing),
        cmocka_unit_test(test_what_is_deleted_meanwhile_is_cut_off_not_ended),
        cmocka_unit_test(test_a_head_request_reads_no_further_than_it_must),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
