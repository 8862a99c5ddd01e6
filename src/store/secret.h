/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_SECRET_H
#define CHATBOX_STORE_SECRET_H

#include "base/str.h"

struct store;

/* Random text, made when the database was first opened and the same ever
 * since, in its backups, too: what users are called outside is made with it
 * (decision 40). Borrowed until store_close; for no log. Any thread. */
struct str store_secret(const struct store *s);

#endif
