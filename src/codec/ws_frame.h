/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CODEC_WS_FRAME_H
#define CHATBOX_CODEC_WS_FRAME_H

#include "base/buf.h"
#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

/* Writing WebSocket frames (RFC 6455 section 5.2). Every frame written here
 * is a whole message (FIN is set). The other direction is codec/ws.h. */

enum ws_opcode {
    WS_CONTINUATION = 0,
    WS_TEXT = 1,
    WS_BINARY = 2,
    WS_CLOSE = 8,
    WS_PING = 9,
    WS_PONG = 10
};

#define WS_FRAME_HEADER_MAX 10 /* of a server: unmasked */
#define WS_FRAME_MASKED_HEADER_MAX 14
#define WS_FRAME_CONTROL_MAX 125 /* payload of close, ping, pong */

/* Bytes of the header before n bytes of payload from a server: 2, 4 or 10. */
size_t ws_frame_header_size(size_t n);

/* Writes that header to out; returns its size. */
size_t ws_frame_header(char out[static WS_FRAME_HEADER_MAX], enum ws_opcode op,
                       size_t n);

/* Writes it so that it ends just before payload: at least WS_FRAME_HEADER_MAX
 * bytes there are the caller's. Returns its size; the frame begins at
 * payload - size. For a payload that was built behind reserved room. */
size_t ws_frame_header_before(char *payload, enum ws_opcode op, size_t n);

/* Appends a whole frame. */
void ws_frame_put(struct buf *b, enum ws_opcode op, struct str payload);

/* Appends a close frame; code 0 gives one without a payload. reason is UTF-8,
 * cut to 123 bytes between characters. */
void ws_frame_put_close(struct buf *b, int code, struct str reason);

/* Appends a whole frame of a client, masked (section 5.3). */
void ws_frame_put_masked(struct buf *b, enum ws_opcode op, struct str payload,
                         uint32_t mask);

/* out[i] = in[i] ^ mask[i % 4], mask being four bytes of memory in order; out
 * may be in. Returns the mask turned so that it fits the bytes that follow. */
uint32_t ws_frame_mask(char *out, const char *in, size_t n, uint32_t mask);

#endif
