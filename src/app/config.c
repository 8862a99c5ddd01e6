/* SPDX-License-Identifier: MIT */
/* From sources to settings: the layers are filled one source after the other
 * (config_yaml.c, config_env.c), read into the struct (config_value.c), and
 * what they mean together is checked (config_rules.c). All mistakes of all
 * settings are found in one go. */
#include "app/config.h"

#include "app/config_env.h"
#include "app/config_raw.h"
#include "app/config_rules.h"
#include "app/config_show.h"
#include "app/config_value.h"
#include "app/config_yaml.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "provider/demo.h"

#include <string.h>

/* --- layers ------------------------------------------------------------- */

static void
read_defaults(struct config_layers *l)
{
    for (size_t i = 0; i < CONFIG_IDS; i++) {
        config_raw_set(&l->rows[i], str_from(config_table_rows[i].value),
                       CONFIG_FROM_DEFAULT, 0);
    }
}

static void
set_dev(struct config_raw *raw, struct str value)
{
    config_raw_set(raw, value, CONFIG_FROM_DEV, 0);
}

static void
read_dev_defaults(struct config_layers *l, const struct config_dev *dev)
{
    set_dev(&l->rows[CONFIG_ID_server_host], STR("127.0.0.1"));
    set_dev(&l->rows[CONFIG_ID_log_format], STR("text"));
    set_dev(&l->rows[CONFIG_ID_store_data_dir], str_from(dev->data_dir));
}

static bool
is_given(const struct config_layers *l, const struct config_kind *k, size_t i)
{
    for (size_t m = k->first; m < k->end; m++) {
        if (l->members[i][m].source != CONFIG_FROM_NOWHERE) {
            return true;
        }
    }
    return false;
}

static void
set_demo_providers(struct config_layers *l)
{
    const struct demo_model *demo;

    for (size_t i = 0; i < CONFIG_ENTRIES_MAX; i++) {
        if (is_given(l, &config_table_kinds[CONFIG_PROVIDERS], i)) {
            return;
        }
    }
    for (size_t i = 0; (demo = demo_model_at(i)) != NULL; i++) {
        struct config_raw *p = l->members[i];

        set_dev(&p[CONFIG_MEMBER_id], str_from(demo->id));
        set_dev(&p[CONFIG_MEMBER_name], str_from(demo->name));
        set_dev(&p[CONFIG_MEMBER_type], STR("demo"));
        set_dev(&p[CONFIG_MEMBER_model], str_from(demo->id));
    }
}

/* What dev fills in where the sources said nothing. */
static void
fill_dev(struct config_layers *l, const struct config_dev *dev)
{
    if (l->rows[CONFIG_ID_auth_jwt_secret].text.n == 0 &&
        l->rows[CONFIG_ID_auth_public_key].text.n == 0 &&
        l->rows[CONFIG_ID_auth_jwks_url].text.n == 0) {
        set_dev(&l->rows[CONFIG_ID_auth_jwt_secret], dev->secret);
    }
    set_demo_providers(l);
}

static void
read_sources(struct config_layers *l)
{
    const struct config_sources *s = l->sources;

    read_defaults(l);
    if (s->dev != NULL) {
        read_dev_defaults(l, s->dev);
    }
    if (s->file_name != NULL) {
        config_yaml_read(l);
    }
    config_env_read(l);
    config_env_read_sets(l);
    if (s->dev != NULL) {
        fill_dev(l, s->dev);
    }
}

/* --- settings ----------------------------------------------------------- */

/* --port comes after every source, and only it may be 0. */
static bool
take_dev_port(struct config_layers *l, struct config *c)
{
    const struct config_dev *dev = l->sources->dev;
    struct buf text;

    if (dev == NULL || dev->port < 0) {
        return false;
    }
    c->server_port = (uint64_t)dev->port;
    buf_init(&text, 8);
    buf_put_u64(&text, c->server_port);
    set_dev(&l->rows[CONFIG_ID_server_port], buf_str(&text));
    buf_fini(&text);
    return true;
}

/* By the commands on the storage. */
static bool
is_of_store(struct str path)
{
    return str_starts(path, STR("store.")) ||
           str_starts(path, STR("upload.s3.")) ||
           str_is(path, "upload.store") ||
           str_is(path, "session.response_times");
}

static bool
is_wanted(const struct config_layers *l, const struct config_row *row)
{
    const struct config_sources *s = l->sources;
    struct str path = str_from(row->path);

    if (!s->secret_only && !s->store_only && !s->listener_only) {
        return true;
    }
    return str_starts(path, STR("log.")) ||
           (s->secret_only && str_starts(path, STR("auth."))) ||
           (s->listener_only && str_starts(path, STR("server."))) ||
           (s->store_only && is_of_store(path));
}

static void
read_settings(struct config_layers *l, struct config *c)
{
    for (size_t i = 0; i < CONFIG_IDS; i++) {
        struct config_ref ref = {&config_table_rows[i], 0};

        if (!is_wanted(l, ref.row) ||
            (i == CONFIG_ID_server_port && take_dev_port(l, c))) {
            continue;
        }
        l->bad[i] = l->rows[i].unreadable || !config_value_read(l, ref, c);
    }
    if (!config_raw_given(&l->rows[CONFIG_ID_store_kind]) &&
        c->store_mongo_uri.n > 0) {
        c->store_kind = CONFIG_STORE_MONGO;
    }
}

static void
read_entry(struct config_layers *l, const struct config_kind *k,
           unsigned number, char *entry)
{
    memcpy(entry + k->number, &number, sizeof(number));
    for (size_t m = k->first; m < k->end; m++) {
        struct config_ref ref = {&config_table_members[m], number};
        struct config_raw *raw = config_raw_of(l, ref);

        if (raw->source != CONFIG_FROM_NOWHERE && !raw->unreadable &&
            (raw->text.n > 0 || raw->sequence)) {
            (void)config_value_read(l, ref, entry);
        }
    }
}

static void
read_list(struct config_layers *l, const struct config_kind *k,
          struct config *c)
{
    char *entries = xcalloc(CONFIG_ENTRIES_MAX, k->size);
    size_t count = 0;

    for (unsigned i = 0; i < CONFIG_ENTRIES_MAX; i++) {
        if (is_given(l, k, i)) {
            read_entry(l, k, i + 1, entries + count++ * k->size);
        }
    }
    memcpy((char *)c + k->entries, &entries, sizeof(entries));
    memcpy((char *)c + k->count, &count, sizeof(count));
}

static void
read_lists(struct config_layers *l, struct config *c)
{
    for (size_t i = 0; i < CONFIG_KINDS; i++) {
        read_list(l, &config_table_kinds[i], c);
    }
    for (size_t i = 0; i < c->provider_count; i++) {
        struct config_provider *p = &c->providers[i];

        if (p->name.n == 0) {
            p->name = (struct str){str_dup(p->id), p->id.n};
        }
    }
}

/* --- files that settings name ------------------------------------------- */

static void
check_pem_file(struct config_layers *l, struct config_ref ref, struct str path)
{
    struct buf content;
    const char *why;

    buf_init(&content, CONFIG_FILE_BYTES_MAX);
    why = l->sources->read_file(path.p, &content);
    if (why == NULL && content.failed) {
        why = "is too large";
    } else if (why == NULL &&
               !str_contains_nocase(buf_str(&content), STR("-----BEGIN "))) {
        why = "is not a PEM file";
    }
    if (why != NULL) {
        config_raw_error(l, ref, path, why);
    }
    xwipe(content.p, content.n);
    buf_fini(&content);
}

static void
check_files(struct config_layers *l, const struct config *c)
{
    for (size_t i = 0; l->sources->read_file != NULL && i < CONFIG_IDS; i++) {
        const struct config_row *row = &config_table_rows[i];
        struct config_ref ref = {row, 0};

        if (row->type == CONFIG_TYPE_PEM_FILE && !l->bad[i]) {
            struct str path;

            memcpy(&path, (const char *)c + row->offset, sizeof(path));
            if (path.n > 0) {
                check_pem_file(l, ref, path);
            }
        }
    }
}

/* --- the whole ---------------------------------------------------------- */

static void
free_layers(struct config_layers *l)
{
    for (size_t i = 0; i < CONFIG_IDS; i++) {
        config_raw_fini(&l->rows[i]);
    }
    for (size_t i = 0; i < CONFIG_ENTRIES_MAX; i++) {
        for (size_t m = 0; m < CONFIG_MEMBERS; m++) {
            config_raw_fini(&l->members[i][m]);
        }
    }
    xfree(l);
}

static void
read_all(struct config_layers *l, struct config *c)
{
    read_settings(l, c);
    if (l->sources->secret_only) {
        config_rules_check_secret(l, c);
        return;
    }
    if (l->sources->store_only) {
        config_rules_check_store(l, c);
        return;
    }
    if (l->sources->listener_only) {
        return;
    }
    read_lists(l, c);
    check_files(l, c);
    config_rules_check(l, c);
    config_rules_check_providers(l, c);
    config_rules_check_budgets(l, c);
}

struct config *
config_load(const struct config_sources *sources, struct config_report *report)
{
    struct config_layers *l = xcalloc(1, sizeof(*l));
    struct config *c = xcalloc(1, sizeof(*c));

    l->sources = sources;
    l->report = report;
    read_sources(l);
    read_all(l, c);
    report->text = c->log_format == LOG_TEXT;
    if (report->errors == 0) {
        config_show_lines(l, c);
    } else {
        config_free(c);
        c = NULL;
    }
    free_layers(l);
    return c;
}

static void
free_list(struct config *c, const struct config_kind *k)
{
    for (size_t i = 0; i < config_table_count(c, k); i++) {
        for (size_t m = k->first; m < k->end; m++) {
            config_value_fini(&config_table_members[m],
                              config_table_entry(c, k, i));
        }
    }
    xfree(config_table_entry(c, k, 0));
}

void
config_free(struct config *c)
{
    if (c == NULL) {
        return;
    }
    for (size_t i = 0; i < CONFIG_IDS; i++) {
        config_value_fini(&config_table_rows[i], c);
    }
    for (size_t i = 0; i < CONFIG_KINDS; i++) {
        free_list(c, &config_table_kinds[i]);
    }
    for (size_t i = 0; i < c->line_count; i++) {
        xfree(c->lines[i].path);
        xfree(c->lines[i].value);
    }
    xfree(c->lines);
    xfree(c);
}
