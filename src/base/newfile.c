/* SPDX-License-Identifier: MIT */
/* Whole files or none: see newfile.h. The partial is locked, because two that
 * write the same name would write into one another; and it is looked at before
 * it is used, because its folder may be everybody's. */
#include "base/newfile.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_MAX_BYTES 4096

static enum err
explain(const struct newfile *f, const char *what, char *why, size_t why_size)
{
    snprintf(why, why_size, "The file %s cannot be %s: %s.", f->path, what,
             strerror(errno));
    return ERR_IO;
}

static enum err
refuse(const struct newfile *f, const char *what, char *why, size_t why_size)
{
    snprintf(why, why_size, "The file %s %s.", f->partial, what);
    return ERR_CONFLICT;
}

/* A stranger's file, or one with a second name, would be readable there. */
static bool
is_ours(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
           st.st_uid == geteuid() && st.st_nlink <= 1;
}

/* Whoever had it locked may have given it its name meanwhile. */
static bool
is_still_there(const struct newfile *f)
{
    struct stat there, here;

    return fstat(f->fd, &here) == 0 && lstat(f->partial, &there) == 0 &&
           here.st_ino == there.st_ino && here.st_dev == there.st_dev;
}

static enum err
take_partial(struct newfile *f, char *why, size_t why_size)
{
    f->fd = open(f->partial, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (f->fd < 0) {
        return explain(f, "made", why, why_size);
    }
    if (!is_ours(f->fd)) {
        return refuse(f, "is somebody else's: remove it", why, why_size);
    }
    if (flock(f->fd, LOCK_EX | LOCK_NB) != 0 || !is_still_there(f)) {
        return refuse(f, "is being written by another process", why, why_size);
    }
    if (fchmod(f->fd, 0600) != 0 || ftruncate(f->fd, 0) != 0) {
        return explain(f, "made", why, why_size);
    }
    return ERR_OK;
}

static void
drop(struct newfile *f)
{
    if (f->fd >= 0) {
        close(f->fd);
    }
    xfree(f->path);
    xfree(f->partial);
    *f = (struct newfile){.fd = -1};
}

enum err
newfile_open(struct newfile *f, const char *path, char *why, size_t why_size)
{
    struct buf partial;
    enum err e;

    buf_init(&partial, PATH_MAX_BYTES);
    buf_puts(&partial, path);
    buf_puts(&partial, ".partial");
    *f = (struct newfile){.path = xstrdup(path), .fd = -1};
    if (partial.failed) {
        errno = ENAMETOOLONG;
        e = explain(f, "made", why, why_size);
        buf_fini(&partial);
    } else {
        f->partial = buf_give(&partial);
        e = take_partial(f, why, why_size);
    }
    if (e != ERR_OK) {
        drop(f);
    }
    return e;
}

/* The length of the path of the folder, without what follows it. */
static size_t
folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
}

enum err
newfile_sync_folder(const char *path)
{
    size_t n = folder_length(path);
    char *folder = n == 0 ? xstrdup(".") : str_dup((struct str){path, n});
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    int error = errno;

    if (fd >= 0) {
        close(fd);
    }
    xfree(folder);
    errno = error;
    return ok ? ERR_OK : ERR_IO;
}

/* Some file systems cannot refuse to replace; there a name that comes in this
 * moment is lost. */
static int
give_name(const struct newfile *f, bool replace)
{
    struct stat st;

    if (replace) {
        return rename(f->partial, f->path);
    }
    if (renameat2(AT_FDCWD, f->partial, AT_FDCWD, f->path, RENAME_NOREPLACE) ==
        0) {
        return 0;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return -1;
    }
    if (lstat(f->path, &st) == 0) {
        errno = EEXIST;
        return -1;
    }
    return rename(f->partial, f->path);
}

enum err
newfile_write(int fd, struct str bytes)
{
    while (bytes.n > 0) {
        ssize_t n = write(fd, bytes.p, bytes.n);

        if (n < 0 && errno != EINTR) {
            return ERR_IO;
        }
        bytes = str_from_at(bytes, n > 0 ? (size_t)n : 0);
    }
    return ERR_OK;
}

enum err
newfile_publish(struct newfile *f, bool replace, char *why, size_t why_size)
{
    CHECK(f->fd >= 0);
    if (fsync(f->fd) != 0) {
        return explain(f, "written", why, why_size);
    }
    if (give_name(f, replace) != 0) {
        if (errno == EEXIST) {
            snprintf(why, why_size, "The file %s is there already.", f->path);
            return ERR_CONFLICT;
        }
        return explain(f, "made", why, why_size);
    }
    xfree(f->partial);
    f->partial = NULL;
    if (newfile_sync_folder(f->path) != ERR_OK) {
        return explain(f, "made durable", why, why_size);
    }
    return ERR_OK;
}

void
newfile_end(struct newfile *f)
{
    if (f->partial != NULL) {
        (void)unlink(f->partial);
    }
    drop(f);
}
