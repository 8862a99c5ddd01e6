/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_DEV_H
#define CHATBOX_APP_DEV_H

#include "app/config.h"

/* `chatbox dev`: a server to try things with. What it keeps between runs is
 * in a folder of the current one. */
#define DEV_FOLDER "./.chatbox-dev"

/* The secret kept in the folder, or a new one that is not kept yet. Appends
 * to out. False when there is a file that cannot be read (one sentence in
 * why). */
bool dev_secret_get(struct buf *out, char *why, size_t why_size);

/* Makes the folder and keeps the secret in it, readable for its owner only.
 * False with one sentence in why. */
bool dev_secret_keep(struct str secret, char *why, size_t why_size);

/* The links for a user and an operator, each with a token, for people: what
 * dev prints at start. authority: "127.0.0.1:8080". Appends. */
void dev_links(const struct config *c, const char *authority, struct buf *out);

#endif
