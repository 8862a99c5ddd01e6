/* SPDX-License-Identifier: MIT */
/* Reading jobs. Each is a few reads of the primary, bounded by index ranges;
 * they are not of one moment, and need not be: messages are only added, and
 * before they are deleted their session is marked. */
#include "store/store_mongo_read.h"

#include "base/check.h"
#include "base/xalloc.h"
#include "store/match.h"
#include "store/store_mongo_call.h"
#include "store/store_mongo_old.h"
#include "store/store_mongo_rows.h"
#include "store/store_mongo_texts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What a message costs a search however short its text is. */
#define ROW_BYTES 100

/* -- one session -- */

/* What was stored and not counted is shown all the same; the next write puts
 * it into the session's document. */
enum err
store_mongo_read_session(struct store_link *base, struct store_job *job)
{
    struct mongo_link *link = store_mongo_of(base);
    struct mongo_session s;
    enum err e =
        store_mongo_rows_find(link, job->session.sid, job->user_id, &s);

    if (e != ERR_OK) {
        return e;
    }
    e = store_mongo_rows_catch_up(link, &s);
    store_mongo_rows_give(job, &s);
    return e;
}

/* The one that was found, if e says that the query went well. */
static enum err
give_one(struct mongo_found *f, struct store_job *job, enum err e)
{
    if (e == ERR_OK && f->count == 0) {
        e = ERR_NOT_FOUND;
    }
    if (e == ERR_OK) {
        e = store_mongo_rows_catch_up(f->link, &f->sessions[0]);
    }
    if (e == ERR_OK) {
        store_mongo_rows_give(job, &f->sessions[0]);
    }
    store_mongo_rows_free(f);
    return e;
}

enum err
store_mongo_read_shared(struct store_link *base, struct store_job *job)
{
    struct mongo_found f = store_mongo_rows_none(store_mongo_of(base));
    struct mongo_bson filter, options;
    enum err e;

    if (job->share_token == NULL) {
        return ERR_NOT_FOUND;
    }
    f.most = 1;
    mongo_bson_init(&filter, &f.link->db->lib);
    mongo_bson_init(&options, &f.link->db->lib);
    mongo_bson_text(&filter, "shareToken", job->share_token);
    e = store_mongo_rows_sessions(&f, &filter, &options);
    mongo_bson_fini(&filter);
    mongo_bson_fini(&options);
    return give_one(&f, job, e);
}

/* By latest activity, the newest first; and so many documents at most. */
static void
put_newest_first(struct mongo_bson *options, size_t limit)
{
    struct mongo_bson sort;

    mongo_bson_open(options, "sort", &sort);
    mongo_bson_int(&sort, "lastActivity", -1);
    mongo_bson_int(&sort, "_id", -1);
    mongo_bson_close(options, &sort);
    if (limit < INT32_MAX) {
        mongo_bson_int(options, "limit", (int64_t)limit);
    }
}

/* The newest sessions that the filter finds: f->most, if there are so many. */
static enum err
find_newest(struct mongo_found *f, const struct mongo_bson *filter,
            size_t limit)
{
    struct mongo_bson options;
    enum err e;

    do {
        mongo_bson_init(&options, &f->link->db->lib);
        put_newest_first(&options, limit);
        e = store_mongo_rows_sessions(f, filter, &options);
        mongo_bson_fini(&options);
    } while (e == ERR_OK && store_mongo_rows_short(f, &limit));
    return e;
}

/* An active session has no end, and null finds what is absent. */
enum err
store_mongo_read_latest(struct store_link *base, struct store_job *job)
{
    struct mongo_found f = store_mongo_rows_none(store_mongo_of(base));
    struct mongo_bson filter, inner;
    enum err e;

    f.most = 1;
    mongo_bson_init(&filter, &f.link->db->lib);
    mongo_bson_text(&filter, "uid", job->user_id);
    mongo_bson_open(&filter, "lastActivity", &inner);
    mongo_bson_moment(&inner, "$gte", job->since_ms);
    mongo_bson_close(&filter, &inner);
    mongo_bson_null(&filter, "endTs");
    mongo_bson_open(&filter, "archived", &inner);
    mongo_bson_bool(&inner, "$ne", true);
    mongo_bson_close(&filter, &inner);
    e = find_newest(&f, &filter, 1);
    mongo_bson_fini(&filter);
    return give_one(&f, job, e);
}

/* -- the list of sessions -- */

/* Behind a session in the list; as text 16 digits and the sid. */
struct place {
    int64_t last_ms;
    char sid[RAND_ID_CHARS + 1]; /* empty: before everything */
};

#define TIME_CHARS 16

static bool
is_hex(const char *p)
{
    return strspn(p, "0123456789abcdef") == strlen(p);
}

static bool
read_cursor(const char *cursor, struct place *out)
{
    *out = (struct place){.last_ms = 0};
    if (cursor == NULL) {
        return true;
    }
    if (strlen(cursor) != TIME_CHARS + RAND_ID_CHARS || !is_hex(cursor)) {
        return false;
    }
    for (int i = 0; i < TIME_CHARS; i++) {
        char c = cursor[i];

        if (i == 0 && c > '7') {
            return false;
        }
        out->last_ms = out->last_ms << 4 | (c <= '9' ? c - '0' : c - 'a' + 10);
    }
    memcpy(out->sid, cursor + TIME_CHARS, RAND_ID_CHARS + 1);
    return true;
}

static char *
make_cursor(const struct place *at)
{
    char text[TIME_CHARS + RAND_ID_CHARS + 1];

    snprintf(text, sizeof(text), "%016" PRIx64 "%s", (uint64_t)at->last_ms,
             at->sid);
    return xstrdup(text);
}

static void
put_behind(struct mongo_bson *filter, const struct place *from)
{
    struct mongo_bson any, one, inner;

    if (from->sid[0] == '\0') {
        return;
    }
    mongo_bson_open_array(filter, "$or", &any);
    mongo_bson_open(&any, "0", &one);
    mongo_bson_open(&one, "lastActivity", &inner);
    mongo_bson_moment(&inner, "$lt", from->last_ms);
    mongo_bson_close(&one, &inner);
    mongo_bson_close(&any, &one);
    mongo_bson_open(&any, "1", &one);
    mongo_bson_moment(&one, "lastActivity", from->last_ms);
    mongo_bson_open(&one, "_id", &inner);
    mongo_bson_text(&inner, "$lt", from->sid);
    mongo_bson_close(&one, &inner);
    mongo_bson_close(&any, &one);
    mongo_bson_close_array(filter, &any);
}

/* The next sessions of the list behind the place, at most f->most. */
static enum err
fetch_sessions(struct mongo_found *f, const char *user,
               const struct place *from)
{
    struct mongo_bson filter;
    enum err e;

    mongo_bson_init(&filter, &f->link->db->lib);
    mongo_bson_text(&filter, "uid", user);
    put_behind(&filter, from);
    e = find_newest(f, &filter, f->most + 1);
    mongo_bson_fini(&filter);
    return e;
}

/* A search: texts are read, the newest session first, until the page is full
 * or enough has been looked at. */
struct search {
    struct mongo_link *link;
    bool on; /* else every session is wanted */
    struct match match;
    size_t left;     /* bytes that may still be looked at */
    const char *sid; /* whose messages are looked at */
    bool found;
};

static bool
look_at(struct search *s, struct str text)
{
    size_t cost = text.n + ROW_BYTES;

    s->left -= cost < s->left ? cost : s->left;
    s->found = match_in(&s->match, text);
    return s->found;
}

static bool
on_text(void *cookie, const bson_t *doc)
{
    struct search *s = cookie;
    struct buf text;
    bool found;

    store_mongo_texts_get_content(s->link, doc, s->sid, &text);
    found = look_at(s, buf_str(&text));
    buf_fini(&text);
    return !found;
}

static bool
on_old_text(void *cookie, struct str text)
{
    return !look_at(cookie, text);
}

static enum err
try_messages(struct search *s, const struct session_record *r)
{
    struct mongo_bson filter, options, inner;
    enum err e;

    s->sid = r->sid;
    mongo_bson_init(&filter, &s->link->db->lib);
    mongo_bson_init(&options, &s->link->db->lib);
    mongo_bson_text(&filter, "sid", r->sid);
    mongo_bson_open(&filter, "seq", &inner);
    mongo_bson_int(&inner, "$gt", 0);
    mongo_bson_close(&filter, &inner);
    mongo_bson_open(&options, "projection", &inner);
    mongo_bson_int(&inner, "seq", 1);
    mongo_bson_int(&inner, "content", 1);
    mongo_bson_close(&options, &inner);
    e = store_mongo_call_query(s->link,
                               &(struct mongo_query){.from = MONGO_MESSAGES,
                                                     .filter = &filter,
                                                     .options = &options,
                                                     .row = on_text,
                                                     .cookie = s});
    mongo_bson_fini(&filter);
    mongo_bson_fini(&options);
    return e;
}

/* Whether the session, or one of its messages with a number, has the text. */
static enum err
try_session(struct search *s, const struct mongo_session *one)
{
    const struct session_record *r = &one->record;
    bool old = one->old;
    enum err e = ERR_OK;

    s->found = !s->on;
    if (!s->on || look_at(s, str_from(r->name))) {
        return ERR_OK;
    }
    if (old) {
        e = store_mongo_old_texts(
            s->link, r->sid, &(struct mongo_old_reader){on_old_text, s}, &old);
    }
    return e == ERR_OK && !old ? try_messages(s, r) : e;
}

static void
collect(struct store_job *job, struct mongo_session *s)
{
    job->sessions =
        xrealloc(job->sessions, (job->count + 1) * sizeof(*job->sessions));
    job->sessions[job->count++] = s->record;
    s->record = (struct session_record){.seq = 0};
}

/* Of the fetched ones those that are wanted; *at moves behind each that was
 * looked at. False: the page ends here. */
static bool
pick(struct mongo_found *f, struct search *s, struct store_job *job,
     struct place *at, enum err *e)
{
    for (size_t i = 0; i < f->count; i++) {
        struct session_record *r = &f->sessions[i].record;
        struct place here = {.last_ms = r->last_ms};

        if (s->on && s->left == 0) {
            return false;
        }
        memcpy(here.sid, r->sid, sizeof(here.sid));
        *e = try_session(s, &f->sessions[i]);
        if (*e != ERR_OK || (s->found && job->count == job->limit)) {
            return false;
        }
        *at = here;
        if (s->found) {
            collect(job, &f->sessions[i]);
        }
    }
    return true;
}

static enum err
list_sessions(struct search *s, struct store_job *job, struct place *at)
{
    bool more = true, goes_on = true;
    enum err e = ERR_OK;

    while (e == ERR_OK && more && goes_on) {
        struct mongo_found f = store_mongo_rows_none(s->link);

        f.most = job->limit + 1;
        e = fetch_sessions(&f, job->user_id, at);
        if (e == ERR_OK) {
            goes_on = pick(&f, s, job, at, &e);
        }
        more = f.more;
        store_mongo_rows_free(&f);
    }
    job->next_cursor = e == ERR_OK && !goes_on ? make_cursor(at) : NULL;
    return e;
}

enum err
store_mongo_read_list(struct store_link *base, struct store_job *job)
{
    struct search s = {.link = store_mongo_of(base),
                       .on = job->query != NULL && job->query[0] != '\0',
                       .left = STORE_SEARCH_BYTES};
    struct place at;
    enum err e;

    CHECK(job->limit > 0 && job->limit < INT32_MAX);
    if (!read_cursor(job->cursor, &at) ||
        (s.on && strlen(job->query) > STORE_QUERY_BYTES)) {
        return ERR_BAD_REQUEST;
    }
    match_init(&s.match, str_from(job->query));
    e = list_sessions(&s, job, &at);
    match_fini(&s.match);
    return e;
}

/* -- messages -- */

/* No token is asked for, or it is the session's. */
static bool
token_fits(const struct store_job *job, const struct session_record *s)
{
    return job->share_token == NULL ||
           (s->share_token != NULL &&
            strcmp(job->share_token, s->share_token) == 0);
}

/* What is seen of a session that is looked at. */
struct look {
    bool old;    /* of the older form */
    int64_t seq; /* its last number; 0 when it was not looked at */
};

/* Without an owner the session is not looked at: no messages, no harm. Unless
 * it may be of the older form. */
static enum err
check_session(struct mongo_link *link, const struct store_job *job,
              struct look *out)
{
    bool anybody = (job->user_id == NULL || job->user_id[0] == '\0') &&
                   job->share_token == NULL;
    struct mongo_session s;
    bool may;
    enum err e;

    *out = (struct look){.old = false};
    if (anybody && !store_mongo_old_any(link)) {
        return ERR_OK;
    }
    e = store_mongo_rows_peek(link, job->session.sid, job->user_id, &s);
    if (e != ERR_OK) {
        return anybody && e == ERR_NOT_FOUND ? ERR_OK : e;
    }
    may = token_fits(job, &s.record);
    *out = (struct look){s.old, s.record.seq};
    mongo_doc_session_fini(&s);
    return may ? ERR_OK : ERR_NOT_FOUND;
}

static void
reverse(struct message_record *m, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        struct message_record kept = m[i];

        m[i] = m[count - 1 - i];
        m[count - 1 - i] = kept;
    }
}

static enum err
read_range(struct mongo_found *f, const struct store_job *job,
           const struct look *look)
{
    int64_t known = job->session.seq;

    f->most = job->limit;
    f->most_bytes = job->limit_bytes > 0 ? job->limit_bytes : STORE_PAGE_BYTES;
    f->newest = look->seq > known ? look->seq : known;
    return (look->old ? store_mongo_old_range : store_mongo_rows_range)(
        f, job->session.sid, job->after_seq, job->before_seq);
}

/* Who wants the newest has to know where they are. Of a session of the older
 * form that is being moved, only some of the messages may be there. */
static bool
looks_first(struct mongo_link *link, const struct store_job *job)
{
    return store_mongo_old_any(link) ||
           (job->before_seq == INT64_MAX && job->session.seq == 0);
}

/* The session is looked at last: if it is still there then, nothing was
 * deleted while its messages were read. */
static enum err
read_page(struct mongo_found *f, const struct store_job *job)
{
    struct look first = {.old = false}, last;
    enum err e = ERR_OK;

    if (looks_first(f->link, job)) {
        e = check_session(f->link, job, &first);
    }
    if (e == ERR_OK) {
        e = read_range(f, job, &first);
    }
    if (e == ERR_OK) {
        e = check_session(f->link, job, &last);
    }
    if (e == ERR_OK && last.old && !first.old) { /* the first that was met */
        store_mongo_rows_free(f);
        e = read_range(f, job, &last);
    }
    return e;
}

enum err
store_mongo_read_messages(struct store_link *base, struct store_job *job)
{
    struct mongo_found f = store_mongo_rows_none(store_mongo_of(base));
    enum err e;

    CHECK(job->limit > 0 && job->limit < INT32_MAX);
    e = read_page(&f, job);
    if (e != ERR_OK) {
        store_mongo_rows_free(&f);
        return e;
    }
    if (job->before_seq > 0) {
        reverse(f.messages, f.count);
    }
    job->messages = f.messages;
    job->count = f.count;
    job->more = f.more;
    return e;
}

enum err
store_mongo_read_find(struct store_link *base, struct store_job *job)
{
    struct mongo_link *link = store_mongo_of(base);
    struct message_record *wanted = &job->message, found;
    bool by_id = wanted->id[0] != '\0', old;
    struct look look;
    enum err e = check_session(link, job, &look);

    if (e == ERR_OK && !by_id && wanted->client_id == NULL) {
        e = ERR_NOT_FOUND;
    }
    if (e == ERR_OK && look.old) {
        e = store_mongo_old_find(link, job, &old);
        if (e != ERR_OK || old) {
            return e;
        }
    }
    if (e == ERR_OK) {
        e = store_mongo_rows_lookup(link, by_id ? "_id" : "cid",
                                    by_id ? wanted->id : wanted->client_id,
                                    job->session.sid, &found);
    }
    if (e != ERR_OK) {
        return e;
    }
    message_record_fini(wanted);
    *wanted = found;
    return store_mongo_rows_answers(link, job);
}

enum err
store_mongo_read_ping(struct store_link *base, struct store_job *job)
{
    (void)job;
    return base->backend->probe(base);
}
