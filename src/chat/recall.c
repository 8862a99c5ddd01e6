/* SPDX-License-Identifier: MIT */
/* What history.c would read again: see recall.h. session.c notes what turns
 * have stored. */
#include "chat/recall.h"

#include "base/xalloc.h"

#include <string.h>

/* What a prompt is built from, and by what its parts are found. */
static struct message_record
copy_of(const struct message_record *m)
{
    struct message_record copy = {.seq = m->seq,
                                  .sender = m->sender,
                                  .superseded = m->superseded,
                                  .unreadable = m->unreadable,
                                  .content_n = m->content_n};

    memcpy(copy.id, m->id, sizeof(copy.id));
    copy.content =
        m->content != NULL ? xmemdup(m->content, m->content_n) : NULL;
    copy.reply_to = m->reply_to != NULL ? xstrdup(m->reply_to) : NULL;
    copy.file_id = m->file_id != NULL ? xstrdup(m->file_id) : NULL;
    if (m->conversation != NULL && m->model_id != NULL) {
        copy.conversation = xstrdup(m->conversation);
        copy.model_id = xstrdup(m->model_id);
    }
    return copy;
}

/* In memory; many short ones are mostly their records. */
static size_t
cost_of(const struct message_record *m)
{
    size_t n = m->conversation != NULL ? strlen(m->conversation) : 0;

    n += m->file_id != NULL ? strlen(m->file_id) : 0;
    return sizeof(*m) + m->content_n + n;
}

static void
drop_oldest(struct recall *r, struct recalls *all)
{
    r->bytes -= cost_of(&r->records[0]);
    all->bytes -= cost_of(&r->records[0]);
    message_record_fini(&r->records[0]);
    r->count--;
    memmove(r->records, r->records + 1, r->count * sizeof(*r->records));
    r->whole = false;
}

static void
keep_within(struct recall *r, struct recalls *all)
{
    while (r->count > 1 && (r->count > RECALL_MAX || r->bytes > RECALL_BYTES)) {
        drop_oldest(r, all);
    }
    if (r->bytes > RECALL_BYTES || all->bytes > RECALL_ALL_BYTES) {
        recall_forget(r, all);
    }
}

static void
put(struct recall *r, struct recalls *all, size_t at,
    const struct message_record *m)
{
    r->records = xrealloc(r->records, (r->count + 1) * sizeof(*r->records));
    memmove(r->records + at + 1, r->records + at,
            (r->count - at) * sizeof(*r->records));
    r->records[at] = copy_of(m);
    r->count++;
    r->bytes += cost_of(&r->records[at]);
    all->bytes += cost_of(&r->records[at]);
}

/* The answer it was made instead of. */
static void
supersede(struct recall *r, const char *id)
{
    for (uint32_t i = 0; id != NULL && i < r->count; i++) {
        r->records[i].superseded |= strcmp(r->records[i].id, id) == 0;
    }
}

void
recall_note(struct recall *r, struct recalls *all,
            const struct message_record *m)
{
    if (r->count > 0 && m->seq != r->records[r->count - 1].seq + 1) {
        recall_forget(r, all);
    }
    r->whole = r->count > 0 ? r->whole : m->seq == 1;
    supersede(r, m->replaces);
    put(r, all, r->count, m);
    keep_within(r, all);
}

void
recall_older(struct recall *r, struct recalls *all,
             const struct message_record *records, size_t count, bool whole)
{
    for (size_t i = 0; i < count && r->count > 0; i++) {
        if (records[i].seq != r->records[0].seq - 1) {
            continue;
        }
        if (r->count == RECALL_MAX ||
            r->bytes + cost_of(&records[i]) > RECALL_BYTES) {
            break;
        }
        put(r, all, 0, &records[i]);
        r->whole = whole && i + 1 == count;
    }
    keep_within(r, all);
}

struct message_record *
recall_copy(const struct recall *r)
{
    struct message_record *out;

    if (r->count == 0) {
        return NULL;
    }
    out = xcalloc(r->count, sizeof(*out));
    for (uint32_t i = 0; i < r->count; i++) {
        out[i] = copy_of(&r->records[r->count - 1 - i]);
    }
    return out;
}

void
recall_forget(struct recall *r, struct recalls *all)
{
    for (uint32_t i = 0; i < r->count; i++) {
        message_record_fini(&r->records[i]);
    }
    all->bytes -= r->bytes;
    xfree(r->records);
    *r = (struct recall){.count = 0};
}
