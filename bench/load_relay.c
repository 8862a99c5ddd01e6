/* SPDX-License-Identifier: MIT */
/* Load for the token relay: in one process a model (an OpenAI-compatible
 * server that streams at a fixed rate) and the users (WebSockets that ask one
 * question each and count the deltas). Prints the CPU time per token that the
 * server under test (--pid) used while all streams were running.
 *
 *   load_relay --pid PID --port SERVER --model-port N [--secret S]
 *              [--path /chatbox/ws] [--streams 500] [--rate 30] [--seconds 10]
 *              [--memory-from N]
 *
 * With --memory-from it prints instead what a stream takes of the server's
 * anonymous memory: the slope from N running streams to all of them, each with
 * its connection, user and session. */
#include "bench/load.h"
#include "codec/ws_frame.h"
#include "guard/token.h"
#include "relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum kind { LISTENER, MODEL, USER };

struct peer {
    enum kind kind;
    int fd;
    bool ready;     /* MODEL: asked; USER: 101 seen */
    bool asked;     /* USER: question sent */
    double next;    /* MODEL: when the next token is due */
    int token;      /* MODEL: its number */
    size_t partial; /* USER: bytes of a frame that was cut */
    char buf[65536];
};

static struct {
    long pid;
    int port, model_port, streams, memory_from;
    double rate, seconds;
    const char *secret, *path;
} opt = {.streams = 500,
         .rate = 30,
         .seconds = 10,
         .secret = "",
         .path = "/chatbox/ws"};

static int poller;
static struct peer **models;
static int model_count;
static long tokens_seen;

static struct peer *
watch(int fd, enum kind kind)
{
    struct peer *p = calloc(1, sizeof(*p));
    struct epoll_event e = {.events = EPOLLIN, .data = {.ptr = p}};

    p->kind = kind;
    p->fd = fd;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e) != 0) {
        load_die("epoll_ctl");
    }
    return p;
}

static void
send_all(int fd, const char *bytes, size_t n)
{
    if (send(fd, bytes, n, MSG_NOSIGNAL) != (ssize_t)n) {
        load_die("send");
    }
}

static void
accept_model(int fd)
{
    int one = 1, c;

    while ((c = accept(fd, NULL, NULL)) >= 0) {
        setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        models[model_count++] = watch(c, MODEL);
    }
}

/* The whole request is small; its end is what counts. */
static void
read_model(struct peer *p)
{
    static const char head[] =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        "Transfer-Encoding: chunked\r\n\r\n";
    ssize_t n = recv(p->fd, p->buf, sizeof(p->buf), 0);

    if (n <= 0) {
        epoll_ctl(poller, EPOLL_CTL_DEL, p->fd, NULL);
        p->ready = false;
        return;
    }
    if (!p->ready) {
        p->ready = true;
        p->next = load_now() + drand48() / opt.rate;
        send_all(p->fd, head, sizeof(head) - 1);
    }
}

static void
send_token(struct peer *p)
{
    char chunk[1024], data[900];
    int n = snprintf(data, sizeof(data), RELAY_CHUNK, p->token++ % 1000);
    int all = snprintf(chunk, sizeof(chunk), "%x\r\n%s\r\n", n, data);

    send_all(p->fd, chunk, (size_t)all);
}

static void
send_due_tokens(void)
{
    double t = load_now();

    for (int i = 0; i < model_count; i++) {
        while (models[i]->ready && models[i]->next <= t) {
            send_token(models[i]);
            models[i]->next += 1 / opt.rate;
        }
    }
}

static void
connect_user(int number)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)opt.port),
                            .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    char user[32], request[4096];
    struct token_claims claims = {.user_id = user,
                                  .issued_s = time(NULL),
                                  .expires_s = time(NULL) + 3600};
    struct buf token;
    int n;

    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
        load_die("connect");
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    snprintf(user, sizeof(user), "user-%d", number);
    buf_init(&token, 4096);
    token_sign_hs256(str_from(opt.secret), &claims, &token);
    n = snprintf(request, sizeof(request),
                 "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                 "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                 "Sec-WebSocket-Version: 13\r\n"
                 "Authorization: Bearer %.*s\r\n\r\n",
                 opt.path, opt.port, STR_ARG(buf_str(&token)));
    buf_fini(&token);
    send_all(fd, request, (size_t)n);
    watch(fd, USER);
}

static void
ask(struct peer *p)
{
    struct buf b;

    buf_init(&b, 1024);
    ws_frame_put_masked(&b, WS_TEXT,
                        STR("{\"type\":\"user_message\",\"content\":\"go\"}"),
                        0x12345678);
    send_all(p->fd, b.p, b.n);
    buf_fini(&b);
    p->asked = true;
}

/* Frames of a server: 2 or 4 bytes of header here. Returns what is left. */
static size_t
count_frames(struct peer *p, size_t have)
{
    size_t at = 0;

    while (have - at >= 4) {
        unsigned char *f = (unsigned char *)p->buf + at;
        size_t n = f[1] & 0x7f, header = 2;

        if (n == 126) {
            n = (size_t)f[2] << 8 | f[3];
            header = 4;
        }
        if (have - at < header + n) {
            break;
        }
        tokens_seen += memmem(f + header, n, "\" tok", 5) != NULL;
        at += header + n;
    }
    memmove(p->buf, p->buf + at, have - at);
    return have - at;
}

static void
read_user(struct peer *p)
{
    ssize_t n =
        recv(p->fd, p->buf + p->partial, sizeof(p->buf) - p->partial, 0);
    size_t have;
    char *end;

    if (n <= 0) {
        fprintf(stderr, "a user's connection ended\n");
        exit(1);
    }
    have = p->partial + (size_t)n;
    if (!p->ready) {
        p->partial = have;
        end = memmem(p->buf, have, "\r\n\r\n", 4);
        if (end == NULL) {
            return;
        }
        p->ready = true;
        have -= (size_t)(end + 4 - p->buf);
        memmove(p->buf, end + 4, have);
    }
    if (!p->asked) {
        ask(p);
    }
    p->partial = count_frames(p, have);
}

static void
turn(void)
{
    struct epoll_event events[256];
    int n = epoll_wait(poller, events, 256, 1);

    for (int i = 0; i < n; i++) {
        struct peer *p = events[i].data.ptr;

        if (p->kind == LISTENER) {
            accept_model(p->fd);
        } else if (p->kind == MODEL) {
            read_model(p);
        } else {
            read_user(p);
        }
    }
    send_due_tokens();
}

static void
run_for(double seconds)
{
    double end = load_now() + seconds;

    while (load_now() < end) {
        turn();
    }
}

static int
running_models(void)
{
    int n = 0;

    for (int i = 0; i < model_count; i++) {
        n += models[i]->ready;
    }
    return n;
}

static void
read_options(int argc, char **argv)
{
    static const struct option names[] = {
        {"pid", 1, 0, 'p'},         {"port", 1, 0, 'o'},
        {"model-port", 1, 0, 'm'},  {"secret", 1, 0, 's'},
        {"path", 1, 0, 'a'},        {"streams", 1, 0, 'n'},
        {"rate", 1, 0, 'r'},        {"seconds", 1, 0, 't'},
        {"memory-from", 1, 0, 'f'}, {0, 0, 0, 0}};
    int c;

    while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (c) {
        case 'p':
            opt.pid = atol(optarg);
            break;
        case 'o':
            opt.port = atoi(optarg);
            break;
        case 'm':
            opt.model_port = atoi(optarg);
            break;
        case 's':
            opt.secret = optarg;
            break;
        case 'a':
            opt.path = optarg;
            break;
        case 'n':
            opt.streams = atoi(optarg);
            break;
        case 'r':
            opt.rate = atof(optarg);
            break;
        case 't':
            opt.seconds = atof(optarg);
            break;
        case 'f':
            opt.memory_from = atoi(optarg);
            break;
        default:
            exit(2);
        }
    }
}

/* How many may be on their way to the model at the same time: connecting takes
 * memory for a moment (libcurl's, 6 KB), which is not what is measured. */
#define BEGINNING_MAX 16

/* Brings the number of streams from one to the other. */
static void
begin_streams(int from, int to)
{
    for (int i = from; i < to; i++) {
        double patience = load_now() + 10;

        connect_user(i);
        turn();
        while (i - running_models() >= BEGINNING_MAX && load_now() < patience) {
            turn();
        }
    }
    for (int i = 0; i < 100 && running_models() < to; i++) {
        run_for(0.1);
    }
    if (running_models() < to) {
        fprintf(stderr, "only %d streams began\n", running_models());
        exit(1);
    }
}

static void
measure_cpu(void)
{
    double cpu, began;
    long tokens;

    begin_streams(0, opt.streams);
    run_for(1);
    cpu = load_cpu_s(opt.pid);
    tokens = tokens_seen;
    began = load_now();
    run_for(opt.seconds);
    cpu = load_cpu_s(opt.pid) - cpu;
    tokens = tokens_seen - tokens;
    printf("%d streams, %.0f tokens/s, %.2f us CPU per token\n", opt.streams,
           (double)tokens / (load_now() - began), cpu * 1e6 / (double)tokens);
}

/* Each stream has said about as much when it is counted. */
static void
measure_memory(void)
{
    long before, after;

    begin_streams(0, opt.memory_from);
    run_for(opt.seconds);
    before = load_anonymous_kb(opt.pid);
    begin_streams(opt.memory_from, opt.streams);
    run_for(opt.seconds);
    after = load_anonymous_kb(opt.pid);
    printf("%d -> %d streams: %ld -> %ld kB, %.0f bytes a stream\n",
           opt.memory_from, opt.streams, before, after,
           (double)(after - before) * 1024 / (opt.streams - opt.memory_from));
}

int
main(int argc, char **argv)
{
    read_options(argc, argv);
    load_raise_files();
    poller = epoll_create1(0);
    models = calloc((size_t)opt.streams * 2 + 16, sizeof(struct peer *));
    watch(load_listen(opt.model_port), LISTENER);
    if (opt.memory_from > 0) {
        measure_memory();
    } else {
        measure_cpu();
    }
    return 0;
}
