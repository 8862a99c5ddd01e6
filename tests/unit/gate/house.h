/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_TESTS_GATE_HOUSE_H
#define CHATBOX_TESTS_GATE_HOUSE_H

/* A shard whose loop the test turns itself, with net, a real store, chat and
 * the gate on it, and tokens of its users. */
#include "base/log.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "chat/chat.h"
#include "gate/gate.h"
#include "gate/gate_state.h"
#include "guard/token.h"
#include "loop/shard.h"
#include "net/net.h"
#include "store/store.h"
#include "upload/upload.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* Nobody has a file. */
static const struct upload no_uploads = {.shelf = {.folder = "/nowhere"},
                                         .key = {"0123456789abcdef", 16},
                                         .prefix = "/chatbox/files/"};

#define SECRET "k3V9xQ2mZ7bT4nW8rY1cL6hJ5gF0dSzP"

/* --- the provider: one word, again and again ---------------------------- */

struct saying {
    size_t left;
};

static size_t words_to_say = 2;

static void *
echo_begin(const struct provider_config *config,
           const struct provider_turn *turn)
{
    struct saying *s = xcalloc(1, sizeof(*s));

    (void)config;
    (void)turn;
    s->left = words_to_say + 1;
    return s;
}

static void
echo_next(void *state, struct provider_event *event, uint64_t *delay_ms)
{
    struct saying *s = state;

    *delay_ms = 0;
    *event = (struct provider_event){.kind = PROVIDER_DONE};
    if (s->left > 1) {
        event->kind = PROVIDER_DELTA;
        event->text = STR("word ");
    } else if (s->left == 1) {
        event->kind = PROVIDER_FINISH;
    }
    s->left -= s->left > 0;
}

static void
echo_close(void *state)
{
    xfree(state);
}

static const struct provider_ops echo_ops = {.type = "demo",
                                             .begin = echo_begin,
                                             .next = echo_next,
                                             .close = echo_close};

static const struct provider_config providers[] = {
    {.ops = &echo_ops, .id = "m1", .name = "Model One", .model = "m1"},
    {.ops = &echo_ops, .id = "m2", .name = "Model Two", .model = "m2"},
};

/* --- the house ---------------------------------------------------------- */

struct house {
    struct shard shard;
    struct net_settings net;
    struct store *store;
    struct chat_settings chat;
    struct chat_population population;
    struct gate_policy *policy; /* the first; borrowed from the gate */
    struct gate_settings gate;
    struct gate_network proxies[2];
    struct gate_network networks[2];
    struct token_rules rules;
    struct gate_limit limit; /* of every bucket */
    uint64_t limit_cleanup_interval_ms;
    size_t connections_per_user;
    size_t max_connections;
    atomic_size_t websockets;
    atomic_bool draining;
    atomic_bool closing;
    const char *ws_origins[4];
    const char *cors_origins[4];
    char dir[64];
};

static const char *const admin_roles[] = {"admin", NULL};

static inline struct origin_list *
make_origins(const char *const *items)
{
    struct str list[4];
    size_t n = 0;

    while (n < 4 && items[n] != NULL) {
        list[n] = str_from(items[n]);
        n++;
    }
    return origin_list_new(list, n);
}

static inline struct gate_policy *
make_policy(const struct house *h)
{
    struct gate_policy *p = xcalloc(1, sizeof(*p));

    atomic_init(&p->refs, 1);
    p->ws_origins = make_origins(h->ws_origins);
    p->cors_origins = make_origins(h->cors_origins);
    p->connections_per_user = h->connections_per_user;
    p->max_connections = h->max_connections;
    p->public_limit = p->user_limit = p->admin_limit = p->failure_limit =
        h->limit;
    p->limit_max_keys = 1000;
    p->limit_cleanup_interval_ms = h->limit_cleanup_interval_ms;
    gate_policy_fill(p, NULL);
    return p;
}

/* An IPv4 network as settings give it. */
static inline struct gate_network
make_network(const char *address, unsigned bits)
{
    struct gate_network n = {.bits = 96 + bits};

    n.address[10] = n.address[11] = 0xff;
    assert_int_equal(inet_pton(AF_INET, address, n.address + 12), 1);
    return n;
}

/* Settings that a test may change before house_start. */
static inline void
house_prepare(struct house *h)
{
    memset(h, 0, sizeof(*h));
    words_to_say = 2;
    h->limit = (struct gate_limit){100000, 60000};
    h->limit_cleanup_interval_ms = 60000;
    h->connections_per_user = 10;
    h->max_connections = 1000;
    h->rules = (struct token_rules){
        .require_exp = true, .leeway_ms = 30000, .admin_roles = admin_roles};
    h->networks[0] = make_network("127.0.0.0", 8);
    h->chat = (struct chat_settings){
        .population = &h->population,
        .max_content_chars = 1000,
        .reconnect_timeout_ms = 60000,
        .session_ttl_ms = 60000,
        .cleanup_interval_ms = 1000,
        .warn_count = 1000,
        .resume_max_events = 100,
        .message_limit = 1000,
        .message_window_ms = 1000,
        .limit_max_keys = 1000,
        .limit_cleanup_interval_ms = 1000,
        .upload = &no_uploads,
        .providers = providers,
        .provider_count = 2,
        .system_prompt = "",
        .context_tokens = 1000,
        .stream_timeout_ms = 10000,
        .retry_attempts = 1,
        .retry_delay_ms = 10,
        .retry_max_delay_ms = 10,
        .max_answer_bytes = 1 << 20,
    };
    h->gate = (struct gate_settings){
        .path_prefix = "/chatbox",
        .trusted_proxies = h->proxies,
        .metrics_networks = h->networks,
        .metrics_network_count = 1,
        .token_rules = &h->rules,
        .admin_roles = admin_roles,
        .token_in_query = true,
        .max_message_bytes = 1 << 20,
        .upload = &no_uploads,
        .output_limit_bytes = 1 << 20,
        .ping_period_ms = 54000,
        .pong_wait_ms = 60000,
        .shard_count = 1,
    };
}

static inline void
house_open_store(struct house *h)
{
    struct store_settings settings = {
        .data_dir = h->dir, .queue_max = 10000, .readers = 1};
    char why[512];

    snprintf(h->dir, sizeof(h->dir), "/tmp/chatbox-gate-XXXXXX");
    assert_non_null(mkdtemp(h->dir));
    if (store_open(&settings, &h->store, why, sizeof(why)) != ERR_OK) {
        fail_msg("%s", why);
    }
}

static inline void
house_start(struct house *h)
{
    struct gate_settings *g = &h->gate;

    log_set_level(LOG_ERROR);
    metrics_thread_init();
    house_open_store(h);
    g->keys = token_keys_secret(STR(SECRET));
    g->store = h->store;
    g->shards = &h->shard;
    g->websockets = &h->websockets;
    g->draining = &h->draining;
    g->closing = &h->closing;
    h->net.output_limit_bytes = 1 << 20;
    assert_int_equal(shard_init(&h->shard, 0), ERR_OK);
    assert_int_equal(net_init(&h->shard, &h->net), ERR_OK);
    assert_int_equal(chat_init(&h->shard, &h->chat, h->store), ERR_OK);
    h->policy = make_policy(h);
    assert_int_equal(gate_init(&h->shard, g, h->policy), ERR_OK);
}

static inline void
house_open(struct house *h)
{
    house_prepare(h);
    house_start(h);
}

static inline void
house_turn(struct house *h)
{
    (void)uv_run(&h->shard.loop, UV_RUN_NOWAIT);
}

/* Turns the loop until it is so; a minute at the most. */
#define WAIT_FOR(h, what)                                                      \
    do {                                                                       \
        time_t give_up_ = time(NULL) + 60;                                     \
                                                                               \
        while (!(what)) {                                                      \
            house_turn(h);                                                     \
            if (time(NULL) > give_up_) {                                       \
                fail_msg("never came true: %s", #what);                        \
            }                                                                  \
        }                                                                      \
    } while (0)

static void
on_skipped(struct timer *t)
{
    (void)t;
}

/* For the timers of this shard ms pass at once. */
static inline void
house_skip(struct house *h, uint64_t ms)
{
    struct timers *ts = &h->shard.timers;
    struct timer now;

    uv_update_time(&h->shard.loop);
    for (size_t i = 1; i <= ts->count; i++) {
        uint64_t at = ts->heap[i]->at_ms;

        ts->heap[i]->at_ms = at > ms ? at - ms : 0;
    }
    timer_init(&now, on_skipped);
    timer_start(ts, &now, 0);
    WAIT_FOR(h, !timer_armed(&now));
}

static inline void
house_remove(const struct house *h)
{
    static const char *const names[] = {"/chatbox.db", "/chatbox.db-wal",
                                        "/chatbox.db-shm"};
    char path[128];

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(path, sizeof(path), "%s%s", h->dir, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(h->dir);
}

/* Everything must have been let go by now, but for connections and what was
 * begun. */
static inline void
house_close(struct house *h)
{
    (void)gate_abort_all(&h->shard);
    WAIT_FOR(h, net_conn_count(&h->shard) == 0 &&
                    list_empty(&h->shard.gate->requests) &&
                    chat_turns(h->shard.chat) == 0);
    assert_int_equal(atomic_load(&h->websockets), 0);
    store_close(h->store);
    for (int i = 0; i < 20; i++) {
        house_turn(h);
    }
    gate_fini(&h->shard);
    chat_fini(&h->shard);
    net_fini(&h->shard);
    shard_fini(&h->shard);
    token_keys_free(h->gate.keys);
    house_remove(h);
    metrics_fini();
}

/* --- tokens ------------------------------------------------------------- */

/* Gives. */
static inline char *
make_token(const char *user, const char *role, int64_t expires_s)
{
    const char *roles[] = {role, NULL};
    struct token_claims claims = {.user_id = user,
                                  .roles = roles,
                                  .issued_s = (int64_t)time(NULL) - 100,
                                  .expires_s = expires_s};
    struct buf b;

    buf_init(&b, 8192);
    token_sign_hs256(STR(SECRET), &claims, &b);
    return buf_give(&b);
}

static inline char *
token_of(const char *user)
{
    return make_token(user, NULL, (int64_t)time(NULL) + 3600);
}

#endif
