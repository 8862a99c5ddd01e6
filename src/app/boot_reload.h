/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_BOOT_RELOAD_H
#define CHATBOX_APP_BOOT_RELOAD_H

#include "app/boot_state.h"

/* SIGHUP: reads the sources again; when they are valid logs the differences
 * and applies what can be applied (the rows with RELOAD in config.def), else
 * changes nothing. Main thread. */
void boot_reload(struct boot *b);

#endif
