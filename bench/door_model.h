/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_BENCH_DOOR_MODEL_H
#define CHATBOX_BENCH_DOOR_MODEL_H

#include <stddef.h>

/* What has a descriptor in the load's epoll: ready is called when there is
 * something to be read. The first member of whatever it is part of. */
struct door_peer {
    void (*ready)(struct door_peer *p);
    int fd;
};

/* Watches p->fd; ends the program when that cannot be had. */
void door_watch(int poller, struct door_peer *p);

/* Bytes of the HTTP message that buf (n bytes and a '\0') begins with, when
 * all of it is there, else 0: by its length, by chunks, or a head alone. */
size_t door_whole(char *buf, size_t n);

/* A model that speaks OpenAI's chat completions in the load's own process, and
 * answers at once. A stream's first chunk comes at once, too; it goes on at
 * rate chunks a second for good, or, rate 0, ends behind that chunk. Requests
 * whose path begins with /fail are answered with 500, of those with /hangup
 * the connection is closed; each fourth is answered all the same, so that no
 * breaker opens. */
void door_model_start(int poller, int port, double rate);

/* Sends the chunks that are due. */
void door_model_send_due(double now);

/* Chunks so far. */
long door_model_chunks(void);

#endif
