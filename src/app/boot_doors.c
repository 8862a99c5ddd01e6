/* SPDX-License-Identifier: MIT */
#include "app/boot_doors.h"

#include "app/config_place.h"
#include "base/xalloc.h"
#include "gate/client.h"
#include "net/listener.h"

#include <string.h>
#include <unistd.h>

static void
init_door(struct boot_door *d, unsigned n)
{
    d->fds = xcalloc(n, sizeof(d->fds[0]));
    memset(d->fds, -1, n * sizeof(d->fds[0]));
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
    d->listeners = xcalloc(n, sizeof(d->listeners[0]));
}

void
boot_doors_init(struct boot *b)
{
    for (size_t i = 0; i < BOOT_DOORS; i++) {
        init_door(&b->doors[i], b->shard_count);
    }
}

static enum err
bind_door(struct boot_door *d, unsigned n, const char *host, char *why,
          size_t why_size)
{
    enum err e = ERR_OK;

    if (d->port != 0) { /* the shards' sockets share, and would with others */
        e = listener_probe(host, d->port, why, why_size);
    }
    for (unsigned i = 0; e == ERR_OK && i < n; i++) {
        e = listener_bind(host, &d->port, &d->fds[i], why, why_size);
    }
    d->bound = true;
    return e;
}

enum err
boot_doors_bind(struct boot *b, char *why, size_t why_size)
{
    const struct config *c = b->config;
    struct boot_door *inner = &b->doors[BOOT_DOOR_INNER];
    struct sockaddr_storage place;
    struct client_address address;
    char host[CLIENT_TEXT_SIZE];
    enum err e;

    b->doors[BOOT_DOOR_PUBLIC].port = (uint16_t)c->server_port;
    e = bind_door(&b->doors[BOOT_DOOR_PUBLIC], b->shard_count, c->server_host.p,
                  why, why_size);
    if (e != ERR_OK || c->cluster_address.n == 0) {
        return e;
    }
    CHECK(config_place_parse(c->cluster_address, &place));
    (void)client_from_peer((struct sockaddr *)&place, &address);
    client_format(&address, host);
    inner->port = config_place_port(&place);
    return bind_door(inner, b->shard_count, host, why, why_size);
}

static bool
open_door(struct boot_door *d, struct shard *s)
{
    struct listener *l =
        listener_start(s, d->fds[s->index], gate_on_accept, NULL);

    d->fds[s->index] = -1;
    d->listeners[s->index] = l;
    return l != NULL;
}

bool
boot_doors_open(struct boot *b, struct shard *s)
{
    struct boot_door *inner = &b->doors[BOOT_DOOR_INNER];

    if (!open_door(&b->doors[BOOT_DOOR_PUBLIC], s)) {
        return false;
    }
    if (!inner->bound) {
        return true;
    }
    if (!open_door(inner, s)) {
        return false;
    }
    listener_without_tls(inner->listeners[s->index]);
    return true;
}

void
boot_doors_close(struct boot *b, struct shard *s)
{
    for (size_t i = 0; i < BOOT_DOORS; i++) {
        listener_stop(b->doors[i].listeners[s->index]);
        b->doors[i].listeners[s->index] = NULL;
    }
}

static void
fini_door(struct boot_door *d, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (d->fds[i] >= 0) {
            (void)close(d->fds[i]);
        }
    }
    xfree(d->fds);
    xfree(d->listeners);
}

void
boot_doors_fini(struct boot *b)
{
    for (size_t i = 0; i < BOOT_DOORS; i++) {
        fini_door(&b->doors[i], b->shard_count);
    }
}
