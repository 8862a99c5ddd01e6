/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_TESTS_CHAT_CANNED_H
#define CHATBOX_TESTS_CHAT_CANNED_H

/* A provider's server in a thread, and a house whose first provider it is. */
#include "fixture.h"
#include "net/fetch.h"
#include "provider/registry.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/socket.h>

/* --- a server that gives one answer to everybody ------------------------- */

static atomic_bool text_seen;

/* The last request that was read whole; to be looked at after canned_stop. */
static char canned_request[65536];

struct canned {
    const char *bytes; /* head and body */
    bool reset;        /* RST behind them */
    bool stays;        /* else FIN: silent until the peer goes */
    int fd;
    pthread_t thread;
    char endpoint[64];
};

/* Reads a request to the end of its body. */
static inline bool
take_request(int fd)
{
    char *text = canned_request;
    size_t n = 0;

    while (n + 1 < sizeof(canned_request)) {
        ssize_t got = recv(fd, text + n, sizeof(canned_request) - 1 - n, 0);
        const char *end, *length;

        if (got <= 0) {
            return false;
        }
        text[n += (size_t)got] = '\0';
        end = strstr(text, "\r\n\r\n");
        length = strcasestr(text, "content-length: ");
        if (end != NULL && length != NULL &&
            n >= (size_t)(end + 4 - text) + strtoul(length + 16, NULL, 10)) {
            return true;
        }
    }
    return false;
}

static inline void
answer(const struct canned *c, int fd)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    char byte;

    (void)send(fd, c->bytes, strlen(c->bytes), MSG_NOSIGNAL);
    while (c->stays && recv(fd, &byte, 1, 0) > 0) {
    }
    if (c->reset) {
        while (!text_seen) { /* RST could overtake it */
            (void)sched_yield();
        }
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    }
}

static inline void *
canned_main(void *arg)
{
    const struct canned *c = arg;
    int fd;

    while ((fd = accept(c->fd, NULL, NULL)) >= 0) {
        if (take_request(fd)) {
            answer(c, fd);
        }
        (void)close(fd);
    }
    return NULL;
}

static inline void
canned_start(struct canned *c)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t n = sizeof(a);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(c->fd, (struct sockaddr *)&a, n), 0);
    assert_int_equal(listen(c->fd, 10), 0);
    assert_int_equal(getsockname(c->fd, (struct sockaddr *)&a, &n), 0);
    snprintf(c->endpoint, sizeof(c->endpoint), "http://127.0.0.1:%u/v1",
             ntohs(a.sin_port));
    assert_int_equal(pthread_create(&c->thread, NULL, canned_main, c), 0);
}

static inline void
canned_stop(struct canned *c)
{
    (void)shutdown(c->fd, SHUT_RDWR);
    assert_int_equal(pthread_join(c->thread, NULL), 0);
    (void)close(c->fd);
}

/* --- the house ------------------------------------------------------------ */

static inline void
room_open(struct house *h, const char *type, const char *endpoint)
{
    house_open(h);
    h->settings.connect_timeout_ms = 5000;
    h->settings.first_byte_timeout_ms = 30000;
    h->settings.idle_timeout_ms = 30000;
    h->settings.stream_timeout_ms = 30000;
    providers[0].ops = registry_find(str_from(type));
    providers[0].endpoint = endpoint;
    assert_int_equal(fetch_pool_prepare(), ERR_OK);
    fetch_pool_init(&h->shard);
}

static inline void
room_close(struct house *h)
{
    providers[0].ops = &script_ops;
    providers[0].endpoint = "";
    store_close(h->store);
    for (int i = 0; i < 20; i++) {
        (void)uv_run(&h->shard.loop, UV_RUN_NOWAIT);
    }
    chat_fini(&h->shard);
    fetch_pool_fini(&h->shard);
    fetch_pool_forget();
    shard_fini(&h->shard);
    house_remove(h);
    metrics_fini();
}

#endif
