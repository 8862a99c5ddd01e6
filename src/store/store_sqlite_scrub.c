/* SPDX-License-Identifier: MIT */
/* SQLite offers only VACUUM against what is left in unused parts of pages: it
 * writes all of the database anew, and everybody waits. So the zeros are
 * written here, past SQLite but under its locks.
 *
 * Why nobody is harmed: the bytes between a page's cell pointers and its cells,
 * and inside its free blocks, have no meaning for any reader, whatever they
 * are. Why nothing comes back: for each slice of pages the log file is emptied,
 * and the lock of writers is held from then to a commit of ours; so the pages
 * of the file are the pages of the database, and every other connection, which
 * sees the commit, drops the pages that it had in memory before it uses them
 * again. Page 1 has only the schema; our commit writes it. */
#include "store/store_sqlite_scrub.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "store/store_sqlite_schema.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* The first four bytes of a page that continues a long row are a page's number.
 * Below this they do not look like the beginning of a b-tree's page. */
#define PAGES_MAX ((int64_t)1 << 25)

#define PAGE_BYTES_MAX 65536

/* Behind that of the schema; they count from 0. */
#define FIRST_PAGE 1
#define HEADER_BYTES 100

/* -- one page -- */

static size_t
be16(const unsigned char *p)
{
    return (size_t)p[0] << 8 | p[1];
}

static bool
is_zero(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Bytes of the page's head, by its kind; 0: none of a b-tree. */
static size_t
head_bytes(unsigned char kind)
{
    switch (kind) {
    case 2:
    case 5:
        return 12; /* inside */
    case 10:
    case 13:
        return 8; /* leaf */
    default:
        return 0;
    }
}

void
store_sqlite_scrub_page(const unsigned char *page, size_t usable,
                        void (*zero)(void *cookie, size_t at, size_t n),
                        void *cookie)
{
    size_t head = head_bytes(page[0]);
    size_t gap = head + 2 * be16(page + 3);
    size_t cells = be16(page + 5) == 0 ? PAGE_BYTES_MAX : be16(page + 5);
    size_t at = be16(page + 1), before = cells;

    if (head == 0 || gap > cells || cells > usable) {
        return;
    }
    if (!is_zero(page + gap, cells - gap)) {
        zero(cookie, gap, cells - gap);
    }
    /* Free blocks rise; each begins with the next one's place and its size. */
    while (at >= before && at + 4 <= usable) {
        size_t n = be16(page + at + 2);

        if (n < 4 || at + n > usable) {
            return;
        }
        if (!is_zero(page + at + 4, n - 4)) {
            zero(cookie, at + 4, n - 4);
        }
        before = at + n;
        at = be16(page + at);
    }
}

/* -- the file -- */

struct sqlite_scrub {
    sqlite3 *db;
    sqlite3_file *file;
    char *log_path;
    unsigned char *page;
    size_t page_bytes;
    size_t usable;
    int64_t next; /* page */
    int64_t here; /* where the page lies */
    bool wrote;
    bool failed;
};

static const unsigned char zeros[PAGE_BYTES_MAX];

static void
write_zeros(void *cookie, size_t at, size_t n)
{
    struct sqlite_scrub *s = cookie;

    s->wrote = true;
    if (s->file->pMethods->xWrite(s->file, zeros, (int)n,
                                  s->here + (int64_t)at) != SQLITE_OK) {
        s->failed = true;
    }
}

static bool
read_header(struct sqlite_scrub *s)
{
    unsigned char header[HEADER_BYTES];

    if (s->file->pMethods->xRead(s->file, header, sizeof(header), 0) !=
        SQLITE_OK) {
        return false;
    }
    s->page_bytes = be16(header + 16) == 1 ? PAGE_BYTES_MAX : be16(header + 16);
    s->usable = s->page_bytes - header[20];
    return s->page_bytes >= 512;
}

static int64_t
count_pages(const struct sqlite_scrub *s)
{
    sqlite3_int64 bytes = 0;

    return s->file->pMethods->xFileSize(s->file, &bytes) == SQLITE_OK
               ? bytes / (int64_t)s->page_bytes
               : 0;
}

static void
scrub_next(struct sqlite_scrub *s)
{
    s->here = s->next * (int64_t)s->page_bytes;
    if (s->file->pMethods->xRead(s->file, s->page, (int)s->page_bytes,
                                 s->here) != SQLITE_OK) {
        s->failed = true;
    } else {
        store_sqlite_scrub_page(s->page, s->usable, write_zeros, s);
    }
}

/* Pages for as long as a slice lasts, but one at least. */
static void
scrub_pages(struct sqlite_scrub *s, int64_t pages, uint64_t slice_ms)
{
    uint64_t begin_ms = clock_mono_ms();

    while (!s->failed && s->next < pages) {
        scrub_next(s);
        s->next++;
        if (clock_mono_ms() - begin_ms >= slice_ms) {
            return;
        }
    }
}

/* -- slices -- */

static bool
run(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static bool
log_is_empty(const struct sqlite_scrub *s)
{
    struct stat st;

    return stat(s->log_path, &st) != 0 || st.st_size == 0;
}

static bool
begin_alone(struct sqlite_scrub *s)
{
    if (sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL,
                                  NULL) != SQLITE_OK ||
        !run(s->db, "BEGIN IMMEDIATE")) {
        return false;
    }
    if (!log_is_empty(s)) {
        (void)run(s->db, "ROLLBACK");
        return false;
    }
    return true;
}

/* The zeros are on the disk before anybody is told to look there again. */
static bool
end_slice(struct sqlite_scrub *s)
{
    if (s->wrote) {
        s->failed = s->failed || s->file->pMethods->xSync(
                                     s->file, SQLITE_SYNC_NORMAL) != SQLITE_OK;
        s->failed = s->failed || store_sqlite_schema_touch(s->db) != SQLITE_OK;
    }
    if (s->failed || !run(s->db, "COMMIT")) {
        (void)run(s->db, "ROLLBACK");
        return false;
    }
    return true;
}

enum store_sqlite_scrub_state
store_sqlite_scrub_slice(struct sqlite_scrub *s, uint64_t slice_ms)
{
    int64_t pages = count_pages(s);

    if (pages >= PAGES_MAX) {
        return STORE_SQLITE_SCRUB_NEVER;
    }
    if (pages == 0 || !begin_alone(s)) {
        return STORE_SQLITE_SCRUB_LATER;
    }
    s->wrote = s->failed = false;
    pages = count_pages(s); /* the log file was copied back */
    scrub_pages(s, pages, slice_ms);
    if (!end_slice(s)) {
        s->next = FIRST_PAGE;
        return STORE_SQLITE_SCRUB_LATER;
    }
    return s->next < pages ? STORE_SQLITE_SCRUB_MORE : STORE_SQLITE_SCRUB_DONE;
}

/* -- all -- */

static bool
open_file(struct sqlite_scrub *s, const char *path)
{
    return sqlite3_open_v2(path, &s->db,
                           SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                           NULL) == SQLITE_OK &&
           store_sqlite_schema_configure(s->db, true) == SQLITE_OK &&
           sqlite3_file_control(s->db, "main", SQLITE_FCNTL_FILE_POINTER,
                                &s->file) == SQLITE_OK &&
           read_header(s);
}

struct sqlite_scrub *
store_sqlite_scrub_open(const char *path, int busy_ms)
{
    struct sqlite_scrub *s = xcalloc(1, sizeof(*s));
    size_t size = strlen(path) + sizeof("-wal");

    s->next = FIRST_PAGE;
    s->page = xmalloc(PAGE_BYTES_MAX);
    s->log_path = xmalloc(size);
    snprintf(s->log_path, size, "%s-wal", path);
    if (!open_file(s, path) ||
        sqlite3_busy_timeout(s->db, busy_ms) != SQLITE_OK) {
        store_sqlite_scrub_close(s);
        return NULL;
    }
    return s;
}

void
store_sqlite_scrub_close(struct sqlite_scrub *s)
{
    if (s != NULL) {
        (void)sqlite3_close(s->db);
        xfree(s->log_path);
        xfree(s->page);
        xfree(s);
    }
}
