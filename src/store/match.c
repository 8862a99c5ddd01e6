/* SPDX-License-Identifier: MIT */
/* The search of store_sqlite_search.c, without the database: SQLite's own LIKE
 * folds ASCII letters only. */
#include "store/match.h"

#include "base/check.h"
#include "base/xalloc.h"

/* Above every character: what a byte that is not UTF-8 stands for. */
#define NO_CHARACTER 0x110000u

struct run {
    uint32_t first;
    uint32_t last;
    uint32_t step;
    int32_t delta;
};

static const struct run runs[] = {
#define FOLD(first, last, step, delta) {first, last, step, delta},
#include "store/fold.def"
#undef FOLD
};

static uint32_t
fold_wide(uint32_t c)
{
    size_t low = 0, high = COUNT_OF(runs);

    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct run *r = &runs[middle];

        if (c < r->first) {
            high = middle;
        } else if (c > r->last) {
            low = middle + 1;
        } else {
            return (c - r->first) % r->step == 0
                       ? (uint32_t)((int32_t)c + r->delta)
                       : c;
        }
    }
    return c;
}

static uint32_t
fold(uint32_t c)
{
    if (c >= 0x80) {
        return fold_wide(c);
    }
    return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

/* Bytes of the character that begins with this one; 1 for what begins none. */
static size_t
length_of(unsigned char first)
{
    if (first >= 0xf0 && first <= 0xf4) {
        return 4;
    }
    if (first >= 0xe0) {
        return first < 0xf0 ? 3 : 1;
    }
    return first >= 0xc2 ? 2 : 1;
}

/* The character at *at < text.n, folded; *at moves behind it. */
static uint32_t
next_folded(struct str text, size_t *at)
{
    const unsigned char *p = (const unsigned char *)text.p + *at;
    size_t n = length_of(p[0]);
    uint32_t c;

    if (p[0] < 0x80) {
        ++*at;
        return fold(p[0]);
    }
    c = n > 1 ? p[0] & (0x7fu >> n) : 0;
    for (size_t i = 1; i < n; i++) {
        if (*at + i >= text.n || (p[i] & 0xc0) != 0x80) {
            n = 1;
        }
        c = n > 1 ? c << 6 | (p[i] & 0x3f) : 0;
    }
    *at += n;
    return n > 1 ? fold(c) : NO_CHARACTER + p[0];
}

void
match_init(struct match *m, struct str wanted)
{
    size_t at = 0;

    *m = (struct match){
        .folded = xcalloc(wanted.n + 1, sizeof(*m->folded)),
    };
    while (at < wanted.n) {
        m->folded[m->n++] = next_folded(wanted, &at);
    }
}

void
match_fini(struct match *m)
{
    xfree(m->folded);
    *m = (struct match){0};
}

/* All behind the first character lies at `at`. */
static bool
rest_follows(const struct match *m, struct str text, size_t at)
{
    for (size_t i = 1; i < m->n; i++) {
        if (at >= text.n || next_folded(text, &at) != m->folded[i]) {
            return false;
        }
    }
    return true;
}

bool
match_in(const struct match *m, struct str text)
{
    size_t at = 0;

    if (m->n == 0) {
        return true;
    }
    while (at < text.n) {
        if (next_folded(text, &at) == m->folded[0] &&
            rest_follows(m, text, at)) {
            return true;
        }
    }
    return false;
}
