/* SPDX-License-Identifier: MIT */
#include "gate/standby.h"

#include "standby_fixture.h"

#define PLAIN "GET /chatbox/models HTTP/1.1\r\nHost: a\r\n\r\n"
#define SOCKET                                                                 \
    "GET /chatbox/ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"            \
    "Connection: Upgrade\r\n\r\n"

/* One that is joined to the holder: its client, and the holder's end. */
struct joined {
    struct peer client;
    struct peer holder;
};

static void
join(struct post *p, int listener, const char *request, struct joined *j)
{
    client_open(p, &j->client);
    peer_send(&j->client, request);
    holder_accept(p, listener, &j->holder);
    PUMP_UNTIL(&p->f, (peer_read(&j->holder), j->holder.got.n > 0));
}

static void
part(struct joined *j)
{
    peer_close(&j->client);
    peer_close(&j->holder);
}

static void
on_empty(void *cookie)
{
    struct post *p = cookie;

    p->empties++;
}

static void
another_holder_cuts_off_the_old_one(void **state)
{
    struct sockaddr_storage at, same;
    struct joined j;
    struct post p;
    int one, two;

    (void)state;
    post_open(&p);
    one = holder_at(&p, &at, 16);
    join(&p, one, PLAIN, &j);
    same = at;
    standby_set_holder(p.standby, &same); /* changes nothing */
    pump_idle(&p.f);
    peer_send(&j.holder, "still there");
    peer_expect(&j.client, "still there");
    two = holder_at(&p, &at, 16);
    (void)peer_end(&j.client);
    (void)peer_end(&j.holder);
    part(&j);
    join(&p, two, PLAIN, &j);
    standby_set_holder(p.standby, NULL);
    (void)peer_end(&j.client);
    assert_int_equal(failures("lost"), 0); /* nothing went wrong */
    part(&j);
    (void)close(one);
    (void)close(two);
    post_close(&p);
}

/* A holder that does not answer: as many connections wait for it as it has
 * room for. */
static int
deaf_holder(struct post *p, int fds[4])
{
    struct sockaddr_storage at;
    int listener = holder_at(p, &at, 0);

    for (int i = 0; i < 4; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        assert_true(fds[i] >= 0);
        (void)connect(fds[i], (struct sockaddr *)&at,
                      sizeof(struct sockaddr_in));
    }
    return listener;
}

static void
forget_deaf(int listener, int fds[4])
{
    (void)close(listener);
    for (int i = 0; i < 4; i++) {
        (void)close(fds[i]);
    }
}

static void
who_is_being_connected_goes_to_the_new_holder(void **state)
{
    struct peer client, holder;
    int deaf, listener, fds[4];
    struct post p;

    (void)state;
    post_open(&p);
    deaf = deaf_holder(&p, fds);
    client_open(&p, &client);
    peer_send(&client, PLAIN);
    PUMP_UNTIL(&p.f, is_in(&p, CALLER_DIAL));
    listener = holder_open(&p);
    holder_accept(&p, listener, &holder);
    peer_send(&holder, "answer");
    peer_expect(&client, "answer");
    peer_close(&holder);
    peer_close(&client);
    forget_deaf(deaf, fds);
    (void)close(listener);
    post_close(&p);
}

static void
or_is_told_to_come_again_when_there_is_none(void **state)
{
    int deaf, fds[4];
    struct peer client;
    struct post p;

    (void)state;
    post_open(&p);
    deaf = deaf_holder(&p, fds);
    client_open(&p, &client);
    peer_send(&client, PLAIN);
    PUMP_UNTIL(&p.f, is_in(&p, CALLER_DIAL));
    standby_set_holder(p.standby, NULL);
    end_patience(&p);
    json_decref(take_answer(&client, 503));
    peer_close(&client);
    forget_deaf(deaf, fds);
    post_close(&p);
}

static void
a_client_that_goes_while_it_is_being_connected_leaves_nothing(void **state)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    int deaf, fds[4];
    struct peer client;
    struct post p;

    (void)state;
    post_open(&p);
    deaf = deaf_holder(&p, fds);
    client_open(&p, &client);
    peer_send(&client, PLAIN);
    PUMP_UNTIL(&p.f, is_in(&p, CALLER_DIAL));
    assert_int_equal(
        setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    peer_close(&client);
    pump_idle(&p.f);
    forget_deaf(deaf, fds);
    post_close(&p); /* which checks that nobody is left */
}

/* --- while the database changes hands ----------------------------------- */

static void
take_and_answer(struct post *p, int listener, struct peer *client)
{
    struct peer holder;

    holder_accept(p, listener, &holder);
    PUMP_UNTIL(&p->f, (peer_read(&holder), holder.got.n > 0));
    peer_send(&holder, "answer");
    peer_expect(client, "answer");
    peer_close(&holder);
    peer_close(client);
}

static void
who_waits(struct post *p, const char *request, struct peer *client)
{
    client_open(p, client);
    peer_send(client, request);
    PUMP_UNTIL(&p->f, is_in(p, CALLER_WAITS));
    assert_int_equal(client->got.n, 0);
}

static void
who_finds_nobody_waits_for_the_next_holder(void **state)
{
    struct peer client;
    struct post p;
    int listener;

    (void)state;
    post_open(&p);
    who_waits(&p, PLAIN, &client);
    listener = holder_open(&p);
    assert_true(is_in(&p, CALLER_DIAL)); /* at once */
    take_and_answer(&p, listener, &client);
    assert_int_equal(failures("none") + failures("dial"), 0);
    (void)close(listener);
    post_close(&p);
}

static void
who_is_refused_by_the_old_one_waits_for_the_next(void **state)
{
    struct sockaddr_storage at;
    struct peer client;
    struct post p;
    int gone, listener;

    (void)state;
    post_open(&p);
    gone = holder_at(&p, &at, -1);
    who_waits(&p, SOCKET, &client);
    listener = holder_open(&p);
    take_and_answer(&p, listener, &client);
    assert_int_equal(failures("dial"), 0);
    (void)close(gone);
    (void)close(listener);
    post_close(&p);
}

/* It has the database, and is about to listen. */
static void
a_holder_that_does_not_listen_yet_is_tried_again(void **state)
{
    struct sockaddr_storage at;
    struct peer client;
    struct post p;
    int listener;

    (void)state;
    post_open(&p);
    listener = holder_at(&p, &at, -1);
    who_waits(&p, PLAIN, &client);
    assert_int_equal(listen(listener, 16), 0);
    take_and_answer(&p, listener, &client);
    (void)close(listener);
    post_close(&p);
}

/* The time of the next try has come, and nothing is left of it. */
static void
a_next_holder_may_take_its_time(void **state)
{
    struct sockaddr_storage at;
    uint64_t due_ms;
    int deaf, fds[4];
    struct peer client;
    struct post p;

    (void)state;
    post_open(&p);
    deaf = deaf_holder(&p, fds);
    at = p.standby->holder;
    standby_set_holder(p.standby, NULL);
    who_waits(&p, PLAIN, &client);
    timer_start(&p.f.shard.timers, &only_caller(&p)->timer, 0);
    due_ms = shard_now_ms(&p.f.shard);
    standby_set_holder(p.standby, &at);
    PUMP_UNTIL(&p.f, shard_now_ms(&p.f.shard) > due_ms + 10);
    assert_true(is_in(&p, CALLER_DIAL));
    peer_close(&client);
    forget_deaf(deaf, fds);
    post_close(&p);
}

static void
a_client_that_goes_while_it_waits_leaves_nothing(void **state)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    struct peer client;
    struct post p;

    (void)state;
    post_open(&p);
    who_waits(&p, PLAIN, &client);
    assert_int_equal(
        setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    peer_close(&client);
    PUMP_UNTIL(&p.f, list_empty(&p.standby->callers));
    post_close(&p);
}

static void
on_the_way_down_a_plain_request_may_wait_on(void **state)
{
    struct peer plain, socket;
    struct post p;
    int listener;

    (void)state;
    post_open(&p);
    who_waits(&p, SOCKET, &socket);
    standby_drain(p.standby, on_empty, &p);
    json_decref(take_answer(&socket, 503));
    peer_close(&socket);
    PUMP_UNTIL(&p.f, p.empties == 1);
    post_close(&p);
    post_open(&p);
    who_waits(&p, PLAIN, &plain);
    standby_drain(p.standby, on_empty, &p);
    listener = holder_open(&p);
    take_and_answer(&p, listener, &plain);
    PUMP_UNTIL(&p.f, p.empties == 1);
    (void)close(listener);
    post_close(&p);
}

static void
aborting_ends_who_waits(void **state)
{
    struct peer client;
    struct post p;

    (void)state;
    post_open(&p);
    who_waits(&p, PLAIN, &client);
    standby_drain(p.standby, on_empty, &p);
    assert_int_equal(standby_abort_all(p.standby), 0);
    PUMP_UNTIL(&p.f, p.empties == 1);
    peer_close(&client);
    post_close(&p);
}

/* --- the way down ------------------------------------------------------- */

static void
the_way_down_waits_for_plain_answers_alone(void **state)
{
    struct joined plain, socket;
    struct peer idle, half, late;
    struct post p;
    int listener;

    (void)state;
    post_open(&p);
    listener = holder_open(&p);
    standby_set_ready(p.standby, true);
    join(&p, listener, PLAIN, &plain);
    join(&p, listener, SOCKET, &socket);
    client_open(&p, &idle);
    client_open(&p, &half);
    peer_send(&half, "GET / HT");
    pump_idle(&p.f);
    standby_drain(p.standby, on_empty, &p);
    assert_int_equal(peer_end(&idle), 0);
    assert_int_equal(idle.got.n, 0);
    json_decref(take_answer(&half, 503));
    assert_int_equal(peer_end(&socket.client), 0);
    assert_int_equal(peer_end(&socket.holder), 0);
    client_open(&p, &late);
    json_decref(take_answer(&late, 503));
    peer_close(&idle);
    peer_close(&half);
    peer_close(&late);
    part(&socket);
    pump_idle(&p.f);
    assert_int_equal(p.empties, 0);
    peer_send(&plain.holder, "answer");
    peer_expect(&plain.client, "answer");
    part(&plain);
    PUMP_UNTIL(&p.f, p.empties > 0);
    pump_idle(&p.f);
    assert_int_equal(p.empties, 1);
    (void)close(listener);
    post_close(&p);
}

static void
on_the_way_down_an_upgrade_that_is_not_joined_yet_is_refused(void **state)
{
    int deaf, fds[4];
    struct peer client;
    struct post p;

    (void)state;
    post_open(&p);
    deaf = deaf_holder(&p, fds);
    client_open(&p, &client);
    peer_send(&client, SOCKET);
    PUMP_UNTIL(&p.f, is_in(&p, CALLER_DIAL));
    standby_drain(p.standby, on_empty, &p);
    json_decref(take_answer(&client, 503));
    peer_close(&client);
    PUMP_UNTIL(&p.f, p.empties > 0);
    forget_deaf(deaf, fds);
    post_close(&p);
}

/* Who has not asked yet may still ask, and is passed on. */
static void
retiring_lets_nobody_go(void **state)
{
    struct peer client, holder;
    struct post p;
    int listener;

    (void)state;
    post_open(&p);
    listener = holder_open(&p);
    client_open(&p, &client);
    pump_idle(&p.f);
    standby_retire(p.standby, on_empty, &p);
    peer_send(&client, PLAIN);
    holder_accept(&p, listener, &holder);
    PUMP_UNTIL(&p.f, (peer_read(&holder), holder.got.n > 0));
    peer_send(&holder, "answer");
    peer_expect(&client, "answer");
    assert_int_equal(p.empties, 0);
    peer_close(&client);
    peer_close(&holder);
    PUMP_UNTIL(&p.f, p.empties > 0);
    pump_idle(&p.f);
    assert_int_equal(p.empties, 1);
    (void)close(listener);
    post_close(&p);
}

static void
nobody_is_nobody_to_wait_for(void **state)
{
    struct post p;

    (void)state;
    post_open(&p);
    standby_retire(p.standby, on_empty, &p);
    assert_int_equal(p.empties, 1);
    standby_drain(p.standby, on_empty, &p);
    assert_int_equal(p.empties, 2);
    post_close(&p);
    standby_fini(NULL);
}

static void
aborting_counts_who_had_something_left(void **state)
{
    enum { SIZE = 64 << 20 };
    struct joined full, quiet;
    struct post p;
    int listener, refused = 0;
    char *bytes = pattern(SIZE);

    (void)state;
    post_open(&p);
    listener = holder_open(&p);
    join(&p, listener, PLAIN, &quiet);
    join(&p, listener, PLAIN, &full);
    while (refused < 20) { /* the client does not read */
        ssize_t n = send(full.holder.fd, bytes, SIZE, MSG_NOSIGNAL);

        refused = n > 0 ? 0 : refused + 1;
        (void)uv_run(&p.f.shard.loop, UV_RUN_NOWAIT);
    }
    standby_drain(p.standby, on_empty, &p);
    assert_int_equal(standby_abort_all(p.standby), 1);
    PUMP_UNTIL(&p.f, p.empties > 0);
    assert_int_equal(net_conn_count(&p.f.shard), 0);
    part(&full);
    part(&quiet);
    xfree(bytes);
    (void)close(listener);
    post_close(&p);
}

int
main(void)
{
#define CASE(fn) cmocka_unit_test(fn)
    const struct CMUnitTest tests[] = {
        CASE(another_holder_cuts_off_the_old_one),
        CASE(who_is_being_connected_goes_to_the_new_holder),
        CASE(or_is_told_to_come_again_when_there_is_none),
        CASE(a_client_that_goes_while_it_is_being_connected_leaves_nothing),
        CASE(who_finds_nobody_waits_for_the_next_holder),
        CASE(who_is_refused_by_the_old_one_waits_for_the_next),
        CASE(a_holder_that_does_not_listen_yet_is_tried_again),
        CASE(a_next_holder_may_take_its_time),
        CASE(a_client_that_goes_while_it_waits_leaves_nothing),
        CASE(on_the_way_down_a_plain_request_may_wait_on),
        CASE(aborting_ends_who_waits),
        CASE(the_way_down_waits_for_plain_answers_alone),
        CASE(on_the_way_down_an_upgrade_that_is_not_joined_yet_is_refused),
        CASE(retiring_lets_nobody_go),
        CASE(nobody_is_nobody_to_wait_for),
        CASE(aborting_counts_who_had_something_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
