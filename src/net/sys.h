/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_NET_SYS_H
#define CHATBOX_NET_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* recv and send of one non-blocking socket, as the system call: bytes moved,
 * 0 at the end of what the peer sends, or -1 with errno. Sending to a peer
 * that is gone is EPIPE, never a signal. Built with -DNET_FAULTS they move
 * fewer bytes than asked, or none (EAGAIN), at random; the environment's
 * NET_FAULTS_SEED makes a run repeatable. */
ssize_t sys_recv(int fd, void *into, size_t n);
ssize_t sys_send(int fd, const void *from, size_t n);

/* Nothing can be read from a connected socket now: neither bytes nor its end
 * nor an error. Takes nothing out of it. */
bool sys_is_silent(int fd);

/* Another descriptor of the same socket, closed on exec; -1 with errno. */
int sys_dup(int fd);

#endif
