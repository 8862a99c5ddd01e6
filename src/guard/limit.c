/* SPDX-License-Identifier: MIT */
/* GCRA over a table that is bounded and forgets the key that has been idle
 * longest: see limit.h. Entries lie in one array that grows to its maximum;
 * chains of the hash table and the list by last use are indices into it. */
#include "guard/limit.h"

#include "base/check.h"
#include "base/map.h"
#include "base/xalloc.h"

#define NONE UINT32_MAX

/* 32 bytes. Free entries are chained by next. */
struct entry {
    uint64_t hash;
    uint64_t full_ns; /* when the bucket is full again: GCRA's TAT */
    uint32_t next;    /* in its chain */
    uint32_t newer;   /* by last use */
    uint32_t older;
    bool used;
};

/* Invariants: every used entry is in exactly one chain and in the list by
 * use; used + free = room; slot_count is a power of two >= room. */
struct limit {
    uint64_t interval_ns;  /* between two, when the bucket is empty */
    uint64_t tolerance_ns; /* how far full_ns may be ahead of now */
    struct entry *entries;
    uint32_t *slots;
    size_t slot_count;
    size_t room;
    size_t max_keys;
    size_t count;
    uint32_t free;
    uint32_t newest;
    uint32_t oldest;
};

static void
set_figures(struct limit *l, uint64_t count, uint64_t window_ms,
            size_t max_keys)
{
    unsigned __int128 window_ns = (unsigned __int128)window_ms * 1000000;
    uint64_t interval;

    CHECK(count > 0 && window_ms > 0 && max_keys > 0 && max_keys < NONE);
    interval = (uint64_t)(window_ns / count);
    l->interval_ns = interval > 0 ? interval : 1;
    l->tolerance_ns = l->interval_ns * (count - 1);
    l->max_keys = max_keys;
}

struct limit *
limit_new(uint64_t count, uint64_t window_ms, size_t max_keys)
{
    struct limit *l = xcalloc(1, sizeof(*l));

    set_figures(l, count, window_ms, max_keys);
    l->free = l->newest = l->oldest = NONE;
    return l;
}

void
limit_free(struct limit *l)
{
    if (l != NULL) {
        xfree(l->entries);
        xfree(l->slots);
        xfree(l);
    }
}

size_t
limit_count(const struct limit *l)
{
    return l->count;
}

/* --- the list by last use ----------------------------------------------- */

static void
unlink_use(struct limit *l, const struct entry *e)
{
    uint32_t *of_newer =
        e->newer != NONE ? &l->entries[e->newer].older : &l->newest;
    uint32_t *of_older =
        e->older != NONE ? &l->entries[e->older].newer : &l->oldest;

    *of_newer = e->older;
    *of_older = e->newer;
}

static void
link_newest(struct limit *l, uint32_t at)
{
    struct entry *e = &l->entries[at];

    e->newer = NONE;
    e->older = l->newest;
    if (l->newest != NONE) {
        l->entries[l->newest].newer = at;
    } else {
        l->oldest = at;
    }
    l->newest = at;
}

/* --- the table ---------------------------------------------------------- */

static uint32_t *
slot_of(const struct limit *l, uint64_t hash)
{
    return &l->slots[hash & (l->slot_count - 1)];
}

static void
chain_all(struct limit *l)
{
    for (size_t i = 0; i < l->slot_count; i++) {
        l->slots[i] = NONE;
    }
    for (uint32_t i = 0; i < l->room; i++) {
        struct entry *e = &l->entries[i];
        uint32_t *head = e->used ? slot_of(l, e->hash) : &l->free;

        e->next = *head;
        *head = i;
    }
}

/* Every entry was used, and there may be more of them; now there are. By half
 * as many, so that a key never takes more than limit.h says. */
static void
grow(struct limit *l)
{
    size_t room = l->room > 0 ? l->room + l->room / 2 : 64;

    room = room < l->max_keys ? room : l->max_keys;
    l->entries = xrealloc(l->entries, room * sizeof(struct entry));
    for (size_t i = l->room; i < room; i++) {
        l->entries[i].used = false;
    }
    l->room = room;
    for (l->slot_count = 64; l->slot_count < room;) {
        l->slot_count *= 2;
    }
    xfree(l->slots);
    l->slots = xmalloc(l->slot_count * sizeof(uint32_t));
    chain_all(l);
}

static void
forget(struct limit *l, uint32_t at)
{
    struct entry *e = &l->entries[at];
    uint32_t *link = slot_of(l, e->hash);

    while (*link != at) {
        CHECK(*link != NONE);
        link = &l->entries[*link].next;
    }
    *link = e->next;
    unlink_use(l, e);
    e->used = false;
    e->next = l->free;
    l->free = at;
    l->count--;
}

static uint32_t
find(const struct limit *l, uint64_t hash)
{
    uint32_t at = l->slot_count > 0 ? *slot_of(l, hash) : NONE;

    while (at != NONE && l->entries[at].hash != hash) {
        at = l->entries[at].next;
    }
    return at;
}

static uint32_t
add(struct limit *l, uint64_t hash)
{
    uint32_t at, *slot;

    if (l->count >= l->max_keys) {
        forget(l, l->oldest);
    } else if (l->free == NONE) {
        grow(l);
    }
    at = l->free;
    l->free = l->entries[at].next;
    slot = slot_of(l, hash);
    l->entries[at] = (struct entry){.hash = hash, .next = *slot, .used = true};
    *slot = at;
    link_newest(l, at);
    l->count++;
    return at;
}

/* What e owes in questions stays the same; it is never more than the bucket
 * holds. */
static void
rescale(struct entry *e, const struct limit *l, uint64_t old_interval_ns,
        uint64_t now_ns)
{
    unsigned __int128 owed_ns;
    uint64_t most_ns = l->tolerance_ns + l->interval_ns;

    if (e->full_ns <= now_ns) {
        return;
    }
    owed_ns = (unsigned __int128)(e->full_ns - now_ns) * l->interval_ns /
              old_interval_ns;
    e->full_ns = now_ns + (owed_ns < most_ns ? (uint64_t)owed_ns : most_ns);
}

void
limit_set(struct limit *l, uint64_t count, uint64_t window_ms, size_t max_keys,
          uint64_t now_us)
{
    uint64_t old_interval_ns = l->interval_ns;

    set_figures(l, count, window_ms, max_keys);
    while (l->count > max_keys) {
        forget(l, l->oldest);
    }
    for (uint32_t i = 0; i < l->room; i++) {
        if (l->entries[i].used) {
            rescale(&l->entries[i], l, old_interval_ns, now_us * 1000);
        }
    }
}

static struct entry *
touch(struct limit *l, uint64_t hash)
{
    uint32_t at = find(l, hash);

    if (at == NONE) {
        at = add(l, hash);
    } else if (at != l->newest) {
        unlink_use(l, &l->entries[at]);
        link_newest(l, at);
    }
    return &l->entries[at];
}

bool
limit_check(struct limit *l, struct str key, uint64_t now_us,
            uint64_t *retry_after_ms)
{
    struct entry *e = touch(l, map_hash(key));
    uint64_t now_ns = now_us * 1000;
    uint64_t full_ns = e->full_ns > now_ns ? e->full_ns : now_ns;

    if (full_ns - now_ns > l->tolerance_ns) {
        if (retry_after_ms != NULL) {
            uint64_t wait_ns = full_ns - now_ns - l->tolerance_ns;

            *retry_after_ms = (wait_ns + 999999) / 1000000;
        }
        return false;
    }
    e->full_ns = full_ns + l->interval_ns;
    return true;
}

/* An empty table gives its memory back: a flood leaves nothing behind. */
static void
give_back(struct limit *l)
{
    xfree(l->entries);
    xfree(l->slots);
    l->entries = NULL;
    l->slots = NULL;
    l->room = l->slot_count = 0;
    l->free = l->newest = l->oldest = NONE;
}

size_t
limit_purge(struct limit *l, uint64_t now_us)
{
    size_t before = l->count;

    for (uint32_t i = 0; i < l->room; i++) {
        if (l->entries[i].used && l->entries[i].full_ns <= now_us * 1000) {
            forget(l, i);
        }
    }
    if (l->count == 0) {
        give_back(l);
    }
    return before - l->count;
}
