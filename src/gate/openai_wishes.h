/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_OPENAI_WISHES_H
#define CHATBOX_GATE_OPENAI_WISHES_H

#include "gate/openai_request.h"

/* The members of a completion's request that not every provider knows: tools, a
 * form of the answer, and the like. Providers that relay get all of them as
 * they are; of the others some take q->wishes (provider_tools.h), and what
 * they cannot give is put down in q as what only others can. Pure. */

/* Only who relays can answer it, because of this member; what is asked for is
 * no mere text. */
void openai_wishes_relay(struct openai_request *q, const char *member);

/* Likewise: who relays, or takes tools. */
void openai_wishes_call(struct openai_request *q, const char *member);

/* One member each (value empty: it is not there), as openai_request.c reads
 * them. False: it is wrong for everybody, and f says how. Borrow value for q's
 * life. */
typedef bool openai_wishes_check(struct openai_request *q, struct str value,
                                 struct openai_fault *f);

openai_wishes_check openai_wishes_tools;
openai_wishes_check openai_wishes_choice;
openai_wishes_check openai_wishes_parallel;
openai_wishes_check openai_wishes_functions;
openai_wishes_check openai_wishes_function_call;
openai_wishes_check openai_wishes_format;
openai_wishes_check openai_wishes_effort;
openai_wishes_check openai_wishes_user;
openai_wishes_check openai_wishes_logprobs;
openai_wishes_check openai_wishes_bias;
openai_wishes_check openai_wishes_modalities;
openai_wishes_check openai_wishes_search;
openai_wishes_check openai_wishes_store;

/* Fills q->wishes with the tools; once. */
void openai_wishes_tell(struct openai_request *q);

#endif
