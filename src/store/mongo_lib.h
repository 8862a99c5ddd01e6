/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_MONGO_LIB_H
#define CHATBOX_STORE_MONGO_LIB_H

#include "base/err.h"

#include <mongoc/mongoc.h>
#include <stddef.h>

/* The driver's functions, by their own names: lib->bson_init(&b). The driver
 * and what it brings along are loaded when they are needed and not with the
 * program (docs/decisions/0030): whoever stores in SQLite does not pay for
 * them, and need not have them installed. */
struct mongo_lib {
#define MONGO_FN(name) __typeof__(name) *(name);
#include "store/mongo_lib.def"
#undef MONGO_FN
};

/* Loads the libraries and fills *lib. They stay loaded: unloading what has
 * had threads is not safe, and the process ends anyway. On error one sentence
 * in why. Changes the environment: main thread, before others read that. */
enum err mongo_lib_load(struct mongo_lib *lib, char *why,
                        size_t why_size) MUST_CHECK;

/* A function of the loaded driver that is in no header, into *fn (a pointer of
 * its type, of this size). False: it has none. Any thread. */
bool mongo_lib_find(const char *name, void *fn, size_t size) MUST_CHECK;

#endif
