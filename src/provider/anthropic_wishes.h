/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_PROVIDER_ANTHROPIC_WISHES_H
#define CHATBOX_PROVIDER_ANTHROPIC_WISHES_H

#include "provider/provider.h"

/* Appends the members of a request of Anthropic's that turn->wishes, and calls
 * in its messages, ask for: tools, tool_choice, output_config, metadata. Pure;
 * borrows. */
void anthropic_wishes_put(const struct provider_turn *turn, struct buf *b);

#endif
