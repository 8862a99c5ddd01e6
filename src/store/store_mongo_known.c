/* SPDX-License-Identifier: MIT */
/* What a writer remembers between its groups: see store_mongo_known.h. Sessions
 * are looked for one after the other, which takes a microsecond. Drafts are
 * counted for all sessions of one hash together, which can only be too many. */
#include "store/store_mongo_known.h"

#include "base/xalloc.h"

#include <stdint.h>
#include <string.h>

#define DRAFTS 1024

struct mongo_known {
    struct mongo_session sessions[MONGO_KNOWN]; /* without a sid: nothing */
    uint64_t kept[MONGO_KNOWN];                 /* the how manieth it was */
    uint64_t keeps;
    uint32_t drafts[DRAFTS];
};

struct mongo_known *
store_mongo_known_new(void)
{
    return xcalloc(1, sizeof(struct mongo_known));
}

void
store_mongo_known_free(struct mongo_known *k)
{
    for (size_t i = 0; k != NULL && i < MONGO_KNOWN; i++) {
        mongo_doc_session_fini(&k->sessions[i]);
    }
    xfree(k);
}

/* The place of the session, or MONGO_KNOWN. */
static size_t
find(const struct mongo_known *k, const char *sid)
{
    size_t i = 0;

    while (i < MONGO_KNOWN && strcmp(k->sessions[i].record.sid, sid) != 0) {
        i++;
    }
    return i;
}

/* One that is free, or that of the session that was kept first. */
static size_t
oldest(const struct mongo_known *k)
{
    size_t first = 0;

    for (size_t i = 1; i < MONGO_KNOWN; i++) {
        first = k->kept[i] < k->kept[first] ? i : first;
    }
    return first;
}

bool
store_mongo_known_take(struct mongo_known *k, const char *sid,
                       struct mongo_session *out)
{
    size_t at = sid[0] != '\0' ? find(k, sid) : MONGO_KNOWN;

    if (at == MONGO_KNOWN) {
        return false;
    }
    *out = k->sessions[at];
    k->sessions[at] = (struct mongo_session){.times_ms = NULL};
    k->kept[at] = 0;
    return true;
}

void
store_mongo_known_keep(struct mongo_known *k, const struct mongo_session *s)
{
    struct mongo_session *place;
    size_t at;

    store_mongo_known_forget(k, s->record.sid);
    if (s->old || s->laden) {
        return;
    }
    at = oldest(k);
    k->kept[at] = ++k->keeps;
    place = &k->sessions[at];
    mongo_doc_session_fini(place);
    *place = *s;
    session_record_copy(&place->record, &s->record);
    place->times_ms = NULL;
    if (s->time_count > 0) {
        place->times_ms = xcalloc(s->time_count, sizeof(*s->times_ms));
        memcpy(place->times_ms, s->times_ms,
               s->time_count * sizeof(*s->times_ms));
    }
}

void
store_mongo_known_forget(struct mongo_known *k, const char *sid)
{
    struct mongo_session s;

    if (store_mongo_known_take(k, sid, &s)) {
        mongo_doc_session_fini(&s);
    }
}

void
store_mongo_known_clear(struct mongo_known *k)
{
    for (size_t i = 0; i < MONGO_KNOWN; i++) {
        mongo_doc_session_fini(&k->sessions[i]);
        k->kept[i] = 0;
    }
}

/* FNV-1a, without the low bits: those chose the writer. */
static size_t
bucket_of(const char *sid)
{
    uint32_t hash = 2166136261u;

    for (; *sid != '\0'; sid++) {
        hash = (hash ^ (unsigned char)*sid) * 16777619u;
    }
    return (hash >> 8) % DRAFTS;
}

void
store_mongo_known_draft(struct mongo_known *k, const char *sid)
{
    k->drafts[bucket_of(sid)]++;
}

void
store_mongo_known_ended(struct mongo_known *k, const char *sid)
{
    uint32_t *drafts = &k->drafts[bucket_of(sid)];

    *drafts -= *drafts > 0;
}

bool
store_mongo_known_has_drafts(const struct mongo_known *k, const char *sid)
{
    return k->drafts[bucket_of(sid)] > 0;
}
