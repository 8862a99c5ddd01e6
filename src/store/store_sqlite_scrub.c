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
#include "store/store_sqlite_busy.h"
#include "store/store_sqlite_schema.h"

#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define SLICE_MS 25

/* One wait for readers, while writers wait for us. */
#define BUSY_MS 20

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
    sqlite3 *db; /* NULL: not open */
    sqlite3_file *file;
    char *path;
    char *log_path;
    int busy_ms;
    struct sqlite_busy busy;
    unsigned char *page;
    size_t page_bytes;
    size_t usable;
    int64_t next; /* page */
    int64_t here; /* where the page lies */
    bool wrote;
    int rc; /* the slice's first failure, or SQLITE_OK */
};

static const unsigned char zeros[PAGE_BYTES_MAX];

static void
write_zeros(void *cookie, size_t at, size_t n)
{
    struct sqlite_scrub *s = cookie;

    s->wrote = true;
    if (s->rc == SQLITE_OK) {
        s->rc = s->file->pMethods->xWrite(s->file, zeros, (int)n,
                                          s->here + (int64_t)at);
    }
}

static int
read_header(struct sqlite_scrub *s)
{
    unsigned char header[HEADER_BYTES];
    int rc = s->file->pMethods->xRead(s->file, header, sizeof(header), 0);

    if (rc != SQLITE_OK) {
        return rc;
    }
    s->page_bytes = be16(header + 16) == 1 ? PAGE_BYTES_MAX : be16(header + 16);
    s->usable = s->page_bytes - header[20];
    return s->page_bytes >= 512 ? SQLITE_OK : SQLITE_NOTADB;
}

static int
count_pages(const struct sqlite_scrub *s, int64_t *pages)
{
    sqlite3_int64 bytes = 0;
    int rc = s->file->pMethods->xFileSize(s->file, &bytes);

    *pages = bytes / (int64_t)s->page_bytes;
    return rc;
}

static void
scrub_next(struct sqlite_scrub *s)
{
    s->here = s->next * (int64_t)s->page_bytes;
    s->rc =
        s->file->pMethods->xRead(s->file, s->page, (int)s->page_bytes, s->here);
    if (s->rc == SQLITE_OK) {
        store_sqlite_scrub_page(s->page, s->usable, write_zeros, s);
    }
}

/* Pages for as long as a slice lasts, but one at least. */
static void
scrub_pages(struct sqlite_scrub *s, int64_t pages, uint64_t slice_ms)
{
    uint64_t begin_ms = clock_mono_ms();

    while (s->rc == SQLITE_OK && s->next < pages) {
        scrub_next(s);
        s->next++;
        if (clock_mono_ms() - begin_ms >= slice_ms) {
            return;
        }
    }
}

/* -- slices -- */

static int
run(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static bool
log_is_empty(const struct sqlite_scrub *s)
{
    struct stat st;

    return stat(s->log_path, &st) != 0 || st.st_size == 0;
}

/* SQLITE_BUSY, too, when somebody was faster. */
static int
begin_alone(struct sqlite_scrub *s)
{
    int rc = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE,
                                       NULL, NULL);

    if (rc == SQLITE_OK) {
        rc = run(s->db, "BEGIN IMMEDIATE");
    }
    if (rc == SQLITE_OK && !log_is_empty(s)) {
        (void)run(s->db, "ROLLBACK");
        rc = SQLITE_BUSY;
    }
    return rc;
}

/* The zeros are on the disk before anybody is told to look there again. */
static int
end_slice(struct sqlite_scrub *s)
{
    if (s->rc == SQLITE_OK && s->wrote) {
        s->rc = s->file->pMethods->xSync(s->file, SQLITE_SYNC_NORMAL);
    }
    if (s->rc == SQLITE_OK && s->wrote) {
        s->rc = store_sqlite_schema_touch(s->db);
    }
    if (s->rc == SQLITE_OK) {
        s->rc = run(s->db, "COMMIT");
    }
    if (s->rc != SQLITE_OK) {
        (void)run(s->db, "ROLLBACK");
    }
    return s->rc;
}

static int
open_file(struct sqlite_scrub *s)
{
    int rc = sqlite3_open_v2(s->path, &s->db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

    if (rc == SQLITE_OK) {
        rc = store_sqlite_schema_configure(s->db, true);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_file_control(s->db, "main", SQLITE_FCNTL_FILE_POINTER,
                                  &s->file);
    }
    if (rc == SQLITE_OK) {
        store_sqlite_busy_wait(s->db, &s->busy, s->busy_ms);
    }
    return rc == SQLITE_OK ? read_header(s) : rc;
}

static void
close_file(struct sqlite_scrub *s)
{
    (void)sqlite3_close(s->db);
    s->db = NULL;
}

/* It was not possible, and all begins anew; after a failure with another file,
 * as somebody may have put it right. */
static enum store_sqlite_scrub_state
give_way(struct sqlite_scrub *s, int rc)
{
    bool busy = (rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_LOCKED;

    s->rc = rc;
    s->next = FIRST_PAGE;
    if (!busy) {
        close_file(s);
    }
    return busy ? STORE_SQLITE_SCRUB_LATER : STORE_SQLITE_SCRUB_FAILED;
}

enum store_sqlite_scrub_state
store_sqlite_scrub_slice(struct sqlite_scrub *s, uint64_t slice_ms)
{
    int64_t pages = 0;
    int rc = s->db == NULL ? open_file(s) : SQLITE_OK;

    if (rc == SQLITE_OK) {
        rc = count_pages(s, &pages);
    }
    if (rc == SQLITE_OK && pages >= PAGES_MAX) {
        return STORE_SQLITE_SCRUB_NEVER;
    }
    if (rc == SQLITE_OK) {
        rc = begin_alone(s);
    }
    if (rc != SQLITE_OK) {
        return give_way(s, rc);
    }
    s->wrote = false;
    s->rc = count_pages(s, &pages); /* the log file was copied back */
    scrub_pages(s, pages, slice_ms);
    rc = end_slice(s);
    if (rc != SQLITE_OK) {
        return give_way(s, rc);
    }
    return s->next < pages ? STORE_SQLITE_SCRUB_MORE : STORE_SQLITE_SCRUB_DONE;
}

int
store_sqlite_scrub_fault(const struct sqlite_scrub *s)
{
    return s->rc;
}

/* -- all -- */

struct sqlite_scrub *
store_sqlite_scrub_open(const char *path, int busy_ms)
{
    struct sqlite_scrub *s = xcalloc(1, sizeof(*s));
    size_t size = strlen(path) + sizeof("-wal");

    s->next = FIRST_PAGE;
    s->busy_ms = busy_ms;
    s->page = xmalloc(PAGE_BYTES_MAX);
    s->path = xstrdup(path);
    s->log_path = xmalloc(size);
    snprintf(s->log_path, size, "%s-wal", path);
    return s;
}

void
store_sqlite_scrub_close(struct sqlite_scrub *s)
{
    if (s != NULL) {
        close_file(s);
        xfree(s->path);
        xfree(s->log_path);
        xfree(s->page);
        xfree(s);
    }
}

static void
rest_ms(uint64_t ms)
{
    struct timespec t = {.tv_sec = (time_t)(ms / 1000),
                         .tv_nsec = (long)(ms % 1000) * 1000000};

    (void)nanosleep(&t, NULL);
}

/* What is not possible now may be soon. */
static bool
may_come(enum store_sqlite_scrub_state state, uint64_t since_ms,
         uint64_t patience_ms)
{
    return (state == STORE_SQLITE_SCRUB_LATER ||
            state == STORE_SQLITE_SCRUB_FAILED) &&
           clock_mono_ms() - since_ms < patience_ms;
}

bool
store_sqlite_scrub_run(const char *path, uint64_t patience_ms)
{
    struct sqlite_scrub *s = store_sqlite_scrub_open(path, BUSY_MS);
    enum store_sqlite_scrub_state state = STORE_SQLITE_SCRUB_MORE;
    uint64_t since_ms = clock_mono_ms(); /* nothing was possible */

    while (state == STORE_SQLITE_SCRUB_MORE ||
           may_come(state, since_ms, patience_ms)) {
        state = store_sqlite_scrub_slice(s, SLICE_MS);
        if (state == STORE_SQLITE_SCRUB_MORE) {
            rest_ms(SLICE_MS);
            since_ms = clock_mono_ms();
        } else if (may_come(state, since_ms, patience_ms)) {
            rest_ms(BUSY_MS);
        }
    }
    store_sqlite_scrub_close(s);
    return state == STORE_SQLITE_SCRUB_DONE;
}
