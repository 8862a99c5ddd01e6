/* SPDX-License-Identifier: MIT */
/* What a reload can change goes to the shards by letter; everything else
 * stays as it was at the start, and the log says so. */
#include "app/boot_reload.h"

#include "app/config_show.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

#define SENTENCE_BYTES 512

/* What the log is told of the differences. */
struct changes {
    const struct boot *boot;
    unsigned applied;
    unsigned waiting; /* for a restart */
};

static void
on_change(void *cookie, const char *path, const char *before, const char *after,
          enum config_change change)
{
    struct changes *c = cookie;
    bool tls = strncmp(path, "server.tls_", strlen("server.tls_")) == 0;
    bool restart = change == CONFIG_CHANGE_NEEDS_RESTART ||
                   (tls && c->boot->rooms.tls == NULL);
    char sentence[SENTENCE_BYTES];

    c->applied += !restart;
    c->waiting += restart;
    snprintf(sentence, sizeof(sentence), "%s: %.180s -> %.180s%s", path, before,
             after, restart ? " (needs a restart)" : "");
    log_info(EVENT_RELOAD, sentence, log_cstr("setting", path));
}

static bool
reload_tls(struct boot *b, const struct config *c)
{
    char why[SENTENCE_BYTES];

    if (b->rooms.tls == NULL || c->server_tls_cert.n == 0 ||
        tls_reload(b->rooms.tls, c->server_tls_cert.p, c->server_tls_key.p, why,
                   sizeof(why)) == ERR_OK) {
        return true;
    }
    log_error(EVENT_CONFIG_ERROR, why, log_str("setting", c->server_tls_cert));
    return false;
}

static void
apply(struct boot *b, const struct config *c)
{
    struct gate_policy *policy = boot_rooms_policy(c, b->shard_count);

    log_set_level((enum log_level)c->log_level);
    for (unsigned i = 0; i < b->shard_count; i++) {
        gate_set_policy(&b->shards[i], policy);
    }
}

void
boot_reload(struct boot *b)
{
    struct settings_request request = *b->request;
    struct changes changes = {.boot = b};
    struct config *c;

    request.again = true;
    c = settings_load(&request);
    if (c == NULL || !reload_tls(b, c)) {
        log_error(EVENT_RELOAD_FAILED,
                  "the new settings are not valid; nothing was changed");
        config_free(c);
        return;
    }
    config_show_diff(b->current, c, on_change, &changes);
    apply(b, c);
    if (b->current != b->config) {
        config_free(b->current);
    }
    b->current = c;
    log_info(EVENT_RELOAD, "the settings were read again",
             log_int("applied", changes.applied),
             log_int("need_restart", changes.waiting));
}
