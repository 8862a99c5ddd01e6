/* SPDX-License-Identifier: MIT */
/* What a database and the collection of sessions may be called in MongoDB, and
 * what the collections beside that one are called. Pure; any thread. */
#ifndef CHATBOX_STORE_MONGO_NAME_H
#define CHATBOX_STORE_MONGO_NAME_H

#include "base/str.h"

#define MONGO_NAME_MESSAGES "messages"
#define MONGO_NAME_PIECES "pieces"
#define MONGO_NAME_AUDIT "audit"
#define MONGO_NAME_USAGE "usage"
#define MONGO_NAME_META "meta"

/* NULL, or why there is no such database, or none of ours: a sentence's end
 * ("is ..."), static. How long it may be is not looked at. */
const char *mongo_name_refuse_database(struct str name);

/* The same of the collection of sessions. */
const char *mongo_name_refuse_collection(struct str name);

#endif
