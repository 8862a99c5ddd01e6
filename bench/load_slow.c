/* SPDX-License-Identifier: MIT */
/* Whether slow peers disturb others. Some clients ask at a steady rate and the
 * time of each answer is taken: half of them send `ping` on a WebSocket, half
 * ask for their sessions over HTTP. In every second phase there are slow peers
 * beside them: half send a head, half a body, one byte now and then. Who is
 * closed comes back.
 *
 *   load_slow --port N --secret S [--slow 5000] [--clients 40] [--rounds 5]
 *             [--seconds 12]
 *
 * Prints both p99 of each round, their medians and the least of each: what a
 * busy host adds is not in that. */
#include "bench/load.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ASK_EVERY_S 0.02 /* each client */
#define DRIP_EVERY_S 2.0 /* each slow peer */
#define SETTLE_S 1.0     /* after slow peers have come or gone */
#define GREETING_MS 10000
#define SAMPLES_MAX (1 << 20)
#define KINDS 2

struct client {
    bool slow;
    bool http;
    int fd;
    int number;
    double due;   /* the next question, the next byte */
    double asked; /* 0: nothing is asked */
    char *request;
    size_t have;
    char buf[4096];
};

static struct {
    int port, slow, clients, rounds;
    double seconds;
    const char *secret;
} opt = {.slow = 5000, .clients = 40, .rounds = 5, .seconds = 12, .secret = ""};

static const char *const kind_names[KINDS] = {"ping", "sessions"};
static double samples[KINDS][SAMPLES_MAX];
static size_t sample_count[KINDS];
static bool measuring;
static long comebacks;
static int clients_poller, slow_poller;

static void
watch(struct client *c)
{
    struct epoll_event e = {.events = EPOLLIN, .data = {.ptr = c}};
    int poller = c->slow ? slow_poller : clients_poller;

    if (epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &e) != 0) {
        load_die("epoll_ctl");
    }
}

/* --- those who are measured --------------------------------------------- */

/* Reads until the last of what a connection is greeted with is there. */
static void
await_greeting(struct client *c)
{
    static const char last[] = "connection_status";
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    size_t have = 0;

    while (memmem(c->buf, have, last, strlen(last)) == NULL) {
        ssize_t n = poll(&p, 1, GREETING_MS) == 1
                        ? recv(c->fd, c->buf + have, sizeof(c->buf) - have, 0)
                        : -1;

        if (n <= 0) {
            load_die("upgrade");
        }
        have += (size_t)n;
    }
}

static void
begin_client(struct client *c, int number)
{
    char user[32], *token, *upgrade;

    snprintf(user, sizeof(user), "normal-%d", number);
    token = load_token(opt.secret, user);
    c->http = number % 2 == 1;
    c->fd = load_dial(opt.port, number);
    if (asprintf(&c->request,
                 "GET /chatbox/sessions?limit=1 HTTP/1.1\r\nHost: a\r\n"
                 "Authorization: Bearer %s\r\n\r\n",
                 token) < 0) {
        load_die("asprintf");
    }
    if (!c->http) {
        upgrade = load_upgrade(opt.port, token, "");
        (void)load_send(c->fd, upgrade, strlen(upgrade));
        free(upgrade);
        await_greeting(c);
    }
    c->due = load_now() + ASK_EVERY_S * number / opt.clients;
    watch(c);
    free(token);
}

static void
ask(struct client *c)
{
    bool sent;

    c->asked = load_now();
    sent = c->http ? load_send(c->fd, c->request, strlen(c->request))
                   : load_say(c->fd, "{\"type\":\"ping\"}");
    if (!sent) {
        load_die("a client's connection");
    }
    c->due += ASK_EVERY_S;
}

static void
take_answer(struct client *c)
{
    ssize_t n = recv(c->fd, c->buf, sizeof(c->buf) - 1, 0);
    double took = load_now() - c->asked;

    if (n <= 0) {
        load_die("a client's connection");
    }
    c->buf[n] = '\0';
    if (!c->http && n == 2 && (unsigned char)c->buf[0] == 0x89) {
        return; /* the server's ping; whatever we send next answers it */
    }
    if (c->http ? strncmp(c->buf, "HTTP/1.1 200", 12) != 0
                : memmem(c->buf, (size_t)n, "\"pong\"", 6) == NULL) {
        fprintf(stderr, "not an answer: %s\n", c->buf);
        exit(1);
    }
    if (measuring && sample_count[c->http] < SAMPLES_MAX) {
        samples[c->http][sample_count[c->http]++] = took * 1e6;
    }
    c->asked = 0;
}

/* --- the slow ones ------------------------------------------------------ */

static void
begin_slow(struct client *c)
{
    static const char head[] = "GET /chatbox/healthz HTTP/1.1\r\nHost: a\r\n"
                               "X-Slow: ";

    c->fd = load_dial(opt.port, c->number);
    if (c->http) {
        (void)load_send(c->fd, c->request, strlen(c->request));
    } else {
        (void)load_send(c->fd, head, sizeof(head) - 1);
    }
    watch(c);
}

static void
init_slow(struct client *c, int number)
{
    char user[32], *token;

    snprintf(user, sizeof(user), "slow-%d", number);
    token = load_token(opt.secret, user);
    c->slow = true;
    c->number = number;
    c->http = number % 2 == 1;
    if (asprintf(&c->request,
                 "POST /chatbox/sessions HTTP/1.1\r\nHost: a\r\n"
                 "Authorization: Bearer %s\r\n"
                 "Content-Type: application/json\r\n"
                 "Content-Length: 100000\r\n\r\n{\"name\":\"",
                 token) < 0) {
        load_die("asprintf");
    }
    free(token);
}

/* The server has had enough of it. */
static void
come_back(struct client *c)
{
    if (recv(c->fd, c->buf, sizeof(c->buf), 0) > 0) {
        return; /* the 408; the end follows */
    }
    comebacks++;
    load_abort(c->fd);
    begin_slow(c);
}

/* --- the run ------------------------------------------------------------ */

static void
turn_loop(struct client *all, int count)
{
    struct epoll_event events[64];
    int n = epoll_wait(clients_poller, events, 64, 0);
    double now;

    for (int i = 0; i < n; i++) {
        take_answer(events[i].data.ptr);
    }
    now = load_now();
    for (int i = 0; i < count; i++) {
        if (all[i].due <= now && all[i].asked == 0) {
            ask(&all[i]);
        }
    }
}

/* One peer at a time, so that the clients are not kept waiting by this
 * program. */
static void
welcome_back(void)
{
    struct epoll_event event;

    if (epoll_wait(slow_poller, &event, 1, 0) == 1) {
        come_back(event.data.ptr);
    }
}

/* One byte of one peer at a time, for the same reason. */
static void
drip(struct client *slow, int count, double *next, int *turn)
{
    double now = load_now();

    if (count > 0 && *next <= now) {
        (void)load_send(slow[*turn].fd, "a", 1);
        *turn = (*turn + 1) % count;
        *next += DRIP_EVERY_S / count;
    }
}

static void
run(struct client *all, struct client *slow, int slow_count, double seconds)
{
    double end = load_now() + seconds, next = load_now();
    int turn = 0;

    while (load_now() < end) {
        turn_loop(all, opt.clients);
        drip(slow, slow_count, &next, &turn);
        turn_loop(all, opt.clients);
        welcome_back();
    }
}

/* p99 of both kinds. */
static void
phase(struct client *all, struct client *slow, bool with, double p99[KINDS])
{
    int count = with ? opt.slow : 0;

    for (int i = 0; i < count; i++) {
        begin_slow(&slow[i]);
        if (i % 16 == 15) {
            turn_loop(all, opt.clients);
        }
    }
    run(all, slow, count, SETTLE_S);
    memset(sample_count, 0, sizeof(sample_count));
    measuring = true;
    run(all, slow, count, opt.seconds);
    measuring = false;
    for (int k = 0; k < KINDS; k++) {
        p99[k] = load_quantile(samples[k], sample_count[k], 0.99);
    }
    for (int i = 0; i < count; i++) {
        load_abort(slow[i].fd);
    }
}

static void
verdict(const char *kind, const char *what, double *seen[2], size_t rounds,
        double q)
{
    double alone = load_quantile(seen[0], rounds, q);
    double with = load_quantile(seen[1], rounds, q);

    printf("%s: %s %.0f and %.0f us, ratio %.2f\n", kind, what, alone, with,
           with / alone);
}

static void
compare(struct client *all, struct client *slow)
{
    double *seen[KINDS][2], p99[2][KINDS];
    size_t rounds = (size_t)opt.rounds;

    for (int k = 0; k < KINDS; k++) {
        seen[k][0] = calloc(rounds, sizeof(double));
        seen[k][1] = calloc(rounds, sizeof(double));
    }
    for (size_t n = 0; n < rounds; n++) {
        phase(all, slow, false, p99[0]);
        phase(all, slow, true, p99[1]);
        for (int k = 0; k < KINDS; k++) {
            seen[k][0][n] = p99[0][k];
            seen[k][1][n] = p99[1][k];
            printf("%s: p99 %.0f us alone, %.0f us with %d slow peers\n",
                   kind_names[k], p99[0][k], p99[1][k], opt.slow);
            fflush(stdout);
        }
    }
    for (int k = 0; k < KINDS; k++) {
        verdict(kind_names[k], "medians", seen[k], rounds, 0.5);
        verdict(kind_names[k], "least", seen[k], rounds, 0);
    }
    printf("%ld slow peers were closed and came back\n", comebacks);
}

int
main(int argc, char **argv)
{
    static const struct option names[] = {
        {"port", 1, 0, 'p'},   {"secret", 1, 0, 's'},
        {"slow", 1, 0, 'l'},   {"clients", 1, 0, 'c'},
        {"rounds", 1, 0, 'r'}, {"seconds", 1, 0, 't'},
        {0, 0, 0, 0}};
    long values[128] = {['l'] = opt.slow,
                        ['c'] = opt.clients,
                        ['r'] = opt.rounds,
                        ['t'] = (long)opt.seconds};
    struct client *all, *slow;
    int c;

    while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (c == '?') {
            return 2;
        }
        if (c == 's') {
            opt.secret = optarg;
        } else {
            values[c] = strtol(optarg, NULL, 10);
        }
    }
    opt.port = (int)values['p'];
    opt.slow = (int)values['l'];
    opt.clients = (int)values['c'];
    opt.rounds = (int)values['r'];
    opt.seconds = (double)values['t'];
    load_raise_files();
    clients_poller = epoll_create1(0);
    slow_poller = epoll_create1(0);
    all = calloc((size_t)opt.clients, sizeof(*all));
    slow = calloc((size_t)opt.slow, sizeof(*slow));
    for (int i = 0; i < opt.slow; i++) {
        init_slow(&slow[i], i);
    }
    for (int i = 0; i < opt.clients; i++) {
        begin_client(&all[i], i);
    }
    compare(all, slow);
    return 0;
}
