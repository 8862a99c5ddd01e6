/* SPDX-License-Identifier: MIT */
/* Three views of config.def: for the terminal, as a file to begin with, and
 * for the reference page. */
#include "app/config_help.h"

#include "app/config_table.h"

#include <stdio.h>
#include <string.h>

/* Calls for every group and the rows that stand directly in it. */
struct view {
    void (*group)(const struct config_group *g, struct buf *out);
    void (*row)(const struct config_row *row, const char *prefix,
                const char *env_prefix, struct buf *out);
};

static bool
row_in_group(const struct config_row *row, const struct config_group *g)
{
    size_t n = strlen(g->path);

    return strncmp(row->path, g->path, n) == 0 && row->path[n] == '.' &&
           strchr(row->path + n + 1, '.') == NULL;
}

static void
show_list(const struct view *v, const struct config_kind *k, struct buf *out)
{
    char prefix[64], env_prefix[64];

    snprintf(prefix, sizeof(prefix), "%s[n].", k->path);
    snprintf(env_prefix, sizeof(env_prefix), "%sn_", k->env);
    for (size_t m = k->first; m < k->end; m++) {
        v->row(&config_table_members[m], prefix, env_prefix, out);
    }
}

static void
show(const struct view *v, struct buf *out)
{
    for (size_t g = 0; g < config_table_group_count; g++) {
        const struct config_group *group = &config_table_groups[g];

        v->group(group, out);
        for (size_t i = 0; i < CONFIG_IDS; i++) {
            if (row_in_group(&config_table_rows[i], group)) {
                v->row(&config_table_rows[i], "", "", out);
            }
        }
        if (config_table_kind_find(str_from(group->path)) != NULL) {
            show_list(v, config_table_kind_find(str_from(group->path)), out);
        }
    }
}

static void
put_env(const struct config_row *row, const char *env_prefix,
        const char *separator, struct buf *out)
{
    struct str name;

    for (unsigned i = 0; config_table_env(row, i, &name); i++) {
        buf_puts(out, i > 0 ? separator : "");
        buf_puts(out, env_prefix);
        buf_put_str(out, name);
    }
    if ((row->flags & CONFIG_FLAG_SECRET) != 0) {
        buf_printf(out, "%s%s%s_FILE", separator, env_prefix, row->env);
    }
}

static void
put_default(const struct config_row *row, struct buf *out)
{
    buf_puts(out, row->value[0] != '\0' ? row->value : "empty");
}

/* --- for the terminal --------------------------------------------------- */

static void
text_group(const struct config_group *g, struct buf *out)
{
    buf_printf(out, "\n%s: %s\n", g->path, g->text);
}

static void
text_row(const struct config_row *row, const char *prefix,
         const char *env_prefix, struct buf *out)
{
    buf_printf(out, "\n  %s%s  (", prefix, row->path);
    put_env(row, env_prefix, ", ", out);
    buf_printf(out, ")\n      %s\n      %s", row->text,
               config_table_type_word(row->type));
    if (env_prefix[0] == '\0') {
        buf_puts(out, ", default ");
        put_default(row, out);
    }
    buf_puts(out, "; allowed: ");
    config_table_allowed(row, out);
    if ((row->flags & CONFIG_FLAG_SECRET) != 0) {
        buf_puts(out, "; secret");
    }
    if ((row->flags & CONFIG_FLAG_RELOAD) != 0) {
        buf_puts(out, "; SIGHUP applies it");
    }
    buf_putc(out, '\n');
}

void
config_help_text(struct buf *out)
{
    static const struct view view = {text_group, text_row};

    buf_puts(out,
             "Settings come from, later ones winning: the defaults, a YAML "
             "file (--config FILE,\nelse CHATBOX_CONFIG), the environment, "
             "--set path=value.\n\n"
             "Durations are a number and ms, s, m, h or d (a bare number is "
             "seconds); sizes are\nbytes, or a number and KiB, MiB or GiB; "
             "lists are comma separated in the\nenvironment and sequences in "
             "YAML. The value of a secret may be in a file that\nits _FILE "
             "variable names.\n");
    show(&view, out);
}

/* --- as a file ---------------------------------------------------------- */

static size_t
depth_of(const char *path)
{
    size_t depth = 0;

    for (; *path != '\0'; path++) {
        depth += *path == '.';
    }
    return depth;
}

static void
put_indent(size_t depth, struct buf *out)
{
    buf_putc(out, '#');
    for (size_t i = 0; i < depth; i++) {
        buf_puts(out, "  ");
    }
}

static const char *
last_part(const char *path)
{
    const char *dot = strrchr(path, '.');

    return dot != NULL ? dot + 1 : path;
}

/* Of lists: entries that are good as they stand. */
static const struct {
    const char *path;
    const char *line;
} examples[] = {
    {"llm.providers", "- id: demo\n"},
    {"llm.providers", "  type: demo\n"},
    {"llm.budgets", "- tokens_per_day: 1000000\n"},
};

static void
example_group(const struct config_group *g, struct buf *out)
{
    size_t depth = depth_of(g->path);

    buf_putc(out, '\n');
    put_indent(depth, out);
    buf_printf(out, "# %s\n", g->text);
    put_indent(depth, out);
    buf_printf(out, "%s:\n", last_part(g->path));
    for (size_t i = 0; i < COUNT_OF(examples); i++) {
        if (strcmp(examples[i].path, g->path) == 0) {
            put_indent(depth + 1, out);
            buf_puts(out, examples[i].line);
        }
    }
}

/* A default as YAML writes it. */
static void
put_yaml_default(const struct config_row *row, struct buf *out)
{
    struct str rest = str_from(row->value), item;
    bool list = config_table_storage(row->type) == CONFIG_STRINGS;

    if (!list) {
        buf_puts(out, row->value[0] != '\0' ? row->value : "\"\"");
        return;
    }
    buf_putc(out, '[');
    for (bool first = true;
         row->value[0] != '\0' && str_split(&rest, ',', &item); first = false) {
        buf_printf(out, "%s\"%.*s\"", first ? "" : ", ", STR_ARG(item));
    }
    buf_putc(out, ']');
}

static void
example_row(const struct config_row *row, const char *prefix,
            const char *env_prefix, struct buf *out)
{
    bool member = prefix[0] != '\0';
    size_t depth = member ? 3 : depth_of(row->path);

    put_indent(depth, out);
    buf_printf(out, "# %s\n", row->text);
    put_indent(depth, out);
    buf_puts(out, "# ");
    put_env(row, env_prefix, ", ", out);
    buf_puts(out, "; ");
    config_table_allowed(row, out);
    buf_putc(out, '\n');
    put_indent(depth, out);
    if (member) {
        buf_printf(out, "# %s: ...\n", row->path);
        return;
    }
    buf_printf(out, "%s: ", last_part(row->path));
    put_yaml_default(row, out);
    buf_putc(out, '\n');
}

void
config_help_example(struct buf *out)
{
    static const struct view view = {example_group, example_row};

    buf_puts(out, "## The settings of chatbox with their defaults. Take the "
                  "first # of a line\n"
                  "## and of the groups above it away to set it.\n");
    show(&view, out);
}

/* --- for the reference page --------------------------------------------- */

static void
markdown_group(const struct config_group *g, struct buf *out)
{
    buf_printf(out,
               "\n## %s\n\n%s\n\n| setting | environment | type, default | "
               "allowed | meaning |\n|---|---|---|---|---|\n",
               g->path, g->text);
}

static void
put_cell(struct str text, struct buf *out)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '|' || text.p[i] == '<' || text.p[i] == '*') {
            buf_putc(out, '\\');
        }
        buf_putc(out, text.p[i]);
    }
}

static void
markdown_row(const struct config_row *row, const char *prefix,
             const char *env_prefix, struct buf *out)
{
    struct buf allowed;

    buf_printf(out, "| `%s%s` | `", prefix, row->path);
    put_env(row, env_prefix, "` `", out);
    buf_printf(out, "` | %s", config_table_type_word(row->type));
    if (row->value[0] != '\0') {
        buf_printf(out, " `%s`", row->value);
    }
    buf_puts(out, " | ");
    buf_init(&allowed, 1024);
    config_table_allowed(row, &allowed);
    put_cell(buf_str(&allowed), out);
    buf_fini(&allowed);
    buf_puts(out, " | ");
    put_cell(str_from(row->text), out);
    buf_puts(out, (row->flags & CONFIG_FLAG_SECRET) != 0 ? " *Secret.*" : "");
    buf_puts(out,
             (row->flags & CONFIG_FLAG_RELOAD) != 0 ? " *Reloadable.*" : "");
    buf_puts(out, " |\n");
}

void
config_help_markdown(struct buf *out)
{
    static const struct view view = {markdown_group, markdown_row};

    show(&view, out);
}
