/* SPDX-License-Identifier: MIT */
/* What the load generators share: see load.h. */
#include "bench/load.h"

#include "codec/ws_frame.h"
#include "guard/token.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ADDRESSES 8
#define TOKEN_LIFE_S (2 * 86400)

double
load_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void
load_die(const char *what)
{
    perror(what);
    exit(1);
}

void
load_raise_files(void)
{
    struct rlimit files = {65536, 65536};

    if (setrlimit(RLIMIT_NOFILE, &files) != 0 &&
        getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

int
load_dial(int port, int number)
{
    struct sockaddr_in from = {
        .sin_family = AF_INET,
        .sin_addr = {htonl(INADDR_LOOPBACK + (unsigned)number % ADDRESSES)}};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;

    if (fd < 0) {
        load_die("socket");
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&from, sizeof(from)) != 0) {
        load_die("bind");
    }
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0 &&
        errno != EINPROGRESS) {
        load_die("connect");
    }
    return fd;
}

int
load_listen(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 ||
        listen(fd, 4096) != 0) {
        load_die("listen");
    }
    return fd;
}

void
load_abort(int fd)
{
    struct linger hard = {1, 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(fd);
}

bool
load_send(int fd, const char *bytes, size_t n)
{
    return send(fd, bytes, n, MSG_NOSIGNAL) == (ssize_t)n;
}

char *
load_token(const char *secret, const char *user)
{
    struct token_claims claims = {.user_id = user,
                                  .issued_s = time(NULL),
                                  .expires_s = time(NULL) + TOKEN_LIFE_S};
    struct buf token;

    buf_init(&token, 4096);
    token_sign_hs256(str_from(secret), &claims, &token);
    return buf_give(&token);
}

char *
load_upgrade(int port, const char *token, const char *query)
{
    char *all;

    if (asprintf(&all,
                 "GET /chatbox/ws%s%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                 "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                 "Sec-WebSocket-Version: 13\r\n"
                 "Authorization: Bearer %s\r\n\r\n",
                 query[0] != '\0' ? "?" : "", query, port, token) < 0) {
        load_die("asprintf");
    }
    return all;
}

bool
load_say(int fd, const char *json)
{
    struct buf frame;
    bool sent;

    buf_init(&frame, 65536);
    ws_frame_put_masked(&frame, WS_TEXT, str_from(json), 0x12345678);
    sent = load_send(fd, frame.p, frame.n);
    buf_fini(&frame);
    return sent;
}

size_t
load_frames(char *p, size_t n, bool (*on_text)(void *, struct str),
            void *cookie)
{
    size_t at = 0;

    while (n - at >= 4) {
        const unsigned char *f = (const unsigned char *)p + at;
        size_t size = f[1] & 0x7f, header = 2;

        if (size == 126) {
            size = (size_t)f[2] << 8 | f[3];
            header = 4;
        } else if (size == 127) {
            fprintf(stderr, "a frame of 64 KiB or more\n");
            exit(1);
        }
        if (n - at < header + size) {
            break;
        }
        if ((f[0] & 0x0f) == WS_TEXT &&
            !on_text(cookie, (struct str){p + at + header, size})) {
            return 0;
        }
        at += header + size;
    }
    memmove(p, p + at, n - at);
    return n - at;
}

bool
load_has(struct str text, const char *needle)
{
    return memmem(text.p, text.n, needle, strlen(needle)) != NULL;
}

long
load_number(struct str json, const char *name)
{
    char key[64];
    int n = snprintf(key, sizeof(key), "\"%s\":", name);
    const char *at = memmem(json.p, json.n, key, (size_t)n);

    return at != NULL ? strtol(at + n, NULL, 10) : -1;
}

#define PROC_BYTES 8192

static void
read_proc(long pid, const char *name, char text[static PROC_BYTES])
{
    char path[64];
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%ld/%s", pid, name);
    f = fopen(path, "r");
    if (f == NULL) {
        load_die(path);
    }
    text[fread(text, 1, PROC_BYTES - 1, f)] = '\0';
    fclose(f);
}

long
load_anonymous_kb(long pid)
{
    char text[PROC_BYTES];
    const char *at;

    read_proc(pid, "status", text);
    at = strstr(text, "RssAnon:");
    return at != NULL ? strtol(at + 8, NULL, 10) : -1;
}

double
load_cpu_s(long pid)
{
    char text[PROC_BYTES];
    unsigned long user, system;
    const char *p;

    read_proc(pid, "stat", text);
    p = strrchr(text, ')');
    if (p == NULL ||
        sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
               &user, &system) != 2) {
        load_die("stat");
    }
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static int
by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double
load_quantile(double *values, size_t n, double q)
{
    if (n == 0) {
        return -1;
    }
    qsort(values, n, sizeof(*values), by_value);
    return values[(size_t)(q * (double)(n - 1))];
}
