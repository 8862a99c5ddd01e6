/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_TESTS_CONFIG_FIXTURE_H
#define CHATBOX_TESTS_CONFIG_FIXTURE_H

#include "app/config.h"
#include "app/config_report.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define GOOD_SECRET "k3JxQ0vN8rTz5LwYb2HfPq7UcMgAe9Rd"

/* One reading of the settings from sources in memory. Zero it, fill the first
 * part, trial_run, look at the second, trial_fini. */
struct trial {
    const char *yaml; /* NULL: no file */
    const char *env[24];
    const char *sets[24];
    bool bare; /* without a secret and a provider */
    const struct config_dev *dev;
    bool secret_only;
    bool store_only;
    bool listener_only;

    struct config *config;
    struct config_report report;
};

/* Files that exist: name and content. */
static const struct {
    const char *path;
    const char *content;
} trial_files[] = {
    {"secret", GOOD_SECRET},
    {"secret-line", GOOD_SECRET "\n"},
    {"secret-lines", GOOD_SECRET "\n\n"},
    {"pem", "-----BEGIN PUBLIC KEY-----\nabc\n-----END PUBLIC KEY-----\n"},
    {"text", "nothing of the kind\n"},
    {"empty", ""},
};

static inline const char *
trial_read_file(const char *path, struct buf *out)
{
    for (size_t i = 0; i < sizeof(trial_files) / sizeof(trial_files[0]); i++) {
        if (strcmp(path, trial_files[i].path) == 0) {
            buf_puts(out, trial_files[i].content);
            return NULL;
        }
    }
    return "does not exist";
}

static inline void
trial_run(struct trial *t)
{
    const char *env[40];
    size_t n = 0;
    struct config_sources sources = {
        .environment = env,
        .file_name = t->yaml != NULL ? "test.yaml" : NULL,
        .yaml = str_from(t->yaml),
        .sets = t->sets,
        .dev = t->dev,
        .secret_only = t->secret_only,
        .store_only = t->store_only,
        .listener_only = t->listener_only,
        .read_file = trial_read_file,
    };

    for (size_t i = 0; t->env[i] != NULL; i++) {
        env[n++] = t->env[i];
    }
    if (!t->bare) {
        env[n++] = "JWT_SECRET=" GOOD_SECRET;
        env[n++] = "LLM_PROVIDER_1_ID=first";
        env[n++] = "LLM_PROVIDER_1_TYPE=demo";
    }
    env[n] = NULL;
    while (t->sets[sources.set_count] != NULL) {
        sources.set_count++;
    }
    t->config = config_load(&sources, &t->report);
}

static inline void
trial_fini(struct trial *t)
{
    config_free(t->config);
    config_report_fini(&t->report);
    t->config = NULL;
}

/* Whether a problem of that severity says all of the texts (NULL at the
 * end). */
static inline bool
trial_says(const struct trial *t, enum config_severity severity, ...)
{
    for (size_t i = 0; i < t->report.count; i++) {
        const char *text;
        bool all = t->report.problems[i].severity == severity;
        va_list texts;

        va_start(texts, severity);
        while (all && (text = va_arg(texts, const char *)) != NULL) {
            all = strstr(t->report.problems[i].text, text) != NULL;
        }
        va_end(texts);
        if (all) {
            return true;
        }
    }
    return false;
}

/* For a failing test: what was said. */
static inline void
trial_print(const struct trial *t)
{
    for (size_t i = 0; i < t->report.count; i++) {
        fprintf(stderr, "  %s\n", t->report.problems[i].text);
    }
}

/* The value of a line of `chatbox check`. */
static inline const char *
trial_value(const struct trial *t, const char *path)
{
    for (size_t i = 0; t->config != NULL && i < t->config->line_count; i++) {
        if (strcmp(t->config->lines[i].path, path) == 0) {
            return t->config->lines[i].value;
        }
    }
    return "(absent)";
}

#endif
