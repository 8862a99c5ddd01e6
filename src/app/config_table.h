/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_CONFIG_TABLE_H
#define CHATBOX_APP_CONFIG_TABLE_H

#include "app/config.h"

/* The rows of config.def as data, and finding them by their names. */

/* For the columns min and max. */
#define CONFIG_SECOND UINT64_C(1000)
#define CONFIG_MINUTE (60 * CONFIG_SECOND)
#define CONFIG_HOUR (60 * CONFIG_MINUTE)
#define CONFIG_DAY (24 * CONFIG_HOUR)
#define CONFIG_KIB UINT64_C(1024)
#define CONFIG_MIB (1024 * CONFIG_KIB)
#define CONFIG_GIB (1024 * CONFIG_MIB)

/* No bound of its own. Even so nothing is larger: ten digits of seconds (or
 * 30 years in milliseconds) keep every sum and product of settings within 64
 * bits where the rooms compute with them. */
#define CONFIG_ANY UINT64_C(1000000000000)

/* The largest budget in units: what an account holds
 * (chat/budget_account.h). */
#define CONFIG_MONEY_MAX 1000000

enum config_type {
    CONFIG_TYPE_INT,
    CONFIG_TYPE_DURATION,
    CONFIG_TYPE_SIZE,
    CONFIG_TYPE_BOOL,
    CONFIG_TYPE_ENUM,
    CONFIG_TYPE_OPTIONAL_ENUM, /* empty: none */
    CONFIG_TYPE_STRING,        /* UTF-8 without control characters */
    CONFIG_TYPE_TEXT,          /* the same with line breaks and tabs */
    CONFIG_TYPE_ID,
    CONFIG_TYPE_ADDRESS,
    CONFIG_TYPE_PLACE, /* address and port */
    CONFIG_TYPE_PREFIX,
    CONFIG_TYPE_PEM_FILE,
    CONFIG_TYPE_HOST,
    CONFIG_TYPE_HTTP_URL,
    CONFIG_TYPE_HTTPS_URL,
    CONFIG_TYPE_ENDPOINT,
    CONFIG_TYPE_MONGO_URI,
    CONFIG_TYPE_MONGO_DATABASE,
    CONFIG_TYPE_MONGO_COLLECTION,
    CONFIG_TYPE_EMAIL,
    CONFIG_TYPE_TEMPERATURE,
    CONFIG_TYPE_PRICE,
    CONFIG_TYPE_MONEY,
    CONFIG_TYPE_JSON_OBJECT,
    CONFIG_TYPE_SECRET,
    CONFIG_TYPE_SECRET32,
    CONFIG_TYPE_KEY32,
    CONFIG_TYPE_JWT_SECRET,
    CONFIG_TYPE_LIST,
    CONFIG_TYPE_NETWORKS,
    CONFIG_TYPE_NETWORKS_OR_NONE,
    CONFIG_TYPE_ORIGINS,
    CONFIG_TYPE_WS_ORIGINS,
    CONFIG_TYPE_EMAILS,
    CONFIG_TYPE_PHONES,
    CONFIG_TYPE_MIME_TYPES,
    CONFIG_TYPE_KEYS
};

enum config_flag {
    CONFIG_FLAG_0 = 0,
    CONFIG_FLAG_SECRET = 1, /* also from a file, never shown */
    CONFIG_FLAG_RELOAD = 2, /* SIGHUP applies it */
    CONFIG_FLAG_SECRET_RELOAD = 3
};

/* How a type is kept in struct config. */
enum config_storage { CONFIG_NUMBER, CONFIG_STRING, CONFIG_STRINGS };

enum config_id {
#define SETTING(member, ...) CONFIG_ID_##member,
#include "app/config.def"
    CONFIG_IDS
};

enum config_member {
#define MEMBER(member, ...) CONFIG_MEMBER_##member,
#include "app/config.def"
    CONFIG_MEMBERS_OF_BUDGETS,
    CONFIG_MEMBER_before_budgets = CONFIG_MEMBERS_OF_BUDGETS - 1,
#define BUDGET(member, ...) CONFIG_MEMBER_##member,
#include "app/config.def"
    CONFIG_MEMBERS
};

struct config_row {
    const char *path; /* of a member: its key */
    const char *env;  /* of a member: the part behind the list's prefix */
    enum config_type type;
    unsigned flags;
    size_t offset;     /* in struct config, or in the entry */
    const char *value; /* the default */
    uint64_t min;
    uint64_t max;
    const char *allowed;
    const char *text;
};

struct config_group {
    const char *path;
    const char *text;
};

/* A list of settings: entries with numbers from 1, which have members. */
struct config_kind {
    const char *path; /* "llm.providers" */
    const char *env;  /* "LLM_PROVIDER_", before the number */
    size_t first;     /* of its members in config_table_members */
    size_t end;       /* behind its last one */
    size_t size;      /* of an entry */
    size_t number;    /* where an entry has its number */
    size_t entries;   /* where struct config has the pointer to them */
    size_t count;     /* … and how many there are */
};

enum config_kinds { CONFIG_PROVIDERS, CONFIG_BUDGETS, CONFIG_KINDS };

extern const struct config_kind config_table_kinds[CONFIG_KINDS];

/* Which list's member the row is. */
const struct config_kind *config_table_kind_of(const struct config_row *member);

/* The list with this path, or NULL. */
const struct config_kind *config_table_kind_find(struct str path);

/* The i-th entry in c; the one with this number, or NULL. */
void *config_table_entry(const struct config *c, const struct config_kind *k,
                         size_t i);
void *config_table_numbered(const struct config *c, const struct config_kind *k,
                            unsigned number);
size_t config_table_count(const struct config *c, const struct config_kind *k);

extern const struct config_row config_table_rows[CONFIG_IDS];
extern const struct config_row config_table_members[CONFIG_MEMBERS];
extern const struct config_group config_table_groups[];
extern const size_t config_table_group_count;

enum config_storage config_table_storage(enum config_type type);

/* "duration", "list of origins": for people. */
const char *config_table_type_word(enum config_type type);

/* The names of an environment variable, one at a time (WS_ALLOWED_ORIGINS has
 * two): false when there is no nth. Points into the row. */
bool config_table_env(const struct config_row *row, unsigned nth,
                      struct str *name_out);

/* NULL when there is none. */
const struct config_row *config_table_find(struct str path);
const struct config_row *config_table_find_member(const struct config_kind *k,
                                                  struct str key);

/* Whether path is a group, or the beginning of one. */
bool config_table_is_group(struct str path);

/* What is allowed, as a sentence for people: the column, or the range. */
void config_table_allowed(const struct config_row *row, struct buf *out);

/* "90s", "5GiB" of a number in the row's unit. */
void config_table_number(enum config_type type, uint64_t value,
                         struct buf *out);

#endif
