/* SPDX-License-Identifier: MIT */
/* A list of sentences; the log gets them when the settings are known, since
 * they decide the log's form. */
#include "app/config_report.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/xalloc.h"

#include <stdarg.h>
#include <stdio.h>

#define SENTENCE_BYTES 1024

void
config_report_add(struct config_report *r, enum config_severity severity,
                  const char *format, ...)
{
    char text[SENTENCE_BYTES];
    va_list arguments;

    r->errors += severity == CONFIG_ERROR;
    if (r->count == CONFIG_REPORT_MAX) {
        return;
    }
    va_start(arguments, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): it was begun */
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    r->problems =
        xrealloc(r->problems, (r->count + 1) * sizeof(r->problems[0]));
    r->problems[r->count++] = (struct config_problem){severity, xstrdup(text)};
}

void
config_report_log(const struct config_report *r)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct config_problem *p = &r->problems[i];

        if (p->severity == CONFIG_ERROR) {
            log_error(EVENT_CONFIG_ERROR, p->text);
        } else if (p->severity == CONFIG_WARNING) {
            log_warn(EVENT_CONFIG_WARNING, p->text);
        } else {
            log_warn(EVENT_SECURITY_WARNING, p->text);
        }
    }
}

void
config_report_fini(struct config_report *r)
{
    for (size_t i = 0; i < r->count; i++) {
        xfree(r->problems[i].text);
    }
    xfree(r->problems);
    *r = (struct config_report){0};
}
