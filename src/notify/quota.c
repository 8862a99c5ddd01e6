/* SPDX-License-Identifier: MIT */
#include "notify/quota.h"

#include "base/list.h"
#include "base/map.h"
#include "base/xalloc.h"

#include <string.h>

struct entry {
    struct map_node node;
    struct list link; /* in quota->entries, the newest at the end */
    uint64_t at_ms[QUOTA_COUNT];
    unsigned count; /* let through in all; the last ones are in at_ms */
    struct str key; /* points behind the struct */
};

struct quota {
    struct map map;
    struct list entries;
};

static struct str
entry_key(const struct map_node *node)
{
    return CONTAINER_OF(node, struct entry, node)->key;
}

struct quota *
quota_new(void)
{
    struct quota *q = xcalloc(1, sizeof(*q));

    map_init(&q->map, entry_key);
    list_init(&q->entries);
    return q;
}

static void
forget(struct quota *q, struct entry *e)
{
    map_remove(&q->map, &e->node);
    list_remove(&e->link);
    xfree(e);
}

static struct entry *
oldest(struct quota *q)
{
    return CONTAINER_OF(q->entries.next, struct entry, link);
}

void
quota_free(struct quota *q)
{
    while (!list_empty(&q->entries)) {
        forget(q, oldest(q));
    }
    map_fini(&q->map);
    xfree(q);
}

static uint64_t
newest_ms(const struct entry *e)
{
    return e->at_ms[(e->count - 1) % QUOTA_COUNT];
}

static void
make_room(struct quota *q, uint64_t now_ms)
{
    while (!list_empty(&q->entries) &&
           (q->map.count == QUOTA_KEYS_MAX ||
            newest_ms(oldest(q)) + QUOTA_WINDOW_MS <= now_ms)) {
        forget(q, oldest(q));
    }
}

static struct entry *
get(struct quota *q, struct str key, uint64_t now_ms)
{
    struct map_node *node = map_find(&q->map, key);
    struct entry *e;

    if (node != NULL) {
        return CONTAINER_OF(node, struct entry, node);
    }
    make_room(q, now_ms);
    e = xcalloc(1, sizeof(*e) + key.n + 1);
    memcpy(e + 1, key.p, key.n);
    e->key = (struct str){(const char *)(e + 1), key.n};
    map_add(&q->map, &e->node);
    list_push_back(&q->entries, &e->link);
    return e;
}

bool
quota_take(struct quota *q, struct str key, uint64_t now_ms)
{
    struct entry *e = get(q, key, now_ms);
    uint64_t *at_ms = &e->at_ms[e->count % QUOTA_COUNT];

    if (e->count >= QUOTA_COUNT && *at_ms + QUOTA_WINDOW_MS > now_ms) {
        return false;
    }
    *at_ms = now_ms;
    e->count++;
    list_remove(&e->link);
    list_push_back(&q->entries, &e->link);
    return true;
}

size_t
quota_count(const struct quota *q)
{
    return q->map.count;
}
