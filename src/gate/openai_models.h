/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_OPENAI_MODELS_H
#define CHATBOX_GATE_OPENAI_MODELS_H

#include "gate/request.h"

/* The models at the OpenAI door. The first two are handlers of routes.def. */
void openai_models_list(struct request *r);
void openai_models_read(struct request *r);

/* Answers 404 about a model that is not there, with those that are. */
void openai_models_refuse(struct request *r);

#endif
