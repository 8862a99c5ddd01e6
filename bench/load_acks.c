/* SPDX-License-Identifier: MIT */
/* Messages through the whole server, to the frame that says they are durable,
 * in one process with the model that answers them at once. Every client has a
 * session of its own and asks again when its turn has ended.
 *
 *   load_acks --port SERVER --model-port N --secret S [--clients 256]
 *             [--seconds 10] [--rate 0] [--refuse 0]
 *
 * --rate 0: each client asks as soon as it may. Otherwise so many messages a
 * second, each by a client that is free; its time is counted from the moment
 * in which it was due. --refuse 1: the model refuses, so that there are no
 * answers to be stored. The first second does not count.
 *
 *   load_acks … --burst 1 [--size 200]
 *
 * Instead every client sends one message when a line comes on standard input,
 * whatever becomes of it. */
#include "bench/load.h"
#include "bench/rows.h"

#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define WARM_UP_S 1.0
#define ACKS_MAX (1 << 22)
#define SIZE_MAX_BYTES 40000

enum kind { LISTENER, MODEL, CLIENT };

struct peer {
    enum kind kind;
    int fd;
    size_t have;
    char buf[65536];
};

struct client {
    struct peer peer;
    bool upgraded;
    long number;
    long asked;          /* messages so far */
    double due;          /* of the one that is under way */
    struct client *next; /* in the list of those who are free */
};

static struct {
    long clients, rate, refuse, burst, size;
    int port, model_port;
    double seconds;
    const char *secret;
} opt = {.clients = 256, .seconds = 10, .size = 200, .secret = ""};

static struct {
    long acked, answered, greeted;
    double *ack_us;
    bool on;
} seen;

static int poller;
static struct client *free_clients, **free_end = &free_clients;
static char text[SIZE_MAX_BYTES + 1];

static void
give_up(const char *what, struct str about)
{
    fprintf(stderr, "%s: %.*s\n", what, STR_ARG(about));
    exit(1);
}

static void
watch(struct peer *p)
{
    struct epoll_event e = {.events = EPOLLIN, .data = {.ptr = p}};

    if (epoll_ctl(poller, EPOLL_CTL_ADD, p->fd, &e) != 0) {
        load_die("epoll_ctl");
    }
}

/* Bytes that came; 0 when the peer has gone, -1 when there is nothing. */
static ssize_t
take(struct peer *p)
{
    ssize_t n = recv(p->fd, p->buf + p->have, sizeof(p->buf) - 1 - p->have,
                     MSG_DONTWAIT);

    if (n > 0) {
        p->have += (size_t)n;
        p->buf[p->have] = '\0';
    }
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? -1 : n < 0 ? 0 : n;
}

static void
drop(struct peer *p, size_t n)
{
    p->have -= n;
    memmove(p->buf, p->buf + n, p->have + 1);
}

/* --- the model ---------------------------------------------------------- */

static void
listen_model(void)
{
    struct peer *p = calloc(1, sizeof(*p));

    p->kind = LISTENER;
    p->fd = load_listen(opt.model_port);
    watch(p);
}

static void
accept_models(const struct peer *listener)
{
    int one = 1, fd;

    while ((fd = accept(listener->fd, NULL, NULL)) >= 0) {
        struct peer *m = calloc(1, sizeof(*m));

        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        m->kind = MODEL;
        m->fd = fd;
        watch(m);
    }
}

/* Bytes of the request when all of it is there, else 0. */
static size_t
whole_request(struct peer *p)
{
    char *end = strstr(p->buf, "\r\n\r\n");
    char *length = strcasestr(p->buf, "\r\ncontent-length:");
    size_t n;

    if (end == NULL || length == NULL) {
        return 0;
    }
    n = (size_t)(end + 4 - p->buf) + strtoul(length + 17, NULL, 10);
    return p->have >= n ? n : 0;
}

/* The whole answer, 200 bytes of text, in one piece. */
static void
answer(int fd)
{
    static char all[2048];
    char body[1024];
    int n;

    if (all[0] == '\0') {
        n = snprintf(body, sizeof(body),
                     "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":"
                     "\"%.200s\"},\"finish_reason\":null}]}\n\n"
                     "data: {\"choices\":[{\"index\":0,\"delta\":{},"
                     "\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
                     text);
        snprintf(all, sizeof(all),
                 "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                 "Content-Length: %d\r\n\r\n%s",
                 n, body);
    }
    (void)load_send(fd, all, strlen(all));
}

static void
read_model(struct peer *m)
{
    static const char no[] = "HTTP/1.1 400 Bad Request\r\n"
                             "Content-Type: application/json\r\n"
                             "Content-Length: 2\r\n\r\n{}";
    size_t n;

    if (take(m) == 0) {
        close(m->fd);
        free(m);
        return;
    }
    while ((n = whole_request(m)) > 0) {
        drop(m, n);
        if (opt.refuse != 0) {
            (void)load_send(m->fd, no, sizeof(no) - 1);
        } else {
            answer(m->fd);
        }
    }
}

/* --- the clients -------------------------------------------------------- */

static void
dial(struct client *c, long number)
{
    char user[64], *token, *upgrade;

    snprintf(user, sizeof(user), "asker-%ld-%ld", (long)getpid(), number);
    token = load_token(opt.secret, user);
    upgrade = load_upgrade(opt.port, token, "");
    c->peer.kind = CLIENT;
    c->number = number;
    c->peer.fd = load_dial(opt.port, (int)number);
    watch(&c->peer);
    /* On loopback the connection stands when connect has returned. */
    if (!load_send(c->peer.fd, upgrade, strlen(upgrade))) {
        load_die("send");
    }
    free(upgrade);
    free(token);
}

static void
ask(struct client *c, double due)
{
    static char frame[SIZE_MAX_BYTES + 256];

    snprintf(frame, sizeof(frame),
             "{\"type\":\"user_message\",\"client_id\":\"c-%ld\","
             "\"content\":\"%.*s\"}",
             c->asked++, (int)opt.size, text);
    c->due = due;
    if (!load_say(c->peer.fd, frame)) {
        load_die("send");
    }
}

/* In a burst nobody asks by himself. */
static void
be_free(struct client *c)
{
    if (opt.burst != 0) {
        return;
    }
    c->next = NULL;
    *free_end = c;
    free_end = &c->next;
}

static struct client *
take_free(void)
{
    struct client *c = free_clients;

    free_clients = c->next;
    if (free_clients == NULL) {
        free_end = &free_clients;
    }
    return c;
}

static void
on_ack(const struct client *c)
{
    if (seen.on && seen.acked < ACKS_MAX) {
        seen.ack_us[seen.acked++] = (load_now() - c->due) * 1e6;
    } else if (!seen.on) {
        seen.acked++;
    }
}

/* The end of a turn: by an answer, or, when the model refuses, by an error. */
static void
on_end(struct client *c, struct str frame, bool answered)
{
    bool lost = load_has(frame, "\"DATABASE_ERROR\"");

    if (!answered && opt.burst == 0 && (lost || opt.refuse == 0)) {
        give_up("an error", frame);
    }
    seen.answered += answered;
    be_free(c);
}

static bool
on_frame(void *cookie, struct str frame)
{
    struct client *c = cookie;

    if (load_has(frame, "\"type\":\"ack\"")) {
        on_ack(c);
    } else if (load_has(frame, "\"type\":\"ai_response\"")) {
        if (load_has(frame, "\"done\":\"true\"")) {
            on_end(c, frame, true);
        }
    } else if (load_has(frame, "\"type\":\"error\"")) {
        on_end(c, frame, false);
    } else if (load_has(frame, "\"type\":\"connection_status\"")) {
        seen.greeted++;
        be_free(c);
    }
    return true;
}

static void
read_client(struct client *c)
{
    struct peer *p = &c->peer;
    char *end;

    if (take(p) == 0) {
        give_up("the server closed a connection", str_from(p->buf));
    }
    if (!c->upgraded) {
        end = strstr(p->buf, "\r\n\r\n");
        if (end == NULL) {
            return;
        }
        if (strncmp(p->buf, "HTTP/1.1 101", 12) != 0) {
            give_up("refused", str_from(p->buf));
        }
        c->upgraded = true;
        drop(p, (size_t)(end + 4 - p->buf));
    }
    p->have = load_frames(p->buf, p->have, on_frame, c);
    p->buf[p->have] = '\0';
}

/* --- the run ------------------------------------------------------------ */

static void
turn_loop(void)
{
    struct epoll_event events[256];
    int n = epoll_wait(poller, events, 256, 1);

    for (int i = 0; i < n; i++) {
        struct peer *p = events[i].data.ptr;

        if (p->kind == LISTENER) {
            accept_models(p);
        } else if (p->kind == MODEL) {
            read_model(p);
        } else {
            read_client((struct client *)p);
        }
    }
}

/* Whoever is free asks: at once, or when a message is due. */
static void
let_ask(double *due, double now)
{
    while (free_clients != NULL && (opt.rate == 0 || *due <= now)) {
        ask(take_free(), opt.rate == 0 ? now : *due);
        *due += opt.rate == 0 ? 0 : 1.0 / (double)opt.rate;
    }
}

static void
run_for(double seconds)
{
    double end = load_now() + seconds, due = load_now(), now;

    while ((now = load_now()) < end) {
        let_ask(&due, now);
        turn_loop();
    }
}

static void
greet(struct client *all)
{
    for (long i = 0; i < opt.clients; i++) {
        dial(&all[i], i);
        while (seen.greeted + 64 < i) {
            turn_loop();
        }
    }
    while (seen.greeted < opt.clients) {
        turn_loop();
    }
}

static void
measure(void)
{
    double began, took;
    size_t n;

    run_for(WARM_UP_S);
    seen.acked = seen.answered = 0;
    seen.on = true;
    began = load_now();
    run_for(opt.seconds);
    took = load_now() - began;
    n = (size_t)seen.acked;
    printf("%.0f messages/s (%.0f of users, %.0f answers), ack p50 %.0f us, "
           "p99 %.0f us, p99.9 %.0f us\n",
           (double)(seen.acked + seen.answered) / took,
           (double)seen.acked / took, (double)seen.answered / took,
           load_quantile(seen.ack_us, n, 0.5),
           load_quantile(seen.ack_us, n, 0.99),
           load_quantile(seen.ack_us, n, 0.999));
}

/* --- what waits --------------------------------------------------------- */

/* Then waits for its end. */
static void
burst(struct client *all)
{
    printf("ready\n");
    fflush(stdout);
    if (getchar() == EOF) {
        return;
    }
    for (long i = 0; i < opt.clients; i++) {
        ask(&all[i], load_now());
    }
    for (;;) {
        turn_loop();
    }
}

static void
read_options(int argc, char **argv)
{
    static const struct option names[] = {
        {"port", 1, 0, 'o'},  {"model-port", 1, 0, 'm'}, {"secret", 1, 0, 's'},
        {"rate", 1, 0, 'r'},  {"refuse", 1, 0, 'f'},     {"clients", 1, 0, 'c'},
        {"burst", 1, 0, 'b'}, {"size", 1, 0, 'z'},       {"seconds", 1, 0, 't'},
        {0, 0, 0, 0}};
    long values[128] = {
        ['c'] = opt.clients, ['t'] = (long)opt.seconds, ['z'] = opt.size};
    int c;

    while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (c == '?') {
            exit(2);
        }
        if (c == 's') {
            opt.secret = optarg;
        } else {
            values[c] = strtol(optarg, NULL, 10);
        }
    }
    opt.port = (int)values['o'];
    opt.model_port = (int)values['m'];
    opt.rate = values['r'];
    opt.refuse = values['f'];
    opt.clients = values['c'];
    opt.burst = values['b'];
    opt.size = values['z'] <= SIZE_MAX_BYTES ? values['z'] : SIZE_MAX_BYTES;
    opt.seconds = (double)values['t'];
}

int
main(int argc, char **argv)
{
    struct client *all;

    read_options(argc, argv);
    load_raise_files();
    for (size_t i = 0; i < SIZE_MAX_BYTES; i++) {
        text[i] = rows_content[i % strlen(rows_content)];
    }
    poller = epoll_create1(0);
    listen_model();
    all = calloc((size_t)opt.clients, sizeof(*all));
    seen.ack_us = calloc(ACKS_MAX, sizeof(double));
    greet(all);
    if (opt.burst == 0) {
        measure();
    } else {
        burst(all);
    }
    return 0;
}
