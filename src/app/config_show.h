/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_CONFIG_SHOW_H
#define CHATBOX_APP_CONFIG_SHOW_H

#include "app/config_raw.h"

/* Settings as people may see them. */

/* Fills c->lines: the settings in the table's order, then the providers. */
void config_show_lines(struct config_layers *l, struct config *c);

/* "path: value" a line: what `chatbox check` prints. */
void config_show_print(const struct config *c, struct buf *out);

enum config_change { CONFIG_CHANGE_APPLIES, CONFIG_CHANGE_NEEDS_RESTART };

/* Calls fn for every setting whose value is not the same; before and after
 * are as people may see them ("" when not there). */
void config_show_diff(const struct config *from, const struct config *to,
                      void (*fn)(void *cookie, const char *path,
                                 const char *before, const char *after,
                                 enum config_change change),
                      void *cookie);

#endif
