/* SPDX-License-Identifier: MIT */
/* How long a page of history takes over HTTP: the last messages of two
 * sessions of bench/store_fill.c, asked for in turn on one connection each.
 *
 *   load_history --port N --secret S [--limit 50] [--requests 10000]
 *
 * Session 0 is the long one, session 1 the short one. */
#include "bench/load.h"
#include "bench/rows.h"

#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define SESSIONS 2
#define ANSWER_MAX (1 << 20)

static struct {
    int port;
    long limit, requests;
    const char *secret;
} opt = {.limit = 50, .requests = 10000, .secret = ""};

struct reader {
    int fd;
    char *request;
    double *us; /* of each answer */
    size_t bytes;
};

static char answer[ANSWER_MAX];

static void
init(struct reader *r, const struct rows *rows, size_t session)
{
    char user[32], *token;

    snprintf(user, sizeof(user), "user-%zu", session);
    token = load_token(opt.secret, user);
    if (asprintf(&r->request,
                 "GET /chatbox/sessions/%s?limit=%ld HTTP/1.1\r\n"
                 "Host: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\n\r\n",
                 rows_session(rows, session), opt.limit, opt.port, token) < 0) {
        load_die("asprintf");
    }
    r->us = calloc((size_t)opt.requests, sizeof(double));
    r->fd = load_dial(opt.port, 0);
    free(token);
}

/* Bytes of the answer when all of it is there, else 0. */
static size_t
whole(size_t have)
{
    char *end, *length;
    size_t n;

    answer[have] = '\0';
    end = strstr(answer, "\r\n\r\n");
    length = strcasestr(answer, "\r\ncontent-length:");
    if (end == NULL) {
        return 0;
    }
    if (length == NULL || strncmp(answer, "HTTP/1.1 200", 12) != 0) {
        fprintf(stderr, "%s\n", answer);
        exit(1);
    }
    n = (size_t)(end + 4 - answer) + strtoul(length + 17, NULL, 10);
    return have >= n ? n : 0;
}

static void
ask(struct reader *r, long number)
{
    double began = load_now();
    size_t have = 0;

    if (!load_send(r->fd, r->request, strlen(r->request))) {
        load_die("send");
    }
    while (whole(have) == 0) {
        struct pollfd p = {.fd = r->fd, .events = POLLIN};
        ssize_t n;

        (void)poll(&p, 1, -1);
        n = recv(r->fd, answer + have, sizeof(answer) - 1 - have, 0);
        if (n <= 0) {
            load_die("recv");
        }
        have += (size_t)n;
    }
    r->us[number] = (load_now() - began) * 1e6;
    r->bytes = have;
}

/* Is it the page that was asked for? */
static void
check_page(const struct reader *r)
{
    long messages = 0;
    const char *at = answer;

    while ((at = strstr(at, "\"message_id\":")) != NULL) {
        messages++;
        at++;
    }
    if (messages != opt.limit) {
        fprintf(stderr, "%ld messages in %zu bytes\n", messages, r->bytes);
        exit(1);
    }
}

int
main(int argc, char **argv)
{
    static const struct option names[] = {{"port", 1, 0, 'p'},
                                          {"secret", 1, 0, 's'},
                                          {"limit", 1, 0, 'l'},
                                          {"requests", 1, 0, 'n'},
                                          {0, 0, 0, 0}};
    struct reader readers[SESSIONS];
    struct rows rows;
    int c;

    while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (c) {
        case 'p':
            opt.port = (int)strtol(optarg, NULL, 10);
            break;
        case 's':
            opt.secret = optarg;
            break;
        case 'l':
            opt.limit = strtol(optarg, NULL, 10);
            break;
        case 'n':
            opt.requests = strtol(optarg, NULL, 10);
            break;
        default:
            return 2;
        }
    }
    rows_init(&rows, SESSIONS, 1);
    for (size_t i = 0; i < SESSIONS; i++) {
        init(&readers[i], &rows, i);
        ask(&readers[i], 0);
        check_page(&readers[i]);
    }
    for (long n = 0; n < opt.requests; n++) {
        for (size_t i = 0; i < SESSIONS; i++) {
            ask(&readers[i], n);
        }
    }
    for (size_t i = 0; i < SESSIONS; i++) {
        const struct reader *r = &readers[i];
        size_t n = (size_t)opt.requests;

        printf("%s: p50 %.0f us, p99 %.0f us, p99.9 %.0f us, %zu bytes\n",
               i == 0 ? "long" : "short", load_quantile(r->us, n, 0.5),
               load_quantile(r->us, n, 0.99), load_quantile(r->us, n, 0.999),
               r->bytes);
    }
    return 0;
}
