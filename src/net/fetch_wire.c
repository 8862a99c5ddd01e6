/* SPDX-License-Identifier: MIT */
/* A connection that libcurl has opened and that we read and write ourselves,
 * or that waits for the next request to the same place. libcurl's socket is
 * duplicated, so that nothing of libcurl outlives the connecting. */
#include "base/xalloc.h"
#include "net/fetch_internal.h"
#include "net/sys.h"

#include <string.h>
#include <unistd.h>

/* How long a connection without a request is kept; providers close theirs
 * after one to five minutes. */
#define IDLE_MS 60000

static void
on_closed(uv_handle_t *handle)
{
    xfree(CONTAINER_OF((uv_poll_t *)handle, struct fetch_wire, poll));
}

void
fetch_wire_close(struct fetch_wire *w)
{
    struct fetch_pool *pool = w->pool;
    int fd = w->fd;

    if (w->user == NULL) {
        list_remove(&w->link);
        pool->idle_count--;
    }
    timer_cancel(&pool->shard->timers, &w->timer);
    xfree(w->origin);
    shard_close_handle(pool->shard, (uv_handle_t *)&w->poll, on_closed);
    (void)close(fd);
}

static void
on_idle_time(struct timer *t)
{
    fetch_wire_close(CONTAINER_OF(t, struct fetch_wire, timer));
}

static void
on_ready(uv_poll_t *poll, int status, int events)
{
    struct fetch_wire *w = CONTAINER_OF(poll, struct fetch_wire, poll);

    if (status < 0) {
        w->events = 0; /* libuv stopped watching */
        events = 0;
    }
    if (w->user == NULL) {
        fetch_wire_close(w); /* closed, or it speaks without being asked */
    } else if (w->user->mail != NULL) {
        fetch_mail_ready(w->user, events);
    } else {
        fetch_plain_ready(w->user, events);
    }
}

void
fetch_wire_watch(struct fetch_wire *w, int events)
{
    if (w->events == events) {
        return;
    }
    w->events = events;
    if (events == 0) {
        CHECK(uv_poll_stop(&w->poll) == 0);
    } else {
        CHECK(uv_poll_start(&w->poll, events, on_ready) == 0);
    }
}

struct fetch_wire *
fetch_wire_take_over(struct fetch *f, CURL *easy, const char *origin)
{
    curl_socket_t theirs = CURL_SOCKET_BAD;
    struct fetch_wire *w;
    int fd;

    if (curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &theirs) != CURLE_OK ||
        theirs == CURL_SOCKET_BAD) {
        return NULL;
    }
    fd = sys_dup(theirs);
    if (fd < 0) {
        return NULL;
    }
    w = xcalloc(1, sizeof(*w));
    if (uv_poll_init_socket(&f->pool->shard->loop, &w->poll, fd) != 0) {
        (void)close(fd);
        xfree(w);
        return NULL;
    }
    w->pool = f->pool;
    w->user = f;
    w->fd = fd;
    w->origin = xstrdup(origin);
    timer_init(&w->timer, on_idle_time);
    return w;
}

void
fetch_wire_keep(struct fetch_wire *w)
{
    struct fetch_pool *pool = w->pool;

    if (pool->idle_count == FETCH_IDLE_MAX) {
        fetch_wire_close(
            CONTAINER_OF(pool->idle.next, struct fetch_wire, link));
    }
    w->user = NULL;
    list_push_back(&pool->idle, &w->link);
    pool->idle_count++;
    timer_start(&pool->shard->timers, &w->timer, IDLE_MS);
    fetch_wire_watch(w, UV_READABLE);
}

/* Takes w from among the idle ones. */
static void
take(struct fetch_wire *w, struct fetch *f)
{
    list_remove(&w->link);
    w->pool->idle_count--;
    timer_cancel(&w->pool->shard->timers, &w->timer);
    w->user = f;
}

struct fetch_wire *
fetch_wire_kept(struct fetch *f, const char *origin)
{
    struct list *idle = &f->pool->idle;

    for (struct list *l = idle->prev; l != idle;) {
        struct fetch_wire *w = CONTAINER_OF(l, struct fetch_wire, link);

        l = l->prev;
        if (strcmp(w->origin, origin) != 0) {
            continue;
        }
        if (sys_is_silent(w->fd)) {
            take(w, f);
            return w;
        }
        /* What came unasked since the last turn of the loop would be read as
         * the answer to f. */
        fetch_wire_close(w);
    }
    return NULL;
}
