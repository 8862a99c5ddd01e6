/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_FILE_OUT_H
#define CHATBOX_GATE_FILE_OUT_H

#include <stdbool.h>

/* GET files/{id}: the bytes of an upload, to whom has a signed link or is the
 * owner, whole or one range of them (RFC 9110, 14.2), read in parts. */
struct request;

/* The query has a signature; and it is one of ours for this file, and not past.
 */
bool file_out_has_signature(const struct request *r);
bool file_out_link_good(const struct request *r);

void file_out_handle(struct request *r);

#endif
