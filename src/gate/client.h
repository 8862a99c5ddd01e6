/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_CLIENT_H
#define CHATBOX_GATE_CLIENT_H

#include "base/str.h"
#include "codec/http1_head.h"
#include "gate/gate.h"

#include <sys/socket.h>

#define CLIENT_TEXT_SIZE 46

/* Whose request it is: the peer, or what trusted proxies say of it. */
struct client_address {
    unsigned char bytes[16]; /* IPv4 as IPv4-mapped IPv6 */
};

/* False for a family other than IPv4 and IPv6 (then all zero). */
bool client_from_peer(const struct sockaddr *peer, struct client_address *out);

/* "203.0.113.7", "203.0.113.7:80", "2001:db8::1", "[2001:db8::1]:80". */
bool client_parse(struct str text, struct client_address *out);

void client_format(const struct client_address *a,
                   char out[static CLIENT_TEXT_SIZE]);

bool client_in(const struct client_address *a,
               const struct gate_network *networks, size_t count);

/* One step back along X-Forwarded-For: while *a is a trusted proxy the last
 * item of forwarded (all of its values joined by commas) takes its place. An
 * item that is no address ends the walk. */
void client_forward(struct client_address *a, struct str forwarded,
                    const struct gate_network *trusted, size_t count);

/* The same with the X-Forwarded-For of a request. */
void client_follow(struct client_address *a, const struct http1_head *head,
                   const struct gate_network *trusted, size_t count);

/* What limits count by: an IPv4 address, or the /64 of an IPv6 one, which is
 * what one customer has. Points into a. */
struct str client_key(const struct client_address *a);

#endif
