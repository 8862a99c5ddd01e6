/* SPDX-License-Identifier: MIT */
/* The opening handshake of RFC 6455 section 4, server side, as a judgement of
 * a parsed head. Who may connect is gate/upgrade's question, not this one's.
 */
#include "codec/ws_handshake.h"

#include "codec/base64.h"
#include "codec/http1_chars.h"
#include "codec/http1_write.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

#define KEY_BYTES 16
#define KEY_CHARS 24
#define SHA1_BYTES 20

/* "version = DIGIT | (NZDIGIT DIGIT) | …" up to 255 (section 4.3). */
static enum err
check_version(const struct http1_head *head)
{
    struct str text;
    uint64_t version;

    if (http1_head_single(head, "Sec-WebSocket-Version", &text) != ERR_OK ||
        !str_to_u64(text, UINT8_MAX, &version) ||
        (text.n > 1 && text.p[0] == '0')) {
        return ERR_BAD_REQUEST;
    }
    return version == 13 ? ERR_OK : ERR_UPGRADE_REQUIRED;
}

static bool
key_valid(struct str key)
{
    unsigned char bytes[BASE64_BYTES(KEY_CHARS)];
    size_t n = 0;

    return key.n == KEY_CHARS &&
           base64_decode(key, bytes, sizeof(bytes), &n) == ERR_OK &&
           n == KEY_BYTES;
}

static enum err
add_protocol(struct ws_handshake *out, struct str name)
{
    if (out->protocol_count == WS_HANDSHAKE_PROTOCOLS_MAX ||
        !http1_chars_all(name, HTTP1_CHARS_TOKEN)) {
        return ERR_BAD_REQUEST;
    }
    for (size_t i = 0; i < out->protocol_count; i++) {
        if (str_eq(out->protocols[i], name)) {
            return ERR_BAD_REQUEST;
        }
    }
    out->protocols[out->protocol_count++] = name;
    return ERR_OK;
}

/* Sec-WebSocket-Protocol may be split over several headers (section 11.3.4);
 * each of them must name at least one. */
static enum err
parse_protocols(const struct http1_head *head, struct ws_handshake *out)
{
    const struct http1_header *header;
    size_t at = 0;

    while ((header = http1_head_next(head, "Sec-WebSocket-Protocol", &at)) !=
           NULL) {
        size_t before = out->protocol_count;
        struct str rest = header->value;
        struct str name;

        while (http1_head_next_item(&rest, &name)) {
            enum err e = add_protocol(out, name);

            if (e != ERR_OK) {
                return e;
            }
        }
        if (out->protocol_count == before) {
            return ERR_BAD_REQUEST;
        }
    }
    return ERR_OK;
}

/* Bytes behind the head are frames, so the request must not have a body. */
static bool
is_upgrade(const struct http1_head *head)
{
    return head->method == HTTP1_GET && head->minor == 1 &&
           head->framing != HTTP1_CHUNKED && head->content_length == 0 &&
           http1_head_lists(head, "Connection", "upgrade") &&
           http1_head_lists(head, "Upgrade", "websocket");
}

enum err
ws_handshake_parse(const struct http1_head *head, struct ws_handshake *out)
{
    enum err e;

    out->protocol_count = 0;
    if (!is_upgrade(head)) {
        return ERR_BAD_REQUEST;
    }
    e = check_version(head);
    if (e != ERR_OK) {
        return e;
    }
    if (http1_head_single(head, "Sec-WebSocket-Key", &out->key) != ERR_OK ||
        !key_valid(out->key)) {
        return ERR_BAD_REQUEST;
    }
    return parse_protocols(head, out);
}

enum err
ws_handshake_accept(struct str key, char out[static WS_HANDSHAKE_ACCEPT_SIZE])
{
    static const struct str guid = {"258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36};
    unsigned char digest[SHA1_BYTES];
    char text[KEY_CHARS + 36];
    size_t n;

    CHECK(key.n == KEY_CHARS);
    memcpy(text, key.p, KEY_CHARS);
    memcpy(text + KEY_CHARS, guid.p, guid.n);
    if (EVP_Digest(text, sizeof(text), digest, NULL, EVP_sha1(), NULL) != 1) {
        ERR_clear_error();
        return ERR_SERVICE_UNAVAILABLE;
    }
    n = base64_encode((struct str){(const char *)digest, SHA1_BYTES}, out);
    out[n] = '\0';
    return ERR_OK;
}

enum err
ws_handshake_write(struct buf *b, struct str key, struct str protocol)
{
    char accept[WS_HANDSHAKE_ACCEPT_SIZE];
    enum err e = ws_handshake_accept(key, accept);

    if (e != ERR_OK) {
        return e;
    }
    http1_write_status(b, 101);
    http1_write_header(b, "Upgrade", STR("websocket"));
    http1_write_header(b, "Connection", STR("Upgrade"));
    http1_write_header(b, "Sec-WebSocket-Accept", str_from(accept));
    if (protocol.n > 0) {
        http1_write_header(b, "Sec-WebSocket-Protocol", protocol);
    }
    return ERR_OK;
}
