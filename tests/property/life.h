/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_TESTS_LIFE_H
#define CHATBOX_TESTS_LIFE_H

#include "chat/session.h"
#include "loop/shard.h"
#include "pure.h"

/* One shard's chat with a store of its own; life.c makes it. */
struct life {
    struct shard shard;
    struct store *store;
    struct chat_settings settings;
    struct chat_population population;
};

#endif
