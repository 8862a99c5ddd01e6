/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_CONFIG_CHECK_H
#define CHATBOX_APP_CONFIG_CHECK_H

#include "app/config_table.h"
#include "codec/url.h"

/* The forms of texts: what an origin, a mail address, a key looks like. */

/* One text of this row's type, or one entry of a list. NULL when it is right,
 * else a short static reason. Borrows. */
const char *config_check_text(const struct config_row *row, struct str text);

/* The base URL of a model or another service: what kind of place it is in
 * *kind_out (URL_HOST_BAD on error). */
const char *config_check_endpoint(struct str text, enum url_host *kind_out);

const char *config_check_mongo_uri(struct str text);

/* An address or network in CIDR form; IPv4 becomes IPv4-mapped IPv6. Host
 * bits are cleared. */
bool config_check_network(struct str text, unsigned char address[static 16],
                          unsigned *bits_out);

#endif
