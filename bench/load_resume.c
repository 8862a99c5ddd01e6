/* SPDX-License-Identifier: MIT */
/* Everybody comes back at once: all clients connect in the same moment, each
 * to its session of bench/store_fill.c, naming the last number that it has,
 * and read what they missed. Then all connections are reset, and the next wave
 * begins. Every frame is looked at: numbers rise by one, none is missing, none
 * comes twice, also after the last.
 *
 *   load_resume --port N --secret S [--clients 15000] [--messages 10]
 *               [--last 4] [--waves 3] */
#include "bench/load.h"
#include "bench/rows.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define GIVE_UP_S 60
#define LISTEN_ON_S 1 /* for what comes twice, when all is there */

enum state { CONNECTING, UPGRADING, READING, RESUMED };

struct client {
    int number;
    int fd;
    enum state state;
    bool greeted;
    long seq; /* the last one that came */
    double took_s;
    char *request;
    size_t have;
    char buf[8192];
};

static struct {
    int port, clients, waves;
    long messages, last;
    const char *secret;
} opt = {.clients = 15000, .messages = 10, .last = 4, .waves = 3, .secret = ""};

static struct {
    int resumed;
    long lost, doubled, again;
    double began;
} wave;

static int poller;

static void
init(struct client *c, const struct rows *rows, int number)
{
    char user[32], query[128], *token;

    snprintf(user, sizeof(user), "user-%d", number);
    snprintf(query, sizeof(query), "session_id=%s&last_seq=%ld",
             rows_session(rows, (size_t)number), opt.last);
    token = load_token(opt.secret, user);
    c->request = load_upgrade(opt.port, token, query);
    c->number = number;
    free(token);
}

static void
dial(struct client *c)
{
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLONESHOT,
                            .data = {.ptr = c}};

    c->fd = load_dial(opt.port, c->number);
    c->state = CONNECTING;
    c->greeted = false;
    c->seq = opt.last;
    c->have = 0;
    if (epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &e) != 0) {
        load_die("epoll_ctl");
    }
}

static void
check_number(struct client *c, struct str text)
{
    long seq = load_number(text, "seq");

    if (!c->greeted || seq <= c->seq) {
        wave.doubled++;
    } else {
        wave.lost += seq - c->seq - 1;
        c->seq = seq;
    }
    if (c->seq == opt.messages && c->state != RESUMED) {
        c->state = RESUMED;
        c->took_s = load_now() - wave.began;
        wave.resumed++;
    }
}

static bool
on_frame(void *cookie, struct str text)
{
    struct client *c = cookie;

    if (!load_has(text, "\"type\":\"connection_status\"")) {
        check_number(c, text);
    } else if (c->greeted || !load_has(text, "\"resumed\":true") ||
               load_number(text, "seq") != opt.messages) {
        fprintf(stderr, "%.*s\n", STR_ARG(text));
        exit(1);
    } else {
        c->greeted = true;
    }
    return true;
}

static void
take_bytes(struct client *c)
{
    if (c->state == UPGRADING) {
        char *end = memmem(c->buf, c->have, "\r\n\r\n", 4);

        if (end == NULL) {
            return;
        }
        if (strncmp(c->buf, "HTTP/1.1 101", 12) != 0) {
            fprintf(stderr, "refused: %.*s\n", (int)c->have, c->buf);
            exit(1);
        }
        c->state = READING;
        c->have -= (size_t)(end + 4 - c->buf);
        memmove(c->buf, end + 4, c->have);
    }
    c->have = load_frames(c->buf, c->have, on_frame, c);
}

/* A connection that failed is tried again at once, and counted. */
static void
try_again(struct client *c)
{
    wave.again++;
    close(c->fd);
    dial(c);
}

static void
on_ready(struct client *c, uint32_t events)
{
    struct epoll_event e = {.events = EPOLLIN, .data = {.ptr = c}};
    ssize_t n;

    if (c->state == CONNECTING) {
        if ((events & (EPOLLERR | EPOLLHUP)) != 0 ||
            !load_send(c->fd, c->request, strlen(c->request))) {
            try_again(c);
            return;
        }
        c->state = UPGRADING;
        (void)epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &e);
        return;
    }
    n = recv(c->fd, c->buf + c->have, sizeof(c->buf) - c->have, 0);
    if (n > 0) {
        c->have += (size_t)n;
        take_bytes(c);
    } else if (n == 0 || errno != EAGAIN) {
        if (c->state == RESUMED) {
            fprintf(stderr, "the server closed a connection\n");
            exit(1);
        }
        try_again(c);
    }
}

static void
turn_loop(int timeout_ms)
{
    struct epoll_event events[1024];
    int n = epoll_wait(poller, events, 1024, timeout_ms);

    for (int i = 0; i < n; i++) {
        on_ready(events[i].data.ptr, events[i].events);
    }
}

static void
report(const struct client *clients, int number)
{
    double *took = calloc((size_t)opt.clients, sizeof(double));
    size_t n = 0;

    for (int i = 0; i < opt.clients; i++) {
        if (clients[i].state == RESUMED) {
            took[n++] = clients[i].took_s;
        }
    }
    printf("wave %d: %d of %d resumed in %.2f s (half in %.2f s), %ld lost, "
           "%ld doubled, %ld connections tried again\n",
           number, wave.resumed, opt.clients, load_quantile(took, n, 1),
           load_quantile(took, n, 0.5), wave.lost, wave.doubled, wave.again);
    fflush(stdout);
    free(took);
}

static void
run_wave(struct client *clients, int number)
{
    double until;

    memset(&wave, 0, sizeof(wave));
    wave.began = load_now();
    for (int i = 0; i < opt.clients; i++) {
        dial(&clients[i]);
        if (i % 64 == 63) {
            turn_loop(0);
        }
    }
    while (wave.resumed < opt.clients && load_now() < wave.began + GIVE_UP_S) {
        turn_loop(100);
    }
    for (until = load_now() + LISTEN_ON_S; load_now() < until;) {
        turn_loop(100);
    }
    report(clients, number);
    for (int i = 0; i < opt.clients; i++) {
        load_abort(clients[i].fd);
    }
    usleep(1000000); /* the server buries them; the next wave is its own */
}

static void
read_options(int argc, char **argv)
{
    static const struct option names[] = {{"port", 1, 0, 'p'},
                                          {"secret", 1, 0, 's'},
                                          {"clients", 1, 0, 'c'},
                                          {"messages", 1, 0, 'm'},
                                          {"last", 1, 0, 'l'},
                                          {"waves", 1, 0, 'w'},
                                          {0, 0, 0, 0}};
    long values[128] = {['c'] = opt.clients,
                        ['m'] = opt.messages,
                        ['l'] = opt.last,
                        ['w'] = opt.waves};
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
    opt.port = (int)values['p'];
    opt.clients = (int)values['c'];
    opt.messages = values['m'];
    opt.last = values['l'];
    opt.waves = (int)values['w'];
}

int
main(int argc, char **argv)
{
    struct client *clients;
    struct rows rows;

    read_options(argc, argv);
    load_raise_files();
    poller = epoll_create1(0);
    clients = calloc((size_t)opt.clients, sizeof(*clients));
    rows_init(&rows, (size_t)opt.clients, 1);
    for (int i = 0; i < opt.clients; i++) {
        init(&clients[i], &rows, i);
    }
    for (int i = 1; i <= opt.waves; i++) {
        run_wave(clients, i);
    }
    return 0;
}
