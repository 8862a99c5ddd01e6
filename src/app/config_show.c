/* SPDX-License-Identifier: MIT */
/* Values are shown as they were written, so that 120s stays 120s; only words
 * (enums, bools) get the table's spelling. Texts that YAML would read as
 * something else are quoted. */
#include "app/config_show.h"

#include "app/config_value.h"
#include "base/xalloc.h"

#include <stdio.h>
#include <string.h>

#define VALUE_BYTES (256 * 1024)
#define PATH_BYTES 128

/* --- values ------------------------------------------------------------- */

static bool
is_plain(struct str s)
{
    static const char first[] = "/._";
    static const char others[] = "._/-@+:?=&%~";

    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     (c >= '0' && c <= '9');

        if (!alnum && (c == '\0' || !strchr(i > 0 ? others : first, c))) {
            return false;
        }
    }
    return s.n > 0 && s.p[s.n - 1] != ':';
}

/* A double-quoted YAML scalar. */
static void
put_quoted(struct str s, struct buf *out)
{
    buf_putc(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c == '"' || c == '\\') {
            buf_putc(out, '\\');
            buf_putc(out, (char)c);
        } else if (c == '\n') {
            buf_puts(out, "\\n");
        } else if (c < 0x20 || c == 0x7f) {
            buf_printf(out, "\\x%02x", c);
        } else {
            buf_putc(out, (char)c);
        }
    }
    buf_putc(out, '"');
}

static void
put_text(const struct config_row *row, struct str value, struct buf *out)
{
    struct buf shown;
    struct str s;

    buf_init(&shown, VALUE_BYTES);
    if (row->type == CONFIG_TYPE_TEXT) {
        buf_put_str(&shown, value);
    } else {
        config_raw_show(row, value, VALUE_BYTES, &shown);
    }
    s = buf_str(&shown);
    if (is_plain(s) || str_is(s, "<secret>")) {
        buf_put_str(out, s);
    } else {
        put_quoted(s, out);
    }
    buf_fini(&shown);
}

static void
put_list(const struct config_row *row, const struct config_list *list,
         struct buf *out)
{
    buf_putc(out, '[');
    for (size_t i = 0; i < list->count; i++) {
        buf_puts(out, i > 0 ? ", " : "");
        put_text(row, list->items[i], out);
    }
    buf_putc(out, ']');
}

static void
put_number(const struct config_row *row, uint64_t value, struct str written,
           struct buf *out)
{
    uint64_t bare;

    switch (row->type) {
    case CONFIG_TYPE_BOOL:
        buf_puts(out, value ? "true" : "false");
        break;
    case CONFIG_TYPE_ENUM:
        buf_put_str(out, config_value_word(row, value));
        break;
    case CONFIG_TYPE_OPTIONAL_ENUM:
        if (value == 0) {
            buf_puts(out, "\"\"");
        } else {
            buf_put_str(out, config_value_word(row, value - 1));
        }
        break;
    default:
        buf_put_str(out, written);
        if (row->type == CONFIG_TYPE_DURATION &&
            str_to_u64(written, UINT64_MAX, &bare)) {
            buf_putc(out, 's');
        }
    }
}

static void
put_member(struct config_layers *l, struct config_ref ref, const void *base,
           struct buf *out)
{
    const void *member = (const char *)base + ref.row->offset;

    switch (config_table_storage(ref.row->type)) {
    case CONFIG_NUMBER:
        put_number(ref.row, *(const uint64_t *)member,
                   config_raw_of(l, ref)->text, out);
        break;
    case CONFIG_STRING:
        put_text(ref.row, *(const struct str *)member, out);
        break;
    case CONFIG_STRINGS:
        put_list(ref.row, member, out);
        break;
    }
}

/* --- lines -------------------------------------------------------------- */

static void
add_line(struct config_layers *l, struct config *c, struct config_ref ref,
         const void *base)
{
    struct config_line *line = &c->lines[c->line_count++];
    struct buf text;

    buf_init(&text, VALUE_BYTES);
    if (ref.entry > 0) {
        buf_printf(&text, "%s[%u].", config_table_kind_of(ref.row)->path,
                   ref.entry);
    }
    buf_puts(&text, ref.row->path);
    line->path = buf_give(&text);
    put_member(l, ref, base, &text);
    line->value = buf_give(&text);
}

static void
add_entry(struct config_layers *l, struct config *c,
          const struct config_kind *k, const char *entry)
{
    unsigned number;

    memcpy(&number, entry + k->number, sizeof(number));
    for (size_t m = k->first; m < k->end; m++) {
        struct config_ref ref = {&config_table_members[m], number};

        add_line(l, c, ref, entry);
    }
}

void
config_show_lines(struct config_layers *l, struct config *c)
{
    size_t most =
        CONFIG_IDS + (c->provider_count + c->budget_count) * CONFIG_MEMBERS;

    c->lines = xcalloc(most, sizeof(c->lines[0]));
    for (size_t i = 0; i < CONFIG_IDS; i++) {
        struct config_ref ref = {&config_table_rows[i], 0};

        add_line(l, c, ref, c);
    }
    for (size_t i = 0; i < CONFIG_KINDS; i++) {
        const struct config_kind *k = &config_table_kinds[i];

        for (size_t n = 0; n < config_table_count(c, k); n++) {
            add_entry(l, c, k, config_table_entry(c, k, n));
        }
    }
}

void
config_show_print(const struct config *c, struct buf *out)
{
    for (size_t i = 0; i < c->line_count; i++) {
        buf_printf(out, "%s: ", c->lines[i].path);
        buf_puts(out, c->lines[i].value);
        buf_putc(out, '\n');
    }
}

/* --- differences -------------------------------------------------------- */

static bool
lists_equal(const struct config_list *a, const struct config_list *b)
{
    for (size_t i = 0; a->count == b->count && i < a->count; i++) {
        if (!str_eq(a->items[i], b->items[i])) {
            return false;
        }
    }
    return a->count == b->count;
}

static bool
members_equal(const struct config_row *row, const void *a, const void *b)
{
    const void *x = (const char *)a + row->offset;
    const void *y = (const char *)b + row->offset;

    switch (config_table_storage(row->type)) {
    case CONFIG_NUMBER:
        return *(const uint64_t *)x == *(const uint64_t *)y;
    case CONFIG_STRING:
        return str_eq(*(const struct str *)x, *(const struct str *)y);
    case CONFIG_STRINGS:
        break;
    }
    return lists_equal(x, y);
}

static const char *
line_value(const struct config *c, const char *path)
{
    for (size_t i = 0; i < c->line_count; i++) {
        if (strcmp(c->lines[i].path, path) == 0) {
            return c->lines[i].value;
        }
    }
    return "";
}

struct diff {
    const struct config *from;
    const struct config *to;
    void (*fn)(void *cookie, const char *path, const char *before,
               const char *after, enum config_change change);
    void *cookie;
};

static void
tell(const struct diff *d, const char *path, enum config_change change)
{
    d->fn(d->cookie, path, line_value(d->from, path), line_value(d->to, path),
          change);
}

static enum config_change
change_of(const struct config_row *row)
{
    return (row->flags & CONFIG_FLAG_RELOAD) != 0 ? CONFIG_CHANGE_APPLIES
                                                  : CONFIG_CHANGE_NEEDS_RESTART;
}

/* Of both sides; none: what an entry is that is not there. */
static void
diff_entry(const struct diff *d, const struct config_kind *k, unsigned number)
{
    static const union {
        struct config_provider provider;
        struct config_budget budget;
    } none;
    const void *a = config_table_numbered(d->from, k, number);
    const void *b = config_table_numbered(d->to, k, number);

    for (size_t m = k->first; m < k->end; m++) {
        const struct config_row *row = &config_table_members[m];
        char path[PATH_BYTES];

        if (!members_equal(row, a ? a : &none, b ? b : &none)) {
            snprintf(path, sizeof(path), "%s[%u].%s", k->path, number,
                     row->path);
            tell(d, path, change_of(row));
        }
    }
}

void
config_show_diff(const struct config *from, const struct config *to,
                 void (*fn)(void *cookie, const char *path, const char *before,
                            const char *after, enum config_change change),
                 void *cookie)
{
    struct diff d = {from, to, fn, cookie};

    for (size_t i = 0; i < CONFIG_IDS; i++) {
        const struct config_row *row = &config_table_rows[i];

        if (!members_equal(row, from, to)) {
            tell(&d, row->path, change_of(row));
        }
    }
    for (size_t i = 0; i < CONFIG_KINDS; i++) {
        for (unsigned n = 1; n <= CONFIG_ENTRIES_MAX; n++) {
            diff_entry(&d, &config_table_kinds[i], n);
        }
    }
}
