/* SPDX-License-Identifier: MIT */
/* Where documents meet encryption at rest; see store_mongo_texts.h and
 * docs/decisions/0021. A record that is written is copied flat, with the
 * stored form of its text; one that was read gets the opened text. */
#include "store/store_mongo_texts.h"

#include "base/buf.h"
#include "base/xalloc.h"
#include "store/vault.h"

/* -- putting -- */

/* The stored form of a text and its length; NULL: it is stored as it is.
 * Gives. */
static char *
seal_text(struct mongo_link *link, struct mongo_item *item,
          const struct seal_place *at, struct str text, size_t *n)
{
    struct buf out;

    if (!vault_seals(link->vault) || text.n == 0) {
        return NULL;
    }
    buf_init(&out, VAULT_SIZE(text.n));
    if (vault_put(link->vault, at, text, &out) != ERR_OK) {
        buf_reset(&out, 0);
        item->spoilt = true;
    }
    *n = out.n;
    return buf_give(&out);
}

static struct str
content_of(const struct message_record *m)
{
    return (struct str){m->content, m->content_n};
}

void
store_mongo_texts_put_message(struct mongo_link *link, struct mongo_item *item,
                              struct mongo_bson *into,
                              const struct message_record *m)
{
    struct seal_place at = vault_at_message(m->sid, m->seq);
    struct message_record row = *m;
    char *sealed = seal_text(link, item, &at, content_of(m), &row.content_n);

    row.content = sealed != NULL ? sealed : m->content;
    mongo_doc_put_message(into, &row);
    xfree(sealed);
}

void
store_mongo_texts_put_piece(struct mongo_link *link, struct mongo_item *item,
                            const struct message_record *m, uint64_t at)
{
    struct seal_place place = vault_at_piece(m->sid, m->id, (int64_t)at);
    struct str text = content_of(m);
    char *sealed = seal_text(link, item, &place, text, &text.n);

    text.p = sealed != NULL ? sealed : text.p;
    mongo_bson_bytes(&item->doc, "content", text);
    xfree(sealed);
}

/* The name of the session as it is stored; NULL: as it is. Gives. */
static char *
seal_name(struct mongo_link *link, struct mongo_item *item,
          const struct session_record *r)
{
    struct seal_place at = vault_at_name(r->sid);
    size_t n;

    return seal_text(link, item, &at, str_from(r->name), &n);
}

void
store_mongo_texts_put_session(struct mongo_link *link, struct mongo_item *item,
                              struct mongo_bson *into,
                              const struct mongo_session *s)
{
    struct mongo_session copy = *s;
    char *sealed = seal_name(link, item, &s->record);

    copy.record.name = sealed != NULL ? sealed : s->record.name;
    mongo_doc_put_session(into, &copy);
    xfree(sealed);
}

void
store_mongo_texts_put_change(struct mongo_link *link, struct mongo_item *item,
                             struct mongo_bson *into,
                             const struct mongo_session *s,
                             enum mongo_change change)
{
    struct mongo_session copy = *s;
    char *sealed = seal_name(link, item, &s->record);

    copy.record.name = sealed != NULL ? sealed : s->record.name;
    mongo_doc_put_change(into, &copy, change);
    xfree(sealed);
}

/* -- getting -- */

/* A draft has no number, and its text is in pieces. */
static void
open_content(struct mongo_link *link, struct message_record *m)
{
    struct seal_place at = vault_at_message(m->sid, m->seq);
    struct buf text;

    buf_init(&text, m->content_n);
    if (m->seq != 0) {
        m->unreadable = !vault_get(link->vault, &at, content_of(m), &text);
    }
    xfree(m->content);
    m->content_n = text.n;
    m->content = buf_give(&text);
}

bool
store_mongo_texts_get_message(struct mongo_link *link, const bson_t *doc,
                              struct message_record *out)
{
    if (!mongo_doc_get_message(&link->db->lib, doc, out, &link->odd_fields)) {
        link->odd_documents++;
        return false;
    }
    open_content(link, out);
    return true;
}

static void
open_name(struct mongo_link *link, struct session_record *r)
{
    struct seal_place at = vault_at_name(r->sid);
    struct str stored = str_from(r->name);
    struct buf name;

    if (r->name == NULL) {
        return;
    }
    buf_init(&name, stored.n);
    r->name_unreadable = !vault_get(link->vault, &at, stored, &name);
    xfree(r->name);
    r->name = r->name_unreadable ? NULL : buf_give(&name);
    buf_fini(&name);
}

bool
store_mongo_texts_get_session(struct mongo_link *link, const bson_t *doc,
                              struct mongo_session *out)
{
    if (!mongo_doc_get_session(&link->db->lib, doc, out, &link->odd_fields)) {
        link->odd_documents++;
        return false;
    }
    open_name(link, &out->record);
    return true;
}

static struct str
stored_content(const struct mongo_link *link, const bson_t *doc)
{
    struct str text = {NULL, 0};
    bson_iter_t it;

    if (mongo_bson_find(&link->db->lib, doc, "content", &it)) {
        (void)mongo_bson_get_bytes(&link->db->lib, &it, &text);
    }
    return text;
}

bool
store_mongo_texts_get_piece(struct mongo_link *link, const bson_t *doc,
                            const struct message_record *m, struct buf *text)
{
    struct seal_place at = vault_at_piece(m->sid, m->id, (int64_t)text->n);
    struct str stored = stored_content(link, doc);

    return stored.n > 0 && vault_get(link->vault, &at, stored, text);
}

void
store_mongo_texts_get_content(struct mongo_link *link, const bson_t *doc,
                              const char *sid, struct buf *text)
{
    int64_t seq = mongo_bson_find_int(&link->db->lib, doc, "seq", 0);
    struct seal_place at = vault_at_message(sid, seq);
    struct str stored = stored_content(link, doc);

    buf_init(text, stored.n);
    (void)!vault_get(link->vault, &at, stored, text);
}
