/* SPDX-License-Identifier: MIT */
/* Conversations without end, in one process with the model that answers them:
 * every slot is a user who asks, reads the answer, asks again; comes back on a
 * new connection now and then, and leaves for good after some turns, when a
 * new user takes the slot. Of 16 turns one is cancelled, in one the connection
 * breaks and the answer is read after resuming, in one the question is sent
 * once more when it is answered. Of 10 answers one is long enough for
 * checkpoints.
 *
 *   load_turns --pid PID --port SERVER --model-port N --secret S
 *              [--turns 60000] [--slots 100] [--sample 1000]
 *
 * Prints `turns N kb M` (anonymous memory of the server) every --sample turns,
 * and at the end one line of totals. Exit 1 as soon as something is not as it
 * must be: an answer without question, a second end, an error. */
#include "bench/load.h"

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

#define TURNS_OF_CONNECTION 7
#define TURNS_OF_USER 30
#define BURSTS 4 /* in which a model's answer comes */
#define BURST_S 0.001
#define WORDS 5 /* of a burst */
#define LONG_WORDS 200

enum kind { LISTENER, MODEL, USER };
enum state {
    GREETING,  /* no first frame yet */
    ASKING,    /* no ack yet */
    READING,   /* the answer */
    RESUMING,  /* the same, on a new connection without a first frame yet */
    REPEATING, /* the whole answer to the same question, again */
    IDLE       /* enough was asked */
};
enum sort { PLAIN, CANCEL, BREAK, REPEAT };

struct peer {
    enum kind kind;
    int fd;
    size_t have;
    char buf[131072];
};

struct model {
    struct peer peer;
    int left; /* bursts that are still to be sent; 0: no request */
    int words;
    double next;
};

struct slot {
    struct peer peer;
    enum state state;
    enum sort sort;
    bool upgraded;
    long connection; /* number among all */
    long user;
    long turn; /* number among all */
    long last_seq;
    int turns_of_connection, turns_of_user;
    char *token;
    char session[33];
};

static struct {
    long pid, turns, sample;
    int port, model_port, slots;
    const char *secret;
} opt = {.turns = 60000, .sample = 1000, .slots = 100, .secret = ""};

static struct {
    long asked, acked, ended, cancelled, broken, repeated, requests, cut,
        connections, users, sessions;
} total;

static int poller;
static struct model **models;
static size_t model_count;

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

/* --- the model ---------------------------------------------------------- */

static struct peer *
listen_model(void)
{
    struct peer *p = calloc(1, sizeof(*p));

    p->kind = LISTENER;
    p->fd = load_listen(opt.model_port);
    watch(p);
    return p;
}

static void
accept_models(const struct peer *listener)
{
    int one = 1, fd;

    while ((fd = accept(listener->fd, NULL, NULL)) >= 0) {
        struct model *m = calloc(1, sizeof(*m));

        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        m->peer.kind = MODEL;
        m->peer.fd = fd;
        models = realloc(models, (model_count + 1) * sizeof(*models));
        models[model_count++] = m;
        watch(&m->peer);
    }
}

static void
model_gone(struct model *m)
{
    total.cut += m->left > 0;
    for (size_t i = 0; i < model_count; i++) {
        if (models[i] == m) {
            models[i] = models[--model_count];
            break;
        }
    }
    close(m->peer.fd);
    free(m);
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

/* The question says which kind of an answer it wants. */
static void
read_model(struct model *m)
{
    static const char head[] =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        "Transfer-Encoding: chunked\r\n\r\n";
    ssize_t got = take(&m->peer);
    size_t n;
    const char *last;

    if (got == 0) {
        model_gone(m);
        return;
    }
    n = whole_request(&m->peer);
    if (n == 0 || m->left > 0) {
        return;
    }
    last = memrchr(m->peer.buf, '?', n);
    m->words = last != NULL && last[-1] == 'l' ? LONG_WORDS : WORDS;
    m->left = BURSTS;
    m->next = load_now();
    m->peer.have -= n;
    memmove(m->peer.buf, m->peer.buf + n, m->peer.have + 1);
    total.requests++;
    (void)load_send(m->peer.fd, head, sizeof(head) - 1);
}

static void
send_burst(struct model *m)
{
    static const char end[] = "data: {\"choices\":[{\"index\":0,\"delta\":{},"
                              "\"finish_reason\":\"stop\"}]}\n\n"
                              "data: [DONE]\n\n";
    static char body[65536], chunk[65536 + 16];
    int n = 0;

    for (int i = 0; i < m->words; i++) {
        n += snprintf(body + n, sizeof(body) - (size_t)n,
                      "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":"
                      "\"word%d \"},\"finish_reason\":null}]}\n\n",
                      i);
    }
    if (--m->left == 0) {
        n += snprintf(body + n, sizeof(body) - (size_t)n, "%s", end);
    }
    n = snprintf(chunk, sizeof(chunk), "%x\r\n%s\r\n%s", n, body,
                 m->left == 0 ? "0\r\n\r\n" : "");
    (void)load_send(m->peer.fd, chunk, (size_t)n);
    m->next += BURST_S;
}

static void
send_due_bursts(void)
{
    double now = load_now();

    for (size_t i = 0; i < model_count; i++) {
        if (models[i]->left > 0 && models[i]->next <= now) {
            send_burst(models[i]);
        }
    }
}

/* --- the users ---------------------------------------------------------- */

static void
dial(struct slot *s, enum state state)
{
    char query[128] = "";
    char *upgrade;

    if (s->session[0] != '\0') {
        snprintf(query, sizeof(query), "session_id=%s&last_seq=%ld", s->session,
                 s->last_seq);
    }
    upgrade = load_upgrade(opt.port, s->token, query);
    s->peer.fd = load_dial(opt.port, (int)(s->user % 1000));
    s->peer.have = 0;
    s->peer.buf[0] = '\0';
    s->upgraded = false;
    s->turns_of_connection = 0;
    s->state = state;
    s->connection = total.connections++;
    watch(&s->peer);
    /* On loopback the connection stands when connect has returned. */
    if (!load_send(s->peer.fd, upgrade, strlen(upgrade))) {
        load_die("send");
    }
    free(upgrade);
}

static void
new_user(struct slot *s)
{
    char name[32];

    s->user = total.users++;
    s->last_seq = 0;
    s->turns_of_user = 0;
    s->session[0] = '\0';
    free(s->token);
    snprintf(name, sizeof(name), "talker-%ld", s->user);
    s->token = load_token(opt.secret, name);
}

static void
say_question(const struct slot *s)
{
    char frame[256];

    snprintf(frame, sizeof(frame),
             "{\"type\":\"user_message\",\"client_id\":\"c-%ld\","
             "\"content\":\"What about %ld, %s?\"}",
             s->turn, s->turn, s->turn % 10 == 3 ? "in full" : "in short");
    if (!load_say(s->peer.fd, frame)) {
        load_die("send");
    }
}

static void
ask(struct slot *s)
{
    static const enum sort sorts[16] = {
        [5] = CANCEL, [9] = BREAK, [13] = REPEAT};

    if (total.asked >= opt.turns) {
        s->state = IDLE;
        return;
    }
    total.sessions += s->turns_of_user == 0;
    s->turn = total.asked++;
    s->sort = sorts[s->turn % 16];
    s->state = ASKING;
    s->turns_of_connection++;
    s->turns_of_user++;
    say_question(s);
}

/* With a close frame, or without a word. */
static void
leave(struct slot *s)
{
    static const char farewell[] = "\x88\x80\x12\x34\x56\x78";

    if (s->turn % 2 == 0) {
        (void)load_send(s->peer.fd, farewell, sizeof(farewell) - 1);
        close(s->peer.fd);
    } else {
        load_abort(s->peer.fd);
    }
}

/* A turn is over: on, on another connection, or as somebody else. */
static void
next(struct slot *s)
{
    bool user_is_done = s->turns_of_user >= TURNS_OF_USER;

    if (!user_is_done && s->turns_of_connection < TURNS_OF_CONNECTION) {
        ask(s);
        return;
    }
    leave(s);
    if (user_is_done) {
        new_user(s);
    }
    dial(s, GREETING);
}

static void
on_hello(struct slot *s, struct str text)
{
    const char *id = memmem(text.p, text.n, "\"session_id\":\"", 14);

    if (id == NULL ||
        (s->session[0] != '\0' && memcmp(s->session, id + 14, 32) != 0)) {
        give_up("not the session that was wanted", text);
    }
    memcpy(s->session, id + 14, 32);
    if (s->state == GREETING) {
        ask(s);
    } else {
        s->state = READING;
    }
}

static void
on_end(struct slot *s, struct str text)
{
    bool cancelled = load_has(text, "\"finish_reason\":\"cancelled\"");

    if (s->state == REPEATING) {
        total.repeated++;
        next(s);
        return;
    }
    if (s->state != READING) {
        give_up("an end too many", text);
    }
    if (!cancelled && !load_has(text, "\"finish_reason\":\"stop\"")) {
        give_up("not the end that was to come", text);
    }
    s->last_seq = load_number(text, "seq");
    total.ended++;
    total.cancelled += cancelled;
    if (s->sort == REPEAT) {
        s->state = REPEATING;
        say_question(s);
    } else {
        next(s);
    }
}

static void
on_delta(struct slot *s)
{
    if (s->sort == CANCEL) {
        s->sort = PLAIN;
        (void)load_say(s->peer.fd, "{\"type\":\"cancel\"}");
    } else if (s->sort == BREAK) {
        s->sort = PLAIN;
        total.broken++;
        load_abort(s->peer.fd);
        dial(s, RESUMING);
    }
}

/* Of a repeated question it is the first one's. */
static void
on_ack(struct slot *s, struct str text)
{
    if (s->state == ASKING) {
        total.acked++;
        s->last_seq = load_number(text, "seq");
        s->state = READING;
    } else if (s->state != REPEATING) {
        give_up("an ack too many", text);
    }
}

static bool
on_frame(void *cookie, struct str text)
{
    struct slot *s = cookie;
    long connection = s->connection;

    if (load_has(text, "\"type\":\"ai_response\"")) {
        if (load_has(text, "\"done\":\"true\"")) {
            on_end(s, text);
        } else {
            on_delta(s);
        }
    } else if (load_has(text, "\"type\":\"connection_status\"")) {
        on_hello(s, text);
    } else if (load_has(text, "\"type\":\"ack\"")) {
        on_ack(s, text);
    } else if (load_has(text, "\"type\":\"error\"") &&
               !load_has(text, "\"NOT_FOUND\"")) {
        give_up("an error", text); /* NOT_FOUND: a cancel that came late */
    }
    return s->connection == connection;
}

static void
read_user(struct slot *s)
{
    ssize_t got = take(&s->peer);
    char *end;

    if (got == 0) {
        give_up("the server closed a connection",
                (struct str){s->peer.buf, s->peer.have});
    }
    if (!s->upgraded) {
        end = strstr(s->peer.buf, "\r\n\r\n");
        if (end == NULL) {
            return;
        }
        if (strncmp(s->peer.buf, "HTTP/1.1 101", 12) != 0) {
            give_up("refused", str_from(s->peer.buf));
        }
        s->upgraded = true;
        s->peer.have -= (size_t)(end + 4 - s->peer.buf);
        memmove(s->peer.buf, end + 4, s->peer.have);
    }
    s->peer.have = load_frames(s->peer.buf, s->peer.have, on_frame, s);
    s->peer.buf[s->peer.have] = '\0';
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
            read_model((struct model *)p);
        } else {
            read_user((struct slot *)p);
        }
    }
    send_due_bursts();
}

static bool
all_idle(const struct slot *slots)
{
    for (int i = 0; i < opt.slots; i++) {
        if (slots[i].state != IDLE) {
            return false;
        }
    }
    return true;
}

static void
run(struct slot *slots)
{
    long sampled = 0;

    while (!all_idle(slots)) {
        turn_loop();
        if (total.ended >= sampled + opt.sample) {
            sampled = total.ended;
            printf("turns %ld kb %ld\n", sampled, load_anonymous_kb(opt.pid));
            fflush(stdout);
        }
    }
}

static void
read_options(int argc, char **argv)
{
    static const struct option names[] = {
        {"pid", 1, 0, 'p'},    {"port", 1, 0, 'o'},  {"model-port", 1, 0, 'm'},
        {"secret", 1, 0, 's'}, {"turns", 1, 0, 't'}, {"slots", 1, 0, 'n'},
        {"sample", 1, 0, 'e'}, {0, 0, 0, 0}};
    long values[128] = {
        ['t'] = opt.turns, ['e'] = opt.sample, ['n'] = opt.slots};
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
    opt.pid = values['p'];
    opt.port = (int)values['o'];
    opt.model_port = (int)values['m'];
    opt.turns = values['t'];
    opt.slots = (int)values['n'];
    opt.sample = values['e'];
}

int
main(int argc, char **argv)
{
    struct slot *slots;
    double began = load_now();

    read_options(argc, argv);
    load_raise_files();
    poller = epoll_create1(0);
    listen_model();
    slots = calloc((size_t)opt.slots, sizeof(*slots));
    for (int i = 0; i < opt.slots; i++) {
        slots[i].peer.kind = USER;
        new_user(&slots[i]);
        dial(&slots[i], GREETING);
    }
    run(slots);
    printf("total asked %ld acked %ld ended %ld cancelled %ld broken %ld "
           "repeated %ld requests %ld cut %ld connections %ld sessions %ld "
           "ms %.0f\n",
           total.asked, total.acked, total.ended, total.cancelled, total.broken,
           total.repeated, total.requests, total.cut, total.connections,
           total.sessions, (load_now() - began) * 1000);
    return 0;
}
