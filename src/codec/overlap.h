/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CODEC_OVERLAP_H
#define CHATBOX_CODEC_OVERLAP_H

#include "base/buf.h"

#include <stdint.h>

/* One text out of two: a first one that was shown and broke off, and a second
 * one that goes on with it. Whoever wrote the second may have begun with the
 * last words of the first, or with all of it; that is left out, so that what
 * was shown with what is given out behind it reads as one text.
 *
 * The second text comes in pieces. Its beginning is held back while it may
 * still be a repetition; what is given out is always a tail of it, byte by
 * byte. White space is compared as one space, whatever and however much it
 * is, but behind the repetition: there the second text counts as written
 * behind the last word of the first, so of white space that both have, the
 * common beginning is left out.
 *
 * A repetition ends where the first text ends. The longest one counts, if it
 * is not likely to be chance: OVERLAP_SURE bytes, or, from the beginning of
 * a word on, two words, two letters, a letter that is a word, or three digits;
 * a character of a script without spaces is a word. A second text that ends
 * early and only says again how the first begins (two words, or as many bytes)
 * is left out, too. Text that repeats itself anyway comes out shorter rather
 * than twice.
 *
 * Linear in time and memory: at most five times what of the first text is
 * looked at, its last OVERLAP_MAX bytes. Pure; any thread, one at a time. If
 * all pieces are whole characters of UTF-8, so is what comes out. */
#define OVERLAP_MAX (1u << 20)
#define OVERLAP_SURE 16

/* White space that is held back beside text, or at an end: what is more is
 * somebody's who writes no text, and passes. */
#define OVERLAP_WHITE 4096

/* Private. Invariant while not decided: said[0..match) is what stands before
 * at in shown, and no repetition begins earlier. */
struct overlap {
    struct buf shown;  /* its words, one space between them */
    struct buf white;  /* what stood behind the last one, as it was */
    struct buf said;   /* as shown: what is held back */
    struct buf held;   /* as it came */
    uint32_t *borders; /* of each beginning of said: the longest that is its
                          end, too */
    size_t borders_cap;
    size_t at;
    size_t match;
    size_t taken; /* of held: looked at */
    size_t seam;  /* of white: so much of it has come again */
    bool whole;   /* shown is all of the first text */
    bool blank;   /* white space stands behind said */
    bool decided;
};

/* shown is borrowed during the call. */
void overlap_init(struct overlap *o, struct str shown);
void overlap_fini(struct overlap *o);

/* The next piece of the second text, and what of all that has come can be
 * given out now: empty while nothing is decided. Borrowed until the next call,
 * from o or from piece. */
struct str overlap_feed(struct overlap *o, struct str piece);

/* No more comes: what is still held back and is no repetition. Borrowed
 * likewise. */
struct str overlap_end(struct overlap *o);

#endif
