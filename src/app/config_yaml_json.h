/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_CONFIG_YAML_JSON_H
#define CHATBOX_APP_CONFIG_YAML_JSON_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>
#include <yaml.h>

/* A mapping of the settings' file as the JSON text that it means, for settings
 * whose value is a JSON object. Fed with libyaml's events, one after the other,
 * from the mapping's begin to its end. A plain value that is a number as JSON
 * writes it, true, false or null is that; every other one is a string. */
struct config_yaml_json {
    struct buf out;
    const char *bad;   /* why it cannot be JSON; NULL: it can */
    uint64_t mappings; /* bit n: the container at depth n + 1 is one */
    unsigned depth;
    bool at_key; /* a key comes next, or the mapping's end */
};

/* Beyond max_bytes, or nested deeper than JSON is read, it is bad. */
void config_yaml_json_init(struct config_yaml_json *j, size_t max_bytes);
void config_yaml_json_fini(struct config_yaml_json *j); /* wipes */

/* False when that was the last one. Borrows. */
bool config_yaml_json_feed(struct config_yaml_json *j, const yaml_event_t *e);

#endif
