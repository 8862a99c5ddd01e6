/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_PROVIDER_REGISTRY_H
#define CHATBOX_PROVIDER_REGISTRY_H

#include "provider/provider.h"

/* The rows of provider.def. type in any case; NULL when there is none. */
const struct provider_ops *registry_find(struct str type);

/* The row at index, NULL beyond the last; *text_out (may be NULL) is its
 * sentence. */
const struct provider_ops *registry_at(size_t index, const char **text_out);

#endif
