/* SPDX-License-Identifier: MIT */
/* Walks libyaml's events, building the path of each value. Whatever the file
 * holds, the depth of the walk is that of the settings: a subtree that
 * belongs to none is reported once and skipped. */
#include "app/config_yaml.h"

#include "app/config_env.h"
#include "app/config_yaml_json.h"
#include "base/xalloc.h"

#include <string.h>
#include <yaml.h>

#define PATH_BYTES 128
#define KEYS_MAX 200
#define SENTENCE_BYTES 1024

struct walk {
    struct config_layers *l;
    yaml_parser_t parser;
    yaml_event_t event; /* the one being looked at */
    bool held;          /* event must be deleted */
    bool failed;        /* not YAML: reported, the walk ends */
};

/* A place in the document while its value is walked. */
struct place {
    char path[PATH_BYTES];
    unsigned entry;                 /* 1..99 below llm.providers[n] */
    const struct config_kind *kind; /* of the list that the entry is in */
};

static unsigned
line_of(const struct walk *w)
{
    return (unsigned)w->event.start_mark.line + 1;
}

#define COMPLAIN(w, line, format, ...)                                         \
    config_report_add((w)->l->report, CONFIG_ERROR, "%.200s line %u: " format, \
                      (w)->l->sources->file_name,                              \
                      line __VA_OPT__(, ) __VA_ARGS__)

/* The next event; false at the end of what can be read. */
static bool
next(struct walk *w)
{
    if (w->held) {
        yaml_event_delete(&w->event);
        w->held = false;
    }
    if (w->failed) {
        return false;
    }
    if (!yaml_parser_parse(&w->parser, &w->event)) {
        w->failed = true;
        COMPLAIN(
            w, (unsigned)w->parser.problem_mark.line + 1, "not valid YAML: %s",
            w->parser.problem != NULL ? w->parser.problem : "out of memory");
        return false;
    }
    w->held = true;
    return true;
}

static struct str
scalar_text(const struct walk *w)
{
    return (struct str){(const char *)w->event.data.scalar.value,
                        w->event.data.scalar.length};
}

/* A plain scalar that YAML reads as null. */
static bool
scalar_is_null(const struct walk *w)
{
    struct str s = scalar_text(w);

    return w->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (s.n == 0 || str_is(s, "~") || str_is_nocase(s, "null"));
}

/* From the event that begins a node to the one that ends it. */
static void
skip(struct walk *w)
{
    size_t depth = 0;

    do {
        switch (w->event.type) {
        case YAML_MAPPING_START_EVENT:
        case YAML_SEQUENCE_START_EVENT:
            depth++;
            break;
        case YAML_MAPPING_END_EVENT:
        case YAML_SEQUENCE_END_EVENT:
            depth--;
            break;
        default:
            break;
        }
    } while (depth > 0 && next(w));
}

/* --- values ------------------------------------------------------------- */

/* A value of the wrong shape; there is none to show. */
static void
complain_of(struct walk *w, struct config_ref ref, const char *why)
{
    struct buf out;

    buf_init(&out, SENTENCE_BYTES);
    config_raw_name(ref, &out);
    buf_printf(&out, " %s; allowed: ", why);
    config_table_allowed(ref.row, &out);
    COMPLAIN(w, line_of(w), "%.*s", STR_ARG(buf_str(&out)));
    buf_fini(&out);
}

static void
take_sequence(struct walk *w, struct config_ref ref)
{
    struct config_list items = {NULL, 0};
    unsigned line = line_of(w);

    while (next(w) && w->event.type != YAML_SEQUENCE_END_EVENT) {
        if (w->event.type == YAML_SCALAR_EVENT) {
            config_raw_list_add(&items, scalar_text(w));
        } else {
            complain_of(w, ref, "has an entry that is not a plain value");
            skip(w);
        }
    }
    config_raw_set_items(config_raw_of(w->l, ref), items, line);
}

static void
take_object(struct walk *w, struct config_ref ref)
{
    struct config_yaml_json json;
    unsigned line = line_of(w);

    config_yaml_json_init(&json, ref.row->max);
    while (config_yaml_json_feed(&json, &w->event) && next(w)) {
    }
    if (json.bad != NULL) {
        complain_of(w, ref, json.bad);
    } else if (!w->failed) {
        config_raw_set(config_raw_of(w->l, ref), buf_str(&json.out),
                       CONFIG_FROM_FILE, line);
    }
    config_yaml_json_fini(&json);
}

static void
take_value(struct walk *w, struct config_ref ref)
{
    bool list = config_table_storage(ref.row->type) == CONFIG_STRINGS;
    struct config_raw *raw = config_raw_of(w->l, ref);

    if (w->event.type == YAML_SCALAR_EVENT && !list) {
        config_raw_set(raw, scalar_is_null(w) ? STR("") : scalar_text(w),
                       CONFIG_FROM_FILE, line_of(w));
    } else if (w->event.type == YAML_SEQUENCE_START_EVENT && list) {
        take_sequence(w, ref);
    } else if (w->event.type == YAML_MAPPING_START_EVENT &&
               ref.row->type == CONFIG_TYPE_JSON_OBJECT) {
        take_object(w, ref);
    } else {
        complain_of(w, ref, list ? "must be a sequence" : "must be one value");
        skip(w);
    }
}

/* --- mappings ----------------------------------------------------------- */

/* The keys of one mapping that were there already. */
struct keys {
    struct config_list seen;
    bool too_many;
};

/* Whether the key at the current event is new here; otherwise reports. */
static bool
key_is_new(struct walk *w, struct keys *keys, struct str key)
{
    for (size_t i = 0; i < keys->seen.count; i++) {
        if (str_eq(keys->seen.items[i], key)) {
            COMPLAIN(w, line_of(w), "the key \"%.*s\" is given twice",
                     (int)(key.n < PATH_BYTES ? key.n : PATH_BYTES), key.p);
            return false;
        }
    }
    if (keys->seen.count == KEYS_MAX) {
        if (!keys->too_many) {
            COMPLAIN(w, line_of(w), "too many keys");
        }
        keys->too_many = true;
        return false;
    }
    config_raw_list_add(&keys->seen, key);
    return true;
}

static bool
put_path(struct place *to, const struct place *from, struct str key)
{
    size_t n = strlen(from->path);

    *to = *from;
    if (memchr(key.p, '.', key.n) != NULL || key.n == 0 ||
        n + key.n + 2 > sizeof(to->path) || strlen(key.p) != key.n) {
        return false;
    }
    if (n > 0) {
        to->path[n++] = '.';
    }
    memcpy(to->path + n, key.p, key.n);
    to->path[n + key.n] = '\0';
    return true;
}

static void
unknown_key(struct walk *w, const struct place *p, unsigned line)
{
    const char *near =
        p->entry > 0 ? NULL : config_env_near_path(str_from(p->path));

    COMPLAIN(w, line, "unknown key \"%s%s%s\"%s%s%s",
             p->entry > 0 ? p->kind->path : "", p->entry > 0 ? "[]." : "",
             p->path, near != NULL ? "; did you mean " : "",
             near != NULL ? near : "", near != NULL ? "?" : "");
}

/* One that is no part of a path. */
static void
odd_key(struct walk *w, struct str key, unsigned line)
{
    if (key.n < PATH_BYTES && strlen(key.p) == key.n &&
        strchr(key.p, '.') != NULL) {
        COMPLAIN(w, line,
                 "unknown key \"%s\"; levels are mappings in mappings, not "
                 "names with dots",
                 key.p);
    } else {
        COMPLAIN(w, line, "unknown key");
    }
}

static void walk_value(struct walk *w, const struct place *p, unsigned line);

/* One key and its value; false at the mapping's end. */
static bool
walk_pair(struct walk *w, const struct place *here, struct keys *keys)
{
    struct place below;
    struct config_list key = {NULL, 0}; /* wiped like a value: it may be one */
    unsigned line;
    bool known;

    if (!next(w) || w->event.type == YAML_MAPPING_END_EVENT) {
        return false;
    }
    line = line_of(w);
    if (w->event.type != YAML_SCALAR_EVENT) {
        COMPLAIN(w, line, "a key is not a plain value");
        skip(w);
        if (next(w)) {
            skip(w);
        }
        return true;
    }
    config_raw_list_add(&key, scalar_text(w));
    known = key_is_new(w, keys, key.items[0]);
    if (known && !put_path(&below, here, key.items[0])) {
        odd_key(w, key.items[0], line);
        known = false;
    }
    if (next(w)) {
        if (known) {
            walk_value(w, &below, line);
        } else {
            skip(w);
        }
    }
    config_raw_list_free(&key);
    return true;
}

static void
walk_mapping(struct walk *w, const struct place *here)
{
    struct keys keys = {{NULL, 0}, false};

    while (walk_pair(w, here, &keys)) {
    }
    config_raw_list_free(&keys.seen);
}

static void
walk_list(struct walk *w, const struct config_kind *k)
{
    unsigned n = 0;

    while (next(w) && w->event.type != YAML_SEQUENCE_END_EVENT) {
        struct place p = {"", ++n, k};

        if (n > CONFIG_ENTRIES_MAX) {
            COMPLAIN(w, line_of(w), "more than %u entries of %s",
                     CONFIG_ENTRIES_MAX, k->path);
            skip(w);
        } else if (w->event.type != YAML_MAPPING_START_EVENT) {
            COMPLAIN(w, line_of(w), "an entry of %s must have keys", k->path);
            skip(w);
        } else {
            walk_mapping(w, &p);
        }
    }
}

/* A group of settings, whose value must be a mapping; nothing in it is the
 * same as no group. */
static void
walk_group(struct walk *w, const struct place *p)
{
    const struct config_kind *k = config_table_kind_find(str_from(p->path));

    if (w->event.type == YAML_SCALAR_EVENT && scalar_is_null(w)) {
        return;
    }
    if (k != NULL && w->event.type == YAML_SEQUENCE_START_EVENT) {
        walk_list(w, k);
    } else if (k == NULL && w->event.type == YAML_MAPPING_START_EVENT) {
        walk_mapping(w, p);
    } else {
        COMPLAIN(w, line_of(w), "%s must %s", p->path,
                 k != NULL ? "be a sequence" : "have keys");
        skip(w);
    }
}

/* The value of the key on that line, whose path is p's. */
static void
walk_value(struct walk *w, const struct place *p, unsigned line)
{
    struct str path = str_from(p->path);
    struct config_ref ref = {p->entry > 0
                                 ? config_table_find_member(p->kind, path)
                                 : config_table_find(path),
                             p->entry};

    if (ref.row != NULL) {
        take_value(w, ref);
    } else if (p->entry == 0 && config_table_is_group(path)) {
        walk_group(w, p);
    } else {
        unknown_key(w, p, line);
        skip(w);
    }
}

/* --- the document ------------------------------------------------------- */

static void
walk_document(struct walk *w)
{
    struct place top = {"", 0, NULL};

    if (w->event.type == YAML_SCALAR_EVENT && scalar_is_null(w)) {
        return;
    }
    if (w->event.type != YAML_MAPPING_START_EVENT) {
        COMPLAIN(w, line_of(w), "the settings must be keys and values");
        skip(w);
        return;
    }
    walk_mapping(w, &top);
}

void
config_yaml_read(struct config_layers *l)
{
    struct str yaml = l->sources->yaml;
    struct walk w = {.l = l};
    bool seen = false;

    if (!yaml_parser_initialize(&w.parser)) {
        config_report_add(l->report, CONFIG_ERROR, "out of memory");
        return;
    }
    yaml_parser_set_input_string(
        &w.parser, (const unsigned char *)(yaml.n > 0 ? yaml.p : ""), yaml.n);
    while (next(&w) && w.event.type != YAML_STREAM_END_EVENT) {
        switch (w.event.type) {
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_START_EVENT:
        case YAML_DOCUMENT_END_EVENT:
            break;
        default:
            if (seen) {
                COMPLAIN(&w, line_of(&w), "a second document");
                skip(&w);
            } else {
                walk_document(&w);
            }
            seen = true;
        }
    }
    if (w.held) {
        yaml_event_delete(&w.event);
    }
    yaml_parser_delete(&w.parser);
}
