/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CODEC_MULTIPART_H
#define CHATBOX_CODEC_MULTIPART_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Limits of RFC 2046 section 5.1.1 and ours: header lines of one part, parts
 * of one body. */
#define MULTIPART_BOUNDARY_MAX 70
#define MULTIPART_HEADERS_MAX 4096
#define MULTIPART_PARTS_MAX 64

/* A body of multipart/form-data (RFC 7578) read piece by piece:
 *
 *     while ((r = multipart_feed(&m, &bytes, &data)) > MULTIPART_MORE) { … }
 *
 * Data is never copied, only its ends are found. Strictly: lines end with CR
 * LF, a delimiter's line has nothing else, every part has one
 * Content-Disposition: form-data with a name. */
enum multipart_result {
    MULTIPART_BAD,  /* for good: it is no such body, or beyond a limit */
    MULTIPART_MORE, /* *bytes is used up */
    MULTIPART_PART, /* a part begins, m->part */
    MULTIPART_DATA, /* the next run of its data, not empty */
    MULTIPART_END   /* the part's data is complete */
};

/* Borrowed until the part's end. Texts as the client wrote them, but for the
 * backslashes of quoted strings. */
struct multipart_part {
    struct str name;
    struct str filename; /* p == NULL: none given */
    struct str type;     /* Content-Type; empty: none given */
};

/* All but part is private. `matched` bytes of the delimiter (CR LF "--"
 * boundary) have come and were not given as data. */
struct multipart {
    struct multipart_part part;
    struct buf headers; /* of the part that begins */
    char delimiter[4 + MULTIPART_BOUNDARY_MAX];
    uint8_t delimiter_n;
    uint8_t matched;
    uint8_t parts;
    uint8_t state;
};

/* By the value of Content-Type. ERR_UNSUPPORTED_MEDIA_TYPE: another type.
 * ERR_BAD_REQUEST: no boundary, or one that is not allowed. Whatever it
 * returns, fini is fine. */
enum err multipart_init(struct multipart *m,
                        struct str content_type) MUST_CHECK;
void multipart_fini(struct multipart *m);

/* Takes bytes off the front of *bytes up to the next thing to be said. *data is
 * borrowed until the next call, and while the bytes given live. What stands in
 * front of the first part and behind the last is passed over. */
enum multipart_result multipart_feed(struct multipart *m, struct str *bytes,
                                     struct str *data) MUST_CHECK;

/* The last delimiter has come: the body may end. */
bool multipart_complete(const struct multipart *m);

#endif
