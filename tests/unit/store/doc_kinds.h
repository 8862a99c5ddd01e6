/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_TESTS_STORE_DOC_KINDS_H
#define CHATBOX_TESTS_STORE_DOC_KINDS_H

/* What the tests of store/mongo_doc.h share: documents as bytes, whose fields
 * can be changed, and what is read of them as one kind of thing. */
#include "base/xalloc.h"
#include "store/mongo_doc.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define T0 1700000000000
#define RAW_MAX 4096

/* -- documents as bytes -- */

struct raw {
    uint8_t bytes[RAW_MAX];
    uint32_t n;
};

static struct mongo_lib lib;
static const uint8_t *(*get_data)(const bson_t *);
static bool (*init_static)(bson_t *, const uint8_t *, size_t);

static inline int
load(void **state)
{
    char why[256];
    void *bson = dlopen("libbson-1.0.so.0", RTLD_NOW | RTLD_NODELETE);

    (void)state;
    assert_int_equal(mongo_lib_load(&lib, why, sizeof(why)), ERR_OK);
    *(void **)(void *)&get_data = dlsym(bson, "bson_get_data");
    *(void **)(void *)&init_static = dlsym(bson, "bson_init_static");
    assert_true(get_data != NULL && init_static != NULL);
    return 0;
}

static inline void
raw_of(struct mongo_bson *d, struct raw *out)
{
    assert_true(d->b.len <= RAW_MAX);
    memcpy(out->bytes, get_data(&d->b), d->b.len);
    out->n = d->b.len;
    mongo_bson_fini(d);
}

static inline void
begin_raw(struct raw *r)
{
    r->n = 4;
}

static inline void
add_bytes(struct raw *r, const void *p, size_t n)
{
    assert_true(r->n + n <= RAW_MAX);
    memcpy(r->bytes + r->n, p, n);
    r->n += (uint32_t)n;
}

static inline void
end_raw(struct raw *r)
{
    add_bytes(r, "", 1);
    for (int i = 0; i < 4; i++) {
        r->bytes[i] = (uint8_t)(r->n >> (8 * i));
    }
}

static inline void
view(const struct raw *r, bson_t *out)
{
    assert_true(init_static(out, r->bytes, r->n));
}

/* -- what is read, as one kind of thing -- */

struct thing {
    struct mongo_session session;
    struct message_record message;
    struct review_event event;
    struct usage_entry entry;
};

struct kind {
    bool (*get)(const bson_t *doc, struct thing *out, uint64_t *odd);
    void (*put)(struct mongo_bson *out, const struct thing *t);
    void (*fini)(struct thing *t);
    void (*full)(struct thing *t); /* every member set */
};

static inline bool
get_session(const bson_t *doc, struct thing *out, uint64_t *odd)
{
    return mongo_doc_get_session(&lib, doc, &out->session, odd);
}

static inline void
put_session(struct mongo_bson *out, const struct thing *t)
{
    mongo_doc_put_session(out, &t->session);
}

static inline void
fini_session(struct thing *t)
{
    mongo_doc_session_fini(&t->session);
}

static inline void
full_session(struct thing *t)
{
    struct session_record *r = &t->session.record;

    *r = (struct session_record){
        .sid = "0123456789abcdef0123456789abcdef",
        .epoch = "fedcba9876543210",
        .user_id = xstrdup("ann"),
        .name = xstrdup("Nuts \xf0\x9f\x8c\xb0"),
        .model_id = xstrdup("demo"),
        .start_ms = T0,
        .last_ms = T0 + 5,
        .end_ms = T0 + 7,
        .seq = 4,
        .message_count = 4,
        .total_tokens = 5000000000,
        .cost_nanos = 6000000000,
        .max_response_ms = 31,
        .response_count = 2,
        .avg_response_ms = 20.5,
        .archived = true,
        .help_requested = true,
        .admin_assisted = true,
        .takeover_epoch = 3,
        .assisting_admin_id = xstrdup("op"),
        .assisting_admin_name = xstrdup("Olga"),
        .share_token = xstrdup("token"),
    };
    t->session.time_count = 2;
    t->session.times_ms = xcalloc(2, sizeof(int64_t));
    t->session.times_ms[0] = 10;
    t->session.times_ms[1] = 31;
}

static inline bool
get_message(const bson_t *doc, struct thing *out, uint64_t *odd)
{
    return mongo_doc_get_message(&lib, doc, &out->message, odd);
}

static inline void
put_message(struct mongo_bson *out, const struct thing *t)
{
    mongo_doc_put_message(out, &t->message);
}

static inline void
fini_message(struct thing *t)
{
    message_record_fini(&t->message);
}

static inline void
full_message(struct thing *t)
{
    t->message = (struct message_record){
        .id = "00000000000000000000000000000011",
        .sid = "0123456789abcdef0123456789abcdef",
        .seq = 9,
        .at_ms = T0,
        .sender = SENDER_AI,
        .status = STATUS_CANCELLED,
        .type = xstrdup("ai_response"),
        .content = xmemdup("nul \0 and \xc3\xa9", 12),
        .content_n = 12,
        .client_id = xstrdup("c-1"),
        .file_id = xstrdup("file"),
        .file_url = xstrdup("https://example.org/f"),
        .metadata = xstrdup("{\"a\":\"b \\\"c\\\"\",\"$d.e\":\"\"}"),
        .model_id = xstrdup("demo"),
        .finish_reason = xstrdup("stop"),
        .reply_to = xstrdup("q"),
        .replaces = xstrdup("a"),
        .superseded = true,
        .conversation = xstrdup("c-9"),
        .budget_roles = xstrdup("\nr\n"),
        .usage = {.prompt_tokens = 1,
                  .completion_tokens = 2,
                  .total_tokens = 3,
                  .cached_tokens = 1,
                  .reasoning_tokens = 2,
                  .cost_nanos = 4,
                  .present = true,
                  .estimated = true},
        .duration_ms = 40,
        .ttft_ms = 0,
    };
}

static inline bool
get_event(const bson_t *doc, struct thing *out, uint64_t *odd)
{
    return mongo_doc_get_event(&lib, doc, &out->event, odd);
}

static inline void
put_event(struct mongo_bson *out, const struct thing *t)
{
    mongo_doc_put_event(out, "e-1", &t->event);
}

static inline void
fini_event(struct thing *t)
{
    xfree(t->event.actor);
    xfree(t->event.action);
    xfree(t->event.sid);
    xfree(t->event.detail);
}

static inline void
full_event(struct thing *t)
{
    t->event = (struct review_event){.at_ms = T0,
                                     .actor = xstrdup("op"),
                                     .action = xstrdup(REVIEW_DELETE),
                                     .sid = xstrdup("s"),
                                     .detail = xstrdup("Gone.")};
}

static inline bool
get_entry(const bson_t *doc, struct thing *out, uint64_t *odd)
{
    return mongo_doc_get_usage(&lib, doc, &out->entry, odd);
}

static inline void
put_entry(struct mongo_bson *out, const struct thing *t)
{
    mongo_doc_put_usage(out, &t->entry);
}

static inline void
fini_entry(struct thing *t)
{
    xfree(t->entry.user_id);
    xfree(t->entry.model_id);
    xfree(t->entry.budget_roles);
}

static inline void
full_entry(struct thing *t)
{
    t->entry = (struct usage_entry){.id = "a-1",
                                    .user_id = xstrdup("ann"),
                                    .model_id = xstrdup("demo"),
                                    .at_ms = T0,
                                    .usage = {1, 2, 3, true, true, 1, 2, 4},
                                    .budget_roles = xstrdup("\nr\n")};
}

static const struct kind session = {get_session, put_session, fini_session,
                                    full_session};
static const struct kind message = {get_message, put_message, fini_message,
                                    full_message};
static const struct kind event = {get_event, put_event, fini_event, full_event};
static const struct kind entry = {get_entry, put_entry, fini_entry, full_entry};

static inline void
written(const struct kind *k, const struct thing *t, struct raw *out)
{
    static struct mongo_bson d; /* aligned whatever the sanitizer does */

    mongo_bson_init(&d, &lib);
    k->put(&d, t);
    raw_of(&d, out);
}

static inline void
full_raw(const struct kind *k, struct raw *out)
{
    struct thing t = {0};

    k->full(&t);
    written(k, &t, out);
    k->fini(&t);
}

/* Whether it is a record; then *again is what that would be written as. */
static inline bool
read_again(const struct kind *k, const struct raw *r, struct raw *again,
           uint64_t *odd)
{
    struct thing t = {0};
    bson_t doc;
    bool ok;

    *odd = 0;
    view(r, &doc);
    ok = k->get(&doc, &t, odd);
    if (ok) {
        written(k, &t, again);
        k->fini(&t);
    }
    return ok;
}

/* The same document without the field, or with another value for it: value
 * (of n bytes) begins with its type. False when there is no such field. */
static inline bool
replaced(const struct raw *r, const char *name, const void *value, size_t n,
         struct raw *out)
{
    bool found = false;
    static bson_iter_t it;
    bson_t doc;

    view(r, &doc);
    begin_raw(out);
    assert_true(lib.bson_iter_init(&it, &doc));
    while (lib.bson_iter_next(&it)) {
        const char *key = lib.bson_iter_key(&it);
        bool here = strcmp(key, name) == 0;

        found = found || here;
        if (!here) {
            add_bytes(out, r->bytes + it.off, it.next_off - it.off);
        } else if (value != NULL) {
            add_bytes(out, value, 1);
            add_bytes(out, key, strlen(key) + 1);
            add_bytes(out, (const char *)value + 1, n - 1);
        }
    }
    end_raw(out);
    return found;
}

static inline void
assert_same(const struct raw *a, const struct raw *b)
{
    assert_int_equal(a->n, b->n);
    assert_memory_equal(a->bytes, b->bytes, a->n);
}

#endif
