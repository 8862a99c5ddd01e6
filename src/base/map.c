/* SPDX-License-Identifier: MIT */
/* Chained hash table with intrusive nodes; see map.h. */
#include "base/map.h"

#include "base/check.h"
#include "base/rand.h"
#include "base/xalloc.h"

#include <endian.h>
#include <string.h>

#define ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))

static void
sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = ROTL(v[1], 13) ^ v[0];
    v[0] = ROTL(v[0], 32);
    v[2] += v[3];
    v[3] = ROTL(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = ROTL(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = ROTL(v[1], 17) ^ v[2];
    v[2] = ROTL(v[2], 32);
}

static uint64_t
sip_last_word(struct str s)
{
    uint64_t word = (uint64_t)s.n << 56;

    for (size_t i = 0; i < s.n % 8; i++) {
        word |= (uint64_t)(unsigned char)s.p[(s.n & ~(size_t)7) + i] << (8 * i);
    }
    return word;
}

static void
sip_absorb(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
}

uint64_t
map_hash(struct str s)
{
    const uint64_t *key = rand_process_key();
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
                     key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573};

    for (size_t i = 0; i + 8 <= s.n; i += 8) {
        uint64_t word;

        memcpy(&word, s.p + i, 8);
        sip_absorb(v, le64toh(word));
    }
    sip_absorb(v, sip_last_word(s));
    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void
map_init(struct map *m, struct str (*key_of)(const struct map_node *))
{
    *m = (struct map){.key_of = key_of};
}

void
map_fini(struct map *m)
{
    xfree(m->slots);
    *m = (struct map){.key_of = m->key_of};
}

struct map_node *
map_find(const struct map *m, struct str key)
{
    uint64_t hash = map_hash(key);
    struct map_node *node;

    if (m->count == 0) {
        return NULL;
    }
    for (node = m->slots[hash & (m->slot_count - 1)]; node != NULL;
         node = node->next) {
        if (node->hash == hash && str_eq(m->key_of(node), key)) {
            return node;
        }
    }
    return NULL;
}

static void
push(struct map *m, struct map_node *node)
{
    struct map_node **slot = &m->slots[node->hash & (m->slot_count - 1)];

    node->next = *slot;
    *slot = node;
}

static void
grow(struct map *m)
{
    struct map_node **old = m->slots;
    size_t old_count = m->slot_count;

    m->slot_count = old_count > 0 ? old_count * 2 : 16;
    m->slots = xcalloc(m->slot_count, sizeof(struct map_node *));
    for (size_t i = 0; i < old_count; i++) {
        struct map_node *node = old[i];

        while (node != NULL) {
            struct map_node *next = node->next;

            push(m, node);
            node = next;
        }
    }
    xfree(old);
}

void
map_add(struct map *m, struct map_node *node)
{
    if (m->count >= m->slot_count) {
        grow(m);
    }
    node->hash = map_hash(m->key_of(node));
    push(m, node);
    m->count++;
}

void
map_remove(struct map *m, struct map_node *node)
{
    struct map_node **at;

    CHECK(m->count > 0);
    at = &m->slots[node->hash & (m->slot_count - 1)];
    while (*at != node) {
        CHECK(*at != NULL);
        at = &(*at)->next;
    }
    *at = node->next;
    node->next = NULL;
    m->count--;
}

void
map_each(struct map *m, void (*fn)(struct map_node *, void *), void *arg)
{
    for (size_t i = 0; i < m->slot_count; i++) {
        struct map_node *node = m->slots[i];

        while (node != NULL) {
            struct map_node *next = node->next;

            fn(node, arg);
            node = next;
        }
    }
}
