/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_PROTO_BLAME_H
#define CHATBOX_PROTO_BLAME_H

#include "base/str.h"
#include "proto/message.h"

/* Which member of a frame is at fault when the frame was refused as a whole:
 * for proto_fault.field. Names are members of the outer object, or
 * "metadata.<key>"; "" when there is no such member. Pure; borrow. */

/* The byte at offset at is what is wrong: of a name that stands there for the
 * second time, of a number that is too large. frame is JSON. */
void blame_at(struct str frame, size_t at,
              char field[static PROTO_FIELD_NAME_MAX]);

/* frame is not valid with PROTO_DEPTH_MAX levels: the member that has a lone
 * surrogate or is nested too deep, if that is all that is wrong with it. Else
 * it is not JSON and the name is "". */
void blame_invalid(struct str frame, char field[static PROTO_FIELD_NAME_MAX]);

#endif
