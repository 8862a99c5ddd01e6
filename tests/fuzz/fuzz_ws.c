/* SPDX-License-Identifier: MIT */
/* WebSocket frames from a stranger. The first byte chooses the rules and how
 * the rest is cut; what is heard must not depend on the cut, text is valid
 * UTF-8 within the limit, and nothing is kept once it is over. */
#include "codec/ws.h"

#include "base/buf.h"
#include "base/xalloc.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGE_LIMIT = 300 };

struct listener {
    struct buf notes;
    bool over;
};

static void
note(struct listener *l, char what, struct str bytes)
{
    CHECK(!l->over);
    buf_putc(&l->notes, what);
    buf_put_u64(&l->notes, bytes.n);
    buf_putc(&l->notes, ':');
    buf_put_str(&l->notes, bytes);
}

static void
on_message(void *user, enum ws_opcode type, struct str message)
{
    CHECK(message.n <= MESSAGE_LIMIT);
    CHECK(type == WS_BINARY || utf8_valid(message));
    note(user, type == WS_TEXT ? 't' : 'b', message);
}

static void
on_ping(void *user, struct str payload)
{
    CHECK(payload.n <= WS_FRAME_CONTROL_MAX);
    note(user, 'p', payload);
}

static void
on_pong(void *user, struct str payload)
{
    CHECK(payload.n <= WS_FRAME_CONTROL_MAX);
    note(user, 'o', payload);
}

static void
on_close(void *user, int code, struct str reason)
{
    struct listener *l = user;

    CHECK(utf8_valid(reason));
    CHECK(code >= 1000 && code <= 4999);
    note(l, 'c', reason);
    buf_put_i64(&l->notes, code);
    l->over = true;
}

static void
on_error(void *user, int code, const char *why)
{
    struct listener *l = user;

    CHECK(code >= 1002 && code <= 1009);
    note(l, 'e', str_from(why));
    buf_put_i64(&l->notes, code);
    l->over = true;
}

static const struct ws_events events = {
    .on_message = on_message,
    .on_ping = on_ping,
    .on_pong = on_pong,
    .on_close = on_close,
    .on_error = on_error,
};

static void
listen_to(const struct ws_rules *rules, struct str in, size_t step,
          struct listener *l)
{
    struct ws w;

    ws_init(&w, rules);
    while (in.n > 0) {
        size_t n = in.n < step ? in.n : step;
        char *block = xmalloc(n);

        memcpy(block, in.p, n);
        ws_feed(&w, l, block, n);
        xfree(block);
        in = str_from_at(in, n);
        CHECK(ws_open(&w) != l->over);
        CHECK(ws_open(&w) || ws_memory(&w) == 0);
        CHECK(ws_memory(&w) <= 4096);
    }
    ws_fini(&w);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t choice = size > 0 ? data[0] : 0;
    struct ws_rules rules = {
        .events = &events,
        .max_message_bytes = MESSAGE_LIMIT,
        .max_fragments = 5,
        .client = (choice & 1) != 0,
        .refuse_binary = (choice & 2) != 0,
    };
    struct str in = str_from_at((struct str){(const char *)data, size}, 1);
    struct listener whole = {.over = false};
    struct listener pieces = {.over = false};

    buf_init(&whole.notes, 1 << 22);
    buf_init(&pieces.notes, 1 << 22);
    listen_to(&rules, in, in.n + 1, &whole);
    listen_to(&rules, in, 1 + choice / 4, &pieces);
    CHECK(str_eq(buf_str(&whole.notes), buf_str(&pieces.notes)));
    buf_fini(&whole.notes);
    buf_fini(&pieces.notes);
    return 0;
}
