/* SPDX-License-Identifier: MIT */
/* One row and one function per option. */
#include "app/options.h"

#include "app/config_value.h"
#include "base/xalloc.h"

#include <stdio.h>
#include <string.h>

#define HOUR_MS 3600000

/* The functions below take an option's value; NULL, or what is wrong. */
static const char *
take_config(struct options *o, const char *value)
{
    o->config_file = value;
    return NULL;
}

static const char *
take_set(struct options *o, const char *value)
{
    if (strchr(value, '=') == NULL) {
        return "needs path=value";
    }
    o->sets = xrealloc(o->sets, (o->set_count + 1) * sizeof(o->sets[0]));
    o->sets[o->set_count++] = value;
    return NULL;
}

static const char *
take_port(struct options *o, const char *value)
{
    uint64_t port;

    if (!str_to_u64(str_from(value), 65535, &port)) {
        return "needs a port, 0..65535";
    }
    o->port = (int)port;
    return NULL;
}

static const char *
take_user(struct options *o, const char *value)
{
    o->user = value;
    return NULL;
}

static const char *
take_name(struct options *o, const char *value)
{
    o->name = value;
    return NULL;
}

static const char *
take_role(struct options *o, const char *value)
{
    o->roles = xrealloc(o->roles, (o->role_count + 2) * sizeof(o->roles[0]));
    o->roles[o->role_count++] = value;
    o->roles[o->role_count] = NULL;
    return NULL;
}

static const char *
take_ttl(struct options *o, const char *value)
{
    if (!config_value_duration(str_from(value), &o->ttl_ms) ||
        o->ttl_ms < CONFIG_SECOND || o->ttl_ms > CONFIG_ANY) {
        return "needs a duration of 1s or more (90s, 15m, 1h, 7d)";
    }
    return NULL;
}

static const char *
take_dry_run(struct options *o, const char *value)
{
    (void)value;
    o->dry_run = true;
    return NULL;
}

static const char *
take_finish(struct options *o, const char *value)
{
    (void)value;
    o->finish = true;
    return NULL;
}

static const char *
take_help(struct options *o, const char *value)
{
    (void)value;
    o->help = true;
    return NULL;
}

static const char *
take_example(struct options *o, const char *value)
{
    (void)value;
    o->example = true;
    return NULL;
}

static const char *
take_force(struct options *o, const char *value)
{
    (void)value;
    o->force = true;
    return NULL;
}

static const char *
take_yes(struct options *o, const char *value)
{
    (void)value;
    o->yes = true;
    return NULL;
}

static const struct option {
    const char *name;
    unsigned set; /* 0: every command's */
    bool bare;    /* has no value */
    const char *(*take)(struct options *o, const char *value);
} table[] = {
    {"--config", OPTIONS_SETTINGS, false, take_config},
    {"--set", OPTIONS_SETTINGS, false, take_set},
    {"--port", OPTIONS_PORT, false, take_port},
    {"--user", OPTIONS_TOKEN, false, take_user},
    {"--name", OPTIONS_TOKEN, false, take_name},
    {"--role", OPTIONS_TOKEN, false, take_role},
    {"--ttl", OPTIONS_TOKEN, false, take_ttl},
    {"--example", OPTIONS_EXAMPLE, true, take_example},
    {"--force", OPTIONS_FORCE, true, take_force},
    {"--yes", OPTIONS_YES, true, take_yes},
    {"--dry-run", OPTIONS_DRY_RUN, true, take_dry_run},
    {"--finish", OPTIONS_FINISH, true, take_finish},
    {"--help", 0, true, take_help},
};

/* The option that text begins with; *value_out is what follows its '=', or
 * NULL. */
static const struct option *
find(unsigned known, const char *text, const char **value_out)
{
    size_t n = strcspn(text, "=");

    *value_out = text[n] == '=' ? text + n + 1 : NULL;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const struct option *o = &table[i];

        if (strlen(o->name) == n && strncmp(o->name, text, n) == 0 &&
            (o->set == 0 || (o->set & known) != 0)) {
            return o;
        }
    }
    return NULL;
}

static const char *
take_word(struct options *o, unsigned known, const char *word)
{
    bool one = (known & (OPTIONS_WORD | OPTIONS_WORDS)) != 0;
    bool two = (known & OPTIONS_WORDS) != 0;

    if (one && o->word == NULL) {
        o->word = word;
    } else if (two && o->second == NULL) {
        o->second = word;
    } else {
        return "is not expected here";
    }
    return NULL;
}

/* Takes the option at *argv, and its value when that stands behind it. */
static const char *
take_option(struct options *o, unsigned known, char ***argv)
{
    const char *value;
    const struct option *option = find(known, **argv, &value);

    if (option == NULL) {
        return "is not an option of this command";
    }
    if (option->bare) {
        return value == NULL ? option->take(o, NULL) : "has no value";
    }
    if (value == NULL) {
        value = (*argv)[1];
        if (value == NULL) {
            return "needs a value";
        }
        ++*argv;
    }
    return option->take(o, value);
}

bool
options_parse(struct options *o, unsigned known, char **argv, char *why,
              size_t why_size)
{
    bool has_words = (known & (OPTIONS_WORD | OPTIONS_WORDS)) != 0;
    bool words = false; /* and nothing else from here on */

    *o = (struct options){.port = -1, .ttl_ms = HOUR_MS};
    for (; *argv != NULL; argv++) {
        const char *text = *argv;
        const char *wrong = NULL;

        if (has_words && !words && strcmp(text, "--") == 0) {
            words = true;
        } else if (!words && text[0] == '-') {
            wrong = take_option(o, known, &argv);
        } else {
            wrong = take_word(o, known, text);
        }
        if (wrong != NULL) {
            snprintf(why, why_size, "%.*s %s", (int)strcspn(text, "="), text,
                     wrong);
            return false;
        }
    }
    return true;
}

void
options_fini(struct options *o)
{
    xfree(o->sets);
    xfree(o->roles);
}
