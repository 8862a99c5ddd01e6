/* SPDX-License-Identifier: MIT */
/* Documents and records; see mongo_doc.h. Most fields are a row in a table
 * that both directions use; the few that are more than a value have a function
 * each. */
#include "store/mongo_doc.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/xalloc.h"
#include "codec/json.h"
#include "store/mongo_fields.h"
#include "store/mongo_old.h"

#include <string.h>

#define AT(TYPE, member) offsetof(struct TYPE, member)
#define ID_AT(TYPE, member)                                                    \
    MONGO_FIELD_ID, AT(TYPE, member), sizeof(((struct TYPE *)0)->member)

static const struct mongo_field session_fields[] = {
    {"_id", ID_AT(session_record, sid)},
    {"uid", MONGO_FIELD_TEXT, AT(session_record, user_id), 0},
    {"nm", MONGO_FIELD_TEXT, AT(session_record, name), 0},
    {"modelId", MONGO_FIELD_TEXT, AT(session_record, model_id), 0},
    {"ts", MONGO_FIELD_TIME, AT(session_record, start_ms), 0},
    {"endTs", MONGO_FIELD_TIME, AT(session_record, end_ms), 0},
    {"adminAssisted", MONGO_FIELD_BOOL, AT(session_record, admin_assisted), 0},
    {"assistingAdminId", MONGO_FIELD_TEXT,
     AT(session_record, assisting_admin_id), 0},
    {"assistingAdminName", MONGO_FIELD_TEXT,
     AT(session_record, assisting_admin_name), 0},
    {"helpRequested", MONGO_FIELD_BOOL, AT(session_record, help_requested), 0},
    {"totalTokens", MONGO_FIELD_INT, AT(session_record, total_tokens), 0},
    {"totalCost", MONGO_FIELD_INT, AT(session_record, cost_nanos), 0},
    {"lastActivity", MONGO_FIELD_TIME, AT(session_record, last_ms), 0},
    {"maxRespTime", MONGO_FIELD_INT, AT(session_record, max_response_ms), 0},
    {"avgRespTime", MONGO_FIELD_REAL, AT(session_record, avg_response_ms), 0},
    {"shareToken", MONGO_FIELD_TEXT, AT(session_record, share_token), 0},
    {"msgCount", MONGO_FIELD_INT, AT(session_record, message_count), 0},
    {"seq", MONGO_FIELD_INT, AT(session_record, seq), 0},
    {"epoch", ID_AT(session_record, epoch)},
    {"archived", MONGO_FIELD_BOOL, AT(session_record, archived), 0},
    {"takeoverEpoch", MONGO_FIELD_INT, AT(session_record, takeover_epoch), 0},
};

/* content comes last: the others are read without walking over a long text. */
static const struct mongo_field message_fields[] = {
    {"_id", ID_AT(message_record, id)},
    {"sid", ID_AT(message_record, sid)},
    {"seq", MONGO_FIELD_SOME, AT(message_record, seq), 0},
    {"cid", MONGO_FIELD_TEXT, AT(message_record, client_id), 0},
    {"ts", MONGO_FIELD_TIME, AT(message_record, at_ms), 0},
    {"type", MONGO_FIELD_WORD, AT(message_record, type), 0},
    {"fileId", MONGO_FIELD_TEXT, AT(message_record, file_id), 0},
    {"fileUrl", MONGO_FIELD_TEXT, AT(message_record, file_url), 0},
    {"modelId", MONGO_FIELD_TEXT, AT(message_record, model_id), 0},
    {"durMs", MONGO_FIELD_SPAN, AT(message_record, duration_ms), 0},
    {"ttftMs", MONGO_FIELD_SPAN, AT(message_record, ttft_ms), 0},
    {"finish", MONGO_FIELD_TEXT, AT(message_record, finish_reason), 0},
    {"replyTo", MONGO_FIELD_TEXT, AT(message_record, reply_to), 0},
    {"replaces", MONGO_FIELD_TEXT, AT(message_record, replaces), 0},
    {"superseded", MONGO_FIELD_FLAG, AT(message_record, superseded), 0},
    {"convId", MONGO_FIELD_TEXT, AT(message_record, conversation), 0},
    {"budgetRoles", MONGO_FIELD_TEXT, AT(message_record, budget_roles), 0},
    {"content", MONGO_FIELD_CONTENT, AT(message_record, content), 0},
};

/* Of a message inside of its session's document. */
static const struct mongo_field old_fields[] = {
    {"ts", MONGO_FIELD_TIME, AT(message_record, at_ms), 0},
    {"fileId", MONGO_FIELD_TEXT, AT(message_record, file_id), 0},
    {"fileUrl", MONGO_FIELD_TEXT, AT(message_record, file_url), 0},
    {"content", MONGO_FIELD_CONTENT, AT(message_record, content), 0},
};

static const struct mongo_field usage_fields[] = {
    {"prompt_tokens", MONGO_FIELD_INT, AT(usage, prompt_tokens), 0},
    {"completion_tokens", MONGO_FIELD_INT, AT(usage, completion_tokens), 0},
    {"total_tokens", MONGO_FIELD_INT, AT(usage, total_tokens), 0},
    {"estimated", MONGO_FIELD_FLAG, AT(usage, estimated), 0},
    {"cached_tokens", MONGO_FIELD_SOME, AT(usage, cached_tokens), 0},
    {"reasoning_tokens", MONGO_FIELD_SOME, AT(usage, reasoning_tokens), 0},
    {"cost_nanos", MONGO_FIELD_SOME, AT(usage, cost_nanos), 0},
};

static const struct mongo_field event_fields[] = {
    {"ts", MONGO_FIELD_TIME, AT(review_event, at_ms), 0},
    {"actor", MONGO_FIELD_WORD, AT(review_event, actor), 0},
    {"action", MONGO_FIELD_WORD, AT(review_event, action), 0},
    {"sid", MONGO_FIELD_TEXT, AT(review_event, sid), 0},
    {"detail", MONGO_FIELD_WORD, AT(review_event, detail), 0},
};

static const struct mongo_field entry_fields[] = {
    {"_id", ID_AT(usage_entry, id)},
    {"uid", MONGO_FIELD_TEXT, AT(usage_entry, user_id), 0},
    {"modelId", MONGO_FIELD_TEXT, AT(usage_entry, model_id), 0},
    {"ts", MONGO_FIELD_TIME, AT(usage_entry, at_ms), 0},
    {"promptTokens", MONGO_FIELD_INT, AT(usage_entry, usage.prompt_tokens), 0},
    {"completionTokens", MONGO_FIELD_INT,
     AT(usage_entry, usage.completion_tokens), 0},
    {"totalTokens", MONGO_FIELD_INT, AT(usage_entry, usage.total_tokens), 0},
    {"estimated", MONGO_FIELD_FLAG, AT(usage_entry, usage.estimated), 0},
    {"cachedTokens", MONGO_FIELD_SOME, AT(usage_entry, usage.cached_tokens), 0},
    {"reasoningTokens", MONGO_FIELD_SOME,
     AT(usage_entry, usage.reasoning_tokens), 0},
    {"cost", MONGO_FIELD_SOME, AT(usage_entry, usage.cost_nanos), 0},
    {"budgetRoles", MONGO_FIELD_TEXT, AT(usage_entry, budget_roles), 0},
};

static bool
get_document(struct mongo_reading *in, const struct mongo_form *form,
             const bson_t *doc, void *record)
{
    bson_iter_t it;

    return in->lib->bson_iter_init(&it, doc) &&
           mongo_fields_get(in, form, &it, record);
}

/* -- sessions -- */

int64_t
mongo_doc_duration_ms(const struct session_record *r)
{
    int64_t until = r->end_ms != 0 ? r->end_ms : r->last_ms;

    return until > r->start_ms ? until - r->start_ms : 0;
}

void
mongo_doc_session_fini(struct mongo_session *s)
{
    session_record_fini(&s->record);
    xfree(s->times_ms);
    *s = (struct mongo_session){.times_ms = NULL};
}

static void
put_times(struct mongo_bson *out, const struct mongo_session *s)
{
    char index[MONGO_BSON_INDEX_SIZE];
    struct mongo_bson list;

    mongo_bson_open_array(out, "respTimes", &list);
    for (size_t i = 0; i < s->time_count; i++) {
        mongo_bson_int(&list, mongo_bson_index(index, (uint32_t)i),
                       s->times_ms[i]);
    }
    mongo_bson_close_array(out, &list);
}

void
mongo_doc_put_session(struct mongo_bson *out, const struct mongo_session *s)
{
    mongo_fields_put(out, session_fields, COUNT_OF(session_fields), &s->record);
    mongo_bson_int(out, "dur", mongo_doc_duration_ms(&s->record));
    put_times(out, s);
    mongo_bson_int(out, "v", MONGO_DOC_VERSION);
}

/* Which rows of session_fields an update is about. */
static const char *const changes[][12] = {
    [MONGO_PROGRESS] = {"nm", "endTs", "lastActivity", "seq", "msgCount",
                        "totalTokens", "totalCost", "maxRespTime",
                        "avgRespTime"},
    [MONGO_PATCH] = {"nm", "modelId", "endTs", "archived", "helpRequested",
                     "adminAssisted", "assistingAdminId", "assistingAdminName",
                     "takeoverEpoch", "shareToken"},
};

static bool
is_changed(const struct mongo_field *f, enum mongo_change change)
{
    for (size_t i = 0; i < COUNT_OF(changes[0]); i++) {
        const char *name = changes[change][i];

        if (name != NULL && strcmp(name, f->name) == 0) {
            return true;
        }
    }
    return false;
}

/* A name that could not be read is not written over. */
static bool
stays(const struct mongo_field *f, const struct session_record *r)
{
    return r->name_unreadable && f->at == AT(session_record, name);
}

/* Those of the changed fields that have a value, or those that have none. An
 * empty $unset is left out: old servers refuse it. */
static size_t
put_changed(struct mongo_bson *out, const struct mongo_session *s,
            enum mongo_change change, bool present)
{
    size_t count = 0;

    for (size_t i = 0; i < COUNT_OF(session_fields); i++) {
        const struct mongo_field *f = &session_fields[i];

        if (!is_changed(f, change) || stays(f, &s->record) ||
            mongo_fields_has(f, &s->record) != present) {
            continue;
        }
        count++;
        if (present) {
            mongo_fields_put_one(out, f, &s->record);
        } else {
            mongo_bson_text(out, f->name, "");
        }
    }
    return count;
}

void
mongo_doc_put_change(struct mongo_bson *update, const struct mongo_session *s,
                     enum mongo_change change)
{
    struct mongo_bson set, unset;

    mongo_bson_open(update, "$set", &set);
    (void)put_changed(&set, s, change, true);
    mongo_bson_int(&set, "dur", mongo_doc_duration_ms(&s->record));
    if (change == MONGO_PROGRESS) {
        put_times(&set, s);
    }
    mongo_bson_close(update, &set);
    mongo_bson_init(&unset, update->lib);
    if (put_changed(&unset, s, change, false) > 0) {
        mongo_bson_doc(update, "$unset", &unset);
    }
    mongo_bson_fini(&unset);
}

/* Elements that are no times are left out. */
static bool
get_times(const struct mongo_reading *in, const bson_iter_t *it,
          struct mongo_session *s)
{
    bson_iter_t list;
    bool ok = true;
    int64_t ms;

    if (!mongo_bson_enter(in->lib, it, true, &list)) {
        return false;
    }
    s->time_count = 0;
    while (in->lib->bson_iter_next(&list)) {
        if (!mongo_bson_get_int(in->lib, &list, &ms)) {
            ok = false;
            continue;
        }
        s->times_ms =
            xrealloc(s->times_ms, (s->time_count + 1) * sizeof(*s->times_ms));
        s->times_ms[s->time_count++] = ms;
    }
    return ok;
}

static bool
get_of_session(const struct mongo_reading *in, const bson_iter_t *it,
               const char *name, void *record)
{
    return strcmp(name, "respTimes") != 0 || get_times(in, it, record);
}

/* Old is one without what every document of ours has from its first day
 * on. */
static void
judge_form(const struct mongo_lib *lib, const bson_t *doc,
           struct mongo_session *s)
{
    const struct session_record *r = &s->record;
    bson_iter_t it;

    s->laden = mongo_bson_find(lib, doc, "msgs", &it);
    s->old = mongo_bson_find_int(lib, doc, "v", 0) < MONGO_DOC_VERSION &&
             (s->laden || (r->seq == 0 && r->epoch[0] == '\0'));
}

bool
mongo_doc_get_session(const struct mongo_lib *lib, const bson_t *doc,
                      struct mongo_session *out, uint64_t *odd)
{
    static const struct mongo_form form = {
        session_fields, COUNT_OF(session_fields), get_of_session};
    struct mongo_reading in = {lib, 0};
    size_t n;
    bool whole;

    /* The table's places are the record's: it stands first. */
    CHECK(AT(mongo_session, record) == 0);
    *out = (struct mongo_session){.times_ms = NULL};
    whole = get_document(&in, &form, doc, out);
    n = strlen(out->record.sid);
    *odd += in.odd + (n > 0 && n < RAND_ID_CHARS);
    out->record.response_count = (int64_t)out->time_count;
    if (!whole || n != RAND_ID_CHARS || out->record.user_id == NULL) {
        mongo_doc_session_fini(out);
        return false;
    }
    mongo_old_drop_empty(&out->record);
    judge_form(lib, doc, out);
    if (out->old) {
        mongo_old_complete(out, lib, doc);
    }
    return true;
}

/* -- messages -- */

static void
put_usage(struct mongo_bson *out, const struct usage *u)
{
    struct mongo_bson doc;

    if (u->present) {
        mongo_bson_open(out, "usage", &doc);
        mongo_fields_put(&doc, usage_fields, COUNT_OF(usage_fields), u);
        mongo_bson_close(out, &doc);
    }
}

static void
put_meta_member(struct mongo_bson *doc, const struct json_text *key,
                const struct json_text *value)
{
    struct buf name, text;
    char *name_text;

    buf_init(&name, SIZE_MAX / 2);
    buf_init(&text, SIZE_MAX / 2);
    json_unescape(key, &name);
    json_unescape(value, &text);
    name_text = buf_give(&name);
    mongo_bson_bytes(doc, name_text, buf_str(&text));
    xfree(name_text);
    buf_fini(&text);
}

/* The record's JSON is our own encoder's: an object of strings. */
static void
put_meta(struct mongo_bson *out, const char *json)
{
    struct json_text key, value;
    struct json_scan scan;
    struct mongo_bson doc;

    if (json == NULL) {
        return;
    }
    mongo_bson_open(out, "meta", &doc);
    json_scan_init(&scan, str_from(json));
    if (json_scan_enter(&scan, '{')) {
        while (json_scan_member(&scan, &key)) {
            if (json_scan_string(&scan, &value)) {
                put_meta_member(&doc, &key, &value);
            }
        }
    }
    mongo_bson_close(out, &doc);
}

void
mongo_doc_put_message(struct mongo_bson *out, const struct message_record *m)
{
    mongo_bson_text(out, "sender", sender_word(m->sender));
    mongo_bson_text(out, "status", status_word(m->status));
    put_meta(out, m->metadata);
    put_usage(out, &m->usage);
    mongo_fields_put(out, message_fields, COUNT_OF(message_fields), m);
}

static bool
get_sender(const struct mongo_reading *in, const bson_iter_t *it,
           struct message_record *m)
{
    struct str word;

    /* A text in a document has a NUL behind it. */
    return mongo_bson_get_text(in->lib, it, &word) &&
           sender_of_word(word.p, &m->sender);
}

static bool
get_status(const struct mongo_reading *in, const bson_iter_t *it,
           struct message_record *m)
{
    struct str word;

    return mongo_bson_get_text(in->lib, it, &word) &&
           status_of_word(word.p, &m->status);
}

static bool
get_usage(const struct mongo_reading *in, const bson_iter_t *it,
          struct message_record *m)
{
    static const struct mongo_form form = {usage_fields, COUNT_OF(usage_fields),
                                           NULL};
    struct mongo_reading inner = {in->lib, 0};
    bson_iter_t fields;

    if (!mongo_bson_enter(in->lib, it, false, &fields)) {
        return false;
    }
    m->usage = (struct usage){.present = true};
    return mongo_fields_get(&inner, &form, &fields, &m->usage) &&
           inner.odd == 0;
}

/* Values that are no strings are left out. */
static bool
get_meta(const struct mongo_reading *in, const bson_iter_t *it,
         struct message_record *m)
{
    bson_iter_t fields;
    struct str value;
    struct buf json;
    bool ok = true;

    if (!mongo_bson_enter(in->lib, it, false, &fields)) {
        return false;
    }
    buf_init(&json, SIZE_MAX / 2);
    buf_putc(&json, '{');
    while (in->lib->bson_iter_next(&fields)) {
        if (!mongo_bson_get_text(in->lib, &fields, &value)) {
            ok = false;
            continue;
        }
        json_put_comma(&json);
        json_put_string(&json, str_from(in->lib->bson_iter_key(&fields)));
        buf_putc(&json, ':');
        json_put_string(&json, value);
    }
    buf_putc(&json, '}');
    xfree(m->metadata);
    m->metadata = buf_give(&json);
    return ok;
}

static bool
get_of_message(const struct mongo_reading *in, const bson_iter_t *it,
               const char *name, void *record)
{
    static const struct {
        const char *name;
        bool (*get)(const struct mongo_reading *in, const bson_iter_t *it,
                    struct message_record *m);
    } specials[] = {
        {"sender", get_sender},
        {"status", get_status},
        {"usage", get_usage},
        {"meta", get_meta},
    };

    for (size_t i = 0; i < COUNT_OF(specials); i++) {
        if (strcmp(name, specials[i].name) == 0) {
            return specials[i].get(in, it, record);
        }
    }
    return true;
}

static void
default_text(char **text)
{
    *text = *text != NULL ? *text : xstrdup("");
}

static bool
get_of_old(const struct mongo_reading *in, const bson_iter_t *it,
           const char *name, void *record)
{
    if (strcmp(name, "sender") == 0) {
        return get_sender(in, it, record);
    }
    return strcmp(name, "meta") != 0 || get_meta(in, it, record);
}

static void
begin_message(struct message_record *out)
{
    *out = (struct message_record){.sender = SENDER_SYSTEM,
                                   .status = STATUS_COMPLETE,
                                   .duration_ms = -1,
                                   .ttft_ms = -1};
}

void
mongo_doc_get_old(const struct mongo_lib *lib, const bson_iter_t *element,
                  struct message_record *out, uint64_t *odd)
{
    static const struct mongo_form form = {old_fields, COUNT_OF(old_fields),
                                           get_of_old};
    struct mongo_reading in = {lib, 0};
    bson_iter_t fields;

    begin_message(out);
    if (!mongo_bson_enter(lib, element, false, &fields) ||
        !mongo_fields_get(&in, &form, &fields, out)) {
        in.odd++;
    }
    *odd += in.odd;
    default_text(&out->content);
}

/* A sender or a status that is none of ours (somebody else wrote the
 * document) reads as system and complete: shown, never run. */
bool
mongo_doc_get_message(const struct mongo_lib *lib, const bson_t *doc,
                      struct message_record *out, uint64_t *odd)
{
    static const struct mongo_form form = {
        message_fields, COUNT_OF(message_fields), get_of_message};
    struct mongo_reading in = {lib, 0};
    bool whole;

    begin_message(out);
    whole = get_document(&in, &form, doc, out);
    *odd += in.odd;
    if (!whole || out->id[0] == '\0' || out->sid[0] == '\0') {
        message_record_fini(out);
        return false;
    }
    default_text(&out->type);
    default_text(&out->content);
    return true;
}

/* -- the audit -- */

void
mongo_doc_put_event(struct mongo_bson *out, const char *id,
                    const struct review_event *e)
{
    mongo_bson_text(out, "_id", id);
    mongo_fields_put(out, event_fields, COUNT_OF(event_fields), e);
}

bool
mongo_doc_get_event(const struct mongo_lib *lib, const bson_t *doc,
                    struct review_event *out, uint64_t *odd)
{
    static const struct mongo_form form = {event_fields, COUNT_OF(event_fields),
                                           NULL};
    struct mongo_reading in = {lib, 0};
    bool whole;

    *out = (struct review_event){.at_ms = 0};
    whole = get_document(&in, &form, doc, out);
    *odd += in.odd;
    if (!whole) {
        xfree(out->actor);
        xfree(out->action);
        xfree(out->sid);
        xfree(out->detail);
        *out = (struct review_event){.at_ms = 0};
        return false;
    }
    default_text(&out->actor);
    default_text(&out->action);
    default_text(&out->detail);
    return true;
}

/* -- what answers have used -- */

void
mongo_doc_put_usage(struct mongo_bson *out, const struct usage_entry *e)
{
    mongo_fields_put(out, entry_fields, COUNT_OF(entry_fields), e);
}

bool
mongo_doc_get_usage(const struct mongo_lib *lib, const bson_t *doc,
                    struct usage_entry *out, uint64_t *odd)
{
    static const struct mongo_form form = {entry_fields, COUNT_OF(entry_fields),
                                           NULL};
    struct mongo_reading in = {lib, 0};
    bool whole;

    *out = (struct usage_entry){.usage = {.present = true}};
    whole = get_document(&in, &form, doc, out) && out->id[0] != '\0' &&
            out->user_id != NULL && out->at_ms > 0;
    *odd += in.odd;
    if (!whole) {
        xfree(out->user_id);
        xfree(out->model_id);
        xfree(out->budget_roles);
        *out = (struct usage_entry){.at_ms = 0};
    }
    return whole;
}
