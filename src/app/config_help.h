/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_CONFIG_HELP_H
#define CHATBOX_APP_CONFIG_HELP_H

#include "base/buf.h"

/* The table of settings for people; all append to out. */

/* `chatbox config --help`: every setting with both its names and its text. */
void config_help_text(struct buf *out);

/* `chatbox config --example`: a YAML file in which everything is a comment;
 * without the first '#' of each line it says what the defaults say. */
void config_help_example(struct buf *out);

/* The tables of docs/configuration.md, in Markdown. */
void config_help_markdown(struct buf *out);

#endif
