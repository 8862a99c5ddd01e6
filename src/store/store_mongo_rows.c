/* SPDX-License-Identifier: MIT */
/* Documents that are looked for, and the records they are: see
 * store_mongo_rows.h. */
#include "store/store_mongo_rows.h"

#include "base/check.h"
#include "base/xalloc.h"
#include "store/store_mongo_call.h"
#include "store/store_mongo_old.h"
#include "store/store_mongo_pieces.h"
#include "store/store_mongo_texts.h"
#include "store/tally.h"

#include <string.h>

/* -- collecting -- */

struct mongo_found
store_mongo_rows_none(struct mongo_link *link)
{
    return (struct mongo_found){
        .link = link, .most = SIZE_MAX, .most_bytes = SIZE_MAX};
}

void
store_mongo_rows_free(struct mongo_found *f)
{
    for (size_t i = 0; i < f->count; i++) {
        if (f->sessions != NULL) {
            mongo_doc_session_fini(&f->sessions[i]);
        } else {
            message_record_fini(&f->messages[i]);
        }
    }
    xfree(f->sessions);
    xfree(f->messages);
    *f = store_mongo_rows_none(f->link);
}

void
store_mongo_rows_again(void *cookie)
{
    struct mongo_found *f = cookie, empty = store_mongo_rows_none(f->link);

    empty.most = f->most;
    empty.most_bytes = f->most_bytes;
    empty.newest = f->newest;
    empty.gone_too = f->gone_too;
    store_mongo_rows_free(f);
    *f = empty;
}

static bool
is_full(struct mongo_found *f)
{
    f->more = f->count >= f->most || f->bytes > f->most_bytes;
    return f->more;
}

static bool
is_gone(const struct mongo_found *f, const bson_t *doc)
{
    bson_iter_t it;

    return !f->gone_too &&
           mongo_bson_find(&f->link->db->lib, doc, STORE_MONGO_GONE, &it);
}

bool
store_mongo_rows_short(struct mongo_found *f, size_t *limit)
{
    if (f->more || f->seen < *limit || f->count == *limit) {
        return false;
    }
    *limit *= 2;
    store_mongo_rows_again(f);
    return true;
}

bool
store_mongo_rows_session(void *cookie, const bson_t *doc)
{
    struct mongo_found *f = cookie;

    f->seen++;
    if (is_full(f)) {
        return false;
    }
    if (is_gone(f, doc)) {
        return true;
    }
    f->sessions = xrealloc(f->sessions, (f->count + 1) * sizeof(*f->sessions));
    if (store_mongo_texts_get_session(f->link, doc, &f->sessions[f->count])) {
        if (f->sessions[f->count].old || f->sessions[f->count].laden) {
            store_mongo_old_met(f->link);
        }
        f->count++;
    }
    return true;
}

bool
store_mongo_rows_take(struct mongo_found *f, struct message_record *m)
{
    if (is_full(f)) {
        message_record_fini(m);
        return false;
    }
    f->messages = xrealloc(f->messages, (f->count + 1) * sizeof(*f->messages));
    f->bytes += m->content_n;
    f->messages[f->count++] = *m;
    return true;
}

bool
store_mongo_rows_message(void *cookie, const bson_t *doc)
{
    struct mongo_found *f = cookie;
    struct message_record *m;
    int64_t seq;

    f->seen++;
    if (is_full(f)) {
        return false;
    }
    seq = mongo_bson_find_int(&f->link->db->lib, doc, "seq", 0);
    f->last_seq = seq > f->last_seq ? seq : f->last_seq;
    f->messages = xrealloc(f->messages, (f->count + 1) * sizeof(*f->messages));
    m = &f->messages[f->count];
    if (store_mongo_texts_get_message(f->link, doc, m)) {
        f->bytes += m->content_n;
        f->count++;
    }
    return true;
}

/* -- sessions -- */

static enum err
query_sessions(struct mongo_found *f, const struct mongo_bson *filter,
               const struct mongo_bson *options)
{
    return store_mongo_call_query(
        f->link, &(struct mongo_query){.from = MONGO_SESSIONS,
                                       .filter = filter,
                                       .options = options,
                                       .row = store_mongo_rows_session,
                                       .again = store_mongo_rows_again,
                                       .cookie = f});
}

enum err
store_mongo_rows_sessions(struct mongo_found *f,
                          const struct mongo_bson *filter,
                          struct mongo_bson *options)
{
    bool light = store_mongo_old_lighten(f->link, options);
    enum err e = query_sessions(f, filter, options);

    return e == ERR_OK ? store_mongo_old_complete(f, light) : e;
}

void
store_mongo_rows_put_any(struct mongo_bson *filter, const char *field,
                         const char *const *words, size_t count)
{
    char index[MONGO_BSON_INDEX_SIZE];
    struct mongo_bson in, list;

    mongo_bson_open(filter, field, &in);
    mongo_bson_open_array(&in, "$in", &list);
    for (size_t i = 0; i < count; i++) {
        mongo_bson_text(&list, mongo_bson_index(index, (uint32_t)i), words[i]);
    }
    mongo_bson_close_array(&in, &list);
    mongo_bson_close(filter, &in);
}

enum err
store_mongo_rows_many(struct mongo_found *f, const char *const *sids,
                      size_t count)
{
    struct mongo_bson filter, options;
    enum err e;

    mongo_bson_init(&filter, &f->link->db->lib);
    mongo_bson_init(&options, &f->link->db->lib);
    store_mongo_rows_put_any(&filter, "_id", sids, count);
    e = store_mongo_rows_sessions(f, &filter, &options);
    mongo_bson_fini(&filter);
    mongo_bson_fini(&options);
    return e;
}

static enum err
find(struct mongo_link *link, const char *sid, bool whole,
     struct mongo_found *f)
{
    struct mongo_bson filter, options;
    enum err e;

    f->most = 1;
    mongo_bson_init(&filter, &link->db->lib);
    mongo_bson_init(&options, &link->db->lib);
    mongo_bson_text(&filter, "_id", sid);
    if (whole) {
        e = store_mongo_rows_sessions(f, &filter, &options);
    } else {
        (void)store_mongo_old_lighten(link, &options);
        e = query_sessions(f, &filter, &options);
    }
    mongo_bson_fini(&filter);
    mongo_bson_fini(&options);
    return e;
}

/* The one that was found, if it is there and the owner's. */
static enum err
give_found(struct mongo_found *f, const char *owner, enum err e,
           struct mongo_session *out)
{
    bool mine =
        f->count == 1 && (owner == NULL || owner[0] == '\0' ||
                          strcmp(owner, f->sessions[0].record.user_id) == 0);

    if (e == ERR_OK && mine) {
        *out = f->sessions[0];
        f->count = 0;
    }
    store_mongo_rows_free(f);
    return e == ERR_OK && !mine ? ERR_NOT_FOUND : e;
}

enum err
store_mongo_rows_peek(struct mongo_link *link, const char *sid,
                      const char *owner, struct mongo_session *out)
{
    struct mongo_found f = store_mongo_rows_none(link);

    return give_found(&f, owner, find(link, sid, false, &f), out);
}

enum err
store_mongo_rows_find(struct mongo_link *link, const char *sid,
                      const char *owner, struct mongo_session *out)
{
    struct mongo_found f = store_mongo_rows_none(link);

    return give_found(&f, owner, find(link, sid, true, &f), out);
}

enum err
store_mongo_rows_find_gone(struct mongo_link *link, const char *sid,
                           const char *owner, struct mongo_session *out)
{
    struct mongo_found f = store_mongo_rows_none(link);

    f.gone_too = true;
    return give_found(&f, owner, find(link, sid, true, &f), out);
}

void
store_mongo_rows_give(struct store_job *job, struct mongo_session *s)
{
    session_record_fini(&job->session);
    job->session = s->record;
    s->record = (struct session_record){.seq = 0};
    mongo_doc_session_fini(s);
}

/* -- ranges -- */

static void
put_range(struct mongo_bson *filter, const char *sid, int64_t after,
          int64_t before)
{
    struct mongo_bson range;

    mongo_bson_text(filter, "sid", sid);
    mongo_bson_open(filter, "seq", &range);
    mongo_bson_int(&range, "$gt", after);
    if (before > 0) {
        mongo_bson_int(&range, "$lt", before);
    }
    mongo_bson_close(filter, &range);
}

static void
put_order(struct mongo_bson *options, int way, size_t limit)
{
    struct mongo_bson sort;

    mongo_bson_open(options, "sort", &sort);
    mongo_bson_int(&sort, "seq", way);
    mongo_bson_close(options, &sort);
    if (limit < INT32_MAX) {
        mongo_bson_int(options, "limit", (int64_t)limit);
    }
}

static enum err
query_range(struct mongo_found *f, const struct mongo_bson *filter, int way,
            size_t limit)
{
    struct mongo_bson options;
    enum err e;

    mongo_bson_init(&options, &f->link->db->lib);
    put_order(&options, way, limit);
    e = store_mongo_call_query(
        f->link, &(struct mongo_query){.from = MONGO_MESSAGES,
                                       .filter = filter,
                                       .options = &options,
                                       .row = store_mongo_rows_message,
                                       .again = store_mongo_rows_again,
                                       .cookie = f});
    mongo_bson_fini(&options);
    return e;
}

static enum err
query_between(struct mongo_found *f, const char *sid, int64_t after,
              int64_t before, size_t limit)
{
    struct mongo_bson filter;
    enum err e;

    mongo_bson_init(&filter, &f->link->db->lib);
    put_range(&filter, sid, after, before);
    e = query_range(f, &filter, before > 0 ? -1 : 1, limit);
    mongo_bson_fini(&filter);
    return e;
}

/* Below the newest `limit` of those below before; 0: it is not known where
 * they begin. */
static int64_t
floor_of(const struct mongo_found *f, int64_t before, size_t limit)
{
    int64_t top = before - 1;

    if (f->newest == 0 && before == INT64_MAX) {
        return 0;
    }
    if (f->newest > 0 && f->newest < top) {
        top = f->newest;
    }
    return limit < (uint64_t)top ? top - (int64_t)limit : 0;
}

/* Fewer came than there is room for, and there may be some below. */
static bool
widen(struct mongo_found *f, int64_t *floor, size_t limit)
{
    if (*floor == 0 || f->more || f->seen >= limit) {
        return false;
    }
    *floor = 0;
    store_mongo_rows_again(f);
    return true;
}

/* One more than the most is asked for, to know whether there is more. */
enum err
store_mongo_rows_range(struct mongo_found *f, const char *sid, int64_t after,
                       int64_t before)
{
    size_t limit = f->most < INT32_MAX ? f->most + 1 : SIZE_MAX;
    int64_t floor = before > 0 ? floor_of(f, before, limit) : 0;
    enum err e;

    do {
        e = query_between(f, sid, before > 0 ? floor : after, before, limit);
    } while (e == ERR_OK &&
             (store_mongo_rows_short(f, &limit) || widen(f, &floor, limit)));
    return e;
}

/* -- counting -- */

/* The last times, at most `most` of them, with one more. */
static void
add_time(struct mongo_session *s, int64_t ms, size_t most)
{
    size_t kept = s->time_count < most ? s->time_count : most - 1;
    int64_t *times = xcalloc(kept + 1, sizeof(*times));
    int64_t sum = ms;

    for (size_t i = 0; i < kept; i++) {
        times[i] = s->times_ms[s->time_count - kept + i];
        sum += times[i];
    }
    times[kept] = ms;
    xfree(s->times_ms);
    s->times_ms = times;
    s->time_count = kept + 1;
    s->record.response_count = (int64_t)s->time_count;
    s->record.avg_response_ms = (double)sum / (double)s->time_count;
    if (ms > s->record.max_response_ms) {
        s->record.max_response_ms = ms;
    }
}

void
store_mongo_rows_count(const struct mongo_link *link, struct mongo_session *s,
                       const struct message_record *m)
{
    tally_message(&s->record, m);
    tally_name(&s->record, NULL, m);
    if (m->sender == SENDER_AI && m->duration_ms >= 0) {
        add_time(s, m->duration_ms, link->times_max);
    }
}

enum err
store_mongo_rows_catch_up(struct mongo_link *link, struct mongo_session *s)
{
    struct mongo_found f = store_mongo_rows_none(link);
    enum err e = ERR_OK;

    if (!s->old) {
        e = store_mongo_rows_range(&f, s->record.sid, s->record.seq, 0);
    }
    for (size_t i = 0; e == ERR_OK && i < f.count; i++) {
        store_mongo_rows_count(link, s, &f.messages[i]);
    }
    if (e == ERR_OK && f.last_seq > s->record.seq) {
        s->record.seq = f.last_seq; /* taken by what is no record of ours */
    }
    store_mongo_rows_free(&f);
    return e;
}

/* -- single messages -- */

enum err
store_mongo_rows_lookup(struct mongo_link *link, const char *field,
                        const char *key, const char *sid,
                        struct message_record *out)
{
    struct mongo_found f = store_mongo_rows_none(link);
    struct mongo_bson filter;
    enum err e;

    f.most = 1;
    mongo_bson_init(&filter, &link->db->lib);
    mongo_bson_text(&filter, "sid", sid);
    mongo_bson_text(&filter, field, key);
    e = store_mongo_call_query(
        link, &(struct mongo_query){.from = MONGO_MESSAGES,
                                    .filter = &filter,
                                    .row = store_mongo_rows_message,
                                    .again = store_mongo_rows_again,
                                    .cookie = &f});
    mongo_bson_fini(&filter);
    if (e == ERR_OK && f.count == 0) {
        e = ERR_NOT_FOUND;
    }
    if (e == ERR_OK) {
        e = store_mongo_pieces_join(link, &f.messages[0]);
    }
    if (e == ERR_OK) {
        *out = f.messages[0];
        f.count = 0;
    }
    store_mongo_rows_free(&f);
    return e;
}

/* The numbered ones come in order; the running one (the database sorts what
 * has no number first) goes behind them. */
static void
running_last(struct message_record *m, size_t count)
{
    size_t running = 0;

    while (running < count && m[running].seq == 0) {
        running++;
    }
    for (; running > 0; running--) {
        struct message_record first = m[0];

        memmove(m, m + 1, (count - 1) * sizeof(*m));
        m[count - 1] = first;
    }
}

enum err
store_mongo_rows_answers(struct mongo_link *link, struct store_job *job)
{
    struct mongo_found f = store_mongo_rows_none(link);
    struct mongo_bson filter, options;
    enum err e;

    CHECK(job->messages == NULL);
    mongo_bson_init(&filter, &link->db->lib);
    mongo_bson_init(&options, &link->db->lib);
    mongo_bson_text(&filter, "sid", job->message.sid);
    mongo_bson_text(&filter, "replyTo", job->message.id);
    put_order(&options, 1, SIZE_MAX);
    e = store_mongo_call_query(
        link, &(struct mongo_query){.from = MONGO_MESSAGES,
                                    .filter = &filter,
                                    .options = &options,
                                    .row = store_mongo_rows_message,
                                    .again = store_mongo_rows_again,
                                    .cookie = &f});
    mongo_bson_fini(&filter);
    mongo_bson_fini(&options);
    running_last(f.messages, f.count);
    for (size_t i = 0; e == ERR_OK && i < f.count; i++) {
        e = store_mongo_pieces_join(link, &f.messages[i]);
    }
    if (e != ERR_OK) {
        store_mongo_rows_free(&f);
        return e;
    }
    job->messages = f.messages;
    job->count = f.count;
    return ERR_OK;
}
