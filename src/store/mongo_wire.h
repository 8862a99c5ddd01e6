/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_STORE_MONGO_WIRE_H
#define CHATBOX_STORE_MONGO_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether the lengths inside a message of the database add up: those of its
 * sections and documents (OP_MSG, OP_REPLY). n bytes with the header; what
 * stands in the documents is not looked at. Messages of other kinds count as
 * whole if they have a header. Pure; any thread. */
bool mongo_wire_whole(const uint8_t *bytes, size_t n);

/* libmongoc's own _mongoc_rpc_scatter, which takes every message that comes in
 * apart, as the driver sees it: messages that are not whole are refused before
 * the driver's function sees them. Borrows all. Any thread. */
__attribute__((visibility("default"))) bool
mongo_wire_scatter(void *rpc, const uint8_t *bytes,
                   size_t n) __asm__("_mongoc_rpc_scatter");

#endif
