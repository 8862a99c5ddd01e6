/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_BOOT_CHAT_H
#define CHATBOX_APP_BOOT_CHAT_H

#include "app/boot_rooms.h"

/* The chat's settings from one config, with everything that they point to (the
 * providers, their texts and keys, the budgets) but for what the rooms have
 * for all of them (population, breakers, the books of budgets), which outlives
 * them: they need no config any more, so a reload can replace them and the last
 * turn that works by them frees them. Providers must be of types that this
 * build speaks to. Gives `refs` references. */
struct chat_settings *boot_chat_new(const struct config *c,
                                    struct boot_rooms *rooms, unsigned refs);

#endif
