/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_CONFIG_YAML_H
#define CHATBOX_APP_CONFIG_YAML_H

#include "app/config_raw.h"

/* Puts the values of a YAML document (l->sources->yaml) into the layers, each
 * with its line. Reports with their line: what is not YAML, unknown keys, keys
 * given twice, and a value of the wrong shape. One document; no anchors,
 * aliases or merging. */
void config_yaml_read(struct config_layers *l);

#endif
