/* SPDX-License-Identifier: MIT */
/* Reading. Bytes pass through memory that the whole shard shares, so a quiet
 * connection has no buffer; only what its user did not consume is kept, and
 * put in front of what comes next. A read that returns less than was asked
 * for is the last one: asking again would only hear EAGAIN. */
#include "base/xalloc.h"
#include "net/conn_internal.h"
#include "net/sys.h"

#include <errno.h>
#include <string.h>

static size_t
kept(const struct conn *c)
{
    return c->unread != NULL ? c->unread->n : 0;
}

/* bytes may be anywhere but in c->unread. */
static void
keep(struct conn *c, const char *bytes, size_t n)
{
    if (n == 0) {
        xfree(c->unread);
        c->unread = NULL;
        return;
    }
    c->unread = xrealloc(c->unread, sizeof(*c->unread) + n);
    c->unread->n = (uint32_t)n;
    memcpy(c->unread->bytes, bytes, n);
}

static void
present(struct conn *c, char *bytes, size_t n)
{
    size_t used = c->events->on_bytes(c->user, bytes, n);

    CHECK(used <= n);
    if (c->ended || c->finishing) {
        keep(c, NULL, 0);
        return;
    }
    keep(c, bytes + used, n - used);
    if (n - used == CONN_UNREAD_MAX && !c->paused) {
        conn_end(c, CONN_END_ERROR);
    }
}

static bool
shows_bytes(const struct conn *c)
{
    return !c->ended && !c->eof && !c->handshaking && c->move == NULL &&
           !c->finishing && !c->paused;
}

/* A finishing connection reads on, to let the peer's FIN come through. */
static bool
drops_bytes(const struct conn *c)
{
    return !c->ended && !c->eof && !c->handshaking && c->finishing;
}

bool
conn_in_open(const struct conn *c)
{
    return shows_bytes(c) || drops_bytes(c);
}

static ssize_t
receive(struct conn *c, char *into, size_t room)
{
    ssize_t n;

    /* After our close_notify nobody wants to know what TLS says. */
    if (c->ssl != NULL && !c->fin_sent) {
        return conn_tls_read(c, into, room);
    }
    n = sys_recv(c->fd, into, room);
    if (n >= 0) {
        return n;
    }
    return errno == EAGAIN || errno == EINTR ? CONN_LATER : CONN_FAILED;
}

static void
take_end(struct conn *c, ssize_t what)
{
    if (what == CONN_LATER) {
        return;
    }
    if (what == CONN_FAILED) {
        conn_end(c, CONN_END_ERROR);
        return;
    }
    c->eof = true;
    if (c->fin_sent) {
        conn_end(c, CONN_END_LOCAL);
    } else if (!c->finishing) {
        c->events->on_eof(c->user);
    }
}

void
conn_in_ready(struct conn *c)
{
    char *scratch = c->shard->net->scratch;

    if (c->present_due) {
        return; /* what was kept comes first; the socket will tell again */
    }
    c->read_due = c->read_wants_write = false;
    for (int i = 0; i < CONN_READS_MAX && conn_in_open(c); i++) {
        size_t old = kept(c);
        size_t room = CONN_UNREAD_MAX - old;
        ssize_t n = receive(c, scratch + old, room);

        if (n <= 0) {
            take_end(c, n);
            return;
        }
        if (shows_bytes(c)) {
            if (old > 0) {
                memcpy(scratch, c->unread->bytes, old);
            }
            present(c, scratch, old + (size_t)n);
        }
        if ((size_t)n < room && !conn_tls_holds_bytes(c)) {
            return;
        }
    }
    if (conn_tls_holds_bytes(c) && conn_in_open(c)) {
        c->read_due = true;
        conn_due(c);
    }
}

void
conn_in_present(struct conn *c)
{
    char *scratch = c->shard->net->scratch;
    size_t n = kept(c);

    c->present_due = false;
    if (n > 0 && !c->ended && !c->finishing && !c->paused && c->move == NULL) {
        memcpy(scratch, c->unread->bytes, n);
        present(c, scratch, n);
    }
}
