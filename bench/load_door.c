/* SPDX-License-Identifier: MIT */
/* Load for whatever stands in front of a model that speaks OpenAI's API, in one
 * process with that model (door_model.h); or for the model itself.
 *
 *   load_door --port PORT --model-port N [--pid PID] [--secret S | --key K]
 *             [--path /v1/chat/completions] [--model m] [--seconds 5]
 *
 * with one of
 *
 *   --connections N [--rate R] [--first 1]
 *       Whole answers on connections that are kept, each asking again at once,
 *       or R requests a second, each of a connection that is free and its time
 *       counted from the moment in which it was due. With --first streams of
 *       one token, and the time until that has come.
 *   --chat N --rate R
 *       The same of questions on N WebSockets.
 *   --streams N --rate R [--memory-from M]
 *       So many streams of R chunks a second. A stall is a gap of more than
 *       three times their distance. With --memory-from what a stream takes of
 *       the anonymous memory: the slope from M running streams to all.
 *
 * The CPU time is that of PID. The first second does not count. */
#include "bench/door_model.h"
#include "bench/load.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define WARM_UP_S 1.0
#define TIMES_MAX (1 << 21)
#define PATIENCE_S 60.0

struct client {
    struct door_peer peer;
    struct client *next; /* of those who are free */
    char *request;
    double due;    /* of what is under way */
    double last;   /* streams: when bytes came */
    bool spoken;   /* the first token has come */
    bool greeted;  /* chat: upgraded, and told its session */
    bool upgraded; /* chat */
    int asked, have;
    char buf[32768];
};

static struct {
    long pid, connections, chat, streams, memory_from, first;
    int port, model_port;
    double rate, seconds;
    const char *secret, *key, *path, *model;
} opt = {.seconds = 5,
         .secret = "",
         .key = "none",
         .path = "/v1/chat/completions",
         .model = "m"};

static struct {
    bool on;
    long count, stalls, greeted, spoken;
    double *us;
} seen;

static int poller;
static struct client *free_clients, **free_end = &free_clients;

static void
give_up(const char *what, const char *about)
{
    fprintf(stderr, "%s: %s\n", what, about);
    exit(1);
}

/* --- who asks ----------------------------------------------------------- */

static void
ask(struct client *c, double due)
{
    char frame[512];

    c->due = due;
    c->spoken = false;
    if (opt.chat > 0) {
        snprintf(
            frame, sizeof(frame),
            "{\"type\":\"user_message\",\"client_id\":\"c-%d\",\"content\":"
            "\"Could you explain in a few words how that works?\"}",
            c->asked++);
        if (!load_say(c->peer.fd, frame)) {
            load_die("send");
        }
    } else if (!load_send(c->peer.fd, c->request, strlen(c->request))) {
        load_die("send");
    }
}

static void
be_free(struct client *c)
{
    if (opt.rate == 0) {
        ask(c, load_now());
        return;
    }
    c->next = NULL;
    *free_end = c;
    free_end = &c->next;
}

static struct client *
take_free(void)
{
    struct client *c = free_clients;

    free_clients = c->next;
    if (free_clients == NULL) {
        free_end = &free_clients;
    }
    return c;
}

static void
note(double us)
{
    if (seen.on && seen.count < TIMES_MAX) {
        seen.us[seen.count++] = us;
    }
}

static void
speak(struct client *c)
{
    if (!c->spoken) {
        c->spoken = true;
        seen.spoken++;
        note((load_now() - c->due) * 1e6);
    }
}

/* --- what comes --------------------------------------------------------- */

static void
take(struct client *c)
{
    ssize_t n = recv(c->peer.fd, c->buf + c->have,
                     sizeof(c->buf) - 1 - (size_t)c->have, MSG_DONTWAIT);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        give_up("the connection was closed", c->buf);
    }
    if (n > 0) {
        c->have += (int)n;
        c->buf[c->have] = '\0';
    }
}

static void
check_status(const struct client *c)
{
    if (c->have >= 12 && strncmp(c->buf, "HTTP/1.1 200", 12) != 0) {
        give_up("not 200", c->buf);
    }
}

static void
on_answer(struct door_peer *p)
{
    struct client *c = (struct client *)p;

    take(c);
    if (opt.first > 0 && strstr(c->buf, "\" tok") != NULL) {
        speak(c);
    }
    if (door_whole(c->buf, (size_t)c->have) > 0) {
        check_status(c);
        speak(c);
        c->have = 0;
        be_free(c);
    }
}

static void
note_gap(struct client *c, double now)
{
    if (seen.on && c->last > 0 && now - c->last > 3 / opt.rate) {
        seen.stalls++;
    }
    c->last = now;
}

/* What a stream says is not looked at once it runs. */
static void
on_stream(struct door_peer *p)
{
    struct client *c = (struct client *)p;

    take(c);
    if (!c->spoken) {
        check_status(c);
        if (strstr(c->buf, "\" tok") == NULL) {
            return;
        }
        speak(c);
    }
    note_gap(c, load_now());
    c->have = 0;
}

static bool
on_frame(void *cookie, struct str frame)
{
    struct client *c = cookie;

    if (load_has(frame, "\"type\":\"error\"")) {
        give_up("an error", frame.p);
    } else if (load_has(frame, "\"type\":\"connection_status\"")) {
        seen.greeted++;
        be_free(c);
    } else if (load_has(frame, "\" tok")) {
        speak(c);
    }
    if (load_has(frame, "\"done\":\"true\"")) {
        be_free(c);
    }
    return true;
}

static void
on_chat(struct door_peer *p)
{
    struct client *c = (struct client *)p;
    size_t head;

    take(c);
    if (!c->upgraded) {
        head = door_whole(c->buf, (size_t)c->have);
        if (head == 0) {
            return;
        }
        if (strncmp(c->buf, "HTTP/1.1 101", 12) != 0) {
            give_up("refused", c->buf);
        }
        c->upgraded = true;
        c->have -= (int)head;
        memmove(c->buf, c->buf + head, (size_t)c->have);
    }
    c->have = (int)load_frames(c->buf, (size_t)c->have, on_frame, c);
}

/* --- connecting --------------------------------------------------------- */

static char *
request_of(const char *key)
{
    char body[1024], *all;
    bool stream = opt.streams > 0 || opt.first > 0;
    int n = snprintf(
        body, sizeof(body),
        "{\"model\":\"%s\",\"messages\":[{\"role\":\"system\",\"content\":"
        "\"You are a helpful assistant.\"},{\"role\":\"user\",\"content\":"
        "\"Could you explain in a few words how a write-ahead log lets readers "
        "go on while a writer commits, and what has to happen before the "
        "answer may be given to whoever waits for it? Thank you.\"}],"
        "\"temperature\":0.7,\"max_tokens\":256,\"stream\":%s}",
        opt.model, stream ? "true" : "false");

    if (asprintf(&all,
                 "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                 "Authorization: Bearer %s\r\nContent-Type: application/json"
                 "\r\nAccept: application/json\r\nContent-Length: %d\r\n\r\n%s",
                 opt.path, opt.port, key, n, body) < 0) {
        load_die("asprintf");
    }
    return all;
}

/* Each is another user's. On loopback a connection stands at once. */
static struct client *
dial(int number, void (*ready)(struct door_peer *p))
{
    struct client *c = calloc(1, sizeof(*c));
    char user[32], *token = NULL;

    snprintf(user, sizeof(user), "caller-%d", number);
    if (opt.secret[0] != '\0') {
        token = load_token(opt.secret, user);
    }
    c->peer = (struct door_peer){ready, load_dial(opt.port, number)};
    door_watch(poller, &c->peer);
    c->request = opt.chat > 0 ? load_upgrade(opt.port, token, "")
                              : request_of(token != NULL ? token : opt.key);
    free(token);
    return c;
}

/* --- the run ------------------------------------------------------------ */

/* Never sleeps: a processor that slept comes back late. */
static void
turn_loop(void)
{
    struct epoll_event events[256];
    int n = epoll_wait(poller, events, 256, 0);

    for (int i = 0; i < n; i++) {
        struct door_peer *p = events[i].data.ptr;

        p->ready(p);
    }
    door_model_send_due(load_now());
}

/* Meanwhile rate requests a second, if there is a rate of them. */
static void
run_for(double seconds)
{
    double due = load_now(), end = due + seconds, now;

    while ((now = load_now()) < end) {
        turn_loop();
        while (opt.streams == 0 && opt.rate > 0 && due <= now &&
               free_clients != NULL) {
            ask(take_free(), due);
            due += 1 / opt.rate;
        }
    }
}

static void
await(const long *count, long many)
{
    double patience = load_now() + PATIENCE_S;

    while (*count < many && load_now() < patience) {
        turn_loop();
    }
    if (*count < many) {
        give_up("too few began", opt.path);
    }
}

static void
print_times(void)
{
    printf(", p50 %.0f us, p99 %.0f us of %ld\n",
           load_quantile(seen.us, (size_t)seen.count, 0.5),
           load_quantile(seen.us, (size_t)seen.count, 0.99), seen.count);
}

static double
cpu_s(void)
{
    return opt.pid > 0 ? load_cpu_s(opt.pid) : 0;
}

static void
measure_answers(void)
{
    double cpu, began;
    long before;

    run_for(WARM_UP_S);
    seen.on = true;
    before = seen.spoken;
    cpu = cpu_s();
    began = load_now();
    run_for(opt.seconds);
    began = load_now() - began;
    cpu = cpu_s() - cpu;
    before = seen.spoken - before;
    printf("%.0f requests/s, %.2f us CPU a request", (double)before / began,
           cpu * 1e6 / (double)before);
    print_times();
}

static void
ask_whole(void)
{
    for (int i = 0; i < opt.connections; i++) {
        be_free(dial(i, on_answer));
    }
    measure_answers();
}

static void
ask_chat(void)
{
    for (int i = 0; i < opt.chat; i++) {
        struct client *c = dial(i, on_chat);

        if (!load_send(c->peer.fd, c->request, strlen(c->request))) {
            load_die("send");
        }
        await(&seen.greeted, i + 1);
    }
    measure_answers();
}

/* --- streams ------------------------------------------------------------ */

#define BEGINNING_S 4.0
#define GOLDEN 0.6180339887

/* Begins them one after the other, so that the moments in which their chunks
 * are due are spread evenly over an interval. */
static void
begin_streams(long from, long to)
{
    double step = GOLDEN / opt.rate;
    long slower = (long)((double)(to - from) * step / BEGINNING_S);
    double due = load_now();

    step /= slower > 1 ? (double)slower : 1;
    for (long i = from; i < to; i++) {
        while (load_now() < due) {
            turn_loop();
        }
        ask(dial((int)i, on_stream), load_now());
        due += step;
    }
    await(&seen.spoken, to);
}

static void
measure_streams(void)
{
    double cpu, began;
    long chunks;

    seen.on = true; /* for the first chunks */
    begin_streams(0, opt.streams);
    run_for(WARM_UP_S);
    seen.stalls = 0;
    cpu = cpu_s();
    chunks = door_model_chunks();
    began = load_now();
    run_for(opt.seconds);
    cpu = cpu_s() - cpu;
    chunks = door_model_chunks() - chunks;
    printf("%ld streams, %.0f chunks/s, %.2f us CPU a chunk, %ld stalls",
           opt.streams, (double)chunks / (load_now() - began),
           cpu * 1e6 / (double)chunks, seen.stalls);
    print_times();
}

static void
measure_memory(void)
{
    long before, after;

    begin_streams(0, opt.memory_from);
    run_for(opt.seconds);
    before = load_anonymous_kb(opt.pid);
    begin_streams(opt.memory_from, opt.streams);
    run_for(opt.seconds);
    after = load_anonymous_kb(opt.pid);
    printf("%ld -> %ld streams: %ld -> %ld kB, %.0f bytes a stream\n",
           opt.memory_from, opt.streams, before, after,
           (double)(after - before) * 1024 /
               (double)(opt.streams - opt.memory_from));
}

/* --- options ------------------------------------------------------------ */

static const struct {
    const char *name;
    long *number;
    int *port;
    double *real;
    const char **text;
} known[] = {
    {"pid", .number = &opt.pid},
    {"connections", .number = &opt.connections},
    {"chat", .number = &opt.chat},
    {"streams", .number = &opt.streams},
    {"memory-from", .number = &opt.memory_from},
    {"first", .number = &opt.first},
    {"port", .port = &opt.port},
    {"model-port", .port = &opt.model_port},
    {"rate", .real = &opt.rate},
    {"seconds", .real = &opt.seconds},
    {"secret", .text = &opt.secret},
    {"key", .text = &opt.key},
    {"path", .text = &opt.path},
    {"model", .text = &opt.model},
};

#define KNOWN (sizeof(known) / sizeof(known[0]))

static void
take_option(size_t i, const char *value)
{
    if (known[i].number != NULL) {
        *known[i].number = atol(value);
    } else if (known[i].port != NULL) {
        *known[i].port = atoi(value);
    } else if (known[i].real != NULL) {
        *known[i].real = atof(value);
    } else {
        *known[i].text = value;
    }
}

static void
read_options(int argc, char **argv)
{
    struct option names[KNOWN + 1] = {0};
    int c;

    for (size_t i = 0; i < KNOWN; i++) {
        names[i] = (struct option){known[i].name, 1, NULL, (int)i + 1};
    }
    while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (c < 1 || c > (int)KNOWN) {
            exit(2);
        }
        take_option((size_t)c - 1, optarg);
    }
}

int
main(int argc, char **argv)
{
    read_options(argc, argv);
    load_raise_files();
    poller = epoll_create1(0);
    seen.us = calloc(TIMES_MAX, sizeof(*seen.us));
    door_model_start(poller, opt.model_port, opt.streams > 0 ? opt.rate : 0);
    if (opt.memory_from > 0) {
        measure_memory();
    } else if (opt.streams > 0) {
        measure_streams();
    } else if (opt.chat > 0) {
        ask_chat();
    } else {
        ask_whole();
    }
    return 0;
}
