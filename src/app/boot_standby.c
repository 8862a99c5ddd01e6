/* SPDX-License-Identifier: MIT */
#include "app/boot_standby.h"

#include "app/config_place.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "gate/standby.h"
#include "net/listener.h"
#include "net/net.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* From one look at the database to the next: the longest that nobody has it
 * when it was given back. */
#define LOOK_MS 500

/* For those who came just before this server had the database. */
#define RETIRE_MS 1000

/* For what is left after the deadline: nothing is waited for but the loop. */
#define ABORT_MS 1000

struct boot_standby {
    struct boot *boot;
    struct shard shard;
    struct standby *standby;
    struct listener *listener;       /* of the first shard's descriptor */
    char holder[STORE_ADDRESS_SIZE]; /* as the shard was told */
    atomic_uint started;
    atomic_uint paused;
    atomic_uint empty;
};

static struct boot_standby *
standby_of(struct shard *s)
{
    return CONTAINER_OF(s, struct boot_standby, shard);
}

/* It listens in the first shard's place until that one does. */
static int *
door_of(struct boot_standby *st)
{
    return &st->boot->doors[BOOT_DOOR_PUBLIC].fds[0];
}

/* --- letters: what main has the shard do -------------------------------- */

struct order {
    struct letter letter;
    void (*run)(struct boot_standby *st, const struct order *o);
    struct sockaddr_storage holder;
    bool known;
};

static void
destroy_order(struct letter *l)
{
    xfree(CONTAINER_OF(l, struct order, letter));
}

static void
deliver_order(struct shard *here, struct letter *l)
{
    struct order *o = CONTAINER_OF(l, struct order, letter);

    o->run(standby_of(here), o);
    destroy_order(l);
}

static struct order *
new_order(void (*run)(struct boot_standby *st, const struct order *o))
{
    struct order *o = xcalloc(1, sizeof(*o));

    o->letter.deliver = deliver_order;
    o->letter.destroy = destroy_order;
    o->run = run;
    return o;
}

static void
post(struct boot_standby *st,
     void (*run)(struct boot_standby *st, const struct order *o))
{
    shard_post(&st->shard, &new_order(run)->letter);
}

static void
take_holder(struct boot_standby *st, const struct order *o)
{
    standby_set_holder(st->standby, o->known ? &o->holder : NULL);
}

static void
take_drain(struct boot_standby *st, const struct order *o)
{
    (void)o;
    standby_set_ready(st->standby, false);
}

static void
on_empty(void *cookie)
{
    struct boot_standby *st = cookie;

    boot_state_tell(st->boot, &st->empty);
}

static void
take_pause(struct boot_standby *st, const struct order *o)
{
    (void)o;
    *door_of(st) = listener_release(st->listener);
    st->listener = NULL;
    boot_state_tell(st->boot, &st->paused);
}

static void
take_retire(struct boot_standby *st, const struct order *o)
{
    (void)o;
    standby_retire(st->standby, on_empty, st);
}

static void
take_close(struct boot_standby *st, const struct order *o)
{
    (void)o;
    listener_stop(st->listener);
    st->listener = NULL;
    standby_drain(st->standby, on_empty, st);
}

static void
take_abort(struct boot_standby *st, const struct order *o)
{
    (void)o;
    (void)standby_abort_all(st->standby);
}

/* Connections end with the room, or have ended. */
static void
take_end(struct boot_standby *st, const struct order *o)
{
    (void)o;
    metric_set_at(METRIC_STANDBY, 0, 0);
    net_fini(&st->shard);
    standby_fini(st->standby);
    shard_stop(&st->shard);
}

/* --- begin -------------------------------------------------------------- */

static void
on_start(struct shard *s)
{
    struct boot_standby *st = standby_of(s);
    const struct boot *b = st->boot;

    if (net_init(s, &b->rooms.net) == ERR_OK &&
        standby_init(s, &b->rooms.gate, &st->standby) == ERR_OK) {
        standby_set_ready(st->standby, true);
        st->listener =
            listener_start(s, *door_of(st), standby_on_accept, st->standby);
        *door_of(st) = -1;
        metric_set_at(METRIC_STANDBY, 0, 1);
    }
    boot_state_tell(st->boot, &st->started);
}

static void
end(struct boot_standby *st)
{
    post(st, take_end);
    shard_join(&st->shard);
    shard_fini(&st->shard);
    st->boot->standby = NULL;
    xfree(st);
}

static bool
open_shard(struct boot_standby *st)
{
    if (shard_init(&st->shard, st->boot->shard_count) != ERR_OK) {
        return false;
    }
    if (shard_start(&st->shard, on_start) != ERR_OK) {
        shard_fini(&st->shard);
        return false;
    }
    return true;
}

static bool
start(struct boot *b)
{
    struct boot_standby *st = xcalloc(1, sizeof(*st));

    st->boot = b;
    if (!open_shard(st)) {
        log_error(EVENT_START_FAILED, "no event loop to stand by with");
        xfree(st);
        return false;
    }
    b->standby = st;
    boot_state_join(b, &st->started, 1, UINT64_MAX);
    if (st->listener == NULL) {
        log_error(EVENT_START_FAILED, "no door to stand by at");
        end(st);
        return false;
    }
    return true;
}

/* --- while the database is held ----------------------------------------- */

static void
tell_holder(struct boot_standby *st, const char *address)
{
    struct order *o;

    if (strcmp(st->holder, address) == 0) {
        return;
    }
    snprintf(st->holder, sizeof(st->holder), "%s", address);
    o = new_order(take_holder);
    o->known = config_place_parse(str_from(address), &o->holder);
    shard_post(&st->shard, &o->letter);
}

bool
boot_standby_held(void *cookie, const char *address)
{
    struct boot *b = cookie;

    if (b->standby == NULL && !start(b)) {
        return false;
    }
    tell_holder(b->standby, address != NULL ? address : "");
    b->stopped = boot_state_wait(b, NULL, 0, clock_mono_ms() + LOOK_MS) ==
                 BOOT_WAIT_SIGNAL;
    return !b->stopped;
}

void
boot_standby_lost(void *cookie)
{
    struct boot *b = cookie;

    boot_state_tell(b, &b->lost);
}

/* --- the end ------------------------------------------------------------ */

static void
close_and_end(struct boot_standby *st, uint64_t deadline_ms)
{
    struct boot *b = st->boot;

    post(st, take_close);
    boot_state_join(b, &st->empty, 1, deadline_ms);
    if (atomic_load(&st->empty) == 0) {
        post(st, take_abort);
        boot_state_join(b, &st->empty, 1, clock_mono_ms() + ABORT_MS);
    }
    end(st);
}

void
boot_standby_pause(struct boot *b)
{
    if (b->standby != NULL) {
        post(b->standby, take_pause);
        boot_state_join(b, &b->standby->paused, 1, UINT64_MAX);
    }
}

/* Who came before the pause is passed on to ourselves. */
void
boot_standby_end(struct boot *b)
{
    struct boot_standby *st = b->standby;

    if (st == NULL) {
        return;
    }
    if (atomic_load(&st->paused) > 0) {
        tell_holder(st, b->config->cluster_address.p);
        post(st, take_retire);
        boot_state_join(b, &st->empty, 1, clock_mono_ms() + RETIRE_MS);
    }
    close_and_end(st, 0);
}

void
boot_standby_stop(struct boot *b)
{
    const struct config *c = b->config;

    if (b->standby == NULL) {
        return;
    }
    log_info(EVENT_SHUTDOWN, "not ready any more; draining");
    post(b->standby, take_drain);
    (void)boot_state_wait(b, NULL, 0,
                          clock_mono_ms() + c->server_drain_delay_ms);
    close_and_end(b->standby, clock_mono_ms() + c->server_shutdown_timeout_ms);
}
