/* SPDX-License-Identifier: MIT */
/* Messages inside of their session's document: see mongo_old.h. The fields of
 * a message have the names that they have in mongo_doc.c. */
#include "store/mongo_old.h"

#include "base/check.h"
#include "base/xalloc.h"
#include "store/mongo_fields.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define LIST "msgs"

/* -- ids -- */

/* The first `chars` hexadecimal digits of SHA-256 of "<what>:<sid>:<seq>". */
static void
digest(const char *what, const char *sid, int64_t seq, char *out, size_t chars)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char hash[EVP_MAX_MD_SIZE];
    char text[128];
    int n = snprintf(text, sizeof(text), "%s:%s:%" PRId64, what, sid, seq);

    CHECK(n > 0 && (size_t)n < sizeof(text));
    CHECK(EVP_Digest(text, (size_t)n, hash, NULL, EVP_sha256(), NULL) == 1);
    for (size_t i = 0; i < chars; i++) {
        out[i] = digits[i % 2 == 0 ? hash[i / 2] >> 4 : hash[i / 2] & 15];
    }
    out[chars] = '\0';
}

void
mongo_old_id(const char *sid, int64_t seq, char out[static RAND_ID_CHARS + 1])
{
    digest("message", sid, seq, out, RAND_ID_CHARS);
}

/* -- the walk -- */

static bool
find_list(const struct mongo_lib *lib, const bson_t *doc, bson_iter_t *list)
{
    bson_iter_t it;

    return mongo_bson_find(lib, doc, LIST, &it) &&
           mongo_bson_enter(lib, &it, true, list);
}

bool
mongo_old_is_list(const struct mongo_lib *lib, const bson_t *doc)
{
    bson_iter_t it;

    if (!mongo_bson_find(lib, doc, LIST, &it)) {
        return true;
    }
    return lib->bson_iter_type(&it) == BSON_TYPE_NULL ||
           lib->bson_iter_type(&it) == BSON_TYPE_ARRAY;
}

void
mongo_old_begin(struct mongo_old *w, const struct mongo_lib *lib,
                const bson_t *doc, const char *sid, int64_t start_ms)
{
    *w = (struct mongo_old){.lib = lib, .at_ms = start_ms};
    snprintf(w->sid, sizeof(w->sid), "%s", sid);
    w->listed = find_list(lib, doc, &w->list);
}

/* Who says the message, and when. */
static void
look(struct mongo_old *w)
{
    const struct mongo_lib *lib = w->lib;
    bson_iter_t it;
    struct str word;

    w->sender = SENDER_SYSTEM;
    if (!mongo_bson_enter(lib, &w->list, false, &it)) {
        return;
    }
    while (lib->bson_iter_next(&it)) {
        struct str key = str_from(lib->bson_iter_key(&it));

        if (str_is(key, "ts")) {
            (void)mongo_bson_get_time(lib, &it, &w->at_ms);
        } else if (str_is(key, "sender") &&
                   mongo_bson_get_text(lib, &it, &word)) {
            (void)sender_of_word(word.p, &w->sender);
        }
    }
}

/* An answer is to the question before it, if that has none yet. */
bool
mongo_old_next(struct mongo_old *w)
{
    if (!w->listed || !w->lib->bson_iter_next(&w->list)) {
        w->damaged = w->listed && w->list.err_off != 0;
        return false;
    }
    w->seq++;
    w->question = 0;
    look(w);
    if (w->sender == SENDER_USER) {
        w->open = w->seq;
    } else if (w->sender == SENDER_AI) {
        w->question = w->open;
        w->open = 0;
    }
    return true;
}

/* A message that is a file and nothing else. */
static bool
is_upload(const struct message_record *m)
{
    return m->sender != SENDER_AI && m->content_n == 0 &&
           (m->file_id != NULL || m->file_url != NULL);
}

static const char *
type_of(const struct message_record *m)
{
    if (m->sender == SENDER_AI) {
        return "ai_response";
    }
    return is_upload(m) ? "file_upload" : "user_message";
}

void
mongo_old_get(const struct mongo_old *w, struct message_record *out,
              uint64_t *odd)
{
    char question[RAND_ID_CHARS + 1];

    mongo_doc_get_old(w->lib, &w->list, out, odd);
    snprintf(out->sid, sizeof(out->sid), "%s", w->sid);
    mongo_old_id(w->sid, w->seq, out->id);
    out->seq = w->seq;
    out->at_ms = w->at_ms;
    out->type = xstrdup(type_of(out));
    if (out->sender == SENDER_AI) {
        out->finish_reason = xstrdup("stop");
    }
    if (w->question > 0) {
        mongo_old_id(w->sid, w->question, question);
        out->reply_to = xstrdup(question);
    }
}

/* -- the session -- */

/* All that is known of the times is their average. */
static void
keep_average(struct mongo_session *s)
{
    if (s->time_count == 0 && s->record.avg_response_ms > 0 &&
        s->record.avg_response_ms < (double)INT32_MAX) {
        s->times_ms = xrealloc(s->times_ms, sizeof(*s->times_ms));
        s->times_ms[0] = (int64_t)(s->record.avg_response_ms + 0.5);
        s->time_count = 1;
        s->record.response_count = 1;
    }
}

static void
drop_empty(char **text)
{
    if (*text != NULL && (*text)[0] == '\0') {
        xfree(*text);
        *text = NULL;
    }
}

void
mongo_old_drop_empty(struct session_record *r)
{
    drop_empty(&r->name);
    drop_empty(&r->model_id);
    drop_empty(&r->assisting_admin_id);
    drop_empty(&r->assisting_admin_name);
}

void
mongo_old_complete(struct mongo_session *s, const struct mongo_lib *lib,
                   const bson_t *doc)
{
    struct session_record *r = &s->record;
    struct mongo_old w;
    int64_t last_ms = r->start_ms;

    mongo_old_begin(&w, lib, doc, r->sid, r->start_ms);
    while (mongo_old_next(&w)) {
        last_ms = w.at_ms > last_ms ? w.at_ms : last_ms;
        if (r->start_ms == 0) {
            r->start_ms = w.at_ms;
        }
    }
    r->seq = r->message_count = w.seq;
    r->last_ms = r->last_ms > last_ms ? r->last_ms : last_ms;
    digest("epoch", r->sid, 0, r->epoch, RECORD_EPOCH_CHARS);
    keep_average(s);
}
