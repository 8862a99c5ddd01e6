/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_BENCH_LOAD_H
#define CHATBOX_BENCH_LOAD_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

/* What the load generators share: they are clients on the same machine, of
 * one thread, and give up with a sentence when something cannot be had. */

/* Seconds, monotonic. */
double load_now(void);

/* perror and exit 1. */
_Noreturn void load_die(const char *what);

/* As many descriptors as the system lets us have. */
void load_raise_files(void);

/* Connects (not blocking: it may still be under way) to 127.0.0.1:port from
 * one of several addresses: the kernel has 28,000 ports for each. The sockets
 * of one number have the same address. */
int load_dial(int port, int number);

/* Listens on 127.0.0.1:port, not blocking. */
int load_listen(int port);

/* Closes at once, with a reset: no port is left waiting. */
void load_abort(int fd);

/* All of it, or false: the peer has gone. */
bool load_send(int fd, const char *bytes, size_t n);

/* A token of user, good for two days. Gives (free). */
char *load_token(const char *secret, const char *user);

/* The bytes of an opening handshake. query: without "?", or "". Gives. */
char *load_upgrade(int port, const char *token, const char *query);

/* A text frame of a client. */
bool load_say(int fd, const char *json);

/* Of the n bytes at p, the whole frames of a server are told one by one (text
 * frames only; borrowed), and what is left is moved to the front; returns how
 * many bytes that are. on_text returns false when the connection is no longer:
 * then nothing more is told, and nothing is left. */
size_t load_frames(char *p, size_t n, bool (*on_text)(void *, struct str),
                   void *cookie);

/* Whether needle stands in text. */
bool load_has(struct str text, const char *needle);

/* The number behind the first `"name":`; -1 when there is none. */
long load_number(struct str json, const char *name);

/* RssAnon of a process. */
long load_anonymous_kb(long pid);

/* CPU seconds of a process, user and system. */
double load_cpu_s(long pid);

/* Sorts; q from 0 to 1. */
double load_quantile(double *values, size_t n, double q);

#endif
