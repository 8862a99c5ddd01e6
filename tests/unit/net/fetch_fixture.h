/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_TESTS_FETCH_FIXTURE_H
#define CHATBOX_TESTS_FETCH_FIXTURE_H

/* A server for fetches: a thread per connection reads one request after the
 * other and answers each as the test's script says. And a user that writes
 * down what it is told. */

#include "net/fetch.h"
#include "net_fixture.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct server;

/* What a script writes to. */
struct reply {
    int fd;
    struct server *server;
    const char *path;    /* of the request */
    const char *request; /* all of it, NUL-terminated */
    int number;          /* requests on this connection before it */
};

/* Answers one request; false closes the connection. */
typedef bool script(struct reply *r);

struct server {
    int fd;
    uint16_t port;
    script *_Atomic run;
    atomic_bool refuses_tls; /* else it waits for the end of the request */
    pthread_t thread;
    atomic_int connections;
    atomic_int requests;
    atomic_int open;      /* connection threads that run */
    atomic_int hangups;   /* clients seen closing by reply_until_closed */
    pthread_mutex_t lock; /* for writing the two that follow */
    char last[8192];      /* the newest request; read it when nothing runs */
    size_t body_bytes;    /* of the newest request */
};

struct visit {
    struct server *server;
    int fd;
};

static inline void
reply_bytes(struct reply *r, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(r->fd, bytes, n, MSG_NOSIGNAL);

        if (sent <= 0) {
            return;
        }
        bytes += sent;
        n -= (size_t)sent;
    }
}

static inline void
reply_text(struct reply *r, const char *text)
{
    reply_bytes(r, text, strlen(text));
}

/* Silent until the client goes away. */
static inline void
reply_until_closed(struct reply *r)
{
    char c;

    while (recv(r->fd, &c, 1, 0) > 0) {
    }
    r->server->hangups++;
}

static inline void
reply_reset(struct reply *r)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};

    (void)setsockopt(r->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
}

static inline size_t
content_length(const char *head)
{
    const char *at = strcasestr(head, "\r\ncontent-length:");

    return at != NULL ? strtoul(at + 17, NULL, 10) : 0;
}

/* One request into text; -1 when the client has gone. */
static inline ssize_t
read_request(int fd, char *text, size_t room, size_t *body, bool refuse_tls)
{
    size_t n = 0;
    char *end = NULL;
    size_t want;

    text[0] = '\0';
    while (end == NULL) {
        ssize_t got = recv(fd, text + n, 1, 0);

        if (got <= 0 || n + 1 >= room || (refuse_tls && text[0] == 0x16)) {
            return -1;
        }
        text[++n] = '\0';
        end = n >= 4 && memcmp(text + n - 4, "\r\n\r\n", 4) == 0 ? text + n
                                                                 : NULL;
    }
    want = content_length(text);
    for (size_t i = 0; i < want;) {
        char sink[65536];
        size_t ask = want - i < sizeof(sink) ? want - i : sizeof(sink);
        ssize_t got = recv(fd, sink, ask, 0);

        if (got <= 0) {
            return -1;
        }
        if (n + (size_t)got < room) {
            memcpy(text + n, sink, (size_t)got);
            n += (size_t)got;
            text[n] = '\0';
        }
        i += (size_t)got;
    }
    *body = want;
    return (ssize_t)n;
}

static inline void *
serve_connection(void *arg)
{
    struct visit *v = arg;
    struct server *s = v->server;
    char request[8192];
    size_t body;
    int number = 0;

    while (read_request(v->fd, request, sizeof(request), &body,
                        s->refuses_tls) > 0) {
        char path[256] = "";
        const char *from = strchr(request, ' ') + 1;
        struct reply r = {.fd = v->fd,
                          .server = s,
                          .path = path,
                          .request = request,
                          .number = number++};

        (void)snprintf(path, sizeof(path), "%.*s", (int)strcspn(from, " "),
                       from);
        pthread_mutex_lock(&s->lock);
        memcpy(s->last, request, sizeof(request));
        s->body_bytes = body;
        pthread_mutex_unlock(&s->lock);
        s->requests++;
        if (!s->run(&r)) {
            break;
        }
    }
    (void)close(v->fd);
    s->open--;
    xfree(v);
    return NULL;
}

static inline void *
server_main(void *arg)
{
    struct server *s = arg;

    for (;;) {
        struct visit *v;
        pthread_t thread;
        int fd = accept(s->fd, NULL, NULL);

        if (fd < 0) {
            return NULL;
        }
        v = xmalloc(sizeof(*v));
        *v = (struct visit){s, fd};
        s->connections++;
        s->open++;
        assert_int_equal(pthread_create(&thread, NULL, serve_connection, v), 0);
        (void)pthread_detach(thread);
    }
}

static inline void
server_start(struct server *s, script *run)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t n = sizeof(a);

    *s = (struct server){.run = run, .lock = PTHREAD_MUTEX_INITIALIZER};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&a, n), 0);
    assert_int_equal(listen(s->fd, 100), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &n), 0);
    s->port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, server_main, s), 0);
}

/* All clients have gone before. */
static inline void
server_stop(struct server *s)
{
    (void)shutdown(s->fd, SHUT_RDWR);
    assert_int_equal(pthread_join(s->thread, NULL), 0);
    (void)close(s->fd);
    while (s->open > 0) {
        (void)sched_yield();
    }
}

struct asker {
    struct fetch *fetch;
    struct fixture *fixture;
    struct buf got;
    char type[64];
    int status;
    int64_t retry_after_ms;
    int heads;
    int pieces;
    int ends;
    bool over; /* cancelled: nothing may come */
    enum fetch_end why;
    void (*at_head)(struct asker *);
    void (*at_data)(struct asker *);
    void (*at_end)(struct asker *);
    struct asker *other;
};

static void
asker_on_head(void *cookie, const struct fetch_head *head)
{
    struct asker *a = cookie;

    assert_false(a->over);
    assert_int_equal(a->heads + a->pieces + a->ends, 0);
    a->heads++;
    a->status = head->status;
    a->retry_after_ms = head->retry_after_ms;
    (void)snprintf(a->type, sizeof(a->type), "%.*s",
                   STR_ARG(head->content_type));
    if (a->at_head != NULL) {
        a->at_head(a);
    }
}

static void
asker_on_data(void *cookie, struct str bytes)
{
    struct asker *a = cookie;

    assert_false(a->over);
    assert_int_equal(a->heads, 1);
    assert_int_equal(a->ends, 0);
    a->pieces++;
    buf_put_str(&a->got, bytes);
    if (a->at_data != NULL) {
        a->at_data(a);
    }
}

static void
asker_on_end(void *cookie, enum fetch_end why)
{
    struct asker *a = cookie;

    assert_false(a->over);
    assert_int_equal(a->ends, 0);
    a->ends++;
    a->why = why;
    a->fetch = NULL;
    if (a->at_end != NULL) {
        a->at_end(a);
    }
}

static const struct fetch_events asker_events = {
    .on_head = asker_on_head,
    .on_data = asker_on_data,
    .on_end = asker_on_end,
};

static inline void
asker_init(struct asker *a, struct fixture *f)
{
    *a = (struct asker){.fixture = f};
    buf_init(&a->got, 64 << 20);
}

/* Cancels, and expects silence from then on. */
static inline void
asker_cancel(struct asker *a)
{
    fetch_cancel(a->fetch);
    a->fetch = NULL;
    a->over = true;
}

static inline void
asker_start(struct asker *a, const struct fetch_request *r)
{
    a->fetch = fetch_start(&a->fixture->shard, r, &asker_events, a);
    assert_int_equal(a->heads + a->ends, 0);
}

/* A GET of path at the server. */
static inline void
asker_get(struct asker *a, const struct server *s, const char *path)
{
    char url[64];
    struct fetch_request r = {.method = "GET", .url = url};

    assert_true(strlen(path) < 40);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%.40s", s->port, path);
    asker_start(a, &r);
}

static inline bool
asker_got(const struct asker *a, const char *text)
{
    return str_is(buf_str(&a->got), text);
}

/* A shard that can fetch, and a server that answers so. */
static inline int
fetch_setup(struct fixture *f, struct server *server, script *run)
{
    fixture_open(f);
    assert_int_equal(fetch_pool_prepare(), ERR_OK);
    fetch_pool_init(&f->shard);
    server_start(server, run);
    return 0;
}

static inline int
fetch_teardown(struct fixture *f, struct server *server)
{
    fetch_pool_fini(&f->shard);
    fetch_pool_forget();
    server_stop(server);
    fixture_close(f);
    return 0;
}

#endif
