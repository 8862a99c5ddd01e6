/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_PROVIDER_BREAKERS_H
#define CHATBOX_PROVIDER_BREAKERS_H

#include "provider/breaker.h"

/* The breakers of a process, one for each id of a provider there ever was: a
 * reload of the settings changes nothing about who is out of order, but whom
 * it takes away is forgotten. Main thread; the breakers themselves are any
 * thread's. */
struct breakers;

/* Gives. */
struct breakers *breakers_new(void);
void breakers_free(struct breakers *all); /* NULL is fine */

/* The provider's, closed when it is new; lives as long as all of them. */
struct breaker *breakers_of(struct breakers *all, const char *id);

/* Those that nobody asked for since the last call are retired; each that was
 * open by that is told. */
void breakers_sweep(struct breakers *all, void (*on_closed)(const char *id));

#endif
