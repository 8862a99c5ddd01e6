/* SPDX-License-Identifier: MIT */
/* The folder of uploads. Nothing of a client's is ever part of a path but an
 * id that was read as one (file_id.h): digits. */
#include "upload/folder.h"

#include "base/check.h"
#include "base/xalloc.h"
#include "upload/file_id.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 4096
#define PARTIAL STR(".partial")

static void
path_of(const char *folder, struct str id, char out[static PATH_BYTES])
{
    unsigned type;
    int n;

    CHECK(file_id_read(id, &type));
    n = snprintf(out, PATH_BYTES, "%s/%.*s", folder, STR_ARG(id));
    CHECK(n > 0 && n < PATH_BYTES); /* folder_init has tried a longer one */
}

/* --- the folder --------------------------------------------------------- */

static enum err
explain(const char *folder, char *why, size_t why_size)
{
    snprintf(why, why_size, "The folder %.500s for uploads cannot be used: %s.",
             folder, strerror(errno));
    return ERR_IO;
}

/* Calls each(cookie, folder's fd, name) for every file in it. */
static enum err
walk(const char *folder,
     enum err (*each)(void *cookie, int dir, struct str name), void *cookie)
{
    DIR *d = opendir(folder);
    struct dirent *entry;
    enum err e = ERR_OK;

    if (d == NULL) {
        return errno == ENOENT ? ERR_OK : ERR_IO;
    }
    while ((entry = readdir(d)) != NULL) {
        if (each(cookie, dirfd(d), str_from(entry->d_name)) != ERR_OK) {
            e = ERR_IO;
        }
    }
    closedir(d);
    return e;
}

static enum err
sweep(void *cookie, int dir, struct str name)
{
    (void)cookie;
    return !str_ends(name, PARTIAL) || unlinkat(dir, name.p, 0) == 0 ? ERR_OK
                                                                     : ERR_IO;
}

enum err
folder_init(const char *folder, char *why, size_t why_size)
{
    if (strlen(folder) + FILE_ID_CHARS + 32 > PATH_BYTES) {
        errno = ENAMETOOLONG;
        return explain(folder, why, why_size);
    }
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        return explain(folder, why, why_size);
    }
    if (access(folder, R_OK | W_OK | X_OK) != 0 ||
        walk(folder, sweep, NULL) != ERR_OK) {
        return explain(folder, why, why_size);
    }
    return newfile_sync_folder(folder) == ERR_OK
               ? ERR_OK
               : explain(folder, why, why_size);
}

/* --- files -------------------------------------------------------------- */

enum err
folder_create(const char *folder, struct str id, struct newfile *out, char *why,
              size_t why_size)
{
    char path[PATH_BYTES];

    path_of(folder, id, path);
    return newfile_open(out, path, why, why_size);
}

enum err
folder_open(const char *folder, struct str id, int *fd_out, uint64_t *size_out)
{
    char path[PATH_BYTES];
    struct stat st;
    int fd;

    path_of(folder, id, path);
    fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return ERR_IO;
    }
    *fd_out = fd;
    *size_out = (uint64_t)st.st_size;
    return ERR_OK;
}

enum err
folder_read(int fd, uint64_t at, char *out, size_t n)
{
    while (n > 0) {
        ssize_t got = pread(fd, out, n, (off_t)at);

        if (got == 0 || (got < 0 && errno != EINTR)) {
            return ERR_IO;
        }
        if (got > 0) {
            out += got;
            at += (uint64_t)got;
            n -= (size_t)got;
        }
    }
    return ERR_OK;
}

enum err
folder_remove(const char *folder, struct str id)
{
    char path[PATH_BYTES];

    path_of(folder, id, path);
    return unlink(path) == 0 || errno == ENOENT ? ERR_OK : ERR_IO;
}

/* --- of one user -------------------------------------------------------- */

struct search {
    struct str key;
    struct str user_id;
    bool erase;
    struct folder_sum *out;
};

/* So that the disk does not keep them either, where it writes in place. */
static bool
overwrite(int fd, uint64_t size)
{
    static const char zeros[65536];
    bool ok = true;

    while (ok && size > 0) {
        size_t n = size < sizeof(zeros) ? (size_t)size : sizeof(zeros);

        ok = newfile_write(fd, (struct str){zeros, n}) == ERR_OK;
        size -= n;
    }
    return ok && fsync(fd) == 0;
}

static enum err
erase(int dir, const char *name, uint64_t size)
{
    int fd = openat(dir, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    bool ok = fd >= 0 && overwrite(fd, size);

    if (fd >= 0) {
        close(fd);
    }
    return unlinkat(dir, name, 0) == 0 && ok ? ERR_OK : ERR_IO;
}

static enum err
look(void *cookie, int dir, struct str name)
{
    struct search *s = cookie;
    struct stat st;

    if (!file_id_is_of(s->key, name, s->user_id)) {
        return ERR_OK;
    }
    if (fstatat(dir, name.p, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT ? ERR_OK : ERR_IO;
    }
    s->out->files++;
    s->out->bytes += (uint64_t)st.st_size;
    return s->erase ? erase(dir, name.p, (uint64_t)st.st_size) : ERR_OK;
}

static enum err
sync_names(const char *folder)
{
    char path[PATH_BYTES];

    snprintf(path, sizeof(path), "%s/", folder);
    return newfile_sync_folder(path);
}

enum err
folder_of_user(const char *folder, struct str key, struct str user_id,
               bool erase_all, struct folder_sum *out)
{
    struct search s = {key, user_id, erase_all, out};
    enum err e;

    *out = (struct folder_sum){0, 0};
    e = walk(folder, look, &s);
    if (erase_all && out->files > 0 && sync_names(folder) != ERR_OK) {
        e = ERR_IO;
    }
    return e;
}
