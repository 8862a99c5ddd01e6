/* SPDX-License-Identifier: MIT */
/* libcurl's multi handle on the shard's loop: libcurl says which descriptors
 * and which time it waits for, we say when they are ready. */
#include "base/xalloc.h"
#include "net/fetch_internal.h"
#include "net/sys.h"

#include <signal.h>
#include <unistd.h>

/* A duplicate is watched: a socket that never connected is closed by libcurl
 * 7.88 before it says so, and then its number may be another shard's. */
struct watch {
    uv_poll_t poll;
    struct fetch_pool *pool;
    curl_socket_t fd; /* libcurl's name of it */
    int own_fd;
    int events;
    bool closed;
};

static void
read_results(struct fetch_pool *pool)
{
    CURLMsg *m;
    int left;

    while ((m = curl_multi_info_read(pool->multi, &left)) != NULL) {
        char *f;

        if (m->msg == CURLMSG_DONE) {
            CURLcode result = m->data.result;

            CHECK(curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &f) ==
                  CURLE_OK);
            fetch_complete((struct fetch *)(void *)f, result);
        }
    }
}

static void
act(struct fetch_pool *pool, curl_socket_t fd, int ready)
{
    int running;

    /* Also of lack of memory: libcurl 7.88 leaves a table without slots behind
     * then, and its next use of that socket would divide by nought. */
    CHECK(curl_multi_socket_action(pool->multi, fd, ready, &running) ==
          CURLM_OK);
    read_results(pool);
}

static void
on_ready(uv_poll_t *poll, int status, int events)
{
    struct watch *w = CONTAINER_OF(poll, struct watch, poll);
    int ready = 0;

    if (status < 0) {
        /* What came before the error is still there to be read. */
        ready = CURL_CSELECT_IN | CURL_CSELECT_ERR;
    }
    if ((events & UV_READABLE) != 0) {
        ready |= CURL_CSELECT_IN;
    }
    if ((events & UV_WRITABLE) != 0) {
        ready |= CURL_CSELECT_OUT;
    }
    act(w->pool, w->fd, ready);
    if (status < 0 && !w->closed) {
        /* libuv stopped watching; libcurl has not given up the socket. */
        CHECK(uv_poll_start(&w->poll, w->events, on_ready) == 0);
    }
}

static void
on_closed(uv_handle_t *handle)
{
    xfree(CONTAINER_OF((uv_poll_t *)handle, struct watch, poll));
}

static void
unwatch(struct fetch_pool *pool, struct watch *w)
{
    int fd;

    if (w == NULL) {
        return;
    }
    fd = w->own_fd;
    w->closed = true;
    (void)curl_multi_assign(pool->multi, w->fd, NULL);
    if (!pool->shard->ended) {
        CHECK(uv_poll_stop(&w->poll) == 0);
    }
    shard_close_handle(pool->shard, (uv_handle_t *)&w->poll, on_closed);
    (void)close(fd);
}

static struct watch *
new_watch(struct fetch_pool *pool, curl_socket_t fd)
{
    int own_fd = sys_dup(fd);
    struct watch *w;

    if (own_fd < 0) {
        return NULL;
    }
    w = xcalloc(1, sizeof(*w));
    w->pool = pool;
    w->fd = fd;
    w->own_fd = own_fd;
    if (uv_poll_init_socket(&pool->shard->loop, &w->poll, own_fd) != 0) {
        (void)close(own_fd);
        xfree(w);
        return NULL;
    }
    CHECK(curl_multi_assign(pool->multi, fd, w) == CURLM_OK);
    return w;
}

/* A socket that the loop will not watch (no descriptor, no memory for epoll)
 * runs into its transfer's time limit; telling libcurl would end every other
 * transfer too.
 */
static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *fd_arg)
{
    struct fetch_pool *pool = arg;
    struct watch *w = fd_arg;

    (void)easy;
    if (what == CURL_POLL_REMOVE || pool->shard->ended) {
        unwatch(pool, w);
        return 0;
    }
    if (w == NULL) {
        w = new_watch(pool, fd);
        if (w == NULL) {
            return 0;
        }
    }
    w->events = ((what & CURL_POLL_IN) != 0 ? UV_READABLE : 0) |
                ((what & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0);
    CHECK(uv_poll_start(&w->poll, w->events, on_ready) == 0);
    return 0;
}

static void
on_time(struct timer *t)
{
    act(CONTAINER_OF(t, struct fetch_pool, timer), CURL_SOCKET_TIMEOUT, 0);
}

static void
on_kick(struct deferred *d)
{
    act(CONTAINER_OF(d, struct fetch_pool, kick), CURL_SOCKET_TIMEOUT, 0);
}

/* Called by libcurl from inside its own functions, so "now" is the end of
 * this turn. */
static int
on_timeout_wanted(CURLM *multi, long timeout_ms, void *arg)
{
    struct fetch_pool *pool = arg;

    (void)multi;
    timer_cancel(&pool->shard->timers, &pool->timer);
    shard_undefer(&pool->kick);
    if (timeout_ms == 0) {
        shard_defer(pool->shard, &pool->kick);
    } else if (timeout_ms > 0) {
        timer_start(&pool->shard->timers, &pool->timer, (uint64_t)timeout_ms);
    }
    return 0;
}

enum err
fetch_pool_prepare(void)
{
    /* OpenSSL inside libcurl writes without MSG_NOSIGNAL. */
    (void)signal(SIGPIPE, SIG_IGN);
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? ERR_OK : ERR_IO;
}

void
fetch_pool_forget(void)
{
    curl_global_cleanup();
}

void
fetch_pool_init(struct shard *s)
{
    struct fetch_pool *pool;

    pool = xcalloc(1, sizeof(*pool));
    pool->shard = s;
    pool->multi = curl_multi_init();
    CHECK(pool->multi != NULL);
    list_init(&pool->fetches);
    list_init(&pool->idle);
    timer_init(&pool->timer, on_time);
    pool->kick.run = on_kick;
    curl_multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(pool->multi, CURLMOPT_SOCKETDATA, pool);
    curl_multi_setopt(pool->multi, CURLMOPT_TIMERFUNCTION, on_timeout_wanted);
    curl_multi_setopt(pool->multi, CURLMOPT_TIMERDATA, pool);
    curl_multi_setopt(pool->multi, CURLMOPT_MAXCONNECTS, (long)FETCH_IDLE_MAX);
    s->fetch = pool;
}

void
fetch_pool_fini(struct shard *s)
{
    struct fetch_pool *pool = s->fetch;

    if (pool == NULL) {
        return;
    }
    while (!list_empty(&pool->fetches)) {
        struct fetch *f = CONTAINER_OF(pool->fetches.next, struct fetch, link);

        fetch_free(f);
    }
    while (!list_empty(&pool->idle)) {
        fetch_wire_close(
            CONTAINER_OF(pool->idle.next, struct fetch_wire, link));
    }
    CHECK(curl_multi_cleanup(pool->multi) == CURLM_OK);
    timer_cancel(&s->timers, &pool->timer);
    shard_undefer(&pool->kick);
    xfree(pool);
    s->fetch = NULL;
}

size_t
fetch_pool_active(const struct shard *s)
{
    return s->fetch->active;
}
