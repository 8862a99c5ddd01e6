/* SPDX-License-Identifier: MIT */
/* The least C that echoes small WebSocket frames: epoll_wait, recv, unmask,
 * send. No limits, no checks, no partial frames; one buffer for everybody.
 * What bench/ws_echo.c costs above this is the price of the loop, net and
 * codec. Usage: echo PORT */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define FDS 65536

static int poller;
static char upgraded[FDS];
static unsigned char in[65536];
static unsigned char out[65536];

static void
die(const char *what)
{
    perror(what);
    exit(1);
}

static void
watch(int fd)
{
    struct epoll_event e = {.events = EPOLLIN, .data = {.fd = fd}};

    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e) != 0) {
        die("epoll_ctl");
    }
}

static void
take(int listener)
{
    int one = 1;
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);

    if (fd < 0 || fd >= FDS) {
        die("accept");
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    upgraded[fd] = 0;
    watch(fd);
}

static void
answer(int fd, ssize_t n)
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char text[24 + sizeof(guid)];
    unsigned char digest[20];
    unsigned char accept[29];
    char reply[256];
    const char *key;
    int size;

    in[n] = '\0';
    key = strcasestr((char *)in, "sec-websocket-key: ");
    if (key == NULL) {
        die("key");
    }
    memcpy(text, key + 19, 24);
    memcpy(text + 24, guid, sizeof(guid));
    EVP_Digest(text, 60, digest, NULL, EVP_sha1(), NULL);
    EVP_EncodeBlock(accept, digest, 20);
    size = snprintf(reply, sizeof(reply),
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                    "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                    accept);
    if (send(fd, reply, (size_t)size, MSG_NOSIGNAL) != size) {
        die("send");
    }
    upgraded[fd] = 1;
}

/* One frame at p; its echo goes to q. Returns what both took. */
static void
echo_frame(unsigned char **p, unsigned char **q)
{
    unsigned char *from = *p;
    unsigned char *to = *q;
    size_t n = from[1] & 127;
    size_t header = 2;
    const unsigned char *mask;

    to[0] = from[0];
    to[1] = (unsigned char)n;
    if (n == 126) {
        n = (size_t)from[2] << 8 | from[3];
        to[2] = from[2];
        to[3] = from[3];
        header = 4;
    }
    mask = from + header;
    from += header + 4;
    to += header;
    for (size_t i = 0; i < n; i++) {
        to[i] = from[i] ^ mask[i % 4];
    }
    *p = from + n;
    *q = to + n;
}

static void
serve(int fd)
{
    ssize_t n = recv(fd, in, sizeof(in) - 1, 0);
    unsigned char *p = in;
    unsigned char *q = out;

    if (n <= 0) {
        (void)close(fd);
        return;
    }
    if (!upgraded[fd]) {
        answer(fd, n);
        return;
    }
    while (p < in + n) {
        echo_frame(&p, &q);
    }
    if (send(fd, out, (size_t)(q - out), MSG_NOSIGNAL) != q - out) {
        die("send");
    }
}

int
main(int argc, char **argv)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    struct epoll_event events[1024];
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int one = 1;

    if (argc != 2) {
        (void)fprintf(stderr, "usage: echo PORT\n");
        return 2;
    }
    a.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(listener, (struct sockaddr *)&a, sizeof(a)) != 0 ||
        listen(listener, SOMAXCONN) != 0) {
        die("listen");
    }
    poller = epoll_create1(0);
    watch(listener);
    for (;;) {
        int n = epoll_wait(poller, events, 1024, -1);

        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listener) {
                take(listener);
            } else {
                serve(events[i].data.fd);
            }
        }
    }
}
