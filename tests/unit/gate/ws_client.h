/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_TESTS_GATE_WS_CLIENT_H
#define CHATBOX_TESTS_GATE_WS_CLIENT_H

/* Clients of http_client.h who have a WebSocket: frames by hand. */
#include "codec/ws_frame.h"
#include "http_client.h"

#define HANDSHAKE                                                              \
    "Upgrade: websocket\r\nConnection: Upgrade\r\n"                            \
    "Sec-WebSocket-Version: 13\r\n"                                            \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

/* Asks for an upgrade with a token and a query ("?…" or ""); the answer is
 * the caller's to fini. */
static inline void
client_upgrade(struct client *c, const char *token, const char *query,
               struct answer *a)
{
    char line[1024], headers[2048];

    snprintf(line, sizeof(line), "GET /chatbox/ws%s", query);
    snprintf(headers, sizeof(headers), HANDSHAKE "Authorization: Bearer %s\r\n",
             token);
    client_ask(c, line, headers, NULL);
    client_answer(c, a);
}

/* A frame of a client, masked with zeros. */
static inline void
client_frame(struct client *c, unsigned opcode, struct str payload)
{
    char head[8] = {(char)(0x80 | opcode)};
    size_t n = 6;

    assert_true(payload.n < 65536);
    if (payload.n < 126) {
        head[1] = (char)(0x80 | payload.n);
    } else {
        head[1] = (char)(0x80 | 126);
        head[2] = (char)(payload.n >> 8);
        head[3] = (char)payload.n;
        n = 8;
    }
    client_send_n(c, head, n);
    client_send_n(c, payload.p, payload.n);
}

static inline void
client_say(struct client *c, const char *json)
{
    client_frame(c, WS_TEXT, str_from(json));
}

/* One frame of the server off the front; false while it is not whole. */
static inline bool
take_frame(struct client *c, unsigned *opcode, struct buf *payload)
{
    const unsigned char *p = (const unsigned char *)c->got.p;
    size_t n = 0, head = 2;

    client_read(c);
    p = (const unsigned char *)c->got.p;
    if (c->got.n < 2) {
        return false;
    }
    n = p[1];
    if (n == 126) {
        head = 4;
        n = c->got.n >= 4 ? (size_t)p[2] << 8 | p[3] : SIZE_MAX / 2;
    } else if (n == 127) {
        head = 10;
        n = SIZE_MAX / 2;
        for (size_t i = 2; c->got.n >= 10 && i < 10; i++) {
            n = i == 2 ? p[2] : n << 8 | p[i];
        }
    }
    if (c->got.n < head + n) {
        return false;
    }
    *opcode = p[0] & 15;
    buf_put(payload, c->got.p + head, n);
    buf_consume(&c->got, head + n);
    return true;
}

/* The next text frame as JSON; pings between are passed over. Gives. */
static inline json_t *
client_json(struct client *c)
{
    unsigned opcode = 0;
    json_t *json = NULL;

    while (json == NULL) {
        struct buf payload;

        buf_init(&payload, 16 << 20);
        WAIT_FOR(c->house, take_frame(c, &opcode, &payload));
        assert_true(opcode == WS_TEXT || opcode == WS_PING);
        if (opcode == WS_TEXT) {
            json = json_loadb(payload.p, payload.n, 0, NULL);
            assert_non_null(json);
        }
        buf_fini(&payload);
    }
    return json;
}

/* The next frame of that type; what stands before it is dropped. Gives. */
static inline json_t *
client_until(struct client *c, const char *type)
{
    while (true) {
        json_t *json = client_json(c);

        if (strcmp(text_at(json, "type"), type) == 0) {
            return json;
        }
        json_decref(json);
    }
}

/* Reads to the close frame; its code, or 0 when it has none. */
static inline int
client_close_code(struct client *c)
{
    while (true) {
        unsigned opcode = 0;
        struct buf payload;
        int code;

        buf_init(&payload, 16 << 20);
        WAIT_FOR(c->house, take_frame(c, &opcode, &payload));
        code = payload.n >= 2 ? (unsigned char)payload.p[0] << 8 |
                                    (unsigned char)payload.p[1]
                              : 0;
        buf_fini(&payload);
        if (opcode == WS_CLOSE) {
            return code;
        }
    }
}

/* A WebSocket that has had its first frame. */
static inline void
client_join(struct house *h, struct client *c, const char *user)
{
    char *token = token_of(user);
    struct answer a;

    client_open(h, c);
    client_upgrade(c, token, "", &a);
    assert_int_equal(a.status, 101);
    answer_fini(&a);
    xfree(token);
    json_decref(client_until(c, "connection_status"));
}

#endif
