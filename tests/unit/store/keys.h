/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_TESTS_STORE_KEYS_H
#define CHATBOX_TESTS_STORE_KEYS_H

/* Stores with keys: fixture.h's, and rings of keys that are named by their
 * letters. */
#include "fixture.h"
#include "store/seal.h"
#include "store/vault.h"

/* "ab": key a seals, a and b open. A key's bytes are its letter, or its
 * upper-case letter for another key of the same name. */
static inline struct seal_ring *
ring_of(const char *letters)
{
    struct seal_ring *ring = seal_ring_new();

    for (const char *p = letters; *p != '\0'; p++) {
        char id[2] = {(char)(*p | 0x20), '\0'};
        unsigned char key[SEAL_KEY_BYTES];

        memset(key, *p, sizeof(key));
        assert_int_equal(seal_ring_add(ring, str_from(id), key), ERR_OK);
    }
    return ring;
}

/* Opens the fixture's store with these keys; "": none. The ring is freed by
 * close_with. */
static inline void
open_with(struct fixture *f, const char *letters)
{
    f->settings.keys = ring_of(letters);
    fixture_open(f);
}

static inline void
free_keys(struct fixture *f)
{
    union {
        const struct seal_ring *kept;
        struct seal_ring *own;
    } ring = {f->settings.keys};

    seal_ring_free(ring.own);
    f->settings.keys = NULL;
}

static inline void
close_with(struct fixture *f)
{
    fixture_close(f);
    free_keys(f);
}

static inline void
reopen_with(struct fixture *f, const char *letters)
{
    close_with(f);
    open_with(f, letters);
}

/* The store does not open with these keys, for a reason with this in it. */
static inline void
expect_refused(struct fixture *f, const char *letters, const char *part)
{
    struct store_link *link = NULL;

    f->settings.keys = ring_of(letters);
    assert_int_equal(
        store_sqlite.open(&f->settings, &link, f->why, sizeof(f->why)),
        ERR_CONFLICT);
    if (strstr(f->why, part) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", f->why, part);
    }
    free_keys(f);
}

static inline int
keys_setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));

    fixture_init(f);
    log_set_level(LOG_ERROR);
    open_with(f, "a");
    *state = f;
    return 0;
}

static inline int
keys_teardown(void **state)
{
    struct fixture *f = *state;

    close_with(f);
    fixture_fini(f);
    xfree(f);
    return 0;
}

/* Whether the bytes stand in one of the data folder's files. */
static inline bool
on_disk(const struct fixture *f, const char *word)
{
    static const char *const names[] = {"chatbox.db", "chatbox.db-wal",
                                        "chatbox.db-shm"};
    bool found = false;

    for (size_t i = 0; i < 3; i++) {
        char path[160], *bytes = xmalloc((size_t)64 << 20);
        FILE *file;

        fixture_path(f, names[i], path);
        file = fopen(path, "rb");
        if (file != NULL) {
            size_t n = fread(bytes, 1, (size_t)64 << 20, file);

            found = found || memmem(bytes, n, word, strlen(word)) != NULL;
            fclose(file);
        }
        xfree(bytes);
    }
    return found;
}

/* Asks for the message and says what is seen: its text, or "unreadable". */
static inline const char *
seen(struct fixture *f, unsigned session, unsigned id, char out[static 200])
{
    struct store_job *job = find(f, session, id);

    assert_int_equal(job->result, ERR_OK);
    assert_true(!job->message.unreadable || job->message.content_n == 0);
    snprintf(out, 200, "%s",
             job->message.unreadable ? "unreadable" : job->message.content);
    store_job_free(job);
    return out;
}

#define KEYS_TEST(fn)                                                          \
    cmocka_unit_test_setup_teardown(fn, keys_setup, keys_teardown)

#endif
