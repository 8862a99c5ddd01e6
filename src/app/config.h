/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_CONFIG_H
#define CHATBOX_APP_CONFIG_H

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The settings: read from all sources, checked as a whole, then immutable.
 * This file knows no disk, no clock and no environment of its own: it is
 * given bytes. What a setting is stands in config.def. */

#define CONFIG_ENTRIES_MAX 99 /* of a list: providers, budgets */
#define CONFIG_FILE_BYTES_MAX (1024 * 1024)

struct config_report;

struct config_list {
    struct str *items;
    size_t count;
};

/* What a column TYPE of config.def is in C. Texts are owned by the config and
 * have a NUL behind their last byte. */
#define CONFIG_C_INT uint64_t
#define CONFIG_C_DURATION uint64_t
#define CONFIG_C_SIZE uint64_t
#define CONFIG_C_BOOL uint64_t
#define CONFIG_C_ENUM uint64_t
#define CONFIG_C_OPTIONAL_ENUM uint64_t
#define CONFIG_C_STRING struct str
#define CONFIG_C_TEXT struct str
#define CONFIG_C_ID struct str
#define CONFIG_C_ADDRESS struct str
#define CONFIG_C_PLACE struct str
#define CONFIG_C_PREFIX struct str
#define CONFIG_C_PEM_FILE struct str
#define CONFIG_C_HOST struct str
#define CONFIG_C_HTTP_URL struct str
#define CONFIG_C_HTTPS_URL struct str
#define CONFIG_C_ENDPOINT struct str
#define CONFIG_C_MONGO_URI struct str
#define CONFIG_C_MONGO_DATABASE struct str
#define CONFIG_C_MONGO_COLLECTION struct str
#define CONFIG_C_EMAIL struct str
#define CONFIG_C_TEMPERATURE struct str
#define CONFIG_C_PRICE struct str
#define CONFIG_C_MONEY struct str
#define CONFIG_C_JSON_OBJECT struct str
#define CONFIG_C_SECRET struct str
#define CONFIG_C_SECRET32 struct str
#define CONFIG_C_KEY32 struct str
#define CONFIG_C_JWT_SECRET struct str
#define CONFIG_C_LIST struct config_list
#define CONFIG_C_NETWORKS struct config_list
#define CONFIG_C_NETWORKS_OR_NONE struct config_list
#define CONFIG_C_ORIGINS struct config_list
#define CONFIG_C_WS_ORIGINS struct config_list
#define CONFIG_C_EMAILS struct config_list
#define CONFIG_C_PHONES struct config_list
#define CONFIG_C_MIME_TYPES struct config_list
#define CONFIG_C_KEYS struct config_list

/* Values of ENUM settings that are not another room's enum, in the order of
 * config.def. An OPTIONAL_ENUM is 0 when empty, its words count from 1. */
enum config_store { CONFIG_STORE_SQLITE, CONFIG_STORE_MONGO };
enum config_connections { CONFIG_CONNECTIONS_MANY, CONFIG_CONNECTIONS_ONE };
enum config_provider_type {
    CONFIG_PROVIDER_OPENAI,
    CONFIG_PROVIDER_ANTHROPIC,
    CONFIG_PROVIDER_DIFY,
    CONFIG_PROVIDER_DEMO
};
enum config_sms { CONFIG_SMS_NONE, CONFIG_SMS_TWILIO, CONFIG_SMS_GENERIC };
enum config_upload { CONFIG_UPLOAD_LOCAL, CONFIG_UPLOAD_S3 };

/* One member per MEMBER row. */
struct config_provider {
#define MEMBER(member, key, env, TYPE, ...) CONFIG_C_##TYPE member;
#include "app/config.def"
    unsigned number; /* n of LLM_PROVIDER_n_…, 1-based place in the file */
};

enum config_scope { CONFIG_SCOPE_USER, CONFIG_SCOPE_ROLE };

/* One member per BUDGET row. */
struct config_budget {
#define BUDGET(member, key, env, TYPE, ...) CONFIG_C_##TYPE member;
#include "app/config.def"
    unsigned number; /* n of LLM_BUDGET_n_…, 1-based place in the file */
};

/* One line of `chatbox check`: a setting and its value as people may see it
 * (a secret as "<secret>", without the password of a URI). */
struct config_line {
    char *path;
    char *value;
};

/* One member per SETTING row; the lists in order of their numbers. */
struct config {
#define SETTING(member, path, env, TYPE, ...) CONFIG_C_##TYPE member;
#include "app/config.def"
    struct config_provider *providers;
    size_t provider_count;
    struct config_budget *budgets;
    size_t budget_count;
    struct config_line *lines;
    size_t line_count;
};

/* What `chatbox dev` changes; all of it gives way to what the sources say. */
struct config_dev {
    const char *data_dir;
    struct str secret; /* used unless a key is configured */
    int port;          /* --port, 0..65535, over every source; -1: not given */
};

/* Everything is borrowed during config_load. */
struct config_sources {
    const char *const *environment; /* "NAME=value", NULL at the end */
    const char *file_name;          /* of yaml, for messages; NULL: no file */
    struct str yaml;
    const char *const *sets; /* "path=value" */
    size_t set_count;
    const struct config_dev *dev; /* NULL: not `chatbox dev` */
    bool secret_only;   /* `chatbox token`: only auth.* and log.* count, and a
                           secret is required */
    bool store_only;    /* commands on the storage: only store.*, log.*, where
                           uploads are and what recovery needs count; no
                           secret, no provider */
    bool listener_only; /* `chatbox health`: only server.* and log.* count; no
                           file is looked at but the settings' own */
    /* Appends the file to out (whose cap may end it early: failed); on error
     * gives a static sentence of why, else NULL. The member may be NULL: then
     * files are not looked at, and a secret's file is an error. */
    const char *(*read_file)(const char *path, struct buf *out);
    /* Whether MongoDB's driver takes the address, as store_mongo_uri_try().
     * NULL: it is not asked. */
    bool (*try_mongo_uri)(const char *uri, char *why, size_t why_size);
};

/* All sources together, later ones winning: defaults, yaml, environment,
 * sets. NULL when the report has errors: all of them, of all settings. Adds
 * to report. Gives. */
struct config *config_load(const struct config_sources *sources,
                           struct config_report *report);

/* Wipes its secrets. NULL is fine. */
void config_free(struct config *c);

#endif
