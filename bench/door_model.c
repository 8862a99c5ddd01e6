/* SPDX-License-Identifier: MIT */
/* The model behind the door's load: see door_model.h. */
#include "bench/door_model.h"

#include "bench/load.h"
#include "bench/relay.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_BYTES 16384

struct caller {
    struct door_peer peer;
    struct caller *next; /* of those who stream, by when they are due */
    double due;
    int token;
    int left; /* references: the list's, and the descriptor's */
    bool gone;
    size_t have;
    char buf[REQUEST_BYTES];
};

static struct {
    struct door_peer listener;
    int poller;
    double rate;
    long chunks, unruly;
    struct caller *first, **end;
} model;

/* --- what it says ------------------------------------------------------- */

static const char stream_head[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n";

static const char stream_end[] =
    "data: {\"id\":\"chatcmpl-8Zk2xQ1w5mY7uJ3nC9bVtR4s\",\"object\":"
    "\"chat.completion.chunk\",\"created\":1795262400,\"model\":\"bench\","
    "\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,"
    "\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

static const char whole_body[] =
    "{\"id\":\"chatcmpl-8Zk2xQ1w5mY7uJ3nC9bVtR4s\",\"object\":"
    "\"chat.completion\",\"created\":1795262400,\"model\":\"bench\","
    "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
    "\"content\":\"A write-ahead log keeps what a commit changes apart from "
    "the database, so readers go on with the pages that they know, and the "
    "answer may be given once the log is on the disk.\",\"refusal\":null,"
    "\"annotations\":[]},\"logprobs\":null,\"finish_reason\":\"stop\"}],"
    "\"usage\":{\"prompt_tokens\":58,\"completion_tokens\":39,"
    "\"total_tokens\":97},\"service_tier\":\"default\","
    "\"system_fingerprint\":\"fp_44709d6fcb\"}";

static const char failure[] =
    "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\n"
    "Content-Length: 62\r\n\r\n"
    "{\"error\":{\"message\":\"out of luck\",\"type\":\"server_error\"}}     ";

static void
say_whole(struct caller *c)
{
    char answer[sizeof(whole_body) + 256];
    int n = snprintf(answer, sizeof(answer),
                     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                     "Content-Length: %zu\r\n\r\n%s",
                     sizeof(whole_body) - 1, whole_body);

    (void)load_send(c->peer.fd, answer, (size_t)n);
}

/* The next chunk, behind the head if it is the first one. */
static void
say_chunk(struct caller *c)
{
    char answer[2048], data[1024];
    int n = snprintf(data, sizeof(data), RELAY_CHUNK, c->token % 1000);
    int all = snprintf(answer, sizeof(answer), "%s%x\r\n%s\r\n",
                       c->token == 0 ? stream_head : "", n, data);

    if (model.rate == 0) {
        all += snprintf(answer + all, sizeof(answer) - (size_t)all,
                        "%zx\r\n%s\r\n0\r\n\r\n", sizeof(stream_end) - 1,
                        stream_end);
    }
    c->token++;
    model.chunks++;
    (void)load_send(c->peer.fd, answer, (size_t)all);
}

/* --- streams ------------------------------------------------------------ */

static void
release(struct caller *c)
{
    if (--c->left == 0) {
        free(c);
    }
}

static void
queue(struct caller *c, double due)
{
    c->due = due;
    c->next = NULL;
    *model.end = c;
    model.end = &c->next;
}

static struct caller *
unqueue(void)
{
    struct caller *c = model.first;

    model.first = c->next;
    if (model.first == NULL) {
        model.end = &model.first;
    }
    return c;
}

/* All have the same rate: who was served last is due last. */
void
door_model_send_due(double now)
{
    while (model.first != NULL && model.first->due <= now) {
        struct caller *c = unqueue();

        if (c->gone) {
            release(c);
        } else {
            say_chunk(c);
            queue(c, c->due + 1 / model.rate);
        }
    }
}

long
door_model_chunks(void)
{
    return model.chunks;
}

/* --- requests ----------------------------------------------------------- */

static void
hang_up(struct caller *c)
{
    c->gone = true;
    close(c->peer.fd);
    release(c);
}

static void
stream(struct caller *c)
{
    c->token = 0;
    say_chunk(c);
    if (model.rate > 0) {
        c->left++;
        queue(c, load_now() + 1 / model.rate);
    }
}

/* False: the connection is no longer. */
static bool
answer(struct caller *c, struct str request)
{
    bool unruly = str_starts(request, STR("POST /fail")) ||
                  str_starts(request, STR("POST /hangup"));

    if (unruly && model.unruly++ % 4 != 3) {
        if (request.p[6] == 'h') {
            hang_up(c);
            return false;
        }
        (void)load_send(c->peer.fd, failure, sizeof(failure) - 1);
    } else if (load_has(request, "\"stream\":true") ||
               load_has(request, "\"stream\": true")) {
        stream(c);
    } else {
        say_whole(c);
    }
    return true;
}

size_t
door_whole(char *buf, size_t n)
{
    char *end = strstr(buf, "\r\n\r\n"), *at;
    size_t head;

    if (end == NULL) {
        return 0;
    }
    head = (size_t)(end + 4 - buf);
    at = strcasestr(buf, "\r\ncontent-length:");
    if (at != NULL && at < end) {
        head += strtoul(at + 17, NULL, 10);
        return n >= head ? head : 0;
    }
    at = strcasestr(buf, "\r\ntransfer-encoding:");
    if (at == NULL || at > end) {
        return head;
    }
    at = strstr(end, "\r\n0\r\n\r\n");
    return at != NULL ? (size_t)(at + 7 - buf) : 0;
}

static void
on_caller(struct door_peer *p)
{
    struct caller *c = (struct caller *)p;
    ssize_t got = recv(p->fd, c->buf + c->have, REQUEST_BYTES - 1 - c->have,
                       MSG_DONTWAIT);
    size_t n;

    if (got <= 0) {
        hang_up(c);
        return;
    }
    c->have += (size_t)got;
    c->buf[c->have] = '\0';
    n = door_whole(c->buf, c->have);
    if (n == 0) {
        return;
    }
    c->have -= n;
    if (answer(c, (struct str){c->buf, n})) {
        memmove(c->buf, c->buf + n, c->have + 1);
    }
}

/* --- its life ----------------------------------------------------------- */

void
door_watch(int poller, struct door_peer *p)
{
    struct epoll_event e = {.events = EPOLLIN, .data = {.ptr = p}};

    if (epoll_ctl(poller, EPOLL_CTL_ADD, p->fd, &e) != 0) {
        load_die("epoll_ctl");
    }
}

static void
on_listener(struct door_peer *p)
{
    int one = 1, fd;

    while ((fd = accept4(p->fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct caller *c = calloc(1, sizeof(*c));

        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        c->peer = (struct door_peer){on_caller, fd};
        c->left = 1;
        door_watch(model.poller, &c->peer);
    }
}

void
door_model_start(int poller, int port, double rate)
{
    model.poller = poller;
    model.rate = rate;
    model.end = &model.first;
    model.listener = (struct door_peer){on_listener, load_listen(port)};
    door_watch(poller, &model.listener);
}
