/* SPDX-License-Identifier: MIT */
/* store/mongo_doc, store/mongo_old: any document, as a session, as a message,
 * as an event, as what an answer used, as a session with messages inside, as
 * who has the database, and as a list of sessions. What was read is written in
 * one form only, and is read from that unchanged. */
#include "answers.h"

#include "base/check.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "codec/utf8.h"
#include "store/mongo_old.h"
#include "store/store_mongo_lease.h"
#include "store/store_mongo_meta.h"

#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SID "0123456789abcdef0123456789abcdef"

static const struct mongo_lib *
load(void)
{
    static struct mongo_lib lib;
    char why[256];

    if (lib.bson_init == NULL) {
        CHECK(mongo_lib_load(&lib, why, sizeof(why)) == ERR_OK);
    }
    return &lib;
}

/* -- there and back -- */

/* One kind of record: what a document says, as a document. False: it is none
 * of that kind. */
typedef bool rewriting(const struct mongo_lib *lib, const bson_t *doc,
                       struct mongo_bson *out, uint64_t *odd);

static bool
rewrite_session(const struct mongo_lib *lib, const bson_t *doc,
                struct mongo_bson *out, uint64_t *odd)
{
    struct mongo_session s;

    if (!mongo_doc_get_session(lib, doc, &s, odd)) {
        return false;
    }
    CHECK(s.record.sid[0] != '\0' && s.record.user_id != NULL);
    CHECK((size_t)s.record.response_count == s.time_count);
    if (s.record.epoch[0] == '\0') { /* none is ever written without */
        snprintf(s.record.epoch, sizeof(s.record.epoch), "0");
    }
    mongo_doc_put_session(out, &s);
    mongo_doc_session_fini(&s);
    return true;
}

static void
check_message(const struct message_record *m)
{
    CHECK(m->content != NULL && m->type != NULL);
    CHECK(utf8_valid((struct str){m->content, m->content_n}));
    CHECK(m->content[m->content_n] == '\0');
    CHECK(m->metadata == NULL || utf8_valid(str_from(m->metadata)));
}

static bool
rewrite_message(const struct mongo_lib *lib, const bson_t *doc,
                struct mongo_bson *out, uint64_t *odd)
{
    struct message_record m;

    if (!mongo_doc_get_message(lib, doc, &m, odd)) {
        return false;
    }
    CHECK(m.id[0] != '\0' && m.sid[0] != '\0');
    check_message(&m);
    mongo_doc_put_message(out, &m);
    message_record_fini(&m);
    return true;
}

static bool
rewrite_event(const struct mongo_lib *lib, const bson_t *doc,
              struct mongo_bson *out, uint64_t *odd)
{
    struct review_event e;

    if (!mongo_doc_get_event(lib, doc, &e, odd)) {
        return false;
    }
    mongo_doc_put_event(out, SID, &e);
    xfree(e.actor);
    xfree(e.action);
    xfree(e.sid);
    xfree(e.detail);
    return true;
}

static bool
rewrite_usage(const struct mongo_lib *lib, const bson_t *doc,
              struct mongo_bson *out, uint64_t *odd)
{
    struct usage_entry e;

    if (!mongo_doc_get_usage(lib, doc, &e, odd)) {
        return false;
    }
    CHECK(e.id[0] != '\0' && e.user_id != NULL && e.at_ms > 0);
    mongo_doc_put_usage(out, &e);
    xfree(e.user_id);
    xfree(e.model_id);
    xfree(e.budget_roles);
    return true;
}

static void
check_kind(const struct mongo_lib *lib, const bson_t *doc, rewriting *rewrite)
{
    struct mongo_bson first, second;
    uint64_t odd = 0, none = 0;

    mongo_bson_init(&first, lib);
    mongo_bson_init(&second, lib);
    if (rewrite(lib, doc, &first, &odd)) {
        CHECK(rewrite(lib, &first.b, &second, &none));
        CHECK(none == 0);
        CHECK(first.b.len == second.b.len);
        CHECK(memcmp(answers_bytes(&first), answers_bytes(&second),
                     first.b.len) == 0);
    }
    mongo_bson_fini(&first);
    mongo_bson_fini(&second);
}

/* -- messages inside -- */

static void
check_place(const struct mongo_old *w)
{
    struct message_record m;
    char id[RAND_ID_CHARS + 1];
    uint64_t odd = 0;

    mongo_old_get(w, &m, &odd);
    mongo_old_id(SID, w->seq, id);
    CHECK(m.seq == w->seq && m.sender == w->sender && m.at_ms == w->at_ms);
    CHECK(strcmp(m.id, id) == 0 && strcmp(m.sid, SID) == 0);
    CHECK(w->question >= 0 && w->question < w->seq);
    CHECK((w->question > 0) == (m.reply_to != NULL));
    check_message(&m);
    message_record_fini(&m);
}

/* As many as the session counts, if it is of that form. */
static void
check_walk(const struct mongo_lib *lib, const bson_t *doc)
{
    struct mongo_session s;
    struct mongo_old w;
    uint64_t odd = 0;

    mongo_old_begin(&w, lib, doc, SID, 0);
    while (mongo_old_next(&w)) {
        check_place(&w);
    }
    CHECK(!mongo_old_next(&w));
    CHECK(w.seq == 0 || mongo_old_is_list(lib, doc));
    if (mongo_doc_get_session(lib, doc, &s, &odd)) {
        CHECK(!s.old || s.record.seq == w.seq);
        CHECK(!s.old || s.record.message_count == w.seq);
        mongo_doc_session_fini(&s);
    }
}

/* -- documents of `meta` -- */

static void
count_sid(void *cookie, struct str sid)
{
    CHECK(sid.n == RAND_ID_CHARS && sid.p[sid.n] == '\0');
    ++*(size_t *)cookie;
}

static void
check_meta(const struct mongo_lib *lib, const bson_t *doc)
{
    struct mongo_holder h;
    size_t count = 0;

    store_mongo_lease_read(lib, doc, &h);
    CHECK(h.present);
    CHECK(memchr(h.key, '\0', sizeof(h.key)) != NULL);
    CHECK(memchr(h.host, '\0', sizeof(h.host)) != NULL);
    CHECK(memchr(h.proc.place, '\0', sizeof(h.proc.place)) != NULL);
    (void)proc_lives(&h.proc);
    store_mongo_meta_sids(lib, doc, count_sid, &count);
    CHECK(count <= doc->len / (RAND_ID_CHARS + 1));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static rewriting *const kinds[] = {rewrite_session, rewrite_message,
                                       rewrite_event, rewrite_usage};
    const struct mongo_lib *lib = load();
    struct mongo_bson doc;
    struct answers a;

    answers_begin(&a, lib, data, size);
    while (answers_next(&a, &doc)) {
        for (size_t i = 0; i < COUNT_OF(kinds); i++) {
            check_kind(lib, &doc.b, kinds[i]);
        }
        check_walk(lib, &doc.b);
        check_meta(lib, &doc.b);
        mongo_bson_fini(&doc);
    }
    return 0;
}
