/* SPDX-License-Identifier: MIT */
/* The search is Knuth, Morris and Pratt's with a pattern that grows: the first
 * text is looked through for the beginning of the second, and where that ends
 * before a difference shows, it waits for more. So the earliest place that can
 * still be a repetition is always the one at hand, and nothing is looked at
 * twice. */
#include "codec/overlap.h"

#include "base/xalloc.h"

#include <string.h>

static bool
is_white(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* --- what is compared --------------------------------------------------- */

static void
put_words(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (!is_white(text.p[i])) {
            buf_putc(out, text.p[i]);
        } else if (out->n > 0 && !is_white(text.p[i - 1])) {
            buf_putc(out, ' ');
        }
    }
}

void
overlap_init(struct overlap *o, struct str shown)
{
    size_t n = shown.n;

    *o = (struct overlap){.whole = shown.n <= OVERLAP_MAX};
    while (n > 0 && is_white(shown.p[n - 1])) {
        n--;
    }
    buf_init(&o->shown, OVERLAP_MAX);
    buf_init(&o->white, OVERLAP_WHITE);
    buf_init(&o->said, OVERLAP_MAX + OVERLAP_WHITE);
    buf_init(&o->held, SIZE_MAX);
    buf_put(&o->white, shown.p + n,
            shown.n - n < OVERLAP_WHITE ? shown.n - n : OVERLAP_WHITE);
    shown.n = n;
    put_words(&o->shown,
              str_from_at(shown, n > OVERLAP_MAX ? n - OVERLAP_MAX : 0));
}

/* --- the search --------------------------------------------------------- */

static void
put_border(struct overlap *o)
{
    const char *said = o->said.p;
    size_t n = o->said.n - 1, k = n > 0 ? o->borders[n - 1] : 0;

    if (o->said.n > o->borders_cap) {
        o->borders_cap = 2 * o->borders_cap + 64;
        o->borders =
            xrealloc(o->borders, o->borders_cap * sizeof(o->borders[0]));
    }
    while (k > 0 && said[k] != said[n]) {
        k = o->borders[k - 1];
    }
    o->borders[n] = (uint32_t)(n > 0 && said[k] == said[n] ? k + 1 : 0);
}

static void
put_said(struct overlap *o, char c)
{
    buf_putc(&o->said, c);
    put_border(o);
}

/* As far as what has been said goes. */
static void
search(struct overlap *o)
{
    while (o->at < o->shown.n && o->match < o->said.n) {
        if (o->shown.p[o->at] == o->said.p[o->match]) {
            o->at++;
            o->match++;
        } else if (o->match > 0) {
            o->match = o->borders[o->match - 1];
        } else {
            o->at++;
        }
    }
}

/* The next shorter one. */
static void
shorten(struct overlap *o)
{
    o->match = o->borders[o->match - 1];
}

/* --- whether it is chance ------------------------------------------------ */

enum kind { OTHER, DIGIT, LETTER, SIGN };

/* By the first byte of a character. From U+3000 on scripts have no spaces, or
 * could do without. */
static enum kind
kind_of(char c)
{
    unsigned char u = (unsigned char)c;

    if (u >= '0' && u <= '9') {
        return DIGIT;
    }
    if ((u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z')) {
        return LETTER;
    }
    return u < 0x80 ? OTHER : u < 0xE3 ? LETTER : SIGN;
}

static bool
continues(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

/* A character there belongs to the word of the one before it. */
static bool
joined(enum kind before, enum kind k)
{
    return (before == DIGIT || before == LETTER) && (k == DIGIT || k == LETTER);
}

struct weight {
    unsigned words;
    unsigned letters;
    unsigned digits;
};

static struct weight
weigh(struct str text)
{
    struct weight w = {0, 0, 0};
    enum kind before = OTHER, k;

    for (size_t i = 0; i < text.n; i++) {
        if (continues(text.p[i])) {
            continue;
        }
        k = kind_of(text.p[i]);
        w.words += k != OTHER && !joined(before, k);
        w.letters += k == LETTER;
        w.digits += k == DIGIT;
        before = k;
    }
    return w;
}

/* Of the character before shown[at]. */
static enum kind
kind_before(const struct overlap *o, size_t at)
{
    while (at > 0 && continues(o->shown.p[at - 1])) {
        at--;
    }
    return at > 0 ? kind_of(o->shown.p[at - 1]) : OTHER;
}

static bool
ends_word(const struct overlap *o)
{
    return o->match == o->said.n ||
           !joined(LETTER, kind_of(o->said.p[o->match]));
}

/* said[0..match) is what shown ends with. */
static bool
convinces(const struct overlap *o)
{
    size_t begin = o->shown.n - o->match;
    struct weight w;

    if (o->match >= OVERLAP_SURE) {
        return true;
    }
    if (joined(kind_before(o, begin), kind_of(o->said.p[0]))) {
        return false;
    }
    w = weigh((struct str){o->said.p, o->match});
    return w.words >= 2 || w.letters >= 2 || w.digits >= 3 ||
           (w.letters == 1 && ends_word(o));
}

/* All that was said, at its end, is how the first text begins. */
static bool
only_begins(const struct overlap *o)
{
    return o->whole && o->match == o->said.n && o->at == o->match &&
           (o->match >= OVERLAP_SURE || weigh(buf_str(&o->said)).words >= 2);
}

/* --- what comes out ------------------------------------------------------ */

/* How many of the held bytes the first n of said stand for. */
static size_t
held_bytes(const struct overlap *o, size_t n)
{
    size_t i = 0;

    while (n > 0 && is_white(o->held.p[i])) {
        i++;
    }
    for (; n > 0; n--) {
        if (is_white(o->held.p[i])) {
            while (is_white(o->held.p[i])) {
                i++;
            }
        } else {
            i++;
        }
    }
    return i;
}

/* Without the white space that stands there already. */
static struct str
behind_seam(struct overlap *o, struct str text)
{
    size_t i = 0;

    while (i < text.n && o->seam < o->white.n &&
           text.p[i] == o->white.p[o->seam]) {
        i++;
        o->seam++;
    }
    if (i < text.n) {
        o->seam = o->white.n;
    }
    return str_from_at(text, i);
}

static void
forget(struct overlap *o)
{
    buf_fini(&o->shown);
    buf_fini(&o->said);
    xfree(o->borders);
    o->borders = NULL;
    o->decided = true;
}

static struct str
decide(struct overlap *o)
{
    struct str rest = buf_str(&o->held);

    while (o->match > 0 && !convinces(o)) {
        shorten(o);
    }
    rest = str_from_at(rest, held_bytes(o, o->match));
    forget(o);
    return behind_seam(o, rest);
}

void
overlap_fini(struct overlap *o)
{
    forget(o);
    buf_fini(&o->white);
    buf_fini(&o->held);
}

static void
say(struct overlap *o, char c)
{
    if (is_white(c)) {
        o->blank = o->said.n > 0;
        return;
    }
    if (o->blank) {
        put_said(o, ' ');
    }
    o->blank = false;
    put_said(o, c);
}

/* One byte more has come. True when it shows what is repeated: the end of the
 * first text was reached, and whether the last word is over is seen, too; or
 * when enough has been held back. */
static bool
take(struct overlap *o, char c)
{
    o->taken++;
    say(o, c);
    search(o);
    return (o->at == o->shown.n && (o->match < o->said.n || o->blank)) ||
           o->taken - o->said.n > OVERLAP_WHITE;
}

struct str
overlap_feed(struct overlap *o, struct str piece)
{
    bool enough = o->shown.n == 0;

    if (o->decided) {
        return behind_seam(o, piece);
    }
    buf_put_str(&o->held, piece);
    for (size_t i = 0; i < piece.n && !enough; i++) {
        enough = take(o, piece.p[i]);
    }
    if (enough && o->at < o->shown.n) {
        o->match = 0;
    }
    return enough ? decide(o) : STR("");
}

struct str
overlap_end(struct overlap *o)
{
    if (o->decided) {
        return STR("");
    }
    if (o->at < o->shown.n && only_begins(o)) {
        forget(o);
        return STR("");
    }
    while (o->at < o->shown.n && o->match > 0) {
        shorten(o);
        search(o);
    }
    return decide(o);
}
