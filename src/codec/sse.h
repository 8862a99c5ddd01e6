/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CODEC_SSE_H
#define CHATBOX_CODEC_SSE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

/* An event stream (WHATWG HTML, section 9.2.6) read piece by piece:
 *
 *     while ((r = sse_feed(&s, &bytes, &event)) != SSE_MORE) { … }
 *
 * The data of an event that has one `data` line inside one piece is borrowed
 * from that piece; only what is split over pieces or lines is copied. Bytes
 * are passed on as they are: whether they are UTF-8 is for the reader. */
struct sse_event {
    struct str name; /* empty: none given ("message" in browsers) */
    struct str data; /* data lines joined by LF */
    struct str id;   /* the last one seen in the stream; may be empty */
};

enum sse_result {
    SSE_MORE,   /* *bytes is used up */
    SSE_EVENT,  /* *event is filled */
    SSE_DROPPED /* an event was larger than the cap; it is gone */
};

/* Private. Invariants: `whole` points into the piece being read and is empty
 * between calls that returned SSE_MORE; `data` holds the event's lines so far
 * when has_data and whole.p == NULL. */
struct sse {
    struct buf line; /* the begin of a line whose end has not come */
    struct buf data;
    struct buf name;
    struct buf id;
    struct str whole;
    bool has_data;
    bool overflow; /* the current event is too large */
    bool in_skip;  /* the current line is not kept: comment, or too long */
    bool after_cr; /* an LF that comes next belongs to the last line */
    bool begun;    /* the first line has been seen: no BOM any more */
    bool given;    /* the last call returned an event: clear it first */
};

/* max_event_bytes: cap of one line and of one event's data. Owns no memory
 * until something is split. */
void sse_init(struct sse *s, size_t max_event_bytes);
void sse_fini(struct sse *s);

/* Takes bytes off the front of *bytes up to the end of one event. *event is
 * borrowed until the next call, and while the bytes given live. */
enum sse_result sse_feed(struct sse *s, struct str *bytes,
                         struct sse_event *event);

/* The stream ended in good order. An event whose lines are all complete but
 * whose blank line is missing is given as well (browsers drop it; servers
 * that forget the last line end are common, and a cut line is never taken). */
enum sse_result sse_end(struct sse *s, struct sse_event *event);

#endif
