/* SPDX-License-Identifier: MIT */
/* The administrators' commands around the storage's tools: what they are
 * allowed to do, and what a person reads of it. */
#include "app/cli_store.h"

#include "app/boot_rooms.h"
#include "app/cli.h"
#include "app/cli_export.h"
#include "app/process.h"
#include "base/metrics.h"
#include "base/newfile.h"
#include "base/xalloc.h"
#include "codec/utf8.h"
#include "net/fetch.h"
#include "store/backup.h"
#include "store/store.h"
#include "store/tool.h"
#include "upload/shelf.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WHY_BYTES 1024
#define LINE_BYTES 1024

/* What a command works with. */
struct work {
    struct boot_rooms rooms;
    const struct options *options;
    struct buf *out;
    struct store_link *link; /* NULL unless opened */
    char *secret;            /* the storage's, for whose a file is; or NULL */
    char why[WHY_BYTES];
};

/* What a database says, or the file of one, may be anything: on somebody's
 * terminal it is one line of text. */
static int
say(const char *sentence)
{
    bool text = utf8_valid(str_from(sentence));
    char line[LINE_BYTES];

    snprintf(line, sizeof(line), "%s", sentence);
    for (char *p = line; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;

        if (c < ' ' || c == 0x7f || (c > 0x7f && !text)) {
            *p = '?';
        }
    }
    fprintf(stderr, "chatbox: %s\n", line);
    return CLI_FAILED;
}

static int
judge(struct work *w, enum err e)
{
    return e == ERR_OK ? CLI_OK : say(w->why);
}

static int
run(const struct config *c, const struct options *o, struct buf *out,
    int (*command)(struct work *w))
{
    struct work w = {.options = o, .out = out};
    int status;

    process_prepare();
    process_hide();
    boot_rooms_init_store(&w.rooms, c);
    status = command(&w);
    if (w.secret != NULL) {
        xwipe(w.secret, strlen(w.secret));
    }
    xfree(w.secret);
    store_tool_close(w.link);
    boot_rooms_fini(&w.rooms);
    metrics_fini();
    return status;
}

/* -- backup and restore -- */

static void
put_backup(struct buf *out, const struct backup *b)
{
    buf_printf(out,
               "sessions: %" PRIu64 "\n"
               "messages: %" PRIu64 "\n"
               "schema version: %" PRId64 "\n"
               "bytes: %" PRIu64 "\n",
               b->sessions, b->messages, b->version, b->bytes);
}

static int
backup(struct work *w)
{
    struct backup b = {.file = w->options->word, .replace = w->options->force};
    enum err e = store_backup(&w->rooms.store, &b, w->why, sizeof(w->why));

    if (e == ERR_OK) {
        put_backup(w->out, &b);
    }
    return judge(w, e);
}

static int
restore(struct work *w)
{
    struct backup b = {.file = w->options->word, .replace = w->options->force};
    enum err e = store_restore(&w->rooms.store, &b, w->why, sizeof(w->why));

    if (e == ERR_OK) {
        put_backup(w->out, &b);
        if (b.kept) {
            buf_printf(w->out, "before: %s/chatbox.db.before-restore\n",
                       w->rooms.store.data_dir);
        }
    }
    return judge(w, e);
}

/* -- users -- */

static enum err
open_link(struct work *w)
{
    return store_tool_open(&w->rooms.store, &w->link, w->why, sizeof(w->why));
}

static enum err
count(struct work *w, struct erase *e)
{
    enum err result;

    e->user_id = w->options->word;
    result = store_tool_count(w->link, e);
    if (result != ERR_OK) {
        store_tool_explain(w->link, w->why, sizeof(w->why));
    }
    return result;
}

static enum err
nobody(struct work *w)
{
    snprintf(w->why, sizeof(w->why),
             "There is nothing of a user \"%.255s\" in the storage.",
             w->options->word);
    return ERR_NOT_FOUND;
}

/* Somebody of whom the audit alone knows, too. */
static enum err
find_user(struct work *w)
{
    struct store_job *job;
    struct erase e = {0};
    enum err result = count(w, &e);

    if (result != ERR_OK || e.sessions + e.entries > 0) {
        return result;
    }
    job = store_job_new(STORE_AUDIT_LIST, NULL, NULL, NULL);
    job->user_id = xstrdup(w->options->word);
    job->limit = 1;
    job->review = review_new();
    result = store_tool_read(w->link, job);
    if (result == ERR_OK && job->review->event_count == 0) {
        result = nobody(w);
    } else if (result != ERR_OK) {
        store_tool_explain(w->link, w->why, sizeof(w->why));
    }
    store_job_free(job);
    return result;
}

static enum err
export_to_file(struct work *w, const char *path)
{
    const struct options *o = w->options;
    struct newfile file;
    enum err e;

    if (!o->force && access(path, F_OK) == 0) {
        snprintf(w->why, sizeof(w->why), "The file %.500s is there already.",
                 path);
        return ERR_CONFLICT;
    }
    e = newfile_open(&file, path, w->why, sizeof(w->why));
    if (e != ERR_OK) {
        return e;
    }
    e = cli_export_write(w->link, o->word, file.fd, w->why, sizeof(w->why));
    if (e == ERR_OK) {
        e = newfile_publish(&file, o->force, w->why, sizeof(w->why));
    }
    newfile_end(&file);
    return e;
}

static int
export_user(struct work *w)
{
    const struct options *o = w->options;
    enum err e = open_link(w);

    if (e == ERR_OK) {
        e = find_user(w);
    }
    if (e == ERR_OK) {
        e = o->second != NULL
                ? export_to_file(w, o->second)
                : cli_export_write(w->link, o->word, STDOUT_FILENO, w->why,
                                   sizeof(w->why));
    }
    return judge(w, e);
}

/* -- erasing -- */

static enum err
open_shelf(struct work *w)
{
    if (w->rooms.s3 != NULL && fetch_pool_prepare() != ERR_OK) {
        snprintf(w->why, sizeof(w->why), "The HTTP client cannot be started.");
        return ERR_IO;
    }
    return ERR_OK;
}

/* The user's files; with `erase` they go. */
static enum err
uploads(struct work *w, bool erase_all, struct shelf_search *out)
{
    char words[SHELF_WHY_BYTES];
    enum err e = ERR_OK;

    *out = (struct shelf_search){.user_id = str_from(w->options->word),
                                 .erase = erase_all};
    if (w->secret == NULL) {
        e = store_tool_secret(w->link, &w->secret);
    }
    if (e != ERR_OK) {
        store_tool_explain(w->link, w->why, sizeof(w->why));
        return e;
    }
    if (w->secret == NULL) {
        return ERR_OK;
    }
    out->key = str_from(w->secret);
    e = shelf_of_user(&w->rooms.shelf, out, words);
    if (e != ERR_OK) {
        snprintf(w->why, sizeof(w->why), "Files of the user cannot be %s: %s.",
                 erase_all ? "removed" : "read", words);
    }
    return e;
}

static void
put_counts(struct buf *out, const struct erase *e,
           const struct shelf_search *files)
{
    buf_printf(out,
               "sessions: %" PRIu64 "\n"
               "messages: %" PRIu64 "\n"
               "audit events: %" PRIu64 "\n"
               "usage entries: %" PRIu64 "\n"
               "files: %" PRIu64 "\n",
               e->sessions, e->messages, e->events, e->entries, files->files);
}

/* The person types the name once more. */
static bool
confirms(const struct work *w, const struct erase *e,
         const struct shelf_search *files)
{
    char line[LINE_BYTES];

    fprintf(stderr,
            "This erases all of \"%s\" for good: sessions: %" PRIu64
            ", messages: %" PRIu64 ", files: %" PRIu64
            ".\nType the user's id to go on: ",
            e->user_id, e->sessions, e->messages, files->files);
    if (fgets(line, sizeof(line), stdin) == NULL) {
        line[0] = '\0';
    }
    line[strcspn(line, "\n")] = '\0';
    return strcmp(line, w->options->word) == 0;
}

static int
erase_now(struct work *w, struct erase *e)
{
    struct shelf_search files;

    if (store_tool_erase(w->link, e) != ERR_OK) {
        store_tool_explain(w->link, w->why, sizeof(w->why));
        (void)say(w->why);
        return say("What was erased so far is gone; run it again.");
    }
    if (uploads(w, true, &files) != ERR_OK) {
        (void)say(w->why);
        return say("What was erased so far is gone; run it again.");
    }
    put_counts(w->out, e, &files);
    if (e->remains) {
        return say("It is deleted, but somebody reads the database all the "
                   "time (a backup?), and its log file may still have it: run "
                   "it again when that has ended.");
    }
    return CLI_OK;
}

/* Of a user who is gone already the log file may still have something. */
static int
erase_nobody(struct work *w, struct erase *e)
{
    if (!w->options->dry_run && store_tool_erase(w->link, e) == ERR_OK &&
        e->remains) {
        (void)say("The log file of the database is still being read.");
    }
    return judge(w, nobody(w));
}

static int
erase(struct work *w)
{
    struct shelf_search files;
    struct erase e = {0};
    enum err result = open_shelf(w);

    if (result == ERR_OK) {
        result = open_link(w);
    }
    if (result == ERR_OK) {
        result = count(w, &e);
    }
    if (result == ERR_OK) {
        result = uploads(w, false, &files);
    }
    if (result != ERR_OK) {
        return judge(w, result);
    }
    if (!erase_found(&e) && files.files == 0) {
        return erase_nobody(w, &e);
    }
    if (w->options->dry_run) {
        put_counts(w->out, &e, &files);
        return CLI_OK;
    }
    if (e.before) {
        return say("The database from before a restore is kept beside this "
                   "one (chatbox.db.before-restore) and may have the user, "
                   "too: remove it first.");
    }
    if (!w->options->yes && !confirms(w, &e, &files)) {
        return say("Nothing was erased.");
    }
    return erase_now(w, &e);
}

/* -- commands -- */

int
cli_store_backup(const struct config *c, const struct options *o,
                 struct buf *out)
{
    return run(c, o, out, backup);
}

int
cli_store_restore(const struct config *c, const struct options *o,
                  struct buf *out)
{
    return run(c, o, out, restore);
}

int
cli_store_export(const struct config *c, const struct options *o,
                 struct buf *out)
{
    return run(c, o, out, export_user);
}

int
cli_store_erase(const struct config *c, const struct options *o,
                struct buf *out)
{
    return run(c, o, out, erase);
}
