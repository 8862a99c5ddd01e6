/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_OPTIONS_H
#define CHATBOX_APP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What stood on the command line behind the command's name. The strings are
 * argv's. */
struct options {
    const char *config_file; /* --config */
    const char **sets;       /* --set path=value */
    size_t set_count;
    int port; /* --port; -1: not given */
    const char *user;
    const char *name;
    const char **roles; /* NULL at the end */
    size_t role_count;
    uint64_t ttl_ms;    /* --ttl, an hour unless given */
    const char *word;   /* the first argument that is no option, or NULL */
    const char *second; /* the one behind it, or NULL */
    bool help;
    bool example;
    bool force;   /* --force */
    bool yes;     /* --yes */
    bool dry_run; /* --dry-run */
    bool finish;  /* --finish */
};

/* Which options a command knows. */
enum options_set {
    OPTIONS_SETTINGS = 1, /* --config --set */
    OPTIONS_PORT = 2,
    OPTIONS_TOKEN = 4, /* --user --name --role --ttl */
    OPTIONS_EXAMPLE = 8,
    OPTIONS_WORD = 16,  /* one argument */
    OPTIONS_WORDS = 32, /* one or two */
    OPTIONS_FORCE = 64,
    OPTIONS_YES = 128,
    OPTIONS_DRY_RUN = 256,
    OPTIONS_FINISH = 512
};

/* Reads argv up to its NULL; `--name value` and `--name=value` are the same,
 * and behind `--` there are no options.
 * False, with one sentence in why, for what the command does not know. */
bool options_parse(struct options *o, unsigned known, char **argv, char *why,
                   size_t why_size);

void options_fini(struct options *o);

#endif
