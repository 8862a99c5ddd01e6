/* SPDX-License-Identifier: MIT */
#include "net/net.h"

#include "net_fixture.h"

static void
taking_the_room_down_closes_what_is_open_once(void **state)
{
    struct fixture own;
    struct user u[3];
    int peer[3];

    (void)state;
    fixture_open(&own);
    for (int i = 0; i < 3; i++) {
        peer[i] = fixture_pair(&own, &u[i], SOCK_STREAM);
    }
    assert_int_equal(net_conn_count(&own.shard), 3);
    assert_int_equal(conn_write(u[0].conn, "x", 1), ERR_OK);
    conn_abort(u[1].conn);
    shard_stop(&own.shard);
    shard_run(&own.shard);
    fixture_close(&own);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(u[i].closed, 1);
        assert_int_equal(u[i].why, CONN_END_ABORT);
        (void)close(peer[i]);
        buf_fini(&u[i].got);
    }
}

int
main(void)
{
#define CASE(fn) cmocka_unit_test(fn)
    const struct CMUnitTest tests[] = {
        CASE(taking_the_room_down_closes_what_is_open_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
