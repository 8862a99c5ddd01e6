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
    if (ref.provider > 0) {
        buf_printf(&text, "llm.providers[%u].", ref.provider);
    }
    buf_puts(&text, ref.row->path);
    line->path = buf_give(&text);
    put_member(l, ref, base, &text);
    line->value = buf_give(&text);
}

void
config_show_lines(struct config_layers *l, struct config *c)
{
    size_t most = CONFIG_IDS + c->provider_count * CONFIG_MEMBERS;

    c->lines = xcalloc(most, sizeof(c->lines[0]));
    for (size_t i = 0; i < CONFIG_IDS; i++) {
        struct config_ref ref = {&config_table_rows[i], 0};

        add_line(l, c, ref, c);
    }
    for (size_t i = 0; i < c->provider_count; i++) {
        for (size_t m = 0; m < CONFIG_MEMBERS; m++) {
            struct config_ref ref = {&config_table_members[m],
                                     c->providers[i].number};

            add_line(l, c, ref, &c->providers[i]);
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

static const struct config_provider *
provider_numbered(const struct config *c, unsigned number)
{
    for (size_t i = 0; i < c->provider_count; i++) {
        if (c->providers[i].number == number) {
            return &c->providers[i];
        }
    }
    return NULL;
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

static void
diff_provider(const struct diff *d, unsigned number)
{
    static const struct config_provider none;
    const struct config_provider *a = provider_numbered(d->from, number);
    const struct config_provider *b = provider_numbered(d->to, number);

    for (size_t m = 0; m < CONFIG_MEMBERS; m++) {
        const struct config_row *row = &config_table_members[m];
        char path[PATH_BYTES];

        if (!members_equal(row, a ? a : &none, b ? b : &none)) {
            snprintf(path, sizeof(path), "llm.providers[%u].%s", number,
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
    for (unsigned n = 1; n <= CONFIG_PROVIDERS_MAX; n++) {
        diff_provider(&d, n);
    }
}
