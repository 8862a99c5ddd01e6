/* SPDX-License-Identifier: MIT */
/* The output queue: one run of bytes, filled during a turn of the loop and
 * written once at its end. It exists only while it holds something; blocks of
 * the common size come from and go to a short list of the shard. */
#include "base/xalloc.h"
#include "net/conn_internal.h"
#include "net/sys.h"

#include <errno.h>
#include <string.h>

static char *
take_block(struct net *net)
{
    struct net_block *b = net->blocks;

    if (b == NULL) {
        return xmalloc(NET_BLOCK_BYTES);
    }
    net->blocks = b->next;
    net->block_count--;
    return (char *)b;
}

static void
give_back(struct net *net, char *p, size_t room)
{
    struct net_block *b = (struct net_block *)(void *)p;

    if (room != NET_BLOCK_BYTES || net == NULL ||
        net->block_count == NET_BLOCKS_KEPT) {
        xfree(p);
        return;
    }
    b->next = net->blocks;
    net->blocks = b;
    net->block_count++;
}

void
conn_out_free_blocks(struct net *net)
{
    while (net->blocks != NULL) {
        struct net_block *b = net->blocks;

        net->blocks = b->next;
        xfree(b);
    }
}

void
conn_out_fini(struct conn *c)
{
    if (c->out.p != NULL) {
        give_back(c->shard->net, c->out.p, c->out.room);
    }
    c->out = (struct conn_out){.limit = c->out.limit};
}

/* Makes room for n more bytes behind those that wait. A queue that is being
 * sent gets half as much again, so that one which stays long while it moves
 * copies each byte two times at most, not all of them for every write. */
static void
make_room(struct conn *c, size_t n)
{
    struct conn_out *out = &c->out;
    size_t need = out->n + n;
    size_t room = NET_BLOCK_BYTES;
    char *p;

    if (out->p != NULL && need <= out->room && out->head >= out->room / 2) {
        memmove(out->p, out->p + out->head, out->n);
        out->head = 0;
        return;
    }
    need += out->head > 0 ? need / 2 : 0;
    while (room < need) {
        room *= 2;
    }
    p = room == NET_BLOCK_BYTES ? take_block(c->shard->net) : xmalloc(room);
    if (out->p != NULL) {
        memcpy(p, out->p + out->head, out->n);
        give_back(c->shard->net, out->p, out->room);
    }
    out->p = p;
    out->head = 0;
    out->room = (uint32_t)room;
}

char *
conn_out_reserve(struct conn *c, size_t n)
{
    struct conn_out *out = &c->out;
    char *p;

    if (out->n > out->limit || n > out->limit - out->n) {
        return NULL;
    }
    if ((size_t)out->head + out->n + n > out->room || out->p == NULL) {
        make_room(c, n);
    }
    p = out->p + out->head + out->n;
    out->n += (uint32_t)n;
    if (out->n > CONN_HIGH_WATER) {
        c->above_high = true;
    }
    if (!c->blocked) {
        conn_due(c);
    }
    return p;
}

/* What the transport takes: a count, CONN_LATER or CONN_FAILED. */
static ssize_t
transmit(struct conn *c, const char *from, size_t n)
{
    ssize_t sent;

    if (c->ssl != NULL) {
        return conn_tls_write(c, from, n);
    }
    sent = sys_send(c->fd, from, n);
    if (sent >= 0) {
        return sent;
    }
    return errno == EAGAIN || errno == EINTR ? CONN_LATER : CONN_FAILED;
}

void
conn_out_flush(struct conn *c)
{
    struct conn_out *out = &c->out;

    while (out->n > 0 && !c->blocked && !c->write_wants_read) {
        ssize_t sent = transmit(c, out->p + out->head, out->n);

        if (sent == CONN_FAILED) {
            conn_end(c, CONN_END_ERROR);
            return;
        }
        if (sent == CONN_LATER) {
            c->blocked = !c->write_wants_read;
            return;
        }
        out->head += (uint32_t)sent;
        out->n -= (uint32_t)sent;
        /* A socket that took less than all is full; TLS takes one record. */
        c->blocked = out->n > 0 && c->ssl == NULL;
    }
    if (out->n == 0) {
        conn_out_fini(c);
    }
}
