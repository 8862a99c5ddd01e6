/* SPDX-License-Identifier: MIT */
/* The order of a server's life, on the main thread: settings, keys, port,
 * store, shards; then signals; then the same way back. Nothing is opened or
 * bound before the settings have passed. */
#include "app/boot.h"

#include "app/authority.h"
#include "app/boot_chat.h"
#include "app/boot_doors.h"
#include "app/boot_reload.h"
#include "app/boot_shards.h"
#include "app/boot_standby.h"
#include "app/boot_stop.h"
#include "app/cli.h"
#include "app/dev.h"
#include "app/process.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "net/fetch.h"
#include "store/secret.h"

#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define WHY_BYTES 512
#define LINKS_BYTES 65536

bool
boot_check(const struct config *c)
{
    struct boot_rooms rooms;
    int status = boot_rooms_init(&rooms, c);

    boot_rooms_fini(&rooms);
    return status == CLI_OK;
}

/* --- up ----------------------------------------------------------------- */

static int
failed(const char *why)
{
    log_error(EVENT_START_FAILED, why);
    return CLI_FAILED;
}

static struct boot *
new_boot(const struct settings_request *request, struct config *c)
{
    unsigned n =
        c->server_threads > 0 ? (unsigned)c->server_threads : process_cores();
    struct boot *b = xcalloc(1, sizeof(*b) + n * sizeof(b->shards[0]));

    b->request = request;
    b->config = b->current = c;
    b->shard_count = n;
    b->signal_fd = b->wake_fd = -1;
    boot_doors_init(b);
    return b;
}

static int
open_process(struct boot *b)
{
    process_prepare();
    if (b->rooms.ring != NULL) {
        process_hide();
    }
    b->signal_fd = process_signals_open();
    b->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (b->signal_fd < 0 || b->wake_fd < 0) {
        return failed("signals cannot be received");
    }
    return fetch_pool_prepare() == ERR_OK
               ? CLI_OK
               : failed("the HTTP client cannot be started");
}

static int
keep_dev_secret(struct boot *b)
{
    const struct config_dev *dev = b->request->dev;
    char why[WHY_BYTES];

    if (dev != NULL && !dev_secret_keep(dev->secret, why, sizeof(why))) {
        return failed(why);
    }
    return CLI_OK;
}

static int
open_port(struct boot *b)
{
    char why[WHY_BYTES];

    return boot_doors_bind(b, why, sizeof(why)) == ERR_OK ? CLI_OK
                                                          : failed(why);
}

static int
open_store(struct boot *b)
{
    char why[WHY_BYTES];

    if (b->config->cluster_address.n > 0) {
        b->peers = (struct store_peers){.address = b->config->cluster_address.p,
                                        .held = boot_standby_held,
                                        .lost = boot_standby_lost,
                                        .cookie = b};
        b->rooms.store.peers = &b->peers;
    }
    if (store_open(&b->rooms.store, &b->store, why, sizeof(why)) != ERR_OK) {
        return b->stopped ? CLI_OK : failed(why);
    }
    boot_standby_pause(b);
    b->rooms.gate.store = b->store;
    return boot_rooms_open_uploads(&b->rooms, store_secret(b->store), why,
                                   sizeof(why)) == ERR_OK
               ? CLI_OK
               : failed(why);
}

static int
init_shards(struct boot *b)
{
    for (unsigned i = 0; i < b->shard_count; i++) {
        if (shard_init(&b->shards[i], i) != ERR_OK) {
            while (i-- > 0) {
                shard_fini(&b->shards[i]);
            }
            return failed("an event loop cannot be made");
        }
    }
    b->rooms.gate.shards = b->shards;
    b->rooms.gate.shard_count = b->shard_count;
    b->policy = boot_rooms_policy(b->config, NULL, b->shard_count + 1);
    b->chat = boot_chat_new(b->config, &b->rooms, b->shard_count);
    return CLI_OK;
}

/* --- running ------------------------------------------------------------ */

static unsigned
public_port(const struct boot *b)
{
    return b->doors[BOOT_DOOR_PUBLIC].port;
}

static void
log_start(struct boot *b)
{
    struct buf address, sentence;

    buf_init(&address, WHY_BYTES);
    buf_init(&sentence, WHY_BYTES);
    authority_put(b->config->server_host.p, public_port(b), &address);
    buf_puts(&sentence, b->rooms.tls != NULL ? "listening on https://"
                                             : "listening on http://");
    buf_put_str(&sentence, buf_str(&address));
    buf_puts(&sentence, b->rooms.path_prefix);
    buf_putc(&sentence, '\0');
    log_info(EVENT_START, sentence.p, log_str("address", buf_str(&address)),
             log_int("port", public_port(b)), log_int("shards", b->shard_count),
             log_cstr("store", store_kind(b->store)),
             log_cstr("uploads", shelf_kind_name(&b->rooms.shelf)));
    buf_fini(&address);
    buf_fini(&sentence);
}

static void
print_links(struct boot *b)
{
    struct buf authority, out;
    char *text;

    buf_init(&authority, WHY_BYTES);
    buf_init(&out, LINKS_BYTES);
    authority_put(authority_local(b->config->server_host.p), public_port(b),
                  &authority);
    text = buf_give(&authority);
    dev_links(b->config, text, &out);
    (void)fwrite(out.p, 1, out.n, stdout);
    (void)fflush(stdout);
    xfree(text);
    buf_fini(&out);
}

/* From ready to the signal that ends it, which may have come already: the
 * first shard answers before main knows of the last one. */
static int
serve(struct boot *b, bool stop)
{
    bool forced;

    boot_standby_end(b);
    log_start(b);
    boot_rooms_warn(b->config);
    if (b->request->dev != NULL) {
        print_links(b);
    }
    b->serving = true;
    if (b->reload_asked && !stop) {
        boot_reload(b);
    }
    while (!stop) {
        stop =
            boot_state_wait(b, &b->lost, 1, UINT64_MAX) != BOOT_WAIT_DEADLINE;
    }
    forced = boot_stop(b);
    if (atomic_load(&b->lost) > 0) {
        return CLI_FAILED;
    }
    return forced ? CLI_FORCED : CLI_OK;
}

static int
run_shards(struct boot *b)
{
    unsigned running = boot_shards_start(b);
    bool stop = false;
    int status;

    while (boot_state_wait(b, &b->started, running, UINT64_MAX) !=
           BOOT_WAIT_DONE) {
        stop = true;
    }
    if (running < b->shard_count || atomic_load(&b->start_failures) > 0) {
        status = failed("the shards cannot be started");
    } else {
        status = serve(b, stop);
    }
    boot_shards_end(b, running);
    return status;
}

/* --- down --------------------------------------------------------------- */

static void
close_fd(int fd)
{
    if (fd >= 0) {
        (void)close(fd);
    }
}

static void
free_boot(struct boot *b)
{
    boot_standby_end(b); /* when it never came to serve */
    boot_doors_fini(b);
    close_fd(b->signal_fd);
    close_fd(b->wake_fd);
    gate_policy_unref(b->policy);
    boot_rooms_fini(&b->rooms);
    if (b->current != b->config) {
        config_free(b->current);
    }
    config_free(b->config);
    xfree(b);
}

/* The store is closed after the last submit and before the mailboxes that
 * its last letters lie in. */
static int
run(struct boot *b)
{
    int status;

    if (b->stopped) {
        boot_standby_stop(b);
        return CLI_OK;
    }
    status = init_shards(b);
    if (status == CLI_OK) {
        status = run_shards(b);
    }
    store_close(b->store);
    if (b->policy != NULL) {
        for (unsigned i = 0; i < b->shard_count; i++) {
            shard_fini(&b->shards[i]);
        }
    }
    return status;
}

int
boot_serve(const struct settings_request *request)
{
    int (*const steps[])(struct boot *) = {open_process, keep_dev_secret,
                                           open_port, open_store, run};
    struct config *c = settings_load(request);
    struct boot *b;
    int status;

    if (c == NULL) {
        return CLI_BAD_CONFIG;
    }
    metrics_thread_init();
    b = new_boot(request, c);
    status = boot_rooms_init(&b->rooms, c);
    for (size_t i = 0; status == CLI_OK && i < COUNT_OF(steps); i++) {
        status = steps[i](b);
    }
    if (status == CLI_OK || status == CLI_FORCED) {
        log_info(EVENT_STOP, "stopped", log_int("status", status));
    }
    free_boot(b);
    fetch_pool_forget();
    metrics_fini();
    return status;
}
