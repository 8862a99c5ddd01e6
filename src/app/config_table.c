/* SPDX-License-Identifier: MIT */
/* config.def as arrays. Nothing here reads or checks a value: that is
 * config_value.c and config_check.c. */
#include "app/config_table.h"

#include "base/check.h"

#include <string.h>

#define SECOND CONFIG_SECOND
#define MINUTE CONFIG_MINUTE
#define HOUR CONFIG_HOUR
#define DAY CONFIG_DAY
#define KIB CONFIG_KIB
#define MIB CONFIG_MIB
#define GIB CONFIG_GIB
#define ANY CONFIG_ANY

const struct config_row config_table_rows[CONFIG_IDS] = {
#define SETTING(member, path, env, TYPE, value, min, max, FLAGS, allowed,      \
                text)                                                          \
    {path,                                                                     \
     env,                                                                      \
     CONFIG_TYPE_##TYPE,                                                       \
     CONFIG_FLAG_##FLAGS,                                                      \
     offsetof(struct config, member),                                          \
     value,                                                                    \
     min,                                                                      \
     max,                                                                      \
     allowed,                                                                  \
     text},
#include "app/config.def"
};

const struct config_row config_table_members[CONFIG_MEMBERS] = {
#define MEMBER(member, key, env, TYPE, min, max, FLAGS, allowed, text)         \
    {key,                                                                      \
     env,                                                                      \
     CONFIG_TYPE_##TYPE,                                                       \
     CONFIG_FLAG_##FLAGS,                                                      \
     offsetof(struct config_provider, member),                                 \
     "",                                                                       \
     min,                                                                      \
     max,                                                                      \
     allowed,                                                                  \
     text},
#include "app/config.def"
#define BUDGET(member, key, env, TYPE, min, max, FLAGS, allowed, text)         \
    {key,                                                                      \
     env,                                                                      \
     CONFIG_TYPE_##TYPE,                                                       \
     CONFIG_FLAG_##FLAGS,                                                      \
     offsetof(struct config_budget, member),                                   \
     "",                                                                       \
     min,                                                                      \
     max,                                                                      \
     allowed,                                                                  \
     text},
#include "app/config.def"
};

const struct config_kind config_table_kinds[CONFIG_KINDS] = {
    [CONFIG_PROVIDERS] = {"llm.providers", "LLM_PROVIDER_", 0,
                          CONFIG_MEMBERS_OF_BUDGETS,
                          sizeof(struct config_provider),
                          offsetof(struct config_provider, number),
                          offsetof(struct config, providers),
                          offsetof(struct config, provider_count)},
    [CONFIG_BUDGETS] = {"llm.budgets", "LLM_BUDGET_", CONFIG_MEMBERS_OF_BUDGETS,
                        CONFIG_MEMBERS, sizeof(struct config_budget),
                        offsetof(struct config_budget, number),
                        offsetof(struct config, budgets),
                        offsetof(struct config, budget_count)},
};

const struct config_group config_table_groups[] = {
#define GROUP(path, text) {path, text},
#include "app/config.def"
};

const size_t config_table_group_count = COUNT_OF(config_table_groups);

static const struct {
    const char *word;
    enum config_storage storage;
} types[] = {
    [CONFIG_TYPE_INT] = {"int", CONFIG_NUMBER},
    [CONFIG_TYPE_DURATION] = {"duration", CONFIG_NUMBER},
    [CONFIG_TYPE_SIZE] = {"size", CONFIG_NUMBER},
    [CONFIG_TYPE_BOOL] = {"bool", CONFIG_NUMBER},
    [CONFIG_TYPE_ENUM] = {"one word of", CONFIG_NUMBER},
    [CONFIG_TYPE_OPTIONAL_ENUM] = {"one word of, or empty", CONFIG_NUMBER},
    [CONFIG_TYPE_STRING] = {"string", CONFIG_STRING},
    [CONFIG_TYPE_TEXT] = {"text", CONFIG_STRING},
    [CONFIG_TYPE_ID] = {"id", CONFIG_STRING},
    [CONFIG_TYPE_ADDRESS] = {"address", CONFIG_STRING},
    [CONFIG_TYPE_PLACE] = {"address:port", CONFIG_STRING},
    [CONFIG_TYPE_PREFIX] = {"path", CONFIG_STRING},
    [CONFIG_TYPE_PEM_FILE] = {"file", CONFIG_STRING},
    [CONFIG_TYPE_HOST] = {"host", CONFIG_STRING},
    [CONFIG_TYPE_HTTP_URL] = {"URL", CONFIG_STRING},
    [CONFIG_TYPE_HTTPS_URL] = {"URL", CONFIG_STRING},
    [CONFIG_TYPE_ENDPOINT] = {"URL", CONFIG_STRING},
    [CONFIG_TYPE_MONGO_URI] = {"URI", CONFIG_STRING},
    [CONFIG_TYPE_MONGO_DATABASE] = {"string", CONFIG_STRING},
    [CONFIG_TYPE_MONGO_COLLECTION] = {"string", CONFIG_STRING},
    [CONFIG_TYPE_EMAIL] = {"mail address", CONFIG_STRING},
    [CONFIG_TYPE_TEMPERATURE] = {"number", CONFIG_STRING},
    [CONFIG_TYPE_PRICE] = {"number", CONFIG_STRING},
    [CONFIG_TYPE_MONEY] = {"number", CONFIG_STRING},
    [CONFIG_TYPE_JSON_OBJECT] = {"JSON object", CONFIG_STRING},
    [CONFIG_TYPE_SECRET] = {"string", CONFIG_STRING},
    [CONFIG_TYPE_SECRET32] = {"string", CONFIG_STRING},
    [CONFIG_TYPE_KEY32] = {"32 bytes", CONFIG_STRING},
    [CONFIG_TYPE_JWT_SECRET] = {"string", CONFIG_STRING},
    [CONFIG_TYPE_LIST] = {"list", CONFIG_STRINGS},
    [CONFIG_TYPE_NETWORKS] = {"list of networks", CONFIG_STRINGS},
    [CONFIG_TYPE_NETWORKS_OR_NONE] = {"list of networks", CONFIG_STRINGS},
    [CONFIG_TYPE_ORIGINS] = {"list of origins", CONFIG_STRINGS},
    [CONFIG_TYPE_WS_ORIGINS] = {"list of origins", CONFIG_STRINGS},
    [CONFIG_TYPE_EMAILS] = {"list of mail addresses", CONFIG_STRINGS},
    [CONFIG_TYPE_PHONES] = {"list of phone numbers", CONFIG_STRINGS},
    [CONFIG_TYPE_MIME_TYPES] = {"list of types", CONFIG_STRINGS},
    [CONFIG_TYPE_KEYS] = {"list of keys", CONFIG_STRINGS},
};

enum config_storage
config_table_storage(enum config_type type)
{
    return types[type].storage;
}

const char *
config_table_type_word(enum config_type type)
{
    return types[type].word;
}

bool
config_table_env(const struct config_row *row, unsigned nth,
                 struct str *name_out)
{
    struct str rest = str_from(row->env);

    do {
        if (!str_split(&rest, ',', name_out)) {
            return false;
        }
    } while (nth-- > 0);
    return true;
}

const struct config_row *
config_table_find(struct str path)
{
    for (size_t i = 0; i < CONFIG_IDS; i++) {
        if (str_is(path, config_table_rows[i].path)) {
            return &config_table_rows[i];
        }
    }
    return NULL;
}

const struct config_row *
config_table_find_member(const struct config_kind *k, struct str key)
{
    for (size_t i = k->first; i < k->end; i++) {
        if (str_is(key, config_table_members[i].path)) {
            return &config_table_members[i];
        }
    }
    return NULL;
}

bool
config_table_is_group(struct str path)
{
    for (size_t i = 0; i < config_table_group_count; i++) {
        if (str_is(path, config_table_groups[i].path)) {
            return true;
        }
    }
    return false;
}

struct unit {
    uint64_t size;
    const char *word;
};

static const struct unit durations[] = {
    {CONFIG_DAY, "d"},    {CONFIG_HOUR, "h"}, {CONFIG_MINUTE, "m"},
    {CONFIG_SECOND, "s"}, {1, "ms"},
};

static const struct unit sizes[] = {
    {CONFIG_GIB, "GiB"},
    {CONFIG_MIB, "MiB"},
    {CONFIG_KIB, "KiB"},
    {1, " bytes"},
};

static void
put_in_units(const struct unit *units, uint64_t value, struct buf *out)
{
    while (value % units->size != 0) {
        units++;
    }
    buf_put_u64(out, value / units->size);
    buf_puts(out, value > 0 ? units->word : "");
}

void
config_table_number(enum config_type type, uint64_t value, struct buf *out)
{
    if (type == CONFIG_TYPE_DURATION) {
        put_in_units(durations, value, out);
    } else if (type == CONFIG_TYPE_SIZE) {
        put_in_units(sizes, value, out);
    } else {
        buf_put_u64(out, value);
    }
}

static void
put_range(const struct config_row *row, struct buf *out)
{
    if (row->max == CONFIG_ANY && row->min == 1 &&
        row->type == CONFIG_TYPE_DURATION) {
        buf_puts(out, "more than 0");
        return;
    }
    config_table_number(row->type, row->min, out);
    if (row->max == CONFIG_ANY) {
        buf_puts(out, " or more");
        return;
    }
    buf_puts(out, "..");
    config_table_number(row->type, row->max, out);
}

void
config_table_allowed(const struct config_row *row, struct buf *out)
{
    if (row->allowed[0] != '\0') {
        buf_puts(out, row->allowed);
    } else if (row->type == CONFIG_TYPE_BOOL) {
        buf_puts(out, "true false 1 0 yes no");
    } else if (config_table_storage(row->type) == CONFIG_NUMBER) {
        put_range(row, out);
    } else {
        buf_printf(out, "%u to %u bytes", (unsigned)row->min,
                   (unsigned)row->max);
    }
}

/* --- lists -------------------------------------------------------------- */

const struct config_kind *
config_table_kind_of(const struct config_row *member)
{
    size_t at = (size_t)(member - config_table_members);

    CHECK(at < CONFIG_MEMBERS);
    for (size_t i = 0; i < CONFIG_KINDS; i++) {
        if (at < config_table_kinds[i].end) {
            return &config_table_kinds[i];
        }
    }
    return NULL;
}

const struct config_kind *
config_table_kind_find(struct str path)
{
    for (size_t i = 0; i < CONFIG_KINDS; i++) {
        if (str_is(path, config_table_kinds[i].path)) {
            return &config_table_kinds[i];
        }
    }
    return NULL;
}

size_t
config_table_count(const struct config *c, const struct config_kind *k)
{
    size_t count;

    memcpy(&count, (const char *)c + k->count, sizeof(count));
    return count;
}

void *
config_table_entry(const struct config *c, const struct config_kind *k,
                   size_t i)
{
    char *entries;

    memcpy(&entries, (const char *)c + k->entries, sizeof(entries));
    return entries + i * k->size;
}

void *
config_table_numbered(const struct config *c, const struct config_kind *k,
                      unsigned number)
{
    for (size_t i = 0; i < config_table_count(c, k); i++) {
        char *entry = config_table_entry(c, k, i);
        unsigned its;

        memcpy(&its, entry + k->number, sizeof(its));
        if (its == number) {
            return entry;
        }
    }
    return NULL;
}
