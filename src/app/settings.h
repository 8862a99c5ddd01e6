/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_SETTINGS_H
#define CHATBOX_APP_SETTINGS_H

#include "app/config.h"
#include "app/options.h"

/* Where the settings come from in a real process: the file that --config or
 * CHATBOX_CONFIG names, the environment, --set. */
struct settings_request {
    const struct options *options;
    const char *const *environment;
    const struct config_dev *dev; /* NULL: not `chatbox dev` */
    bool secret_only;             /* `chatbox token` */
    bool store_only;              /* commands on the storage */
    bool listener_only;           /* `chatbox health` */
    bool again; /* a reload: the log's level and format stay as they are */
};

/* Reads all of it, sets the log's level and format, and logs every problem.
 * NULL when the settings are not good. Gives. */
struct config *settings_load(const struct settings_request *request);

/* Appends a file to out. NULL, or a static reason. */
const char *settings_read_file(const char *path, struct buf *out);

#endif
