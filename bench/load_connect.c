/* SPDX-License-Identifier: MIT */
/* Connections as a load: what an idle authenticated WebSocket costs the server
 * in memory (the slope of its anonymous memory between --from and --to open
 * ones), and what an upgrade costs in CPU (--upgrades of them, opened and
 * closed in batches). Every connection is another user's.
 *
 *   load_connect --pid PID --port N [--secret S] [--path /chatbox/ws]
 *                [--from 1000 --to 15000] [--upgrades 20000] [--batch 50]
 *                [--frame]   a first frame follows the 101
 */
#include "guard/token.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct {
    long pid;
    int port, from, to, upgrades, batch, frame;
    const char *secret, *path;
} opt = {.from = 1000,
         .to = 15000,
         .upgrades = 20000,
         .batch = 50,
         .secret = "",
         .path = "/chatbox/ws"};

static void
die(const char *what)
{
    perror(what);
    exit(1);
}

static void
read_proc(const char *name, char *out, size_t size)
{
    char path[64];
    FILE *f;
    size_t n;

    snprintf(path, sizeof(path), "/proc/%ld/%s", opt.pid, name);
    f = fopen(path, "r");
    if (f == NULL) {
        die(path);
    }
    n = fread(out, 1, size - 1, f);
    fclose(f);
    out[n] = '\0';
}

static double
cpu_seconds(void)
{
    char text[1024];
    unsigned long user, system;
    char *p;

    read_proc("stat", text, sizeof(text));
    p = strrchr(text, ')');
    if (p == NULL ||
        sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
               &user, &system) != 2) {
        die("stat");
    }
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static long
anonymous_kb(void)
{
    char text[8192];
    char *p;

    read_proc("status", text, sizeof(text));
    p = strstr(text, "RssAnon:");
    return p != NULL ? atol(p + 8) : -1;
}

/* All requests are made beforehand: signing is not the server's cost. */
static char **
make_requests(int count)
{
    char **all = calloc((size_t)count, sizeof(*all));

    for (int i = 0; i < count; i++) {
        char user[32];
        struct token_claims claims = {.user_id = user,
                                      .issued_s = time(NULL),
                                      .expires_s = time(NULL) + 3600};
        struct buf token;

        snprintf(user, sizeof(user), "user-%d", i);
        buf_init(&token, 4096);
        token_sign_hs256(str_from(opt.secret), &claims, &token);
        if (asprintf(&all[i],
                     "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                     "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Origin: http://127.0.0.1:%d\r\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                     "Sec-WebSocket-Version: 13\r\n"
                     "Authorization: Bearer %.*s\r\n\r\n",
                     opt.path, opt.port, opt.port,
                     STR_ARG(buf_str(&token))) < 0) {
            die("asprintf");
        }
        buf_fini(&token);
    }
    return all;
}

/* Loopback has room for 28,000 ports an address: take several. */
static int
open_one(const char *request, int number)
{
    struct sockaddr_in from = {
        .sin_family = AF_INET,
        .sin_addr = {htonl(0x7f000001u + (unsigned)(number % 8))}};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)opt.port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof(from)) != 0 ||
        connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        die("connect");
    }
    if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0) {
        die("send");
    }
    return fd;
}

/* Until the 101, and the first frame behind it, are there. */
static void
await(int fd)
{
    char text[8192];
    size_t have = 0;

    for (;;) {
        ssize_t n = recv(fd, text + have, sizeof(text) - 1 - have, 0);
        char *end;

        if (n <= 0) {
            text[have] = '\0';
            fprintf(stderr, "refused: %s\n", text);
            exit(1);
        }
        have += (size_t)n;
        text[have] = '\0';
        end = strstr(text, "\r\n\r\n");
        if (end != NULL && (!opt.frame || text + have > end + 4)) {
            return;
        }
    }
}

static void
measure_memory(char **requests)
{
    long before = 0, after;

    for (int i = 0; i < opt.to; i++) {
        int fd = open_one(requests[i], i);

        await(fd);
        if (i + 1 == opt.from) {
            usleep(300000);
            before = anonymous_kb();
        }
    }
    usleep(300000);
    after = anonymous_kb();
    printf("%d -> %d connections: %ld -> %ld kB, %.0f bytes a connection\n",
           opt.from, opt.to, before, after,
           (double)(after - before) * 1024 / (opt.to - opt.from));
}

static void
measure_upgrades(char **requests)
{
    int *fds = calloc((size_t)opt.batch, sizeof(*fds));
    double cpu = cpu_seconds();
    int done = 0;

    while (done < opt.upgrades) {
        for (int i = 0; i < opt.batch; i++) {
            fds[i] = open_one(requests[(done + i) % opt.to], i);
        }
        for (int i = 0; i < opt.batch; i++) {
            struct linger hard = {1, 0};

            await(fds[i]);
            setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
            close(fds[i]);
        }
        done += opt.batch;
    }
    usleep(200000);
    printf("%d upgrades: %.2f us CPU each\n", done,
           (cpu_seconds() - cpu) * 1e6 / done);
}

int
main(int argc, char **argv)
{
    static const struct option names[] = {
        {"pid", 1, 0, 'p'},      {"port", 1, 0, 'o'},
        {"secret", 1, 0, 's'},   {"path", 1, 0, 'a'},
        {"from", 1, 0, 'f'},     {"to", 1, 0, 't'},
        {"upgrades", 1, 0, 'u'}, {"batch", 1, 0, 'b'},
        {"frame", 0, 0, 'r'},    {0, 0, 0, 0}};
    struct rlimit files = {65536, 65536};
    char **requests;
    int c;

    while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (c) {
        case 'p':
            opt.pid = atol(optarg);
            break;
        case 'o':
            opt.port = atoi(optarg);
            break;
        case 's':
            opt.secret = optarg;
            break;
        case 'a':
            opt.path = optarg;
            break;
        case 'f':
            opt.from = atoi(optarg);
            break;
        case 't':
            opt.to = atoi(optarg);
            break;
        case 'u':
            opt.upgrades = atoi(optarg);
            break;
        case 'b':
            opt.batch = atoi(optarg);
            break;
        case 'r':
            opt.frame = 1;
            break;
        default:
            return 2;
        }
    }
    (void)setrlimit(RLIMIT_NOFILE, &files);
    requests = make_requests(opt.to);
    measure_upgrades(requests);
    measure_memory(requests);
    return 0;
}
