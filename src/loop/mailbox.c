/* SPDX-License-Identifier: MIT */
/* The only way from one thread to a shard, and one of the two files of the
 * program that lock. Everything that crosses is a struct letter inside the
 * object that it gives away, so posting allocates nothing. */
#include "loop/mailbox.h"

#include <stddef.h>

static struct letter *
take_all(struct mailbox *m)
{
    struct letter *first;

    pthread_mutex_lock(&m->lock);
    first = m->first;
    m->first = m->last = NULL;
    pthread_mutex_unlock(&m->lock);
    return first;
}

/* Letters that were taken and not read, in front of what came since. */
static void
put_back(struct mailbox *m, struct letter *first)
{
    struct letter *last = first;

    while (last->next != NULL) {
        last = last->next;
    }
    pthread_mutex_lock(&m->lock);
    last->next = m->first;
    m->last = m->first != NULL ? m->last : last;
    m->first = first;
    pthread_mutex_unlock(&m->lock);
}

/* `open` is written by this thread alone, so reading it takes no lock. */
static void
on_wake(uv_async_t *wake)
{
    struct mailbox *m = wake->data;
    struct letter *l = take_all(m);

    while (l != NULL && m->open) {
        struct letter *next = l->next;

        l->deliver(m->owner, l);
        l = next;
    }
    if (l != NULL) {
        put_back(m, l);
    }
}

enum err
mailbox_init(struct mailbox *m, uv_loop_t *loop, struct shard *owner)
{
    *m = (struct mailbox){.owner = owner, .open = true};
    if (uv_async_init(loop, &m->wake, on_wake) != 0) {
        return ERR_IO;
    }
    m->wake.data = m;
    CHECK(pthread_mutex_init(&m->lock, NULL) == 0);
    return ERR_OK;
}

void
mailbox_post(struct mailbox *m, struct letter *l)
{
    bool was_empty;

    l->next = NULL;
    pthread_mutex_lock(&m->lock);
    was_empty = m->first == NULL;
    if (was_empty) {
        m->first = l;
    } else {
        m->last->next = l;
    }
    m->last = l;
    if (was_empty && m->open) {
        /* Under the lock, so that the handle cannot be closed meanwhile. */
        CHECK(uv_async_send(&m->wake) == 0);
    }
    pthread_mutex_unlock(&m->lock);
}

void
mailbox_close(struct mailbox *m)
{
    if (!m->open) {
        return;
    }
    pthread_mutex_lock(&m->lock);
    m->open = false;
    pthread_mutex_unlock(&m->lock);
    uv_close((uv_handle_t *)&m->wake, NULL);
}

void
mailbox_fini(struct mailbox *m)
{
    struct letter *l = take_all(m);

    while (l != NULL) {
        struct letter *next = l->next;

        if (l->destroy != NULL) {
            l->destroy(l);
        }
        l = next;
    }
    pthread_mutex_destroy(&m->lock);
}
