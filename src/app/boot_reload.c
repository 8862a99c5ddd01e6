/* SPDX-License-Identifier: MIT */
/* What a reload can change goes to the shards by letter; everything else
 * stays as it was at the start, and the log says so. */
#include "app/boot_reload.h"

#include "app/boot_chat.h"
#include "app/boot_shards.h"
#include "app/cli.h"
#include "app/config_show.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

#define SENTENCE_BYTES 512
#define NAMES_BYTES 4096

/* A shard that takes longer is told of all the same. */
#define ARRIVE_MS 5000

/* What the log is told of the differences. */
struct changes {
    unsigned applied;
    unsigned waiting; /* for a restart */
    bool tls;         /* there is a certificate that can be replaced */
    struct buf names; /* of those that wait */
};

/* --- telling ------------------------------------------------------------ */

static bool
applies(const struct changes *c, const char *path, enum config_change change)
{
    bool tls = strncmp(path, "server.tls_", strlen("server.tls_")) == 0;

    return change == CONFIG_CHANGE_APPLIES && (!tls || c->tls);
}

/* Against the settings that were in force until now. */
static void
tell_applied(void *cookie, const char *path, const char *before,
             const char *after, enum config_change change)
{
    struct changes *c = cookie;
    char sentence[SENTENCE_BYTES];

    if (applies(c, path, change)) {
        c->applied++;
        snprintf(sentence, sizeof(sentence), "%s: %.180s -> %.180s", path,
                 before, after);
        log_info(EVENT_RELOAD, sentence, log_cstr("setting", path));
    }
}

/* Against those of the start, which are the ones in force. */
static void
note_waiting(void *cookie, const char *path, const char *before,
             const char *after, enum config_change change)
{
    struct changes *c = cookie;

    (void)before;
    (void)after;
    if (!applies(c, path, change)) {
        buf_puts(&c->names, c->waiting++ > 0 ? ", " : "");
        buf_puts(&c->names, path);
    }
}

static void
tell_waiting(const struct changes *c)
{
    if (c->waiting > 0) {
        log_warn(EVENT_RELOAD,
                 "changed settings that need a restart: nothing was done",
                 log_str("settings", buf_str(&c->names)),
                 log_int("need_restart", c->waiting));
    }
}

static void
tell(struct boot *b, const struct config *c)
{
    struct changes changes = {.tls = b->rooms.tls != NULL &&
                                     c->server_tls_cert.n > 0};

    buf_init(&changes.names, NAMES_BYTES);
    config_show_diff(b->current, c, tell_applied, &changes);
    config_show_diff(b->config, c, note_waiting, &changes);
    tell_waiting(&changes);
    log_info(EVENT_RELOAD, "the settings were read again",
             log_int("applied", changes.applied),
             log_int("need_restart", changes.waiting));
    buf_fini(&changes.names);
}

/* --- doing -------------------------------------------------------------- */

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
step_reloaded(struct boot *b, struct shard *s)
{
    (void)s;
    boot_state_tell(b, &b->reloaded);
}

/* Returns when every shard works by the new settings: who reads in the log
 * that they were applied finds them so. */
static void
apply(struct boot *b, const struct config *c)
{
    struct gate_policy *policy =
        boot_rooms_policy(c, b->policy, b->shard_count + 1);
    struct chat_settings *chat = boot_chat_new(
        c, b->rooms.file_prefix, &b->rooms.population, b->shard_count);

    log_set_level((enum log_level)c->log_level);
    for (unsigned i = 0; i < b->shard_count; i++) {
        gate_set_policy(&b->shards[i], policy);
        chat_set_settings(&b->shards[i], chat);
    }
    gate_policy_unref(b->policy);
    b->policy = policy;
    boot_shards_post(b, step_reloaded);
    boot_state_join(b, &b->reloaded, ++b->reloads * b->shard_count,
                    clock_mono_ms() + ARRIVE_MS);
}

void
boot_reload(struct boot *b)
{
    struct settings_request request = *b->request;
    struct config *c;

    request.again = true;
    c = settings_load(&request);
    if (c == NULL || boot_rooms_check_providers(c) != CLI_OK ||
        !reload_tls(b, c)) {
        log_error(EVENT_RELOAD_FAILED,
                  "the new settings are not valid; nothing was changed");
        config_free(c);
        return;
    }
    apply(b, c);
    tell(b, c);
    if (b->current != b->config) {
        config_free(b->current);
    }
    b->current = c;
}
