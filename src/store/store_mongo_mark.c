/* SPDX-License-Identifier: MIT */
/* Lists of sessions that are being written to: see store_mongo_mark.h. They
 * cost one small write for a session's first message in a while, and spare a
 * start the look at every session there is. */
#include "store/store_mongo_mark.h"

#include "base/check.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "store/store_mongo_call.h"
#include "store/store_mongo_meta.h"
#include "store/store_mongo_rows.h"
#include "store/store_mongo_usage.h"
#include "store/store_mongo_write.h"

#include <stdio.h>
#include <string.h>

#define PREFIX "writing."
#define ID_SIZE 32

static bool
is_marked(const struct mongo_marks *marks, const char *sid)
{
    for (size_t i = 0; i < marks->count; i++) {
        if (strcmp(marks->sids[i], sid) == 0) {
            return true;
        }
    }
    return false;
}

/* True when the list has changed. */
static bool
extend(struct mongo_marks *marks, const char *const *sids, size_t count)
{
    size_t before = marks->count;

    for (size_t i = 0; i < count; i++) {
        if (!is_marked(marks, sids[i])) {
            snprintf(marks->sids[marks->count++], RAND_ID_CHARS + 1, "%s",
                     sids[i]);
        }
    }
    return marks->count != before;
}

static void
make_id(const struct mongo_link *link, char out[static ID_SIZE])
{
    snprintf(out, ID_SIZE, PREFIX "%04u", link->number);
}

/* Not awaited by the majority: the messages that come after it are, and bring
 * it along. */
static enum err
write_list(struct mongo_link *link)
{
    char id[ID_SIZE], index[MONGO_BSON_INDEX_SIZE];
    struct mongo_bson doc, list;
    enum err e;

    make_id(link, id);
    mongo_bson_init(&doc, &link->db->lib);
    mongo_bson_open_array(&doc, "sids", &list);
    for (size_t i = 0; i < link->marks.count; i++) {
        mongo_bson_text(&list, mongo_bson_index(index, (uint32_t)i),
                        link->marks.sids[i]);
    }
    mongo_bson_close_array(&doc, &list);
    e = store_mongo_meta_put(link, id, &doc, false);
    mongo_bson_fini(&doc);
    link->marks.astray = e != ERR_OK;
    return e;
}

enum err
store_mongo_mark_add(struct mongo_link *link, const char *const *sids,
                     size_t count)
{
    CHECK(count <= MONGO_MARKS);
    if (link->marks.count + count > MONGO_MARKS) {
        link->marks.count = 0;
    }
    return extend(&link->marks, sids, count) || link->marks.astray
               ? write_list(link)
               : ERR_OK;
}

enum err
store_mongo_mark_remove(struct mongo_link *link, const char *sid)
{
    struct mongo_marks *marks = &link->marks;
    bool changed = marks->astray;

    for (size_t i = 0; i < marks->count; i++) {
        if (strcmp(marks->sids[i], sid) == 0) {
            memcpy(marks->sids[i--], marks->sids[--marks->count],
                   RAND_ID_CHARS + 1);
            changed = true;
        }
    }
    return changed ? write_list(link) : ERR_OK;
}

void
store_mongo_mark_clear(struct mongo_link *link)
{
    char id[ID_SIZE];

    if (link->marks.count > 0 && store_mongo_call_look(link)) {
        make_id(link, id);
        (void)!store_mongo_meta_clear(link, id, NULL);
    }
}

/* -- recovery -- */

struct lists {
    struct mongo_link *link;
    char **sids;
    size_t count;
};

static void
add_sid(void *cookie, struct str sid)
{
    struct lists *l = cookie;

    l->sids = xrealloc(l->sids, (l->count + 1) * sizeof(*l->sids));
    l->sids[l->count++] = str_dup(sid);
}

static bool
on_list(void *cookie, const bson_t *doc)
{
    struct lists *l = cookie;

    store_mongo_meta_sids(&l->link->db->lib, doc, add_sid, l);
    return true;
}

/* One that was deleted meanwhile is none. */
static enum err
count_session(struct mongo_link *link, const char *sid, int64_t *counted)
{
    struct mongo_session s;
    int64_t before;
    enum err e = store_mongo_rows_find(link, sid, NULL, &s);

    if (e != ERR_OK) {
        return e == ERR_NOT_FOUND ? ERR_OK : e;
    }
    before = s.record.seq;
    e = store_mongo_rows_catch_up(link, &s);
    if (e == ERR_OK && s.record.seq > before) {
        *counted += s.record.seq - before;
        e = store_mongo_usage_recover(link, &s.record, before);
    }
    if (e == ERR_OK && s.record.seq > before) {
        e = store_mongo_write_progress(link, &s, before);
    }
    mongo_doc_session_fini(&s);
    return e;
}

enum err
store_mongo_mark_recover(struct mongo_link *link)
{
    struct lists l = {.link = link};
    int64_t counted = 0;
    enum err e = store_mongo_meta_list(link, PREFIX, on_list, &l);

    for (size_t i = 0; i < l.count; i++) {
        if (e == ERR_OK) {
            e = count_session(link, l.sids[i], &counted);
        }
        xfree(l.sids[i]);
    }
    if (e == ERR_OK && l.count > 0) {
        e = store_mongo_meta_clear(link, PREFIX, NULL);
    }
    xfree(l.sids);
    if (counted > 0) {
        log_warn(EVENT_STORE_RECOVERED,
                 "Messages that a crash left uncounted were counted.",
                 log_int("messages", counted));
    }
    return e;
}
