/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_BOOT_CHAT_H
#define CHATBOX_APP_BOOT_CHAT_H

#include "app/config.h"
#include "chat/chat.h"
#include "provider/breakers.h"

#include <stddef.h>

/* The chat's settings from one config, with everything that they point to (the
 * providers, their texts and keys) but for population and breakers: they need
 * no config any more, so a reload can replace them and the last turn that works
 * by them frees them. Providers must be of types that this build speaks to.
 * file_prefix: what an own file_url begins with. breakers outlive them, like
 * the population. Gives `refs` references. */
struct chat_settings *boot_chat_new(const struct config *c,
                                    const char *file_prefix,
                                    struct chat_population *population,
                                    struct breakers *breakers, unsigned refs);

#endif
