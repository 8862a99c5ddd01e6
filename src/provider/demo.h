/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_PROVIDER_DEMO_H
#define CHATBOX_PROVIDER_DEMO_H

#include "provider/provider.h"

/* The built-in models of `chatbox dev`: answers made by rule from the question
 * and the number of earlier turns, the same for the same input. A question
 * with the word "long" (any case) gets a long answer, about half a minute of
 * it, so that stop and reload can be tried.
 *
 * provider_config.model picks the manner by `model`; anything else is the
 * first one. */
struct demo_model {
    const char *id; /* also its `model` */
    const char *name;
};

/* The model at index, NULL beyond the last: for the settings of
 * `chatbox dev`. */
const struct demo_model *demo_model_at(size_t index);

extern const struct provider_ops demo_ops;

#endif
