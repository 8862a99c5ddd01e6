/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_ADMISSION_H
#define CHATBOX_GATE_ADMISSION_H

#include "gate/request.h"

/* Who may come in, and how often: between a complete head and its body. */
struct shard;

/* Finds the route, the client's address, and for routes that ask for one the
 * identity. True: go on, on the shard *owner_out (NULL: any will do). False:
 * the request has been answered. Touches nothing of a user. */
bool admission_check(struct request *r, struct shard **owner_out);

/* The route's bucket; on the owner's shard. False: answered with 429. */
bool admission_limit(struct request *r);

/* The part of it that an identity is for, once the route is known. */
bool admission_user(struct request *r, struct shard **owner_out);

/* Verifies a token and fills r->identity. False: answered (401, 429 after too
 * many refused ones from this address, 503 while there are no keys), or it
 * waits for newer keys and again(r) runs later, to come here anew. token.p ==
 * NULL: there is none. */
bool admission_token(struct request *r, struct str token,
                     void (*again)(struct request *r));

/* The token of "Authorization: Bearer …"; p == NULL when there is none. False:
 * answered with 400. */
bool admission_bearer(struct request *r, struct str *token_out);

/* The shard that owns a user. */
struct shard *admission_owner(const struct gate_settings *settings,
                              struct str user_id);

#endif
