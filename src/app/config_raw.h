/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_CONFIG_RAW_H
#define CHATBOX_APP_CONFIG_RAW_H

#include "app/config_report.h"
#include "app/config_table.h"

/* Between the sources and the settings: for each setting the text that won so
 * far and where it came from. The files of config_*.c fill it one source
 * after the other; config.c then reads it once. */
enum config_source {
    CONFIG_FROM_NOWHERE,
    CONFIG_FROM_DEFAULT,
    CONFIG_FROM_DEV,
    CONFIG_FROM_FILE,
    CONFIG_FROM_ENVIRONMENT,
    CONFIG_FROM_SET
};

/* Either text, or (from a YAML sequence) items. */
struct config_raw {
    struct str text;
    struct config_list items;
    enum config_source source;
    unsigned line; /* FROM_FILE: 1-based */
    bool sequence;
    bool unreadable; /* its file: reported already */
};

/* A setting, or a member of the nth entry of its list. */
struct config_ref {
    const struct config_row *row;
    unsigned entry; /* 1..99; 0: a setting */
};

struct config_layers {
    struct config_raw rows[CONFIG_IDS];
    struct config_raw members[CONFIG_ENTRIES_MAX][CONFIG_MEMBERS];
    bool bad[CONFIG_IDS]; /* reported already: rules leave it alone */
    const struct config_sources *sources;
    struct config_report *report;
};

struct config_raw *config_raw_of(struct config_layers *l,
                                 struct config_ref ref);

/* "a.b" or "llm.providers[n].key"; row NULL when there is none. */
struct config_ref config_raw_resolve(struct str path);

/* Replaces what was there; borrows. */
void config_raw_set(struct config_raw *raw, struct str text,
                    enum config_source source, unsigned line);
/* Takes the items. */
void config_raw_set_items(struct config_raw *raw, struct config_list items,
                          unsigned line);

/* Whether a source other than the defaults named it. */
bool config_raw_given(const struct config_raw *raw);

void config_raw_fini(struct config_raw *raw);

/* Wipes and frees. */
void config_raw_list_free(struct config_list *list);
void config_raw_list_add(struct config_list *list, struct str item);

/* "server.port (SERVER_PORT)": both names. */
void config_raw_name(struct config_ref ref, struct buf *out);

/* The value as people may see it: no secret, cut after most bytes. */
void config_raw_show(const struct config_row *row, struct str value,
                     size_t most, struct buf *out);

/* name = "value", where it came from. */
void config_raw_describe(struct config_layers *l, struct config_ref ref,
                         struct str value, struct buf *out);

/* Reports what is wrong with value: both names, where it came from, value,
 * why and what is allowed. */
void config_raw_error(struct config_layers *l, struct config_ref ref,
                      struct str value, const char *why);

/* Reports a setting that has to be there, or must not: why is a predicate
 * ("is required when upload.store is s3"). */
void config_raw_complain(struct config_layers *l, struct config_ref ref,
                         const char *why);

#endif
