/* SPDX-License-Identifier: MIT */
/* A connection changes its shard: watching stops, libuv's handle is closed on
 * the old loop, a letter carries the connection with everything in it, and
 * the new loop opens a handle of its own. At each moment one thread at most
 * can reach it. */
#include "base/xalloc.h"
#include "net/conn_internal.h"

#include <unistd.h>

struct conn_move {
    struct letter letter;
    struct conn *conn;
    struct shard *to;
    void (*on_arrive)(struct shard *here, void *user);
};

void
conn_move_free(struct conn_move *m)
{
    xfree(m);
}

/* On the new shard, or in this one's own end of turn. */
static void
arrive(struct conn *c)
{
    struct conn_move *m = c->move;

    c->move = NULL;
    c->blocked = false;
    m->on_arrive(c->shard, c->user);
    xfree(m);
    conn_due(c);
}

static void
deliver(struct shard *here, struct letter *l)
{
    struct conn *c = CONTAINER_OF(l, struct conn_move, letter)->conn;
    enum err e = conn_settle_in(c, here);

    arrive(c);
    if (e != ERR_OK) {
        conn_end(c, CONN_END_ERROR);
    }
}

/* The letter was never read: `to` has stopped. */
static void
destroy(struct letter *l)
{
    struct conn_move *m = CONTAINER_OF(l, struct conn_move, letter);
    struct conn *c = m->conn;

    c->events->on_closed(c->user, CONN_END_ABORT);
    (void)close(c->fd);
    SSL_free(c->ssl);
    conn_out_fini(c);
    xfree(c->unread);
    xfree(c);
    xfree(m);
}

static void
on_left(uv_handle_t *handle)
{
    struct conn *c = CONTAINER_OF((uv_poll_t *)handle, struct conn, poll);

    c->shard = c->move->to;
    shard_post(c->shard, &c->move->letter);
}

void
conn_move_start(struct conn *c, struct shard *to,
                void (*on_arrive)(struct shard *, void *))
{
    struct conn_move *m = xcalloc(1, sizeof(*m));

    *m = (struct conn_move){.letter = {.deliver = deliver, .destroy = destroy},
                            .conn = c,
                            .to = to,
                            .on_arrive = on_arrive};
    c->move = m;
    conn_watch(c);
    conn_due(c);
}

void
conn_move_depart(struct conn *c)
{
    if (c->move->to == c->shard) {
        arrive(c);
        return;
    }
    timer_cancel(&c->shard->timers, &c->timer);
    list_remove(&c->pending);
    list_remove(&c->all);
    c->shard->net->count--;
    c->armed = 0;
    shard_close_handle(c->shard, (uv_handle_t *)&c->poll, on_left);
}
