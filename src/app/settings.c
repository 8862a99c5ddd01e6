/* SPDX-License-Identifier: MIT */
/* The part of reading the settings that touches the disk. */
#include "app/settings.h"

#include "app/config_env.h"
#include "app/config_report.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "store/store_mongo_uri.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define CHUNK 4096

static const char *
reason(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return "does not exist";
    case EACCES:
    case EPERM:
        return "cannot be read: permission denied";
    case EISDIR:
        return "is a folder";
    default:
        return "cannot be read";
    }
}

const char *
settings_read_file(const char *path, struct buf *out)
{
    const char *why = NULL;
    ssize_t n = 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return reason(errno);
    }
    while (n > 0 && !out->failed) {
        char chunk[CHUNK];

        n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR) {
            n = 1;
        } else if (n < 0) {
            why = reason(errno);
        } else {
            buf_put(out, chunk, (size_t)n);
        }
        xwipe(chunk, sizeof(chunk));
    }
    close(fd);
    return why;
}

static void
read_config_file(const char *path, struct config_sources *sources,
                 struct buf *yaml, struct config_report *report)
{
    const char *why = settings_read_file(path, yaml);

    if (why == NULL && yaml->failed) {
        why = "is larger than 1 MiB";
    }
    if (why != NULL) {
        config_report_add(report, CONFIG_ERROR, "the settings file %.200s %s",
                          path, why);
        return;
    }
    sources->file_name = path;
    sources->yaml = buf_str(yaml);
}

/* So that even what is wrong with the settings is told in their form. */
static void
set_log(const struct config *c, const struct config_report *report)
{
    log_set_format(report->text ? LOG_TEXT : LOG_JSON);
    if (c != NULL) {
        log_set_level((enum log_level)c->log_level);
    }
}

struct config *
settings_load(const struct settings_request *request)
{
    const struct options *o = request->options;
    const char *path = o->config_file;
    struct config_sources sources = {
        .environment = request->environment,
        .sets = o->sets,
        .set_count = o->set_count,
        .dev = request->dev,
        .secret_only = request->secret_only,
        .store_only = request->store_only,
        .listener_only = request->listener_only,
        .read_file = settings_read_file,
        .try_mongo_uri = request->again ? NULL : store_mongo_uri_try,
    };
    struct config_report report = {0};
    struct config *config;
    struct buf yaml;

    buf_init(&yaml, CONFIG_FILE_BYTES_MAX);
    if (path == NULL) {
        path = config_env_get(request->environment, "CHATBOX_CONFIG");
    }
    if (path != NULL) {
        read_config_file(path, &sources, &yaml, &report);
    }
    config = config_load(&sources, &report);
    if (!request->again) {
        set_log(config, &report);
    }
    config_report_log(&report);
    config_report_fini(&report);
    xwipe(yaml.p, yaml.n);
    buf_fini(&yaml);
    return config;
}
