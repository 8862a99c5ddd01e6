/* SPDX-License-Identifier: MIT */
/* Frames in, messages out: gate/ws_conn feeds it what net/conn read. Headers
 * are gathered in the struct, payloads unmasked where they lie; only what has
 * to outlive a read is copied, into a part that goes away with its message.
 * Section numbers are those of RFC 6455. */
#include "codec/ws.h"

#include "base/buf.h"
#include "base/xalloc.h"

#include <string.h>

#define FIN 0x80
#define RESERVED 0x70
#define OPCODE 0x0F
#define CONTROL 0x08
#define MASKED 0x80
#define LENGTH 0x7F
#define LENGTH_16 126
#define LENGTH_64 127

_Static_assert(sizeof(struct ws) <= 64, "what an idle connection costs");

enum state { STATE_HEADER, STATE_PAYLOAD, STATE_OVER };

/* What earlier reads left of a message, and of a control frame that may stand
 * in the middle of it. */
struct ws_part {
    struct buf message;
    uint8_t control_n;
    char control[WS_FRAME_CONTROL_MAX];
};

void
ws_init(struct ws *w, const struct ws_rules *rules)
{
    *w = (struct ws){.rules = rules};
}

void
ws_fini(struct ws *w)
{
    if (w->part != NULL) {
        buf_fini(&w->part->message);
        xfree(w->part);
        w->part = NULL;
    }
}

void
ws_stop(struct ws *w)
{
    w->state = STATE_OVER;
}

bool
ws_open(const struct ws *w)
{
    return w->state != STATE_OVER;
}

size_t
ws_memory(const struct ws *w)
{
    return w->part != NULL ? sizeof(*w->part) + w->part->message.cap : 0;
}

static size_t
kept(const struct ws *w)
{
    return w->part != NULL ? w->part->message.n : 0;
}

static struct ws_part *
part_of(struct ws *w)
{
    if (w->part == NULL) {
        w->part = xcalloc(1, sizeof(*w->part));
        buf_init(&w->part->message, w->rules->max_message_bytes);
    }
    return w->part;
}

static void
drop_part_if_empty(struct ws *w)
{
    if (w->part != NULL && w->part->message.n == 0 && w->part->control_n == 0) {
        ws_fini(w);
    }
}

static bool
fail(struct ws *w, void *user, int code, const char *why)
{
    w->state = STATE_OVER;
    w->rules->events->on_error(user, code, why);
    return false;
}

static bool
is_control(uint8_t first)
{
    return (first & CONTROL) != 0;
}

/* A rule that is broken: the code to close with. */
struct fault {
    int code; /* 0: none */
    const char *why;
};

#define FINE ((struct fault){0, NULL})
#define FAULT(code, why) ((struct fault){(code), (why)})

static struct fault
check_data_opcode(const struct ws *w, uint8_t opcode)
{
    if (opcode == WS_CONTINUATION && w->message == 0) {
        return FAULT(1002, "continuation of nothing");
    }
    if (opcode != WS_CONTINUATION && w->message != 0) {
        return FAULT(1002, "new message inside another");
    }
    if (opcode == WS_BINARY && w->rules->refuse_binary) {
        return FAULT(1003, "binary message");
    }
    if (opcode == WS_CONTINUATION && w->frames >= w->rules->max_fragments) {
        return FAULT(1008, "too many fragments");
    }
    return FINE;
}

/* Sections 5.2, 5.4, 5.5: FIN, reserved bits, opcode. */
static struct fault
check_first(const struct ws *w, uint8_t first)
{
    uint8_t opcode = first & OPCODE;

    if ((first & RESERVED) != 0) {
        return FAULT(1002, "reserved bit set");
    }
    if (opcode > WS_PONG || (opcode > WS_BINARY && opcode < WS_CLOSE)) {
        return FAULT(1002, "reserved opcode");
    }
    if (!is_control(first)) {
        return check_data_opcode(w, opcode);
    }
    if ((first & FIN) == 0) {
        return FAULT(1002, "fragmented control frame");
    }
    return FINE;
}

/* Section 5.1: a client masks, a server does not. */
static struct fault
check_second(const struct ws *w, uint8_t second)
{
    bool masked = (second & MASKED) != 0;

    if (masked == w->rules->client) {
        return FAULT(1002, masked ? "masked frame" : "unmasked frame");
    }
    if (is_control(w->header[0]) && (second & LENGTH) > WS_FRAME_CONTROL_MAX) {
        return FAULT(1002, "long control frame");
    }
    return FINE;
}

static struct fault
check_length(const struct ws *w, uint64_t length)
{
    uint8_t form = w->header[1] & LENGTH;

    if (length >> 63 != 0) {
        return FAULT(1002, "length with its top bit set");
    }
    if ((form == LENGTH_16 && length < LENGTH_16) ||
        (form == LENGTH_64 && length <= UINT16_MAX)) {
        return FAULT(1002, "length in a longer form than needed");
    }
    if (!is_control(w->header[0]) &&
        length > w->rules->max_message_bytes - kept(w)) {
        return FAULT(1009, "message too big");
    }
    return FINE;
}

static size_t
length_bytes(uint8_t second)
{
    uint8_t form = second & LENGTH;

    return form == LENGTH_16 ? 2 : form == LENGTH_64 ? 8 : 0;
}

static uint64_t
header_length(const struct ws *w)
{
    size_t n = length_bytes(w->header[1]);
    uint64_t length = 0;

    for (size_t i = 0; i < n; i++) {
        length = length << 8 | w->header[2 + i];
    }
    return n > 0 ? length : w->header[1] & LENGTH;
}

/* The header is complete and holds. */
static void
begin_frame(struct ws *w, uint64_t length, size_t header_size)
{
    uint8_t opcode = w->header[0] & OPCODE;

    w->first = w->header[0];
    w->left = length;
    w->have = 0;
    w->mask = 0;
    if (!w->rules->client) {
        memcpy(&w->mask, w->header + header_size - 4, 4);
    }
    w->state = STATE_PAYLOAD;
    if (is_control(w->first)) {
        return;
    }
    w->frames++;
    if (opcode != WS_CONTINUATION) {
        w->message = opcode;
        w->frames = 1;
    }
}

/* Judges the first `have` bytes of a header, in their order; sets the size
 * of the header once that is known (before: more than have). */
static struct fault
check_header(const struct ws *w, size_t have, size_t *size_out)
{
    struct fault fault = check_first(w, w->header[0]);

    *size_out = WS_FRAME_MASKED_HEADER_MAX;
    if (fault.code == 0 && have > 1) {
        fault = check_second(w, w->header[1]);
        *size_out = 2 + length_bytes(w->header[1]) + (w->rules->client ? 0 : 4);
    }
    if (fault.code == 0 && have >= *size_out) {
        fault = check_length(w, header_length(w));
    }
    return fault;
}

/* Copies what may be a whole header, then gives back what was too much. */
static size_t
take_header(struct ws *w, void *user, const char *bytes, size_t n)
{
    size_t room = sizeof(w->header) - w->have;
    size_t got = n < room ? n : room;
    size_t size;
    size_t used;
    struct fault fault;

    memcpy(w->header + w->have, bytes, got);
    fault = check_header(w, w->have + got, &size);
    if (fault.code != 0) {
        (void)fail(w, user, fault.code, fault.why);
        return got;
    }
    if (w->have + got < size) {
        w->have = (uint8_t)(w->have + got);
        return got;
    }
    used = size - w->have;
    begin_frame(w, header_length(w), size);
    return used;
}

/* Section 7.4 and the registry it opened: what may stand on the wire. */
static bool
close_code_valid(int code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static void
deliver_close(struct ws *w, void *user, struct str payload)
{
    const unsigned char *p = (const unsigned char *)payload.p;
    struct str reason = str_from_at(payload, 2);
    int code = WS_NO_CODE;

    if (payload.n == 1) {
        (void)fail(w, user, 1002, "close frame of one byte");
        return;
    }
    if (payload.n >= 2) {
        code = p[0] << 8 | p[1];
        if (!close_code_valid(code)) {
            (void)fail(w, user, 1002, "invalid close code");
            return;
        }
    }
    if (!utf8_valid(reason)) {
        (void)fail(w, user, 1007, "close reason is not UTF-8");
        return;
    }
    w->state = STATE_OVER;
    w->rules->events->on_close(user, code, reason);
}

static void
deliver_control(struct ws *w, void *user, struct str payload)
{
    uint8_t opcode = w->first & OPCODE;

    if (opcode == WS_CLOSE) {
        deliver_close(w, user, payload);
    } else if (opcode == WS_PING) {
        w->rules->events->on_ping(user, payload);
    } else {
        w->rules->events->on_pong(user, payload);
    }
}

static void
take_control(struct ws *w, void *user, const char *bytes, size_t n)
{
    struct ws_part *part;

    if (w->left == 0 && (w->part == NULL || w->part->control_n == 0)) {
        w->state = STATE_HEADER;
        deliver_control(w, user, (struct str){bytes, n});
        return;
    }
    part = part_of(w);
    memcpy(part->control + part->control_n, bytes, n);
    part->control_n = (uint8_t)(part->control_n + n);
    if (w->left == 0) {
        struct str whole = {part->control, part->control_n};

        w->state = STATE_HEADER;
        deliver_control(w, user, whole);
        part->control_n = 0;
        drop_part_if_empty(w);
    }
}

static void
keep(struct ws *w, const char *bytes, size_t n)
{
    struct ws_part *part;

    if (n > 0) {
        part = part_of(w);
        buf_put(&part->message, bytes, n);
        /* check_length has seen to it. */
        CHECK(!part->message.failed);
    }
}

/* The last bytes of a message are there: it is given from where it lies. */
static void
end_message(struct ws *w, void *user, const char *bytes, size_t n)
{
    enum ws_opcode type = (enum ws_opcode)w->message;
    struct str whole = {bytes, n};
    bool in_part = kept(w) > 0;

    if (in_part) {
        keep(w, bytes, n);
        whole = buf_str(&w->part->message);
    }
    w->message = 0;
    w->state = STATE_HEADER;
    w->rules->events->on_message(user, type, whole);
    if (in_part) {
        buf_reset(&w->part->message, 0);
        drop_part_if_empty(w);
    }
}

static void
take_data(struct ws *w, void *user, const char *bytes, size_t n)
{
    bool text = w->message == WS_TEXT;
    bool last = w->left == 0 && (w->first & FIN) != 0;

    if (text && (!utf8_feed(&w->utf8, bytes, n) ||
                 (last && !utf8_complete(&w->utf8)))) {
        (void)fail(w, user, 1007, "text is not UTF-8");
        return;
    }
    if (last) {
        end_message(w, user, bytes, n);
        return;
    }
    keep(w, bytes, n);
    if (w->left == 0) {
        w->state = STATE_HEADER;
    }
}

/* n may be 0: a frame without payload ends where its header does. */
static size_t
take_payload(struct ws *w, void *user, char *bytes, size_t n)
{
    size_t run = n < w->left ? n : (size_t)w->left;

    if (!w->rules->client) {
        w->mask = ws_frame_mask(bytes, bytes, run, w->mask);
    }
    w->left -= run;
    if (is_control(w->first)) {
        take_control(w, user, bytes, run);
    } else {
        take_data(w, user, bytes, run);
    }
    return run;
}

void
ws_feed(struct ws *w, void *user, char *bytes, size_t n)
{
    size_t at = 0;

    while (at < n && w->state != STATE_OVER) {
        if (w->state == STATE_HEADER) {
            at += take_header(w, user, bytes + at, n - at);
        }
        if (w->state == STATE_PAYLOAD) {
            at += take_payload(w, user, bytes + at, n - at);
        }
    }
    if (w->state == STATE_OVER) {
        ws_fini(w);
    }
}
