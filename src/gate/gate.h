/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_GATE_H
#define CHATBOX_GATE_GATE_H

#include "base/err.h"
#include "base/str.h"
#include "guard/limit_shared.h"
#include "guard/origin.h"
#include "guard/token.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The room's door: turns connections into users and requests into answers.
 * One gate per shard, hung into shard->gate. */
struct chat_settings;
struct conn;
struct gate;
struct shard;
struct store;
struct upload;

/* A network in CIDR form; an IPv4 one is kept as IPv4-mapped IPv6. */
struct gate_network {
    unsigned char address[16];
    unsigned bits;
};

struct gate_limit {
    uint64_t count;
    uint64_t window_ms;
};

/* What can change while running. Immutable itself but for the tables of
 * addresses, which all gates count in: a reload makes a new one and sends it to
 * every gate by letter. Owns what it points to. */
struct gate_policy {
    atomic_int refs;
    struct origin_list *ws_origins;
    struct origin_list *cors_origins; /* empty: CORS is off */
    size_t connections_per_user;
    size_t max_connections; /* WebSockets of the process */
    struct gate_limit public_limit;
    struct gate_limit user_limit;
    struct gate_limit admin_limit;
    struct gate_limit failure_limit;
    size_t limit_max_keys;
    uint64_t limit_cleanup_interval_ms;
    struct limit_shared *public_addresses;  /* public routes */
    struct limit_shared *probe_addresses;   /* healthz, readyz */
    struct limit_shared *failure_addresses; /* refused authentications */
};

/* Immutable; alive until every gate is freed. */
struct gate_settings {
    const char *path_prefix; /* "/chatbox"; "" for none */
    const struct gate_network *trusted_proxies;
    size_t trusted_proxy_count;
    const struct gate_network *metrics_networks;
    size_t metrics_network_count;
    struct token_keys *keys; /* NULL: jwks_url */
    const char *jwks_url;    /* NULL: keys */
    const char *jwks_ca;     /* PEM file; NULL or "": the system's */
    const struct token_rules *token_rules;
    const char *const *admin_roles; /* NULL at the end */
    bool token_in_query;
    bool tls; /* we speak TLS ourselves: our own scheme is https */
    size_t max_message_bytes;
    size_t max_request_bytes; /* at the OpenAI door */
    const struct upload *upload;
    size_t output_limit_bytes;
    uint64_t ping_period_ms;
    uint64_t pong_wait_ms;
    struct store *store;
    struct shard *shards; /* all of them, for handing over */
    unsigned shard_count;
    atomic_uint *keyed_shards; /* those that have a key set; for jwks_url */
    atomic_size_t *websockets; /* of the process; the one shared counter */
    atomic_bool *draining;     /* readiness is 503, upgrades still pass */
    atomic_bool *closing;      /* upgrades are refused with 503 */
};

/* policy: takes one reference. */
enum err gate_init(struct shard *s, const struct gate_settings *settings,
                   struct gate_policy *policy) MUST_CHECK;
void gate_fini(struct shard *s);

/* For listener_start: a new connection. */
void gate_on_accept(struct shard *s, struct conn *c, void *cookie);

/* Any thread: the gate uses it from the letter's arrival on, and its limits by
 * user keep what was used of them; takes one reference. */
void gate_set_policy(struct shard *s, struct gate_policy *policy);
void gate_policy_unref(struct gate_policy *policy); /* NULL is fine */

/* The policy's tables of addresses, by its figures; they go on from those of
 * before (may be NULL). Any thread, before others know the policy. */
void gate_policy_fill(struct gate_policy *policy,
                      const struct gate_policy *before);

/* Shutdown, on the shard's thread. No more keep-alive: idle HTTP connections
 * are closed, others after their answer. */
void gate_drain(struct shard *s);

/* Tells every WebSocket code (1001, 1012) with reason and closes what remains
 * of HTTP; on_empty runs once, when no connection is left. */
void gate_close_all(struct shard *s, int code, const char *reason,
                    void (*on_empty)(void *cookie), void *cookie);

/* Aborts what is left; returns how many connections still had something to
 * send (peers that merely never answered the close frame do not count). */
size_t gate_abort_all(struct shard *s);

#endif
