/* SPDX-License-Identifier: MIT */
/* The texts of the settings before they are read, and how a sentence about
 * one of them is built. Every text may be a secret, so all are wiped. */
#include "app/config_raw.h"

#include "app/config_check.h"
#include "base/xalloc.h"

#include <string.h>

#define SENTENCE_BYTES 1024
#define SHOWN_BYTES 200

struct config_raw *
config_raw_of(struct config_layers *l, struct config_ref ref)
{
    if (ref.entry == 0) {
        return &l->rows[ref.row - config_table_rows];
    }
    return &l->members[ref.entry - 1][ref.row - config_table_members];
}

/* rest: what stands behind "llm.providers[". */
static struct config_ref
resolve_member(const struct config_kind *k, struct str rest)
{
    struct str number, key;
    uint64_t n;

    if (!str_split(&rest, ']', &number) || rest.n < 2 || rest.p[0] != '.' ||
        number.n == 0 || number.p[0] == '0' ||
        !str_to_u64(number, CONFIG_ENTRIES_MAX, &n)) {
        return (struct config_ref){NULL, 0};
    }
    key = str_from_at(rest, 1);
    return (struct config_ref){config_table_find_member(k, key), (unsigned)n};
}

struct config_ref
config_raw_resolve(struct str path)
{
    struct str rest = path, name;
    const struct config_kind *k;

    if (str_split(&rest, '[', &name) && rest.p != NULL) {
        k = config_table_kind_find(name);
        return k != NULL ? resolve_member(k, rest)
                         : (struct config_ref){NULL, 0};
    }
    return (struct config_ref){config_table_find(path), 0};
}

static void
wipe(struct str *text)
{
    xwipe((void *)(uintptr_t)text->p, text->n);
    xfree((void *)(uintptr_t)text->p);
    *text = (struct str){NULL, 0};
}

void
config_raw_list_free(struct config_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        wipe(&list->items[i]);
    }
    xfree(list->items);
    *list = (struct config_list){NULL, 0};
}

void
config_raw_list_add(struct config_list *list, struct str item)
{
    list->items =
        xrealloc(list->items, (list->count + 1) * sizeof(list->items[0]));
    list->items[list->count++] = (struct str){str_dup(item), item.n};
}

void
config_raw_fini(struct config_raw *raw)
{
    wipe(&raw->text);
    config_raw_list_free(&raw->items);
    *raw = (struct config_raw){.source = CONFIG_FROM_NOWHERE};
}

void
config_raw_set(struct config_raw *raw, struct str text,
               enum config_source source, unsigned line)
{
    config_raw_fini(raw);
    raw->text = (struct str){str_dup(text), text.n};
    raw->source = source;
    raw->line = line;
}

void
config_raw_set_items(struct config_raw *raw, struct config_list items,
                     unsigned line)
{
    config_raw_fini(raw);
    raw->items = items;
    raw->sequence = true;
    raw->source = CONFIG_FROM_FILE;
    raw->line = line;
}

bool
config_raw_given(const struct config_raw *raw)
{
    return raw->source > CONFIG_FROM_DEV;
}

void
config_raw_name(struct config_ref ref, struct buf *out)
{
    struct str name;

    if (ref.entry > 0) {
        const struct config_kind *k = config_table_kind_of(ref.row);

        buf_printf(out, "%s[%u].%s (%s%u_%s)", k->path, ref.entry,
                   ref.row->path, k->env, ref.entry, ref.row->env);
        return;
    }
    buf_printf(out, "%s (", ref.row->path);
    for (unsigned i = 0; config_table_env(ref.row, i, &name); i++) {
        buf_puts(out, i > 0 ? ", " : "");
        buf_put_str(out, name);
    }
    buf_putc(out, ')');
}

/* Puts at most `most` bytes of s, printable. */
static void
put_cut(struct str s, size_t most, struct buf *out)
{
    for (size_t i = 0; i < s.n && i < most; i++) {
        buf_putc(out, (unsigned char)s.p[i] < 0x20 ? '?' : s.p[i]);
    }
    buf_puts(out, s.n > most ? "..." : "");
}

/* What stands between the first ':' of the part behind "://" and the last '@'
 * is a password, however badly the rest is written. */
static bool
find_password(struct str value, struct str *before, struct str *after)
{
    size_t colon = 0, at = 0, scheme = 0;

    for (size_t i = 0; i < value.n; i++) {
        struct str rest = str_from_at(value, i);

        if (scheme == 0 && str_starts(rest, STR("://"))) {
            scheme = i + 3;
        } else if (scheme > 0 && i >= scheme && value.p[i] == ':') {
            colon = colon > 0 ? colon : i + 1;
        } else if (value.p[i] == '@') {
            at = i;
        }
    }
    if (colon == 0 || at < colon) {
        return false;
    }
    *before = (struct str){value.p, colon};
    *after = str_from_at(value, at);
    return true;
}

static bool
may_show(const struct config_row *row, struct str value)
{
    return (row->flags & CONFIG_FLAG_SECRET) == 0 || value.n == 0 ||
           (row->type == CONFIG_TYPE_MONGO_URI &&
            str_starts(value, STR("mongodb")) &&
            !str_contains_nocase(value, STR("password")) &&
            !str_contains_nocase(value, STR("token")) &&
            (memchr(value.p, '@', value.n) != NULL ||
             config_check_mongo_uri(value) == NULL));
}

void
config_raw_show(const struct config_row *row, struct str value, size_t most,
                struct buf *out)
{
    struct str before, after;

    if (!may_show(row, value)) {
        buf_puts(out, "<secret>");
    } else if (find_password(value, &before, &after)) {
        put_cut(before, most, out);
        buf_puts(out, "<secret>");
        put_cut(after, most, out);
    } else {
        put_cut(value, most, out);
    }
}

static void
put_place(struct config_layers *l, const struct config_raw *raw,
          struct buf *out)
{
    if (raw->source == CONFIG_FROM_FILE) {
        buf_printf(out, " in line %u of %.200s", raw->line,
                   l->sources->file_name);
    } else if (raw->source == CONFIG_FROM_SET) {
        buf_puts(out, " from --set");
    }
}

/* Ends the sentence in out with what is allowed, and reports it. */
static void
complain(struct config_layers *l, struct config_ref ref, const char *why,
         struct buf *out)
{
    buf_printf(out, "%s; allowed: ", why);
    config_table_allowed(ref.row, out);
    config_report_add(l->report, CONFIG_ERROR, "%.*s", STR_ARG(buf_str(out)));
    buf_fini(out);
}

void
config_raw_describe(struct config_layers *l, struct config_ref ref,
                    struct str value, struct buf *out)
{
    config_raw_name(ref, out);
    buf_puts(out, " = \"");
    config_raw_show(ref.row, value, SHOWN_BYTES, out);
    buf_putc(out, '"');
    put_place(l, config_raw_of(l, ref), out);
}

void
config_raw_error(struct config_layers *l, struct config_ref ref,
                 struct str value, const char *why)
{
    struct buf out;

    buf_init(&out, SENTENCE_BYTES);
    config_raw_describe(l, ref, value, &out);
    buf_puts(&out, ": ");
    complain(l, ref, why, &out);
}

void
config_raw_complain(struct config_layers *l, struct config_ref ref,
                    const char *why)
{
    struct buf out;

    buf_init(&out, SENTENCE_BYTES);
    config_raw_name(ref, &out);
    buf_putc(&out, ' ');
    complain(l, ref, why, &out);
}
