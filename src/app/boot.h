/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_BOOT_H
#define CHATBOX_APP_BOOT_H

#include "app/settings.h"

/* Builds the house from the settings, runs it until a signal ends it, and
 * takes it down. */

/* The server of `chatbox serve` and `chatbox dev`; main thread. Returns the
 * exit status (cli.h). */
int boot_serve(const struct settings_request *request);

/* What only the rooms can check of valid settings: keys and certificates.
 * Logs what is wrong as config_error. */
bool boot_check(const struct config *c);

#endif
