/* SPDX-License-Identifier: MIT */
/* Names in the data folder, its lock, and the one thing that has to be done to
 * the names before anybody may open the database: see settle below. */
#include "store/store_sqlite_folder.h"

#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err
explain(char *why, size_t why_size, const char *what, const char *cause)
{
    snprintf(why, why_size, "%s: %s.", what, cause);
    return ERR_DATABASE_ERROR;
}

enum err
store_sqlite_folder_path(const char *dir, const char *name,
                         char path[static STORE_SQLITE_PATH_BYTES], char *why,
                         size_t why_size)
{
    int n = snprintf(path, STORE_SQLITE_PATH_BYTES, "%s/%s", dir, name);

    if (n < 0 || n >= STORE_SQLITE_PATH_BYTES) {
        return explain(why, why_size, "The data folder cannot be used",
                       "its path is too long");
    }
    return ERR_OK;
}

/* A second process would take running answers for those of a crash. */
enum err
store_sqlite_folder_lock(const char *dir, int *fd_out, char *why,
                         size_t why_size)
{
    char what[STORE_SQLITE_PATH_BYTES];
    int fd;

    snprintf(what, sizeof(what), "The data folder %s cannot be used", dir);
    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        return explain(why, why_size, what, strerror(errno));
    }
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return explain(why, why_size, what, strerror(errno));
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        (void)explain(why, why_size, what, "another process uses it");
        return ERR_CONFLICT;
    }
    *fd_out = fd;
    return ERR_OK;
}

/* SQLite would make it readable for all; its other files take its mode. */
enum err
store_sqlite_folder_make(const char *path, char *why, size_t why_size)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0) {
        char what[STORE_SQLITE_PATH_BYTES + 64];

        snprintf(what, sizeof(what), "The database %s cannot be opened", path);
        return explain(why, why_size, what, strerror(errno));
    }
    close(fd);
    return ERR_OK;
}

bool
store_sqlite_folder_has(const char *dir, const char *name)
{
    char path[STORE_SQLITE_PATH_BYTES], why[64];
    struct stat st;

    return store_sqlite_folder_path(dir, name, path, why, sizeof(why)) ==
               ERR_OK &&
           lstat(path, &st) == 0;
}

/* -- a restore that was decided -- */

struct settling {
    const char *dir;
    int dir_fd;
};

/* Each name is where it should be before the next one moves, also after the
 * power has failed. What is not there need not move. */
static bool
rename_in(const struct settling *s, const char *from, const char *to)
{
    return renameat(s->dir_fd, from, s->dir_fd, to) == 0 ? fsync(s->dir_fd) == 0
                                                         : errno == ENOENT;
}

/* On a disk that cannot be written not even what is not there can be removed,
 * so it is looked for first. */
static bool
remove_in(const struct settling *s, const char *name)
{
    return !store_sqlite_folder_has(s->dir, name) ||
           unlinkat(s->dir_fd, name, 0) == 0 || errno == ENOENT;
}

/* The database goes with its log file, which may hold what the database does
 * not; neither may ever stand beside another's. As long as the new one has not
 * got the name, what stands there is the old one's. */
static bool
set_aside(const struct settling *s)
{
    if (store_sqlite_folder_has(s->dir, STORE_SQLITE_FILE) &&
        !(remove_in(s, STORE_SQLITE_BEFORE "-wal") &&
          remove_in(s, STORE_SQLITE_BEFORE "-journal") &&
          rename_in(s, STORE_SQLITE_FILE, STORE_SQLITE_BEFORE))) {
        return false;
    }
    return rename_in(s, STORE_SQLITE_FILE "-wal", STORE_SQLITE_BEFORE "-wal") &&
           rename_in(s, STORE_SQLITE_FILE "-journal",
                     STORE_SQLITE_BEFORE "-journal") &&
           remove_in(s, STORE_SQLITE_FILE "-shm");
}

static bool
settle(const struct settling *s)
{
    static const char *const halves[] = {
        STORE_SQLITE_RESTORED ".partial", STORE_SQLITE_RESTORED ".partial-wal",
        STORE_SQLITE_RESTORED ".partial-shm",
        STORE_SQLITE_RESTORED ".partial-journal"};

    for (size_t i = 0; i < COUNT_OF(halves); i++) {
        if (!remove_in(s, halves[i])) {
            return false;
        }
    }
    return !store_sqlite_folder_has(s->dir, STORE_SQLITE_RESTORED) ||
           (set_aside(s) &&
            rename_in(s, STORE_SQLITE_RESTORED, STORE_SQLITE_FILE));
}

enum err
store_sqlite_folder_settle(const char *dir, int dir_fd, char *why,
                           size_t why_size)
{
    const struct settling s = {dir, dir_fd};

    if (!settle(&s)) {
        const char *cause = strerror(errno);
        char what[STORE_SQLITE_PATH_BYTES + 64];

        snprintf(what, sizeof(what),
                 "What a restore left in %s cannot be put in its place", dir);
        return explain(why, why_size, what, cause);
    }
    return ERR_OK;
}
