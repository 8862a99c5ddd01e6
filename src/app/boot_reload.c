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
#include "base/xalloc.h"
#include "gate/audit.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>

#define SENTENCE_BYTES 512
#define NAMES_BYTES 4096
#define DETAIL_BYTES 128

/* Whoever may send signals to the process is its administrator, and has no
 * user_id. */
#define ACTOR "system"

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

/* --- the audit ---------------------------------------------------------- */

/* On its way to a shard: only shards ask the storage. */
struct note {
    struct letter letter;
    struct review *review;
};

static void
destroy_note(struct letter *l)
{
    struct note *n = CONTAINER_OF(l, struct note, letter);

    review_free(n->review);
    xfree(n);
}

static void
on_put_down(struct store_job *job)
{
    struct boot *b = job->cookie;

    if (job->result == ERR_OK) {
        audit_log(&job->review->event);
    } else {
        log_error(EVENT_STORE_ERROR,
                  "a reload could not be put down in the audit");
    }
    store_job_free(job);
    boot_state_tell(b, &b->put_down);
}

static void
deliver_note(struct shard *here, struct letter *l)
{
    struct note *n = CONTAINER_OF(l, struct note, letter);
    struct boot *b = boot_state_of(here);
    struct store_job *job =
        store_job_new(STORE_AUDIT_PUT, here, on_put_down, b);

    job->review = n->review;
    n->review = NULL;
    destroy_note(l);
    store_submit(b->store, job);
}

/* Returns when it is in the audit, or the storage takes too long. */
static void
put_down(struct boot *b, const struct changes *c)
{
    struct note *n = xcalloc(1, sizeof(*n));
    char detail[DETAIL_BYTES];

    snprintf(detail, sizeof(detail),
             "by SIGHUP: settings applied %u, need a restart %u", c->applied,
             c->waiting);
    n->letter.deliver = deliver_note;
    n->letter.destroy = destroy_note;
    n->review = audit_by(ACTOR, REVIEW_RELOAD, NULL, detail);
    shard_post(&b->shards[0], &n->letter);
    boot_state_join(b, &b->put_down, b->reloads, clock_mono_ms() + ARRIVE_MS);
}

/* What the settings do not tell: the file may be called as before. */
static void
tell_certificate(struct changes *c)
{
    c->applied++;
    log_info(EVENT_RELOAD, "server.tls_cert: the file has another certificate",
             log_cstr("setting", "server.tls_cert"));
}

static void
tell(struct boot *b, const struct config *c)
{
    struct changes changes = {.tls = b->rooms.tls != NULL &&
                                     c->server_tls_cert.n > 0};

    buf_init(&changes.names, NAMES_BYTES);
    config_show_diff(b->current, c, tell_applied, &changes);
    if (changes.tls && tls_renewed(b->rooms.tls)) {
        tell_certificate(&changes);
    }
    config_show_diff(b->config, c, note_waiting, &changes);
    tell_waiting(&changes);
    put_down(b, &changes);
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
    (void)boot_rooms_bad_tls(c, why);
    return false;
}

/* As talkative as before and as from now on, so that the differences are told
 * also where one of them silences the log. */
static void
talk(const struct config *before, const struct config *after)
{
    log_set_level((enum log_level)(before->log_level > after->log_level
                                       ? before->log_level
                                       : after->log_level));
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
    struct chat_settings *chat = boot_chat_new(c, &b->rooms, b->shard_count);

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
    if (c == NULL || !reload_tls(b, c)) {
        log_error(EVENT_RELOAD_FAILED,
                  "the new settings are not valid; nothing was changed");
        config_free(c);
        return;
    }
    talk(b->current, c);
    apply(b, c);
    tell(b, c);
    log_set_level((enum log_level)c->log_level);
    if (b->current != b->config) {
        config_free(b->current);
    }
    b->current = c;
}
