/* SPDX-License-Identifier: MIT */
/* Load for the echo benchmark: N WebSockets that each send one text frame,
 * wait for its echo and send the next. Prints the CPU time that the server
 * (its process id is asked for, its clock read) used per message.
 *
 *   load_echo PORT PID [CONNECTIONS [PAYLOAD_BYTES [SECONDS]]]
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Nothing is counted before the server has warmed up. */
#define WARM_UP_S 1.0
#define FRAME_MAX 65536

static struct {
    size_t connections;
    size_t payload;
    double seconds;
} opt = {64, 32, 5};

static char frame[FRAME_MAX];
static size_t frame_size;
static size_t echo_size;

static void
die(const char *what)
{
    perror(what);
    exit(1);
}

static double
read_clock(clockid_t id)
{
    struct timespec t;

    if (clock_gettime(id, &t) != 0) {
        die("clock_gettime");
    }
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A masked text frame; the mask is not zero, so that unmasking is real. */
static void
build_frame(void)
{
    static const char mask[4] = {0x37, 0x12, (char)0xfa, 0x21};
    size_t n = opt.payload;
    size_t at = 2;

    frame[0] = (char)0x81;
    if (n < 126) {
        frame[1] = (char)(0x80 | n);
    } else {
        frame[1] = (char)(0x80 | 126);
        frame[2] = (char)(n >> 8);
        frame[3] = (char)n;
        at = 4;
    }
    memcpy(frame + at, mask, 4);
    for (size_t i = 0; i < n; i++) {
        frame[at + 4 + i] = (char)((char)('a' + i % 26) ^ mask[i % 4]);
    }
    frame_size = at + 4 + n;
    echo_size = at + n;
}

static void
shake_hands(int fd)
{
    static const char request[] =
        "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    char reply[1024];
    size_t n = 0;

    if (send(fd, request, sizeof(request) - 1, 0) !=
        (ssize_t)sizeof(request) - 1) {
        die("send");
    }
    do {
        ssize_t got = recv(fd, reply + n, sizeof(reply) - 1 - n, 0);

        if (got <= 0) {
            die("handshake");
        }
        n += (size_t)got;
        reply[n] = '\0';
    } while (strstr(reply, "\r\n\r\n") == NULL);
    if (strncmp(reply, "HTTP/1.1 101", 12) != 0) {
        (void)fprintf(stderr, "%s", reply);
        exit(1);
    }
}

static int
dial(uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
        die("connect");
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    shake_hands(fd);
    return fd;
}

static void
send_frame(int fd)
{
    if (send(fd, frame, frame_size, 0) != (ssize_t)frame_size) {
        die("send");
    }
}

/* An echo that came in pieces is waited for: small frames never do. */
static void
take_echo(int fd)
{
    static char echo[FRAME_MAX];
    size_t n = 0;

    while (n < echo_size) {
        ssize_t got = recv(fd, echo + n, echo_size - n, 0);

        if (got <= 0) {
            die("recv");
        }
        n += (size_t)got;
    }
    if ((echo[0] & 0xff) != 0x81 ||
        (unsigned char)echo[n - 1] != 'a' + (opt.payload - 1) % 26) {
        (void)fprintf(stderr, "not an echo\n");
        exit(1);
    }
}

static void
start_all(int poller, uint16_t port)
{
    for (size_t i = 0; i < opt.connections; i++) {
        struct epoll_event e = {.events = EPOLLIN};

        e.data.fd = dial(port);
        if (epoll_ctl(poller, EPOLL_CTL_ADD, e.data.fd, &e) != 0) {
            die("epoll_ctl");
        }
        send_frame(e.data.fd);
    }
}

/* Messages echoed until the time is over. */
static size_t
run(int poller, double seconds)
{
    double end = read_clock(CLOCK_MONOTONIC) + seconds;
    size_t count = 0;

    while (read_clock(CLOCK_MONOTONIC) < end) {
        struct epoll_event events[1024];
        int n = epoll_wait(poller, events, 1024, 100);

        for (int i = 0; i < n; i++) {
            take_echo(events[i].data.fd);
            send_frame(events[i].data.fd);
            count++;
        }
    }
    return count;
}

static void
measure(int poller, clockid_t server)
{
    double cpu;
    double wall;
    size_t count;

    (void)run(poller, WARM_UP_S);
    cpu = read_clock(server);
    wall = read_clock(CLOCK_MONOTONIC);
    count = run(poller, opt.seconds);
    cpu = read_clock(server) - cpu;
    wall = read_clock(CLOCK_MONOTONIC) - wall;
    (void)printf("%.3f us/message  %.0f messages/s  %.0f%% of a core\n",
                 cpu * 1e6 / (double)count, (double)count / wall,
                 100 * cpu / wall);
}

int
main(int argc, char **argv)
{
    struct rlimit files;
    clockid_t server;
    int poller = epoll_create1(0);

    if (argc < 3) {
        (void)fprintf(stderr, "usage: load_echo PORT PID [CONNECTIONS "
                              "[PAYLOAD_BYTES [SECONDS]]]\n");
        return 2;
    }
    opt.connections = argc > 3 ? strtoul(argv[3], NULL, 10) : opt.connections;
    opt.payload = argc > 4 ? strtoul(argv[4], NULL, 10) : opt.payload;
    opt.seconds = argc > 5 ? strtod(argv[5], NULL) : opt.seconds;
    if (opt.payload == 0 || opt.payload > FRAME_MAX - 16) {
        (void)fprintf(stderr, "payload: 1 to %d bytes\n", FRAME_MAX - 16);
        return 2;
    }
    (void)getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    if (clock_getcpuclockid((pid_t)strtol(argv[2], NULL, 10), &server) != 0) {
        die("clock_getcpuclockid");
    }
    build_frame();
    start_all(poller, (uint16_t)strtoul(argv[1], NULL, 10));
    measure(poller, server);
    return 0;
}
