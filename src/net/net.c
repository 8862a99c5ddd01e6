/* SPDX-License-Identifier: MIT */
/* What the connections of one shard share. The end of a turn (SHARD_PHASE_NET)
 * visits only those that asked for it, so that a hundred thousand quiet ones
 * cost nothing. */
#include "net/net.h"

#include "base/xalloc.h"
#include "net/conn_internal.h"

static void
settle_pending(void *cookie)
{
    struct net *net = cookie;
    struct list now;
    struct list *link;

    if (list_empty(&net->pending)) {
        return;
    }
    list_init(&now);
    list_splice_back(&now, &net->pending);
    while ((link = list_pop_front(&now)) != NULL) {
        conn_settle(CONTAINER_OF(link, struct conn, pending));
    }
    if (!list_empty(&net->pending)) {
        shard_again(net->shard);
    }
}

enum err
net_init(struct shard *s, const struct net_settings *settings)
{
    struct net *net = xcalloc(1, sizeof(*net));

    CHECK(settings->output_limit_bytes <= (size_t)1 << 30);
    net->shard = s;
    net->settings = settings;
    net->scratch = xmalloc(CONN_UNREAD_MAX);
    list_init(&net->pending);
    list_init(&net->conns);
    s->net = net;
    shard_at_phase(s, SHARD_PHASE_NET, settle_pending, net);
    return ERR_OK;
}

void
net_fini(struct shard *s)
{
    struct net *net = s->net;

    if (net == NULL) {
        return;
    }
    while (!list_empty(&net->conns)) {
        struct conn *c = CONTAINER_OF(net->conns.next, struct conn, all);

        conn_end(c, CONN_END_ABORT);
        conn_close(c);
    }
    shard_at_phase(s, SHARD_PHASE_NET, NULL, NULL);
    conn_out_free_blocks(net);
    xfree(net->scratch);
    xfree(net);
    s->net = NULL;
}

size_t
net_conn_count(const struct shard *s)
{
    return s->net->count;
}

void
net_each_conn(struct shard *s, void (*fn)(struct conn *, void *), void *arg)
{
    LIST_FOREACH (it, &s->net->conns) {
        fn(CONTAINER_OF(it, struct conn, all), arg);
    }
}
