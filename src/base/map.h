/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_BASE_MAP_H
#define CHATBOX_BASE_MAP_H

#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

/* A hash map from byte strings to objects that carry their own node: no
 * allocation per entry, 24 bytes in the object. Keys are hashed with SipHash
 * (Aumasson and Bernstein, 2012; here with 1 and 3 rounds) under a random key
 * of the process, so a stranger who chooses user ids cannot build collisions.
 * Not thread-safe: one shard owns a map. */
struct map_node {
    struct map_node *next;
    uint64_t hash;
};

struct map {
    struct map_node **slots; /* a power of two of them, or NULL */
    size_t slot_count;
    size_t count;
    struct str (*key_of)(const struct map_node *);
};

/* key_of gives the key of an object; it must not change while in the map. */
void map_init(struct map *m, struct str (*key_of)(const struct map_node *));

/* Frees the table, not the objects. */
void map_fini(struct map *m);

/* NULL when absent. Borrows key. */
struct map_node *map_find(const struct map *m, struct str key);

/* The key must be absent. The object stays the caller's. */
void map_add(struct map *m, struct map_node *node);

/* The node must be in the map. */
void map_remove(struct map *m, struct map_node *node);

/* Calls fn for each node; fn may remove (and free) the one it is given. */
void map_each(struct map *m, void (*fn)(struct map_node *, void *), void *arg);

/* The keyed hash itself; also decides which shard owns a user. */
uint64_t map_hash(struct str key);

#endif
