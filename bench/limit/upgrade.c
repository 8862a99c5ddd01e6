/* SPDX-License-Identifier: MIT */
/* The least C that upgrades: accept, one recv, the token's HMAC, the accept
 * key's SHA-1, one send, and 64 bytes kept for the connection. Nothing is
 * checked but the signature. Usage: upgrade PORT SECRET */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

struct peer {
    int fd;
    char rest[60]; /* what even the smallest server must remember */
};

static int
signature_ok(const char *head, const char *secret)
{
    const char *token = strstr(head, "Bearer "), *end, *dot;
    unsigned char mac[32], given[64];
    unsigned n = sizeof(mac);
    char text[64];
    size_t k = 0;

    if (token == NULL) {
        return 0;
    }
    token += 7;
    end = strstr(token, "\r\n");
    dot = end;
    while (dot > token && *dot != '.') {
        dot--;
    }
    HMAC(EVP_sha256(), secret, (int)strlen(secret),
         (const unsigned char *)token, (size_t)(dot - token), mac, &n);
    for (const char *p = dot + 1; p < end && k < 60; p++) {
        text[k++] = *p == '-' ? '+' : *p == '_' ? '/' : *p;
    }
    while (k % 4 != 0) {
        text[k++] = '=';
    }
    return EVP_DecodeBlock(given, (unsigned char *)text, (int)k) >= 32 &&
           memcmp(mac, given, 32) == 0;
}

static int
answer(char *head, const char *secret, char *out, size_t size)
{
    char *key = strstr(head, "Sec-WebSocket-Key: ");
    char joined[64 + 36], accept[32];
    unsigned char sha[20];

    if (key == NULL || !signature_ok(head, secret)) {
        return -1;
    }
    memcpy(joined, key + 19, 24);
    memcpy(joined + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
    SHA1((unsigned char *)joined, 60, sha);
    EVP_EncodeBlock((unsigned char *)accept, sha, 20);
    return snprintf(out, size,
                    "HTTP/1.1 101 Switching Protocols\r\n"
                    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                    "Sec-WebSocket-Accept: %s\r\n\r\n",
                    accept);
}

static int poller;

static void
on_listener(int fd)
{
    int c = accept4(fd, NULL, NULL, SOCK_NONBLOCK), one = 1;
    struct epoll_event ev = {.events = EPOLLIN};
    struct peer *p;

    if (c < 0) {
        return;
    }
    p = calloc(1, sizeof(*p));
    p->fd = c;
    setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    ev.data.ptr = p;
    epoll_ctl(poller, EPOLL_CTL_ADD, c, &ev);
}

static void
on_peer(struct peer *p, const char *secret)
{
    static char buf[65536], out[512];
    ssize_t got = recv(p->fd, buf, sizeof(buf) - 1, 0);
    int k = -1;

    if (got > 0) {
        buf[got] = '\0';
        k = answer(buf, secret, out, sizeof(out));
    }
    if (k <= 0 || send(p->fd, out, (size_t)k, MSG_NOSIGNAL) != k) {
        close(p->fd);
        free(p);
    }
}

static void
serve(int fd, const char *secret)
{
    struct epoll_event events[256];
    int n = epoll_wait(poller, events, 256, -1);

    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr == NULL) {
            on_listener(fd);
        } else {
            on_peer(events[i].data.ptr, secret);
        }
    }
}

int
main(int argc, char **argv)
{
    struct rlimit files = {65536, 65536};
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct epoll_event ev = {.events = EPOLLIN};
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

    if (argc != 3) {
        return 2;
    }
    (void)setrlimit(RLIMIT_NOFILE, &files);
    a.sin_port = htons((uint16_t)atoi(argv[1]));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 ||
        listen(fd, 4096) != 0) {
        return 1;
    }
    poller = epoll_create1(0);
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &ev);
    for (;;) {
        serve(fd, argv[2]);
    }
}
