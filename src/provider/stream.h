/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_PROVIDER_STREAM_H
#define CHATBOX_PROVIDER_STREAM_H

#include "codec/json.h"
#include "codec/sse.h"
#include "provider/provider.h"

/* The body of one answer, for the digesters: an event stream, one JSON document
 * instead of it, or a page of HTML that no model wrote. It cuts the bytes and
 * hands on what is whole; what that means, and the events that come of it, is
 * its owner's. Pure; one answer's, one thread's. */
struct stream;

/* Called inside stream_digest and stream_end, and not after stream_done or
 * stream_fail. */
struct stream_ops {
    /* data is trimmed and not empty; borrowed. */
    void (*on_event)(struct stream *s, struct str name, struct str data,
                     const struct provider_sink *sink);
    /* A whole document, which may be anything; borrowed. Ends with stream_done
     * or stream_fail. */
    void (*on_document)(struct stream *s, struct str document,
                        const struct provider_sink *sink);
};

enum stream_shape {
    STREAM_UNKNOWN, /* nothing but white space so far */
    STREAM_EVENTS,
    STREAM_DOCUMENT,
    STREAM_PAGE,
    STREAM_OVER
};

/* Private; the first member of its owner's state. */
struct stream {
    const struct stream_ops *ops;
    enum stream_shape shape;
    struct sse sse;
    struct buf document;
    struct buf text; /* an unescaped delta */
};

/* content_type (borrowed) is believed when it says event stream; others are not
 * always right, but the first byte tells. An event or a document may be as
 * large as an answer of max_answer_bytes can be with its escapes: a larger
 * event is a BAD_EVENT, a larger document the error answer_too_large. */
void stream_init(struct stream *s, const struct stream_ops *ops,
                 struct str content_type, size_t max_answer_bytes);
void stream_fini(struct stream *s);

/* provider_ops.digest, .end and .close, for a state that begins with a struct
 * stream and has nothing else to be freed. */
void stream_digest(void *state, struct str bytes,
                   const struct provider_sink *sink);
void stream_end(void *state, const struct provider_sink *sink);
void stream_close(void *state);

/* --- for the owner, inside its calls ------------------------------------- */

/* A delta, unescaped; nothing when t is empty. */
void stream_text(struct stream *s, const struct json_text *t,
                 const struct provider_sink *sink);

/* A piece of the call number at, unescaped; nothing when it is empty, or one of
 * a call beyond PROVIDER_CALLS_MAX. */
struct stream_call {
    struct json_text id, name, arguments;
};
void stream_call(struct stream *s, size_t at, const struct stream_call *call,
                 const struct provider_sink *sink);

/* An event or document as it came. */
void stream_raw(const struct provider_raw *raw,
                const struct provider_sink *sink);

void stream_finish(enum provider_finish finish,
                   const struct provider_sink *sink);
void stream_usage(const struct provider_usage *usage,
                  const struct provider_sink *sink);
void stream_bad_event(const struct provider_sink *sink);

/* The last events: DONE; ERROR with a status (0: none was said) and the
 * provider's word for it. */
void stream_done(struct stream *s, const struct provider_sink *sink);
void stream_fail(struct stream *s, int64_t status, struct str word,
                 const struct provider_sink *sink);

/* Neither has been sent. */
bool stream_runs(const struct stream *s);

#endif
