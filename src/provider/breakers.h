/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_PROVIDER_BREAKERS_H
#define CHATBOX_PROVIDER_BREAKERS_H

#include "provider/breaker.h"

/* The breakers of a process, one for each id of a provider there ever was: a
 * reload of the settings changes nothing about who is out of order. Main
 * thread; the breakers themselves are any thread's. */
struct breakers;

/* Gives. */
struct breakers *breakers_new(void);
void breakers_free(struct breakers *all); /* NULL is fine */

/* The provider's, closed when it is new; lives as long as all of them. */
struct breaker *breakers_of(struct breakers *all, const char *id);

#endif
