/* SPDX-License-Identifier: MIT */
/* The writing half of WebSocket framing; ws.c reads. On the token path: one
 * header of at most ten bytes in front of what is there, no copy needed. */
#include "codec/ws_frame.h"

#include "codec/utf8.h"

#include <string.h>

#define FIN 0x80
#define MASKED 0x80
#define LENGTH_16 126
#define LENGTH_64 127

size_t
ws_frame_header_size(size_t n)
{
    return n < LENGTH_16 ? 2 : n <= UINT16_MAX ? 4 : 10;
}

static void
put_big_endian(char *out, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        out[i] = (char)(value >> 8 * (bytes - 1 - i));
    }
}

size_t
ws_frame_header(char out[static WS_FRAME_HEADER_MAX], enum ws_opcode op,
                size_t n)
{
    size_t size = ws_frame_header_size(n);

    out[0] = (char)(FIN | (int)op);
    if (size == 2) {
        out[1] = (char)n;
    } else {
        out[1] = (char)(size == 4 ? LENGTH_16 : LENGTH_64);
        put_big_endian(out + 2, n, size - 2);
    }
    return size;
}

size_t
ws_frame_header_before(char *payload, enum ws_opcode op, size_t n)
{
    char header[WS_FRAME_HEADER_MAX];
    size_t size = ws_frame_header(header, op, n);

    memcpy(payload - size, header, size);
    return size;
}

void
ws_frame_put(struct buf *b, enum ws_opcode op, struct str payload)
{
    size_t size = ws_frame_header_size(payload.n);
    char header[WS_FRAME_HEADER_MAX];
    char *to = buf_reserve(b, size + payload.n);

    if (to == NULL) {
        return;
    }
    ws_frame_header(header, op, payload.n);
    memcpy(to, header, size);
    if (payload.n > 0) {
        memcpy(to + size, payload.p, payload.n);
    }
    b->n += size + payload.n;
}

void
ws_frame_put_close(struct buf *b, int code, struct str reason)
{
    char payload[WS_FRAME_CONTROL_MAX];
    struct str cut = utf8_cut(reason, sizeof(payload) - 2);

    if (code == 0) {
        ws_frame_put(b, WS_CLOSE, (struct str){NULL, 0});
        return;
    }
    put_big_endian(payload, (uint64_t)code, 2);
    if (cut.n > 0) {
        memcpy(payload + 2, cut.p, cut.n);
    }
    ws_frame_put(b, WS_CLOSE, (struct str){payload, 2 + cut.n});
}

void
ws_frame_put_masked(struct buf *b, enum ws_opcode op, struct str payload,
                    uint32_t mask)
{
    char header[WS_FRAME_MASKED_HEADER_MAX];
    size_t size = ws_frame_header(header, op, payload.n);
    char *to;

    header[1] = (char)(header[1] | (char)MASKED);
    memcpy(header + size, &mask, sizeof(mask));
    size += sizeof(mask);
    to = buf_reserve(b, size + payload.n);
    if (to != NULL) {
        memcpy(to, header, size);
        ws_frame_mask(to + size, payload.p, payload.n, mask);
        b->n += size + payload.n;
    }
}

/* The mask as it fits the byte `by` (0..3) places further on. */
static uint32_t
turned(uint32_t mask, size_t by)
{
    unsigned char twice[8];

    memcpy(twice, &mask, 4);
    memcpy(twice + 4, &mask, 4);
    memcpy(&mask, twice + by, 4);
    return mask;
}

uint32_t
ws_frame_mask(char *out, const char *in, size_t n, uint32_t mask)
{
    uint64_t wide = (uint64_t)mask << 32 | mask;
    unsigned char key[4];
    size_t i = 0;

    for (; n - i >= 16; i += 16) {
        uint64_t word[2];

        memcpy(word, in + i, 16);
        word[0] ^= wide;
        word[1] ^= wide;
        memcpy(out + i, word, 16);
    }
    memcpy(key, &mask, 4);
    for (size_t k = 0; i < n; i++, k++) {
        out[i] = (char)(in[i] ^ (char)key[k % 4]);
    }
    return turned(mask, n % 4);
}
