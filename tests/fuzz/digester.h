/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_TESTS_FUZZ_DIGESTER_H
#define CHATBOX_TESTS_FUZZ_DIGESTER_H

#include <stddef.h>
#include <stdint.h>

/* Feeds the input as the body of an answer to the provider of this type, as an
 * event stream and as a body without a content type: the events are the same
 * whether it comes whole, byte by byte, or in pieces that the input itself
 * chooses; they keep the contract of provider.h. And as the body of a refusal.
 */
void digester_fuzz(const char *type, const uint8_t *data, size_t size);

#endif
