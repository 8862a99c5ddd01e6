/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_TOOL_H
#define CHATBOX_STORE_TOOL_H

#include "base/err.h"
#include "store/erase.h"

#include <stddef.h>

struct store_job;
struct store_link;
struct store_settings;

/* The storage as a command has it: no threads, one thing after the other, also
 * beside a running server. Main thread, no store open in this process. */

/* ERR_NOT_FOUND: there is no storage yet; otherwise as store_open. On error
 * one sentence. Gives. */
enum err store_tool_open(const struct store_settings *settings,
                         struct store_link **out, char *why,
                         size_t why_size) MUST_CHECK;
void store_tool_close(struct store_link *link); /* NULL is fine */

/* Does a reading job now; its result. */
enum err store_tool_read(struct store_link *link,
                         struct store_job *job) MUST_CHECK;

/* One sentence about the last ERR_DATABASE_ERROR. */
void store_tool_explain(struct store_link *link, char *why, size_t why_size);

/* store_secret's; gives (wipe it). */
enum err store_tool_secret(struct store_link *link, char **out) MUST_CHECK;

/* What there is; changes nothing. */
enum err store_tool_count(struct store_link *link, struct erase *e) MUST_CHECK;

/* Deletes the user's sessions with all that is in them, overwritten where the
 * database's files are ours. Events of the audit stay, but those about what the
 * user did with sessions of their own name a word drawn for this once in the
 * user's place; one more event says what was erased, by that word. What a
 * running server has in its memory leaves by itself, and cannot be stored
 * again. An end at any point loses nothing: another run does the rest. Nothing
 * there is fine. */
enum err store_tool_erase(struct store_link *link, struct erase *e) MUST_CHECK;

#endif
