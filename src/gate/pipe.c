/* SPDX-License-Identifier: MIT */
/* A pipe between two connections. Every event of one end is a call on the other
 * one; ends come in any order, so an end that has been closed is NULL, and the
 * second one to be closed ends the pipe. */
#include "gate/pipe.h"

#include "base/xalloc.h"
#include "gate/http.h"

struct pipe_side {
    struct pipe *pipe;
    struct pipe_side *other;
    struct conn *conn; /* NULL: closed */
};

struct pipe {
    struct pipe_side client;
    struct pipe_side server;
    void (*on_end)(void *user, enum pipe_end why);
    void *user;
    enum pipe_end why; /* once over */
    bool over;         /* both are being closed */
};

/* The first reason counts. */
static void
note_end(struct pipe *p, enum pipe_end why)
{
    p->why = p->over ? p->why : why;
    p->over = true;
}

static void
close_side(struct pipe_side *side, void (*close)(struct conn *))
{
    if (side->conn != NULL) {
        close(side->conn);
    }
}

static void
finish(struct conn *c)
{
    conn_finish(c, HTTP_LINGER_MS);
}

/* --- what comes in ------------------------------------------------------ */

/* The other one is closed, or on its way: then nobody wants the bytes. */
static size_t
on_bytes(void *user, char *bytes, size_t n)
{
    struct pipe_side *from = user;
    struct conn *to = from->other->conn;
    enum err e = to != NULL ? conn_write(to, bytes, n) : ERR_IO;

    if (e == ERR_TOO_BIG) { /* bytes would be missing */
        pipe_abort(from->pipe);
    } else if (e == ERR_OK && conn_queued(to) > CONN_HIGH_WATER) {
        conn_pause(from->conn); /* on_drain of the other goes on */
    }
    return n;
}

static void
on_drain(void *user)
{
    struct pipe_side *side = user;

    close_side(side->other, conn_resume);
}

static void
on_client_eof(void *user)
{
    struct pipe_side *client = user;

    close_side(client->other, conn_end_output);
}

static void
on_server_eof(void *user)
{
    struct pipe_side *server = user;

    note_end(server->pipe, PIPE_DONE);
    close_side(server, finish);
    close_side(server->other, finish);
}

/* --- ends --------------------------------------------------------------- */

static void
end_if_empty(struct pipe *p)
{
    struct pipe was = *p;

    if (p->client.conn == NULL && p->server.conn == NULL) {
        xfree(p);
        was.on_end(was.user, was.why);
    }
}

/* When the pipe is over already the other one is being closed, too. */
static void
on_closed(void *user, enum conn_end why)
{
    struct pipe_side *side = user;
    struct pipe *p = side->pipe;

    (void)why;
    side->conn = NULL;
    if (!p->over) {
        note_end(p, side == &p->client ? PIPE_CLIENT_LOST : PIPE_SERVER_LOST);
        close_side(side->other, conn_reset);
    }
    end_if_empty(p);
}

static const struct conn_events client_events = {on_bytes, on_drain,
                                                 on_client_eof, on_closed};

static const struct conn_events server_events = {on_bytes, on_drain,
                                                 on_server_eof, on_closed};

/* --- life --------------------------------------------------------------- */

static void
attach(struct pipe_side *side, struct conn *c, const struct conn_events *events)
{
    side->conn = c;
    conn_set_limit(c, PIPE_QUEUE_BYTES);
    conn_attach(c, events, side);
    conn_resume(c);
}

struct pipe *
pipe_join(struct conn *client, struct conn *server,
          void (*on_end)(void *user, enum pipe_end why), void *user)
{
    struct pipe *p = xcalloc(1, sizeof(*p));

    CHECK(!conn_is_tls(server));
    p->on_end = on_end;
    p->user = user;
    p->client.pipe = p->server.pipe = p;
    p->client.other = &p->server;
    p->server.other = &p->client;
    attach(&p->client, client, &client_events);
    attach(&p->server, server, &server_events);
    return p;
}

void
pipe_close(struct pipe *p)
{
    note_end(p, PIPE_CLOSED);
    close_side(&p->server, finish);
    close_side(&p->client, finish);
}

void
pipe_abort(struct pipe *p)
{
    note_end(p, PIPE_CLOSED);
    close_side(&p->server, conn_abort);
    close_side(&p->client, conn_abort);
}

bool
pipe_holds_bytes(const struct pipe *p)
{
    return (p->client.conn != NULL && conn_queued(p->client.conn) > 0) ||
           (p->server.conn != NULL && conn_queued(p->server.conn) > 0);
}
