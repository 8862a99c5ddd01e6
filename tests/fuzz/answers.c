/* SPDX-License-Identifier: MIT */
/* Lines and the documents that they make: see answers.h. */
#include "answers.h"

#include "base/check.h"
#include "base/str.h"
#include "base/xalloc.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 6
#define NUMBER_MAX 64

/* Functions of the library that the program has no use for. */
struct extra {
    __typeof__(bson_append_int32) *append_int32;
    __typeof__(bson_init_static) *init_static;
    __typeof__(bson_get_data) *get_data;
};

static const struct extra *
extra(void)
{
    static struct extra e;
    void *bson;

    if (e.get_data == NULL) {
        bson = dlopen("libbson-1.0.so.0", RTLD_NOW | RTLD_NODELETE);
        CHECK(bson != NULL);
        *(void **)(void *)&e.append_int32 = dlsym(bson, "bson_append_int32");
        *(void **)(void *)&e.init_static = dlsym(bson, "bson_init_static");
        *(void **)(void *)&e.get_data = dlsym(bson, "bson_get_data");
        CHECK(e.append_int32 != NULL && e.init_static != NULL &&
              e.get_data != NULL);
    }
    return &e;
}

void
answers_begin(struct answers *a, const struct mongo_lib *lib,
              const uint8_t *bytes, size_t n)
{
    *a = (struct answers){
        .lib = lib, .at = n > 0 ? (const char *)bytes : "", .left = n};
}

/* -- lines -- */

struct line {
    char kind;
    char *name; /* owned */
    struct str value;
};

static bool
peek(const struct answers *a, struct str *line)
{
    const char *end = a->left > 0 ? memchr(a->at, '\n', a->left) : NULL;

    *line = (struct str){a->at, end != NULL ? (size_t)(end - a->at) : a->left};
    return a->left > 0;
}

static void
skip(struct answers *a, struct str line)
{
    size_t n = line.n < a->left ? line.n + 1 : line.n;

    a->at += n;
    a->left -= n;
}

static struct line
parse(struct str text)
{
    struct str rest = str_from_at(text, text.n < 2 ? text.n : 2);
    struct str name = rest;
    struct line line = {.kind = text.n > 0 ? text.p[0] : '\0'};
    const char *space = rest.n > 0 ? memchr(rest.p, ' ', rest.n) : NULL;

    if (space != NULL) {
        name.n = (size_t)(space - rest.p);
        line.value = str_from_at(rest, name.n + 1);
    }
    line.name = str_dup(name);
    return line;
}

static double
real_of(struct str value)
{
    char text[NUMBER_MAX] = "";

    if (value.n < sizeof(text)) {
        memcpy(text, value.p != NULL ? value.p : "", value.n);
    }
    return strtod(text, NULL);
}

/* Wraps, so that every number can be written. */
static int64_t
int_of(struct str value)
{
    bool minus = value.n > 0 && value.p[0] == '-';
    uint64_t n = 0;

    for (size_t i = minus; i < value.n; i++) {
        n = n * 10 + (uint64_t)(value.p[i] - '0');
    }
    return (int64_t)(minus ? 0 - n : n);
}

static int
digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;

    return at != NULL ? (int)(at - digits) : -1;
}

/* With \xHH as one byte; the caller frees p. */
static struct str
unescape(struct str text)
{
    char *out = xmalloc(text.n + 1);
    size_t n = 0;

    for (size_t i = 0; i < text.n; i++) {
        bool code = i + 3 < text.n && text.p[i] == '\\' &&
                    text.p[i + 1] == 'x' && digit(text.p[i + 2]) >= 0 &&
                    digit(text.p[i + 3]) >= 0;

        out[n++] =
            code ? (char)(digit(text.p[i + 2]) << 4 | digit(text.p[i + 3]))
                 : text.p[i];
        i += code ? 3 : 0;
    }
    return (struct str){out, n};
}

/* -- documents -- */

/* The one that is being made, and those inside of it that have not ended. */
struct making {
    struct mongo_bson *levels[DEPTH_MAX + 1];
    struct mongo_bson inner[DEPTH_MAX];
    bool array[DEPTH_MAX];
    int depth;
};

static void
open_level(struct making *m, const char *name, bool array)
{
    struct mongo_bson *child;

    if (m->depth == DEPTH_MAX) {
        return;
    }
    child = &m->inner[m->depth];
    if (array) {
        mongo_bson_open_array(m->levels[m->depth], name, child);
    } else {
        mongo_bson_open(m->levels[m->depth], name, child);
    }
    m->array[m->depth++] = array;
    m->levels[m->depth] = child;
}

static void
close_level(struct making *m)
{
    if (m->depth == 0) {
        return;
    }
    m->depth--;
    if (m->array[m->depth]) {
        mongo_bson_close_array(m->levels[m->depth], &m->inner[m->depth]);
    } else {
        mongo_bson_close(m->levels[m->depth], &m->inner[m->depth]);
    }
}

static void
add_bytes(struct mongo_bson *d, const struct line *line)
{
    struct str bytes = unescape(line->value);

    mongo_bson_bytes(d, line->name, bytes);
    xfree((void *)(uintptr_t)bytes.p);
}

static void
add_field(struct making *m, const struct line *line)
{
    struct mongo_bson *d = m->levels[m->depth];

    switch (line->kind) {
    case 's':
        mongo_bson_bytes(d, line->name, line->value);
        break;
    case 'x':
        add_bytes(d, line);
        break;
    case 'i':
        mongo_bson_int(d, line->name, int_of(line->value));
        break;
    case 'n':
        CHECK(extra()->append_int32(&d->b, line->name, -1,
                                    (int32_t)int_of(line->value)));
        break;
    case 'r':
        mongo_bson_real(d, line->name, real_of(line->value));
        break;
    case 't':
        mongo_bson_moment(d, line->name, int_of(line->value));
        break;
    case 'y':
    case 'f':
        mongo_bson_bool(d, line->name, line->kind == 'y');
        break;
    case 'z':
        mongo_bson_null(d, line->name);
        break;
    default:
        break;
    }
}

static void
add_line(struct making *m, const struct line *line)
{
    if (line->kind == 'o' || line->kind == 'a') {
        open_level(m, line->name, line->kind == 'a');
    } else if (line->kind == 'c') {
        close_level(m);
    } else {
        add_field(m, line);
    }
}

/* Instead of what was made so far. */
static void
make_raw(struct mongo_bson *out, struct str text)
{
    struct str inside = unescape(str_from_at(text, text.n < 2 ? text.n : 2));
    size_t n = inside.n + 5;
    uint8_t *bytes = xmalloc(n);
    bson_t view;

    for (int i = 0; i < 4; i++) {
        bytes[i] = (uint8_t)(n >> (8 * i));
    }
    memcpy(bytes + 4, inside.p, inside.n);
    bytes[n - 1] = 0;
    CHECK(extra()->init_static(&view, bytes, n));
    mongo_bson_fini(out);
    out->lib->bson_copy_to(&view, &out->b);
    xfree(bytes);
    xfree((void *)(uintptr_t)inside.p);
}

/* The lines up to the end of the document. */
static void
make(struct answers *a, struct mongo_bson *out)
{
    struct making m = {.levels = {out}};
    struct str raw = {NULL, 0}, text;

    while (peek(a, &text) && (text.n == 0 || text.p[0] != '.')) {
        struct line line = parse(text);

        skip(a, text);
        add_line(&m, &line);
        xfree(line.name);
        raw = line.kind == 'R' ? text : raw;
        if (line.kind == 'd') {
            break;
        }
    }
    while (m.depth > 0) {
        close_level(&m);
    }
    if (raw.n > 0) {
        make_raw(out, raw);
    }
}

bool
answers_next(struct answers *a, struct mongo_bson *out)
{
    struct str line;

    if (!peek(a, &line) || (line.n > 0 && line.p[0] == '.')) {
        return false;
    }
    mongo_bson_init(out, a->lib);
    make(a, out);
    a->given++;
    return true;
}

const uint8_t *
answers_bytes(const struct mongo_bson *d)
{
    return extra()->get_data(&d->b);
}

struct answers_end
answers_finish(struct answers *a)
{
    struct answers_end end = {.failed = false};
    struct line line = {.kind = '\0'};
    struct str text;

    while (line.kind != '.' && peek(a, &text)) {
        xfree(line.name);
        line = parse(text);
        skip(a, text);
    }
    if (line.kind == '.' && line.value.p != NULL) {
        end.failed = true;
        end.domain = (uint32_t)int_of(str_from(line.name));
        end.code = (uint32_t)int_of(line.value);
    }
    xfree(line.name);
    return end;
}
