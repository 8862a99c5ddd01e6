/* SPDX-License-Identifier: MIT */
/* The names of places, the empty text, a store without keys, and what is said
 * of a text that does not open. The cipher is seal.c's. */
#include "store/vault.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/xalloc.h"

#include <stdio.h>

#define LOG_EVERY_MS 1000

#define SETTING "store.encryption_keys (ENCRYPTION_KEYS)"

#define CHECK_TEXT STR("chatbox")

struct vault {
    const struct seal_ring *keys;
    struct seal *seal;  /* NULL: no keys */
    uint64_t logged_ms; /* of the last line about a text that did not open */
    uint64_t unlogged;  /* others since that line */
};

struct vault *
vault_new(const struct seal_ring *keys)
{
    struct vault *v = xcalloc(1, sizeof(*v));

    if (keys != NULL && seal_ring_first(keys).n > 0) {
        v->keys = keys;
        v->seal = seal_new(keys);
    }
    return v;
}

void
vault_free(struct vault *v)
{
    if (v != NULL) {
        seal_free(v->seal);
        xfree(v);
    }
}

bool
vault_seals(const struct vault *v)
{
    return v->seal != NULL;
}

/* -- places -- */

struct seal_place
vault_at_message(const char *sid, int64_t seq)
{
    return (struct seal_place){.sid = str_from(sid), .seq = seq};
}

struct seal_place
vault_at_piece(const char *sid, const char *answer, int64_t offset)
{
    return (struct seal_place){
        .sid = str_from(sid), .seq = offset, .part = str_from(answer)};
}

struct seal_place
vault_at_name(const char *sid)
{
    return (struct seal_place){.sid = str_from(sid), .part = STR("name")};
}

static const struct seal_place *
at_check(void)
{
    static const struct seal_place at = {.part = {"check", 5}};

    return &at;
}

/* -- texts -- */

enum err
vault_put(struct vault *v, const struct seal_place *at, struct str text,
          struct buf *out)
{
    if (v->seal != NULL && text.n > 0) {
        return seal_put(v->seal, at, text, out);
    }
    buf_put_str(out, text);
    return buf_err(out);
}

/* A database under the wrong hands may have many; one line a second says
 * so. */
static void
report(struct vault *v, const struct seal_place *at, enum seal_form form)
{
    uint64_t now_ms = clock_mono_ms();

    metric_count(METRIC_STORE_UNREADABLE);
    if (v->logged_ms != 0 && now_ms - v->logged_ms < LOG_EVERY_MS) {
        v->unlogged++;
        return;
    }
    log_error(
        EVENT_STORE_UNREADABLE, "A stored text does not open.",
        log_str("session_id", at->sid), log_int("seq", at->seq),
        log_str("part", at->part),
        log_cstr("code", form == SEAL_UNKNOWN_KEY ? "unknown_key" : "damaged"),
        log_int("unlogged", (int64_t)v->unlogged));
    v->logged_ms = now_ms;
    v->unlogged = 0;
}

bool
vault_get(struct vault *v, const struct seal_place *at, struct str stored,
          struct buf *out)
{
    enum seal_form form = SEAL_PLAIN;

    if (v->seal != NULL && stored.n > 0) {
        form = seal_open(v->seal, at, stored, out);
    } else if (seal_is_sealed(stored)) {
        form = SEAL_UNKNOWN_KEY;
    } else {
        buf_put_str(out, stored);
    }
    if (form == SEAL_UNKNOWN_KEY || form == SEAL_BROKEN) {
        report(v, at, form);
        return false;
    }
    return !out->failed;
}

bool
vault_get_old(struct vault *v, const struct seal_place *at, struct str stored,
              struct buf *out)
{
    if (v->seal == NULL && seal_is_old(stored)) {
        report(v, at, SEAL_UNKNOWN_KEY);
        return false;
    }
    return vault_get(v, at, stored, out);
}

bool
vault_is_current(const struct vault *v, struct str stored)
{
    return v->seal == NULL || stored.n == 0 || seal_is_current(v->seal, stored);
}

/* -- check values -- */

struct str
vault_key(const struct vault *v)
{
    return v->seal != NULL ? seal_ring_first(v->keys) : (struct str){NULL, 0};
}

enum err
vault_check_put(struct vault *v, struct buf *out)
{
    return seal_put(v->seal, at_check(), CHECK_TEXT, out);
}

static enum seal_form
open_check(struct vault *v, struct str stored)
{
    struct buf text;
    enum seal_form form = SEAL_UNKNOWN_KEY;

    buf_init(&text, stored.n);
    if (v->seal != NULL) {
        form = seal_open(v->seal, at_check(), stored, &text);
    }
    if (form == SEAL_OPENED && !str_eq(buf_str(&text), CHECK_TEXT)) {
        form = SEAL_BROKEN;
    }
    buf_fini(&text);
    return form;
}

bool
vault_check_get(struct vault *v, struct str stored, char *why, size_t why_size)
{
    struct str id = seal_key_of(stored);
    enum seal_form form = open_check(v, stored);

    if (form == SEAL_OPENED) {
        return true;
    }
    if (form == SEAL_UNKNOWN_KEY) {
        snprintf(why, why_size,
                 "The database has texts that were sealed with the key "
                 "\"%.*s\", which is not among " SETTING ".",
                 STR_ARG(id));
    } else {
        snprintf(why, why_size,
                 "The key \"%.*s\" of " SETTING " is not the one of that name "
                 "that texts of the database were sealed with.",
                 STR_ARG(id));
    }
    return false;
}
