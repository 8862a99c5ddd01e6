/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_BOOT_STATE_H
#define CHATBOX_APP_BOOT_STATE_H

#include "app/boot_alert.h"
#include "app/boot_rooms.h"
#include "app/settings.h"
#include "loop/shard.h"

#include <stdatomic.h>

/* See boot_doors.h. */
enum boot_door_id { BOOT_DOOR_PUBLIC, BOOT_DOOR_INNER, BOOT_DOORS };

struct boot_door {
    int *fds; /* of each shard, until it listens; -1: none */
    struct listener **listeners;
    uint16_t port; /* really bound */
    bool bound;
};

struct boot_standby;

/* A running server as the main thread sees it; shared by the files of
 * boot_*.c. The atomics are how shards tell main what they have done: they
 * count, and wake main by an eventfd. */
struct boot {
    const struct settings_request *request;
    struct config *config;  /* of the start: the rooms borrow from it */
    struct config *current; /* of the last reload; may be the same */
    struct boot_rooms rooms;
    struct gate_policy *policy; /* the latest; one reference is main's */
    struct chat_settings *chat; /* of the start: one for each shard */
    struct store *store;
    int signal_fd;
    int wake_fd;
    struct boot_door doors[BOOT_DOORS];
    struct store_peers peers;
    struct boot_standby *standby; /* NULL: this server waits for nobody */
    atomic_uint started;
    atomic_uint start_failures;
    atomic_uint reloaded; /* shards that took new settings, of all reloads */
    atomic_uint put_down; /* reloads that were put down in the audit, or not */
    atomic_uint idle;     /* shards without a running turn */
    atomic_uint empty;    /* shards without a connection */
    atomic_uint told;     /* shards without a notification on its way */
    atomic_uint lost;     /* 1: another server has taken the database over */
    atomic_size_t cut;    /* turns, connections, notifications that were cut */
    struct boot_alert alert; /* the first shard's */
    unsigned reloads;
    bool serving;      /* main: all shards have their rooms */
    bool reload_asked; /* main: before that */
    bool stopped;      /* main: by a signal, while it stood by */
    unsigned shard_count;
    struct shard shards[];
};

/* The boot that a shard belongs to. */
struct boot *boot_state_of(struct shard *s);

/* Any thread: adds one to the counter and wakes main. */
void boot_state_tell(struct boot *b, atomic_uint *counter);

enum boot_wait {
    BOOT_WAIT_DONE,     /* the counter has reached every shard */
    BOOT_WAIT_DEADLINE, /* the time is over */
    BOOT_WAIT_SIGNAL    /* SIGTERM or SIGINT */
};

/* Main: waits until *counter is at least `until`, or for a monotonic time,
 * while signals stay where they are. */
void boot_state_join(struct boot *b, atomic_uint *counter, unsigned until,
                     uint64_t deadline_ms);

/* Main: waits until *counter is at least `until`, or for a monotonic time, or
 * for a signal; UINT64_MAX: no time limit, counter NULL: nothing to count.
 * SIGHUP reloads, unless the server is stopping; while it starts, where a room
 * may be made of the old settings after the letter with the new ones was sent,
 * it is only noted. */
enum boot_wait boot_state_wait(struct boot *b, atomic_uint *counter,
                               unsigned until, uint64_t deadline_ms);

#endif
