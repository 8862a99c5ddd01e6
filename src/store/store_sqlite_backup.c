/* SPDX-License-Identifier: MIT */
/* The database into a file and back. Both are a copy (store_sqlite_copy.h)
 * with conditions around it; what happens to the names of a restored database
 * is store_sqlite_folder.c's. */
#include "store/store_sqlite_backup.h"

#include "base/newfile.h"
#include "store/store_sqlite.h"
#include "store/store_sqlite_copy.h"
#include "store/store_sqlite_folder.h"
#include "store/store_sqlite_schema.h"
#include "store/store_sqlite_seals.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The first version of the schema that has check values of keys. */
#define SEALS_VERSION 6

/* -- backup -- */

static bool
is_same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

/* The folder of a path; of one that is too long, nothing. */
static bool
stat_folder(const char *path, struct stat *out)
{
    char folder[STORE_SQLITE_PATH_BYTES];
    const char *slash = strrchr(path, '/');
    size_t n = slash == NULL ? 0 : (size_t)(slash - path) + 1;

    if (n >= sizeof(folder)) {
        return false;
    }
    memcpy(folder, path, n);
    folder[n] = '\0';
    return stat(n > 0 ? folder : ".", out) == 0;
}

/* A name that is, or may be some day, one of the storage's own. */
static bool
is_own_name(const char *dir, const char *file)
{
    const char *slash = strrchr(file, '/');
    const char *name = slash == NULL ? file : slash + 1;
    struct stat here, there;

    return strncmp(name, STORE_SQLITE_FILE, strlen(STORE_SQLITE_FILE)) == 0 &&
           stat(dir, &here) == 0 && stat_folder(file, &there) &&
           is_same(&here, &there);
}

static enum err
refuse(char *why, size_t why_size, const char *file, const char *what)
{
    snprintf(why, why_size, "The file %s %s.", file, what);
    return ERR_CONFLICT;
}

/* Before any work; the names are looked at again when it is done. */
static enum err
admit_backup(const char *dir, const struct backup *b, char *why,
             size_t why_size)
{
    struct stat st;

    if (is_own_name(dir, b->file)) {
        return refuse(why, why_size, b->file,
                      "would be one of the storage's own");
    }
    if (lstat(b->file, &st) == 0 && !b->replace) {
        return refuse(why, why_size, b->file, "is there already");
    }
    if (store_sqlite_folder_has(dir, STORE_SQLITE_RESTORED)) {
        snprintf(why, why_size,
                 "A restore into the data folder %s was interrupted: run it "
                 "again, or start the server.",
                 dir);
        return ERR_CONFLICT;
    }
    return ERR_OK;
}

/* A restore that came in between has taken the file away from under the copy,
 * and perhaps its log file before the copy had seen that. */
static enum err
check_same(const char *path, const struct stat *before, char *why,
           size_t why_size)
{
    struct stat now;

    if (stat(path, &now) != 0 || !is_same(&now, before)) {
        snprintf(why, why_size,
                 "The database %s was replaced meanwhile; back it up again.",
                 path);
        return ERR_CONFLICT;
    }
    return ERR_OK;
}

static enum err
back_up(const char *path, struct backup *b, char *why, size_t why_size)
{
    struct sqlite_copy copy = {.from = path, .beside = true, .report = b};
    struct newfile to;
    struct stat before;
    enum err e;

    if (stat(path, &before) != 0) {
        snprintf(why, why_size, "There is no database %s: %s.", path,
                 strerror(errno));
        return ERR_NOT_FOUND;
    }
    e = newfile_open(&to, b->file, why, why_size);
    if (e != ERR_OK) {
        return e;
    }
    e = store_sqlite_copy_run(&copy, &to, why, why_size);
    if (e == ERR_OK) {
        e = check_same(path, &before, why, why_size);
    }
    if (e == ERR_OK) {
        e = newfile_publish(&to, b->replace, why, why_size);
    }
    newfile_end(&to);
    return e;
}

enum err
store_sqlite_backup_run(const struct store_settings *settings, struct backup *b,
                        char *why, size_t why_size)
{
    char path[STORE_SQLITE_PATH_BYTES];
    enum err e = store_sqlite_folder_path(settings->data_dir, STORE_SQLITE_FILE,
                                          path, why, why_size);

    if (e == ERR_OK) {
        e = admit_backup(settings->data_dir, b, why, why_size);
    }
    return e == ERR_OK ? back_up(path, b, why, why_size) : e;
}

/* -- restore -- */

/* The server would refuse to start on what our keys do not open: better now
 * than when the old database has gone. */
static bool
admit_seals(void *cookie, sqlite3 *copy, char *why, size_t why_size)
{
    const struct store_settings *settings = cookie;
    struct sqlite_link link = {.db = copy, .lock_fd = -1};
    bool good;

    if (store_sqlite_schema_version_of(copy) < SEALS_VERSION) {
        return true;
    }
    link.vault = vault_new(settings->keys);
    good = store_sqlite_seals_check(&link, why, why_size) == ERR_OK;
    sqlite3_finalize(link.statements[SQL_SEALS]);
    vault_free(link.vault);
    return good;
}

static enum err
admit_restore(const char *dir, const struct backup *b, char *why,
              size_t why_size)
{
    if (!b->replace && store_sqlite_folder_has(dir, STORE_SQLITE_FILE) &&
        !store_sqlite_folder_has(dir, STORE_SQLITE_RESTORED)) {
        snprintf(
            why, why_size,
            "There is a database in the data folder %s; with --force it is "
            "set aside as %s.",
            dir, STORE_SQLITE_BEFORE);
        return ERR_CONFLICT;
    }
    return ERR_OK;
}

/* Publishing the new database under its waiting name decides. */
static enum err
put_restored(const struct store_settings *settings, struct backup *b, char *why,
             size_t why_size)
{
    char path[STORE_SQLITE_PATH_BYTES];
    struct store_settings s = *settings;
    struct sqlite_copy copy = {
        .from = b->file, .admit = admit_seals, .cookie = &s, .report = b};
    struct newfile to;
    enum err e = store_sqlite_folder_path(
        settings->data_dir, STORE_SQLITE_RESTORED, path, why, why_size);

    if (e != ERR_OK) {
        return e;
    }
    e = newfile_open(&to, path, why, why_size);
    if (e != ERR_OK) {
        return e;
    }
    e = store_sqlite_copy_run(&copy, &to, why, why_size);
    if (e == ERR_OK) {
        e = newfile_publish(&to, true, why, why_size);
    }
    newfile_end(&to);
    return e;
}

static enum err
restore(const struct store_settings *settings, int dir_fd, struct backup *b,
        char *why, size_t why_size)
{
    const char *dir = settings->data_dir;
    enum err e = admit_restore(dir, b, why, why_size);

    if (e == ERR_OK) {
        e = put_restored(settings, b, why, why_size);
    }
    if (e == ERR_OK) {
        e = store_sqlite_folder_settle(dir, dir_fd, why, why_size);
        b->kept = store_sqlite_folder_has(dir, STORE_SQLITE_BEFORE);
    }
    return e;
}

enum err
store_sqlite_backup_restore(const struct store_settings *settings,
                            struct backup *b, char *why, size_t why_size)
{
    int dir_fd = -1;
    enum err e =
        store_sqlite_folder_lock(settings->data_dir, &dir_fd, why, why_size);

    if (e == ERR_CONFLICT) {
        snprintf(why, why_size,
                 "The data folder %s is in use: stop the server first.",
                 settings->data_dir);
    }
    if (e == ERR_OK) {
        e = restore(settings, dir_fd, b, why, why_size);
        close(dir_fd);
    }
    return e;
}
