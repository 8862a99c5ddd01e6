/* SPDX-License-Identifier: MIT */
#include "notify/notice.h"

#include "base/clock.h"
#include "base/xalloc.h"

static const struct {
    const char *word;
    const char *sentence;
} kinds[] = {
#define NOTIFY_EVENT(ID, word, sentence, meaning) {word, sentence},
#include "notify/event.def"
#undef NOTIFY_EVENT
};

const char *
notice_word(enum notify_kind kind)
{
    return kinds[kind].word;
}

const char *
notice_sentence(enum notify_kind kind)
{
    return kinds[kind].sentence;
}

struct notice *
notice_new(const struct notify_event *event)
{
    struct notice *n = xcalloc(1, sizeof(*n));

    n->refs = 1;
    n->kind = event->kind;
    n->at_ms = clock_wall_ms();
    rand_id(n->id);
    n->session_id = str_dup(event->session_id);
    n->user_id = str_dup(event->user_id);
    for (size_t i = 0; i < NOTIFY_DETAILS_MAX; i++) {
        n->details[i].name = event->details[i].name;
        n->details[i].value = str_dup(event->details[i].value);
    }
    return n;
}

struct notice *
notice_hold(struct notice *n)
{
    n->refs++;
    return n;
}

void
notice_release(struct notice *n)
{
    if (--n->refs > 0) {
        return;
    }
    for (size_t i = 0; i < NOTIFY_DETAILS_MAX; i++) {
        xfree(n->details[i].value);
    }
    xfree(n->session_id);
    xfree(n->user_id);
    xfree(n);
}
