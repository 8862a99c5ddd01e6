/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_CONFIG_REPORT_H
#define CHATBOX_APP_CONFIG_REPORT_H

#include <stdbool.h>
#include <stddef.h>

/* What was found while the settings were read: all of it, so that one start
 * shows every mistake. */
enum config_severity {
    CONFIG_ERROR,
    CONFIG_WARNING, /* probably a slip of the pen */
    CONFIG_SECURITY /* works, and weakens the defence */
};

struct config_problem {
    enum config_severity severity;
    char *text; /* one sentence, without secrets */
};

/* In the order found. Zero it before use. */
struct config_report {
    struct config_problem *problems;
    size_t count;
    size_t errors;
    bool text; /* log.format is text, as far as that could be read */
};

/* Past CONFIG_REPORT_MAX problems errors are only counted. */
#define CONFIG_REPORT_MAX 1000

void config_report_add(struct config_report *r, enum config_severity severity,
                       const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Writes each problem as a line of the log: config_error, config_warning or
 * security_warning. */
void config_report_log(const struct config_report *r);

void config_report_fini(struct config_report *r);

#endif
