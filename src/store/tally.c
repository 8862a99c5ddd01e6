/* SPDX-License-Identifier: MIT */
/* A session's record and what happens in it; see tally.h. What a database
 * does to keep both together is the backend's matter. */
#include "store/tally.h"

#include "base/check.h"
#include "base/rand.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "store/store.h"

#include <string.h>

#define NAME_CHARS 80

void
tally_begin(struct session_record *r, int64_t at_ms)
{
    char id[RAND_ID_CHARS + 1];

    CHECK(r->sid[0] != '\0' && r->user_id != NULL);
    r->start_ms = r->start_ms != 0 ? r->start_ms : at_ms;
    r->last_ms = r->last_ms > r->start_ms ? r->last_ms : r->start_ms;
    r->seq = r->message_count = r->total_tokens = r->cost_nanos = 0;
    r->max_response_ms = r->response_count = 0;
    r->avg_response_ms = 0;
    if (r->epoch[0] == '\0') {
        rand_id(id);
        memcpy(r->epoch, id, RECORD_EPOCH_CHARS);
        r->epoch[RECORD_EPOCH_CHARS] = '\0';
    }
}

void
tally_message(struct session_record *r, const struct message_record *m)
{
    r->seq = m->seq;
    r->message_count++;
    r->last_ms = m->at_ms > r->last_ms ? m->at_ms : r->last_ms;
    r->total_tokens += m->usage.present ? m->usage.total_tokens : 0;
    r->cost_nanos += m->usage.present ? m->usage.cost_nanos : 0;
    if (m->sender == SENDER_USER || m->sender == SENDER_ADMIN) {
        r->end_ms = 0;
    }
}

/* -- names -- */

/* The first line, without the space around it, at most NAME_CHARS characters
 * of valid UTF-8. Borrows. */
static struct str
first_line(struct str text)
{
    struct str rest = str_trim(text), line = {NULL, 0};
    size_t chars = 0;

    (void)str_split(&rest, '\n', &line);
    for (size_t i = 0; i < line.n; i++) {
        bool begins = ((unsigned char)line.p[i] & 0xc0) != 0x80;

        if (begins && chars++ == NAME_CHARS) {
            line.n = i;
        }
    }
    return str_trim(line);
}

static bool
has_text(const char *s)
{
    return s != NULL && s[0] != '\0';
}

void
tally_name(struct session_record *r, const char *proposed,
           const struct message_record *m)
{
    struct str line = {NULL, 0};

    if (has_text(r->name) || r->name_unreadable) {
        return;
    }
    if (has_text(proposed)) {
        line = str_from(proposed);
    } else if (m->sender == SENDER_USER && m->content != NULL) {
        line = first_line((struct str){m->content, m->content_n});
    }
    if (line.n > 0) {
        xfree(r->name);
        r->name = str_dup(line);
    }
}

/* -- patches -- */

/* The string moves; what was there is freed. */
static void
move_text(char **to, char **from)
{
    xfree(*to);
    *to = *from;
    *from = NULL;
}

static bool
ends_again(const struct session_record *to, const struct session_record *from,
           unsigned patch)
{
    return (patch & STORE_PATCH_END) != 0 && to->end_ms != 0 &&
           from->end_ms != 0;
}

bool
tally_patch(struct session_record *to, struct session_record *from,
            unsigned patch)
{
    bool again = ends_again(to, from, patch);

    if (patch & STORE_PATCH_NAME) {
        move_text(&to->name, &from->name);
        to->name_unreadable = false;
    }
    if (patch & STORE_PATCH_MODEL) {
        move_text(&to->model_id, &from->model_id);
    }
    if (patch & STORE_PATCH_ARCHIVED) {
        to->archived = from->archived;
    }
    if ((patch & STORE_PATCH_END) && !again) {
        to->end_ms = from->end_ms;
    }
    if (patch & STORE_PATCH_HELP) {
        to->help_requested = from->help_requested;
    }
    if ((patch & STORE_PATCH_SHARE) &&
        (to->share_token == NULL || from->share_token == NULL)) {
        move_text(&to->share_token, &from->share_token);
    }
    if (patch & STORE_PATCH_ASSIST) {
        to->admin_assisted = from->admin_assisted;
        to->takeover_epoch = from->takeover_epoch;
        move_text(&to->assisting_admin_id, &from->assisting_admin_id);
        move_text(&to->assisting_admin_name, &from->assisting_admin_name);
    }
    return again;
}
