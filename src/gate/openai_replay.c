/* SPDX-License-Identifier: MIT */
/* An answer with a key is a log of bytes with followers: each request that has
 * come for it, with how far it has got. Neighbours: openai_door.c fills it. */
#include "gate/openai_replay.h"

#include "base/map.h"
#include "base/xalloc.h"
#include "chat/chat.h"
#include "gate/gate_state.h"
#include "gate/http.h"
#include "gate/reply.h"
#include "gate/routes.h"
#include "guard/pseudonym.h"
#include "loop/shard.h"
#include "store/secret.h"

#include <string.h>

struct replays {
    struct gate *gate;
    struct map map;    /* of replays, by user and key */
    struct list ended; /* those that are kept, oldest end first */
    struct list running;
    size_t bytes;
};

struct replay {
    struct map_node node;
    struct list link; /* replays->ended or running */
    struct replays *all;
    struct list followers;
    struct buf log; /* events, or the whole JSON */
    uint64_t events;
    uint64_t ended_ms;
    void (*stop)(void *owner);
    void *owner;
    int status; /* of a whole answer; 0: events */
    bool ended;
    bool forgotten; /* not in the map; it goes with its last follower */
    char body[PSEUDONYM_CHARS + 1]; /* what it answers, as a digest */
    struct str key;
    char bytes[];
};

struct follower {
    struct list link;
    struct replay *replay;
    struct request *r;
    size_t at; /* of the log, how much it has */
    bool begun;
    bool waits;
};

/* --- keys --------------------------------------------------------------- */

static struct str
key_of(const struct map_node *node)
{
    return CONTAINER_OF(node, const struct replay, node)->key;
}

/* No user id has a line end in it. */
static void
put_key(struct buf *out, const struct request *r, struct str key)
{
    buf_init(out, HTTP1_HEAD_MAX);
    buf_puts(out, r->identity->user_id);
    buf_putc(out, '\n');
    buf_put_str(out, key);
}

static void
digest(const struct request *r, char out[static PSEUDONYM_CHARS + 1])
{
    struct str secret = store_secret(r->gate->settings->store);

    pseudonym_make(secret, str_from(r->route->pattern), buf_str(&r->body), out);
}

/* --- their life --------------------------------------------------------- */

struct replays *
openai_replay_open(struct gate *g)
{
    struct replays *all = xcalloc(1, sizeof(*all));

    all->gate = g;
    map_init(&all->map, key_of);
    list_init(&all->ended);
    list_init(&all->running);
    return all;
}

static void
replay_free(struct replay *p)
{
    p->all->bytes -= p->log.n;
    if (!p->forgotten) {
        map_remove(&p->all->map, &p->node);
    }
    list_remove(&p->link);
    buf_fini(&p->log);
    xfree(p);
}

static void
free_forgotten(struct replay *p)
{
    if (p->forgotten && list_empty(&p->followers)) {
        replay_free(p);
    }
}

static struct replay *
replay_at(struct list *link)
{
    return CONTAINER_OF(link, struct replay, link);
}

void
openai_replay_close(struct replays *all)
{
    while (!list_empty(&all->running)) {
        struct replay *p = replay_at(all->running.next);

        p->stop(p->owner);
        CHECK(list_empty(&p->followers));
        replay_free(p);
    }
    while (!list_empty(&all->ended)) {
        replay_free(replay_at(all->ended.next));
    }
    map_fini(&all->map);
    xfree(all);
}

static bool
is_over(const struct replays *all, const struct replay *p)
{
    uint64_t now = shard_now_ms(all->gate->shard);

    return list_empty(&p->followers) &&
           (p->ended_ms + REPLAY_KEEP_MS <= now ||
            all->map.count > REPLAY_COUNT || all->bytes > REPLAY_BYTES);
}

static void
purge(struct replays *all)
{
    LIST_FOREACH (it, &all->ended) {
        if (!is_over(all, replay_at(it))) {
            return;
        }
        replay_free(replay_at(it));
    }
}

struct replay *
openai_replay_find(struct replays *all, const struct request *r, struct str key,
                   bool *same)
{
    char body[PSEUDONYM_CHARS + 1];
    struct map_node *node;
    struct replay *p = NULL;
    struct buf name;

    purge(all);
    put_key(&name, r, key);
    node = map_find(&all->map, buf_str(&name));
    if (node != NULL) {
        p = CONTAINER_OF(node, struct replay, node);
        digest(r, body);
        *same = strcmp(body, p->body) == 0;
    }
    buf_fini(&name);
    return p;
}

struct replay *
openai_replay_begin(struct replays *all, struct request *r, struct str key,
                    void (*stop)(void *owner), void *owner)
{
    size_t max = chat_settings_of(r->gate->shard)->max_answer_bytes;
    struct replay *p;
    struct buf name;

    if (all->map.count >= REPLAY_COUNT || all->bytes >= REPLAY_BYTES) {
        return NULL;
    }
    put_key(&name, r, key);
    p = xcalloc(1, sizeof(*p) + name.n);
    memcpy(p->bytes, name.p, name.n);
    p->key = (struct str){p->bytes, name.n};
    buf_fini(&name);
    p->all = all;
    p->stop = stop;
    p->owner = owner;
    digest(r, p->body);
    list_init(&p->followers);
    buf_init(&p->log, 16 * max + HTTP1_HEAD_MAX);
    list_push_back(&all->running, &p->link);
    map_add(&all->map, &p->node);
    return p;
}

/* --- followers ---------------------------------------------------------- */

static void
leave(struct follower *f)
{
    f->r->on_gone = NULL;
    f->r->go_on = NULL;
    list_remove(&f->link);
    xfree(f);
}

static void
on_gone(struct request *r)
{
    struct follower *f = r->parts;
    struct replay *p = f->replay;

    leave(f);
    free_forgotten(p);
    http_cut(r);
}

static void pump(struct follower *f);

static void
on_room(struct request *r)
{
    struct follower *f = r->parts;
    struct replay *p = f->replay;

    f->waits = false;
    pump(f);
    free_forgotten(p);
}

/* What it has not got yet; nothing before there is anything. */
static enum err
send_events(struct follower *f)
{
    struct str rest = str_from_at(buf_str(&f->replay->log), f->at);
    enum err e = ERR_OK;

    if (!f->begun && f->replay->log.n > 0) {
        f->begun = true;
        e = reply_begin_events(f->r);
    }
    if (e == ERR_OK && f->begun) {
        f->at += rest.n;
        e = reply_part(f->r, rest);
    }
    return e;
}

static void
pump(struct follower *f)
{
    const struct replay *p = f->replay;
    struct request *r = f->r;

    if (f->waits) {
        return;
    }
    if (send_events(f) == ERR_OK && http_wait(r, on_room)) {
        f->waits = true;
    } else if (p->ended) {
        leave(f);
        reply_end(r);
    }
}

static void
pump_all(struct replay *p)
{
    LIST_FOREACH (it, &p->followers) {
        pump(CONTAINER_OF(it, struct follower, link));
    }
}

/* Where the events behind number after begin. */
static bool
find_event(const struct replay *p, uint64_t after, size_t *at_out)
{
    struct str log = buf_str(&p->log);
    size_t at = 0;

    for (; after > 0; after--) {
        const char *end = memmem(log.p + at, log.n - at, "\n\n", 2);

        if (end == NULL) {
            return false;
        }
        at = (size_t)(end - log.p) + 2;
    }
    *at_out = at;
    return true;
}

bool
openai_replay_follow(struct replay *p, struct request *r, uint64_t after)
{
    struct follower *f;
    size_t at = 0;

    if (after > p->events || !find_event(p, after, &at)) {
        return false;
    }
    if (p->ended && p->status > 0) {
        reply_json(r, p->status, buf_str(&p->log));
        return true;
    }
    f = xcalloc(1, sizeof(*f));
    f->replay = p;
    f->r = r;
    f->at = at;
    list_push_back(&p->followers, &f->link);
    r->parts = f;
    http_watch(r, on_gone);
    pump(f);
    return true;
}

/* --- the owner ---------------------------------------------------------- */

void
openai_replay_restart(struct replay *p)
{
    CHECK(p->log.n == 0);
    p->events = 0;
}

uint64_t
openai_replay_next(struct replay *p)
{
    return ++p->events;
}

void
openai_replay_events(struct replay *p, struct str events)
{
    size_t before = p->log.n;

    buf_put_str(&p->log, events);
    p->all->bytes += p->log.n - before;
    pump_all(p);
}

static void
keep(struct replay *p)
{
    p->ended_ms = shard_now_ms(p->all->gate->shard);
    list_remove(&p->link);
    list_push_back(&p->all->ended, &p->link);
}

void
openai_replay_end(struct replay *p, bool kept)
{
    p->ended = true;
    keep(p);
    if (!kept) {
        map_remove(&p->all->map, &p->node);
        p->forgotten = true;
    }
    pump_all(p);
    free_forgotten(p);
}

void
openai_replay_whole(struct replay *p, int status, struct str json,
                    int64_t wait_ms)
{
    p->ended = true;
    p->status = status;
    LIST_FOREACH (it, &p->followers) {
        struct follower *f = CONTAINER_OF(it, struct follower, link);
        struct request *r = f->r;

        leave(f);
        reply_json_after(r, status, json, wait_ms);
    }
    if (status == 200) {
        buf_put_str(&p->log, json);
        p->all->bytes += p->log.n;
        keep(p);
    } else {
        replay_free(p);
    }
}
