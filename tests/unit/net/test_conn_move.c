/* SPDX-License-Identifier: MIT */
#include "net/conn.h"

#include "net/conn_internal.h"
#include "net/tls.h"
#include "tls_fixture.h"

/* Connections that travel: their user echoes what it is shown and then moves
 * on to another shard, with part of the input not consumed and part of the
 * output not sent, while a thread at the other end writes and reads. To be
 * run under ThreadSanitizer as well. */

enum { SHARDS = 3, TRAVELLERS = 12, BYTES = 200000 };

static struct shard shards[SHARDS];
static const struct net_settings settings = {.output_limit_bytes = 1 << 20};

struct traveller {
    struct conn *conn;
    struct letter start;
    pthread_t peer;
    int fd;
    int server_fd;
    struct tls *tls;
    unsigned next; /* the shard to go to */
    int hops;
    int closed; /* written by the last shard, read after it has ended */
    enum conn_end why;
};

static void
arrived(struct shard *here, void *arg)
{
    struct traveller *t = arg;

    assert_ptr_equal(conn_shard(t->conn), here);
    assert_ptr_equal(here, &shards[t->next]);
    t->hops++;
    conn_resume(t->conn);
}

static size_t
on_bytes(void *arg, char *bytes, size_t n)
{
    struct traveller *t = arg;
    size_t used = n > 1 ? n - n / 3 : n;

    assert_int_equal(conn_write(t->conn, bytes, used), ERR_OK);
    t->next = (t->next + 1 + (unsigned)used % SHARDS) % SHARDS;
    conn_pause(t->conn);
    conn_handover(t->conn, &shards[t->next], arrived);
    return used;
}

static void
on_drain(void *arg)
{
    (void)arg;
}

static void
on_eof(void *arg)
{
    struct traveller *t = arg;

    conn_finish(t->conn, 10000);
}

static void
on_closed(void *arg, enum conn_end why)
{
    struct traveller *t = arg;

    t->closed++;
    t->why = why;
}

static const struct conn_events events = {
    .on_bytes = on_bytes,
    .on_drain = on_drain,
    .on_eof = on_eof,
    .on_closed = on_closed,
};

static void
set_out(struct shard *here, struct letter *l)
{
    struct traveller *t = CONTAINER_OF(l, struct traveller, start);

    assert_int_equal(conn_open(here, t->server_fd, NULL, &t->conn), ERR_OK);
    conn_attach(t->conn, &events, t);
    if (t->tls != NULL) {
        assert_int_equal(conn_tls_start(t->conn, t->tls), ERR_OK);
    }
}

/* Blocking bytes of one end, plain or TLS. */
struct wire {
    int fd;
    SSL *ssl;
};

static size_t
wire_write(struct wire *w, const char *p, size_t n)
{
    ssize_t sent = w->ssl != NULL ? SSL_write(w->ssl, p, (int)n)
                                  : send(w->fd, p, n, MSG_NOSIGNAL);

    assert_true(sent > 0);
    return (size_t)sent;
}

static size_t
wire_read(struct wire *w, char *p, size_t n)
{
    ssize_t got =
        w->ssl != NULL ? SSL_read(w->ssl, p, (int)n) : recv(w->fd, p, n, 0);

    assert_true(got > 0);
    return (size_t)got;
}

/* Writes bursts of growing size and reads each back. */
static void
exchange(struct wire *w)
{
    char *sent = pattern(BYTES);
    char *back = xmalloc(BYTES);
    size_t at = 0;
    size_t burst = 1;

    while (at < BYTES) {
        size_t n = BYTES - at < burst ? BYTES - at : burst;
        size_t out = 0;
        size_t in = 0;

        while (out < n) {
            out += wire_write(w, sent + at + out, n - out);
        }
        while (in < n) {
            in += wire_read(w, back + at + in, n - in);
        }
        at += n;
        burst = burst * 3 / 2 + 1;
        burst = burst > 40000 ? 1 : burst;
    }
    assert_memory_equal(back, sent, BYTES);
    xfree(sent);
    xfree(back);
}

static void *
peer_main(void *arg)
{
    struct traveller *t = arg;
    struct wire w = {.fd = t->fd};
    SSL_CTX *ctx = NULL;

    if (t->tls != NULL) {
        ctx = SSL_CTX_new(TLS_client_method());
        w.ssl = SSL_new(ctx);
        assert_int_equal(SSL_set_fd(w.ssl, t->fd), 1);
        assert_int_equal(SSL_connect(w.ssl), 1);
    }
    exchange(&w);
    SSL_free(w.ssl);
    SSL_CTX_free(ctx);
    (void)close(t->fd);
    return NULL;
}

static void
start_shards(void)
{
    for (unsigned i = 0; i < SHARDS; i++) {
        assert_int_equal(shard_init(&shards[i], i), ERR_OK);
        assert_int_equal(net_init(&shards[i], &settings), ERR_OK);
        assert_int_equal(shard_start(&shards[i], NULL), ERR_OK);
    }
}

static void
stop_here(struct shard *here, struct letter *l)
{
    xfree(l);
    shard_stop(here);
}

static void
stop_shard(struct shard *s)
{
    struct letter *l = xcalloc(1, sizeof(*l));

    l->deliver = stop_here;
    shard_post(s, l);
    shard_join(s);
}

static void
travel(struct tls *tls)
{
    struct traveller t[TRAVELLERS] = {0};

    start_shards();
    for (unsigned i = 0; i < TRAVELLERS; i++) {
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        t[i].server_fd = fds[0];
        t[i].fd = fds[1];
        t[i].tls = tls;
        t[i].next = i % SHARDS;
        t[i].start.deliver = set_out;
        shard_post(&shards[t[i].next], &t[i].start);
        assert_int_equal(pthread_create(&t[i].peer, NULL, peer_main, &t[i]), 0);
    }
    for (int i = 0; i < TRAVELLERS; i++) {
        assert_int_equal(pthread_join(t[i].peer, NULL), 0);
    }
    for (int i = 0; i < SHARDS; i++) {
        stop_shard(&shards[i]);
    }
    for (int i = 0; i < SHARDS; i++) {
        net_fini(&shards[i]);
    }
    for (int i = 0; i < SHARDS; i++) {
        shard_fini(&shards[i]);
    }
    for (int i = 0; i < TRAVELLERS; i++) {
        assert_int_equal(t[i].closed, 1);
        assert_true(t[i].hops > 20);
    }
}

static void
connections_travel_while_their_peers_write(void **state)
{
    (void)state;
    travel(NULL);
}

static void
tls_connections_travel_while_their_peers_write(void **state)
{
    struct pair_files files;
    struct tls *tls;
    char why[256];

    (void)state;
    pair_make(&files, "travel.example");
    assert_int_equal(tls_new(files.cert, files.key, &tls, why, sizeof(why)),
                     ERR_OK);
    travel(tls);
    tls_free(tls);
    pair_remove(&files);
}

static void
arrived_nowhere(struct shard *here, void *arg)
{
    (void)here;
    (void)arg;
    fail_msg("arrived at a shard that has stopped");
}

static void
a_connection_sent_to_a_stopped_shard_is_closed_once(void **state)
{
    struct fixture f;
    struct shard gone;
    struct user u;
    int peer;
    char none;

    (void)state;
    fixture_open(&f);
    assert_int_equal(shard_init(&gone, 1), ERR_OK);
    assert_int_equal(net_init(&gone, &settings), ERR_OK);
    shard_stop(&gone);
    shard_run(&gone);
    peer = fixture_pair(&f, &u, SOCK_STREAM);
    conn_pause(u.conn);
    conn_handover(u.conn, &gone, arrived_nowhere);
    assert_int_equal(net_conn_count(&f.shard), 1);
    PUMP_UNTIL(&f, net_conn_count(&f.shard) == 0);
    pump_idle(&f);
    assert_int_equal(u.closed, 0);
    net_fini(&gone);
    shard_fini(&gone);
    assert_int_equal(u.closed, 1);
    assert_int_equal(u.why, CONN_END_ABORT);
    assert_int_equal(recv(peer, &none, 1, 0), 0);
    (void)close(peer);
    buf_fini(&u.got);
    fixture_close(&f);
}

static void
a_connection_aborted_before_it_leaves_ends_where_it_is(void **state)
{
    struct fixture f;
    struct shard other;
    struct user u;
    int peer;
    char none;

    (void)state;
    fixture_open(&f);
    assert_int_equal(shard_init(&other, 1), ERR_OK);
    assert_int_equal(net_init(&other, &settings), ERR_OK);
    peer = fixture_pair(&f, &u, SOCK_STREAM);
    conn_pause(u.conn);
    conn_handover(u.conn, &other, arrived_nowhere);
    conn_abort(u.conn);
    PUMP_UNTIL(&f, u.closed > 0);
    assert_int_equal(u.closed, 1);
    assert_int_equal(u.why, CONN_END_ABORT);
    assert_int_equal(net_conn_count(&f.shard), 0);
    assert_int_equal(net_conn_count(&other), 0);
    assert_int_equal(recv(peer, &none, 1, 0), 0);
    net_fini(&other);
    shard_fini(&other);
    (void)close(peer);
    buf_fini(&u.got);
    fixture_close(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_travel_while_their_peers_write),
        cmocka_unit_test(tls_connections_travel_while_their_peers_write),
        cmocka_unit_test(a_connection_sent_to_a_stopped_shard_is_closed_once),
        cmocka_unit_test(
            a_connection_aborted_before_it_leaves_ends_where_it_is),
    };

    (void)signal(SIGPIPE, SIG_IGN); /* the test's client writes plainly */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
