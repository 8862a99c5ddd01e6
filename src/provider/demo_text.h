/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_PROVIDER_DEMO_TEXT_H
#define CHATBOX_PROVIDER_DEMO_TEXT_H

#include "provider/provider.h"

#define DEMO_TEXT_MAX (256u << 10)

enum demo_manner {
    DEMO_GUIDE,    /* heading, list, table, code */
    DEMO_BRIEF,    /* two sentences */
    DEMO_LECTURER, /* the guide's, and chapters */
    DEMO_MANNERS
};

/* Appends the whole answer, at most DEMO_TEXT_MAX bytes of Markdown. The same
 * turn always gets the same text. Borrows. */
void demo_text_write(enum demo_manner manner, const struct provider_turn *turn,
                     struct buf *out);

#endif
