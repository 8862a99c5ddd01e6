/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_PAGES_H
#define CHATBOX_GATE_PAGES_H

#include "gate/request.h"

/* The built-in pages, compiled into the binary. */

/* Whether path (behind the prefix, beginning with '/') names an asset. */
bool pages_has(struct str path);

/* Route handler: the asset of r's path; "/" is index.html. */
void pages_serve(struct request *r);

/* The prefix without its slash: go to the one with it. */
void pages_redirect(struct request *r);

#endif
