/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_PROVIDER_ANTHROPIC_REQUEST_H
#define CHATBOX_PROVIDER_ANTHROPIC_REQUEST_H

#include "provider/provider.h"

/* provider_ops.build. Pure. */
enum err anthropic_request_build(const struct provider_config *config,
                                 const struct provider_turn *turn,
                                 struct provider_request *r) MUST_CHECK;

#endif
