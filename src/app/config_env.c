/* SPDX-License-Identifier: MIT */
/* The environment and --set: names to settings. An empty variable is not
 * there at all. */
#include "app/config_env.h"

#include "base/xalloc.h"

#include <stdio.h>
#include <string.h>

#define SECRET_FILE_BYTES 65536
#define NAME_BYTES 96
#define NEAR 2

const char *
config_env_get(const char *const *environment, const char *name)
{
    size_t n = strlen(name);

    for (; *environment != NULL; environment++) {
        if (strncmp(*environment, name, n) == 0 && (*environment)[n] == '=') {
            const char *value = *environment + n + 1;

            return *value != '\0' ? value : NULL;
        }
    }
    return NULL;
}

/* --- secrets in files --------------------------------------------------- */

static void
take_file(struct config_layers *l, struct config_ref ref, const char *path)
{
    struct config_raw *raw = config_raw_of(l, ref);
    const char *why = "files cannot be read here";
    struct buf content;
    struct str text;

    buf_init(&content, SECRET_FILE_BYTES);
    if (l->sources->read_file != NULL) {
        why = l->sources->read_file(path, &content);
    }
    if (why == NULL && content.failed) {
        why = "is too large";
    }
    if (why != NULL) {
        struct buf name;

        buf_init(&name, 2 * NAME_BYTES);
        config_raw_name(ref, &name);
        config_report_add(l->report, CONFIG_ERROR,
                          "%.*s: its file \"%.200s\" %s",
                          STR_ARG(buf_str(&name)), path, why);
        buf_fini(&name);
        text = STR("");
    } else {
        text = buf_str(&content);
        text.n -= text.n > 0 && text.p[text.n - 1] == '\n';
    }
    config_raw_set(raw, text, CONFIG_FROM_ENVIRONMENT, 0);
    raw->unreadable = why != NULL;
    xwipe(content.p, content.n);
    buf_fini(&content);
}

/* --- settings ----------------------------------------------------------- */

static void
complain_of_two(struct config_layers *l, struct config_ref ref, const char *one,
                const char *other)
{
    char why[4 * NAME_BYTES];

    snprintf(why, sizeof(why),
             "is not the other name's value \"%.80s\": its two names have "
             "different values",
             one);
    config_raw_error(l, ref, str_from(other), why);
}

/* The value of a row's variable under any of its names. */
static const char *
get_by_names(struct config_layers *l, struct config_ref ref)
{
    const char *found = NULL;
    struct str name;

    for (unsigned i = 0; config_table_env(ref.row, i, &name); i++) {
        char text[NAME_BYTES];
        const char *value;

        snprintf(text, sizeof(text), "%.*s", STR_ARG(name));
        value = config_env_get(l->sources->environment, text);
        if (value != NULL && found != NULL && strcmp(value, found) != 0) {
            complain_of_two(l, ref, found, value);
        }
        found = found != NULL ? found : value;
    }
    return found;
}

static void
complain_of_file(struct config_layers *l, struct config_ref ref)
{
    char prefix[NAME_BYTES] = "", why[2 * NAME_BYTES];

    if (ref.entry > 0) {
        snprintf(prefix, sizeof(prefix), "%s%u_",
                 config_table_kind_of(ref.row)->env, ref.entry);
    }
    snprintf(why, sizeof(why),
             "is given twice, as a value and as a file (%.40s%.40s_FILE)",
             prefix, ref.row->env);
    config_raw_complain(l, ref, why);
}

static void
take(struct config_layers *l, struct config_ref ref, const char *value,
     const char *file)
{
    if (value != NULL && file != NULL) {
        complain_of_file(l, ref);
    }
    if (value != NULL) {
        config_raw_set(config_raw_of(l, ref), str_from(value),
                       CONFIG_FROM_ENVIRONMENT, 0);
    } else if (file != NULL && !l->sources->listener_only) {
        take_file(l, ref, file);
    }
}

static void
read_setting(struct config_layers *l, const struct config_row *row)
{
    struct config_ref ref = {row, 0};
    const char *file = NULL;
    char name[NAME_BYTES];

    if ((row->flags & CONFIG_FLAG_SECRET) != 0) {
        snprintf(name, sizeof(name), "%s_FILE", row->env);
        file = config_env_get(l->sources->environment, name);
    }
    take(l, ref, get_by_names(l, ref), file);
}

static void
read_entry(struct config_layers *l, const struct config_kind *k, unsigned n)
{
    for (size_t i = k->first; i < k->end; i++) {
        struct config_ref ref = {&config_table_members[i], n};
        const char *value, *file = NULL;
        char name[NAME_BYTES];

        snprintf(name, sizeof(name), "%s%u_%s", k->env, n, ref.row->env);
        value = config_env_get(l->sources->environment, name);
        if ((ref.row->flags & CONFIG_FLAG_SECRET) != 0) {
            snprintf(name, sizeof(name), "%s%u_%s_FILE", k->env, n,
                     ref.row->env);
            file = config_env_get(l->sources->environment, name);
        }
        take(l, ref, value, file);
    }
}

/* Splits LLM_PROVIDER_n_REST; n is 0 when name has another form. */
static unsigned
entry_number(const struct config_kind *k, struct str name, struct str *rest_out)
{
    struct str prefix = str_from(k->env), digits;
    uint64_t n;

    *rest_out = str_from_at(name, prefix.n);
    if (!str_starts(name, prefix) || !str_split(rest_out, '_', &digits) ||
        rest_out->p == NULL || digits.n == 0 || digits.p[0] == '0' ||
        !str_to_u64(digits, CONFIG_ENTRIES_MAX, &n)) {
        return 0;
    }
    return (unsigned)n;
}

/* --- names that are nearly right ---------------------------------------- */

unsigned
config_env_distance(struct str a, struct str b, unsigned limit)
{
    unsigned row[NAME_BYTES + 1];

    if (a.n > NAME_BYTES || b.n > NAME_BYTES || a.n > b.n + limit ||
        b.n > a.n + limit) {
        return limit + 1;
    }
    for (unsigned j = 0; j <= b.n; j++) {
        row[j] = j;
    }
    for (unsigned i = 0; i < a.n; i++) {
        unsigned diagonal = row[0];

        row[0] = i + 1;
        for (unsigned j = 0; j < b.n; j++) {
            unsigned change = diagonal + (a.p[i] != b.p[j]);
            unsigned step = (row[j] < row[j + 1] ? row[j] : row[j + 1]) + 1;

            diagonal = row[j + 1];
            row[j + 1] = change < step ? change : step;
        }
    }
    return row[b.n] <= limit ? row[b.n] : limit + 1;
}

/* The nearest known name so far. */
struct near {
    struct str name; /* looked for */
    char best[NAME_BYTES];
    unsigned distance;
};

static void
consider(struct near *near, const char *known)
{
    unsigned d = config_env_distance(near->name, str_from(known), NEAR);

    if (d < near->distance) {
        near->distance = d;
        snprintf(near->best, sizeof(near->best), "%s", known);
    }
}

static void
consider_row(struct near *near, const struct config_row *row,
             const char *prefix)
{
    struct str name;
    char known[NAME_BYTES];

    for (unsigned i = 0; config_table_env(row, i, &name); i++) {
        snprintf(known, sizeof(known), "%s%.*s", prefix, STR_ARG(name));
        consider(near, known);
    }
    if ((row->flags & CONFIG_FLAG_SECRET) != 0) {
        snprintf(known, sizeof(known), "%s%s_FILE", prefix, row->env);
        consider(near, known);
    }
}

static void
consider_all(struct near *near)
{
    consider(near, "CHATBOX_CONFIG");
    for (size_t i = 0; i < CONFIG_IDS; i++) {
        consider_row(near, &config_table_rows[i], "");
    }
    if (!str_starts(near->name, STR("LLM_"))) {
        return;
    }
    for (unsigned n = 1; n <= CONFIG_ENTRIES_MAX; n++) {
        for (size_t i = 0; i < CONFIG_MEMBERS; i++) {
            const struct config_row *row = &config_table_members[i];
            char prefix[NAME_BYTES];

            snprintf(prefix, sizeof(prefix), "%s%u_",
                     config_table_kind_of(row)->env, n);
            consider_row(near, row, prefix);
        }
    }
}

static bool
is_ours(struct str name)
{
    static const char *const prefixes[] = {
        "CHATBOX_", "SERVER_", "WS_",  "JWT_",   "SESSION_",
        "RATE_",    "ADMIN_",  "LLM_", "MONGO_", "UPLOAD_",
        "LOG_",     "SMTP_",   "SMS_", "S3_",    "SHUTDOWN_"};

    for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
        if (str_starts(name, str_from(prefixes[i]))) {
            return true;
        }
    }
    return false;
}

/* name is one of the row's names, or the one of its file. */
static bool
row_is_called(const struct config_row *row, struct str name)
{
    struct str known, file = STR("_FILE");

    for (unsigned i = 0; config_table_env(row, i, &known); i++) {
        if (str_eq(name, known)) {
            return true;
        }
    }
    return (row->flags & CONFIG_FLAG_SECRET) != 0 && str_ends(name, file) &&
           str_is((struct str){name.p, name.n - file.n}, row->env);
}

static bool
is_member(struct str name)
{
    struct str member;

    for (size_t i = 0; i < CONFIG_MEMBERS; i++) {
        const struct config_row *row = &config_table_members[i];

        if (entry_number(config_table_kind_of(row), name, &member) > 0 &&
            row_is_called(row, member)) {
            return true;
        }
    }
    return false;
}

static bool
is_known(struct str name)
{
    if (is_member(name)) {
        return true;
    }
    for (size_t i = 0; i < CONFIG_IDS; i++) {
        if (row_is_called(&config_table_rows[i], name)) {
            return true;
        }
    }
    return str_is(name, "CHATBOX_CONFIG");
}

static void
warn_if_near(struct config_layers *l, struct str name)
{
    struct near near = {name, "", NEAR + 1};

    if (!is_ours(name) || is_known(name)) {
        return;
    }
    consider_all(&near);
    if (near.distance <= NEAR) {
        config_report_add(l->report, CONFIG_WARNING,
                          "the environment variable %.*s is not known; did "
                          "you mean %s?",
                          STR_ARG(name), near.best);
    }
}

const char *
config_env_near_path(struct str path)
{
    const char *best = NULL;
    unsigned distance = NEAR + 1;

    for (size_t i = 0; i < CONFIG_IDS; i++) {
        const char *known = config_table_rows[i].path;
        unsigned d = config_env_distance(path, str_from(known), NEAR);

        if (d < distance) {
            distance = d;
            best = known;
        }
    }
    return best;
}

/* --- both sources ------------------------------------------------------- */

/* The entries of this list that some variable names. */
static void
read_entries(struct config_layers *l, const struct config_kind *k)
{
    bool named[CONFIG_ENTRIES_MAX + 1] = {false};
    struct str rest, name, member;

    for (const char *const *e = l->sources->environment; *e != NULL; e++) {
        rest = str_from(*e);
        if (str_split(&rest, '=', &name) && rest.n > 0) {
            named[entry_number(k, name, &member)] = true;
        }
    }
    for (unsigned n = 1; n <= CONFIG_ENTRIES_MAX; n++) {
        if (named[n]) {
            read_entry(l, k, n);
        }
    }
}

void
config_env_read(struct config_layers *l)
{
    struct str rest, name;

    for (size_t i = 0; i < CONFIG_IDS; i++) {
        read_setting(l, &config_table_rows[i]);
    }
    for (const char *const *e = l->sources->environment; *e != NULL; e++) {
        rest = str_from(*e);
        if (str_split(&rest, '=', &name) && rest.n > 0) {
            warn_if_near(l, name);
        }
    }
    for (size_t i = 0; i < CONFIG_KINDS; i++) {
        read_entries(l, &config_table_kinds[i]);
    }
}

void
config_env_read_sets(struct config_layers *l)
{
    for (size_t i = 0; i < l->sources->set_count; i++) {
        struct str value = str_from(l->sources->sets[i]), path;
        struct config_ref ref = {NULL, 0};

        if (str_split(&value, '=', &path) && value.p != NULL) {
            ref = config_raw_resolve(path);
        }
        if (ref.row == NULL) {
            config_report_add(
                l->report, CONFIG_ERROR, "--set: there is no setting \"%.*s\"",
                (int)(path.n < NAME_BYTES ? path.n : NAME_BYTES), path.p);
        } else {
            config_raw_set(config_raw_of(l, ref), value, CONFIG_FROM_SET, 0);
        }
    }
}
