/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_CONFIG_PLACE_H
#define CHATBOX_APP_CONFIG_PLACE_H

#include "app/config_raw.h"

#include <sys/socket.h>

/* Where servers of one database find each other: an address and a port, never
 * a name, as "10.0.0.3:8081" or "[fd00::3]:8081". */

/* False when it is none, when the port is 0, or when it is an address that
 * stands for any. Otherwise fills *out. */
bool config_place_parse(struct str text, struct sockaddr_storage *out);

uint16_t config_place_port(const struct sockaddr_storage *place);

/* The form check of such a setting: NULL or what is wrong with it. */
const char *config_place_check(struct str text);

/* The rule of cluster.address: with MongoDB only, and within the proxies that
 * are believed. */
void config_place_rule(struct config_layers *l, const struct config *c);

#endif
