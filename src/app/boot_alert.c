/* SPDX-License-Identifier: MIT */
#include "app/boot_alert.h"

#include "notify/notify.h"
#include "store/store.h"

#define LOOK_MS 1000

static void
look(struct timer *t)
{
    struct boot_alert *a = CONTAINER_OF(t, struct boot_alert, timer);
    bool differs = store_healthy(a->store) == a->down;

    if (differs && a->differs) {
        struct notify_event event = {.kind = a->down ? NOTIFY_STORAGE_UP
                                                     : NOTIFY_STORAGE_DOWN};

        a->down = !a->down;
        differs = false;
        notify_send(a->shard, &event);
    }
    a->differs = differs;
    timer_start(&a->shard->timers, t, LOOK_MS);
}

void
boot_alert_start(struct boot_alert *a, struct shard *s, struct store *store)
{
    a->shard = s;
    a->store = store;
    timer_init(&a->timer, look);
    timer_start(&s->timers, &a->timer, LOOK_MS);
}

void
boot_alert_stop(struct boot_alert *a)
{
    if (a->shard != NULL) {
        timer_cancel(&a->shard->timers, &a->timer);
    }
}
