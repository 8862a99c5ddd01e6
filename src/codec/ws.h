/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CODEC_WS_H
#define CHATBOX_CODEC_WS_H

#include "base/str.h"
#include "codec/utf8.h"
#include "codec/ws_frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads WebSocket frames off a connection's bytes and gives whole messages
 * (RFC 6455 sections 5 to 7). Writing is codec/ws_frame.h. */

/* No close code was in the peer's close frame (section 7.4.1; never sent). */
#define WS_NO_CODE 1005

/* What comes of the bytes; user is what ws_feed was given. All bytes are
 * borrowed for the call. A callback may call ws_stop, never ws_fini. */
struct ws_events {
    /* A whole message, WS_TEXT (valid UTF-8) or WS_BINARY. */
    void (*on_message)(void *user, enum ws_opcode type, struct str message);
    /* Control frames, also between the fragments of a message. */
    void (*on_ping)(void *user, struct str payload);
    void (*on_pong)(void *user, struct str payload);
    /* The peer's close frame; code is WS_NO_CODE when it has none. The last
     * callback. */
    void (*on_close)(void *user, int code, struct str reason);
    /* The peer broke a rule: close with code (1002, 1003, 1007, 1008, 1009);
     * why is a literal for the log. The last callback. */
    void (*on_error)(void *user, int code, const char *why);
};

/* Shared by all connections of a kind; outlives them. */
struct ws_rules {
    const struct ws_events *events;
    size_t max_message_bytes; /* more: 1009, as soon as a length says so */
    uint32_t max_fragments;   /* of one message, at most 65535; more: 1008 */
    bool refuse_binary;       /* 1003 */
    bool client; /* we are the client: the peer's frames are not masked */
};

/* One per connection, at most 64 bytes. Memory for a message exists only
 * while one has begun in an earlier read, or in an earlier fragment, than it
 * ends. Invariants: part != NULL while such bytes are kept; frame payload
 * bytes are missing (left > 0) only in state payload; utf8 is at a beginning
 * between messages. */
struct ws {
    const struct ws_rules *rules;
    struct ws_part *part;
    uint64_t left;   /* payload bytes of this frame that are to come */
    uint32_t mask;   /* turned to the next payload byte */
    uint16_t frames; /* of the message so far */
    uint8_t state;
    uint8_t first;   /* the frame's first byte: FIN and opcode */
    uint8_t message; /* opcode of the message that has begun, or 0 */
    uint8_t have;    /* bytes in header */
    struct utf8 utf8;
    uint8_t header[WS_FRAME_MASKED_HEADER_MAX];
};

/* Borrows rules. */
void ws_init(struct ws *w, const struct ws_rules *rules);

/* Frees what is kept of an unfinished message. Not inside a callback. */
void ws_fini(struct ws *w);

/* The next n bytes; it consumes them all and writes over them (it takes the
 * mask off in place, so that a message in one frame and one read is given
 * without a copy). Callbacks run during the call. Once the peer has closed or
 * broken a rule, or after ws_stop, bytes are dropped without callbacks. */
void ws_feed(struct ws *w, void *user, char *bytes, size_t n);

/* No callback any more, not even for what the running ws_feed still has. */
void ws_stop(struct ws *w);

/* False after close, error and stop. */
bool ws_open(const struct ws *w);

/* Bytes of memory that an unfinished message holds now. */
size_t ws_memory(const struct ws *w);

#endif
