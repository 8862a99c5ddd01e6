/* SPDX-License-Identifier: MIT */
/* Building the prompt from the log. The log is in order of completion, so an
 * answer may stand behind a later question: pairs are found by reply_to.
 * Questions without an answer (waiting, or failed) are left out, so are
 * answers that were regenerated, and what is stored and does not open. */
#include "chat/history.h"

#include "base/log.h"
#include "base/map.h"
#include "base/xalloc.h"
#include "chat/album.h"
#include "chat/conversation.h"
#include "chat/session.h"
#include "provider/estimate.h"

#include <string.h>

/* Of the first page; each later one is as large as all before it, as all of
 * them are looked at again. */
#define PAGE 64

/* Records read at most for one prompt: bounds time and memory where a budget
 * of millions of tokens meets a log of tiny messages. */
#define RECORDS_MAX 8192

struct history {
    struct session *session;
    struct terms *terms; /* prompt.system_prompt is theirs */
    const struct message_record *question;
    struct history_wish wish;
    struct message_record *records; /* newest first */
    size_t count;
    size_t *chosen; /* of the records, as history_choose gives them; NULL
                       when there are none */
    size_t chosen_n;
    struct provider_message *messages;
    struct picture picture; /* the question's, when it is a link */
    struct album album;     /* uploaded ones, of all messages */
    struct provider_turn prompt;
    uint64_t tokens;
    bool reading;
    bool cancelled; /* freed once the read has come back */
};

static struct chat *
chat_of(const struct history *h)
{
    return h->session->user->chat;
}

static struct str
content_of(const struct message_record *m)
{
    return (struct str){m->content, m->content_n};
}

/* --- choosing ----------------------------------------------------------- */

/* The answers among the records, by what they reply to. Older ones of the
 * same question stay out: the first one in is the newest. */
struct answer {
    struct map_node node;
    const struct message_record *record;
};

static struct str
reply_to_of(const struct map_node *node)
{
    return str_from(CONTAINER_OF(node, struct answer, node)->record->reply_to);
}

static bool
is_answer(const struct message_record *m)
{
    return m->sender == SENDER_AI && !m->superseded && m->content_n > 0 &&
           m->reply_to != NULL;
}

static bool
is_question(const struct message_record *m)
{
    return m->sender == SENDER_USER && !m->unreadable;
}

static void
note_answer(struct map *answers, struct answer *a,
            const struct message_record *m)
{
    a->record = m;
    if (is_answer(m) && map_find(answers, str_from(m->reply_to)) == NULL) {
        map_add(answers, &a->node);
    }
}

static const struct message_record *
answer_to(const struct map *answers, const struct message_record *question)
{
    struct map_node *node = map_find(answers, str_from(question->id));

    return node != NULL ? CONTAINER_OF(node, struct answer, node)->record
                        : NULL;
}

static void
reverse(size_t *items, size_t n)
{
    for (size_t i = 0; i + 1 < n - i; i++) {
        size_t kept = items[i];

        items[i] = items[n - 1 - i];
        items[n - 1 - i] = kept;
    }
}

static uint64_t
cost_of(const struct message_record *question,
        const struct message_record *answer)
{
    return estimate_tokens(content_of(question)) +
           estimate_tokens(content_of(answer));
}

/* Pairs newest first, each as answer, question. */
static size_t
choose(const struct history_log *log, struct answer *room, struct map *answers,
       size_t *chosen, bool *reached_out)
{
    uint64_t left = log->budget;
    size_t n = 0;

    for (size_t i = 0; i < log->count; i++) {
        const struct message_record *m = &log->records[i], *answer;

        note_answer(answers, &room[i], m);
        answer = is_question(m) && m->seq < log->before_seq
                     ? answer_to(answers, m)
                     : NULL;
        if (answer == NULL) {
            continue;
        }
        if (cost_of(m, answer) > left) {
            *reached_out = true;
            break;
        }
        left -= cost_of(m, answer);
        chosen[n++] = (size_t)(answer - log->records);
        chosen[n++] = i;
    }
    return n;
}

size_t
history_choose(const struct history_log *log, size_t *chosen, bool *reached_out)
{
    struct answer *room = xcalloc(log->count + 1, sizeof(*room));
    struct map answers;
    size_t n;

    *reached_out = false;
    map_init(&answers, reply_to_of);
    n = choose(log, room, &answers, chosen, reached_out);
    reverse(chosen, n);
    map_fini(&answers);
    xfree(room);
    return n;
}

/* --- reading ------------------------------------------------------------ */

static void
drop_records(struct history *h)
{
    for (size_t i = 0; i < h->count; i++) {
        message_record_fini(&h->records[i]);
    }
    xfree(h->records);
    h->records = NULL;
    h->count = 0;
}

static void
history_free(struct history *h)
{
    drop_records(h);
    xfree(h->chosen);
    xfree(h->messages);
    album_fini(&h->album);
    terms_release(h->terms);
    xfree(h);
}

static uint64_t
fixed_tokens(const struct history *h)
{
    return estimate_tokens(str_from(h->terms->settings->system_prompt)) +
           estimate_tokens(content_of(h->question));
}

static uint64_t
budget_of(const struct history *h)
{
    uint64_t all = h->terms->settings->context_tokens;
    uint64_t fixed = fixed_tokens(h);

    return all > fixed ? all - fixed : 0;
}

static void
put_message(struct history *h, size_t at, const struct message_record *m)
{
    h->messages[at] = (struct provider_message){
        .role = m->sender == SENDER_AI ? PROVIDER_ASSISTANT : PROVIDER_USER,
        .content = content_of(m),
    };
    h->tokens += estimate_tokens(content_of(m));
}

/* Of the question only: a link that leads nowhere any more would make each of
 * the later questions fail. */
static void
put_link(struct history *h, struct provider_message *m)
{
    if (picture_read_link(str_from(h->question->file_url), &h->picture)) {
        m->pictures = &h->picture;
        m->picture_count = 1;
    }
}

/* Takes chosen. */
static void
compose(struct history *h, size_t *chosen, size_t n)
{
    h->chosen = chosen;
    h->chosen_n = n;
    h->messages = xcalloc(n + 1, sizeof(*h->messages));
    h->tokens = estimate_tokens(str_from(h->terms->settings->system_prompt));
    for (size_t i = 0; i < n; i++) {
        put_message(h, i, &h->records[chosen[i]]);
    }
    put_message(h, n, h->question);
    put_link(h, &h->messages[n]);
    h->prompt = (struct provider_turn){
        .system_prompt = str_from(h->terms->settings->system_prompt),
        .messages = h->messages,
        .count = n + 1,
    };
}

static struct history_log
log_of(const struct history *h)
{
    return (struct history_log){.records = h->records,
                                .count = h->count,
                                .before_seq = h->question->seq,
                                .budget = budget_of(h)};
}

/* A page came oldest first; it goes behind what is there, newest first. */
static void
keep_page(struct history *h, struct store_job *job)
{
    h->records =
        xrealloc(h->records, (h->count + job->count) * sizeof(*h->records));
    for (size_t i = job->count; i-- > 0;) {
        h->records[h->count++] = job->messages[i];
        job->messages[i] = (struct message_record){.seq = 0};
    }
}

/* The log's end as it is remembered, if that is enough. */
static bool
recall(struct history *h)
{
    const struct recall *r = &h->session->recall;
    struct history_log log;
    size_t *chosen, n;
    bool enough;

    if (r->count == 0) {
        return false;
    }
    h->records = recall_copy(r);
    h->count = r->count;
    log = log_of(h);
    chosen = xcalloc(h->count + 1, sizeof(*chosen));
    n = history_choose(&log, chosen, &enough);
    enough = enough || r->whole;
    if (enough) {
        compose(h, chosen, n);
    } else {
        xfree(chosen);
        drop_records(h);
    }
    return enough;
}

static void
finish(struct history *h, enum err e)
{
    h->wish.done(h->wish.cookie, e);
}

/* --- pictures ----------------------------------------------------------- */

/* What was uploaded stays, so it goes with later questions, too. */
static void
put_pictures(struct history *h)
{
    for (size_t i = 0; i < h->album.count; i++) {
        const struct album_picture *p = &h->album.pictures[i];

        if (p->result == ERR_OK) {
            h->messages[p->message].pictures = &p->picture;
            h->messages[p->message].picture_count = 1;
            continue;
        }
        log_warn(EVENT_PICTURE_LEFT_OUT, "a model is not shown a picture",
                 log_cstr("session_id", h->session->id),
                 log_cstr("why", p->result == ERR_TOO_BIG     ? "too large"
                                 : p->result == ERR_NOT_FOUND ? "gone"
                                                              : "unreadable"));
    }
}

static struct history *
history_of(struct work *w)
{
    return CONTAINER_OF(w, struct history, album.work);
}

static void
on_pictures(struct work *w)
{
    struct history *h = history_of(w);
    struct session *s = h->session;

    h->reading = false;
    if (h->cancelled) {
        history_free(h);
    } else {
        put_pictures(h);
        finish(h, ERR_OK);
    }
    session_job_end(s);
}

/* Nobody is there any more: whoever started it was told to cancel. */
static void
on_destroy(struct work *w)
{
    history_free(history_of(w));
}

/* The question's first, then the newest. False: there is none. */
static bool
read_pictures(struct history *h)
{
    if (!h->wish.pictures) {
        return false;
    }
    (void)album_note(&h->album, h->question->file_id, h->chosen_n);
    for (size_t i = h->chosen_n; i-- > 0;) {
        const struct message_record *m = &h->records[h->chosen[i]];

        if (m->sender == SENDER_USER) {
            (void)album_note(&h->album, m->file_id, i);
        }
    }
    if (h->album.count == 0) {
        return false;
    }
    h->album.work = (struct work){
        .run = album_read, .done = on_pictures, .destroy = on_destroy};
    h->reading = true;
    session_job_begin(h->session);
    work_start(chat_of(h)->shard, &h->album.work);
    return true;
}

/* --- pages -------------------------------------------------------------- */

static void read_page(struct history *h);

/* More is read until the budget is full, the log is at its end, or enough was
 * read. */
static void
take_page(struct history *h, struct store_job *job)
{
    struct history_log log;
    size_t *chosen;
    size_t n;
    bool reached;

    keep_page(h, job);
    recall_older(&h->session->recall, &chat_of(h)->recalls, h->records,
                 h->count, !job->more);
    log = log_of(h);
    chosen = xcalloc(h->count + 1, sizeof(*chosen));
    n = history_choose(&log, chosen, &reached);
    if (!reached && job->more && h->count < RECORDS_MAX) {
        xfree(chosen);
        read_page(h);
    } else {
        compose(h, chosen, n);
        if (!read_pictures(h)) {
            finish(h, ERR_OK);
        }
    }
}

static void
on_page(struct store_job *job)
{
    struct history *h = job->cookie;
    struct session *s = h->session;

    h->reading = false;
    if (h->cancelled) {
        history_free(h);
    } else if (job->result != ERR_OK) {
        finish(h, ERR_DATABASE_ERROR);
    } else {
        take_page(h, job);
    }
    store_job_free(job);
    session_job_end(s);
}

/* Without an owner, who would have to be looked for again: the session is its
 * user's, and its question was stored just now. */
static void
read_page(struct history *h)
{
    struct store_job *job =
        store_job_new(STORE_MESSAGES, chat_of(h)->shard, on_page, h);

    memcpy(job->session.sid, h->session->id, sizeof(job->session.sid));
    job->session.seq = h->question->seq;
    job->before_seq = h->count > 0 ? h->records[h->count - 1].seq : INT64_MAX;
    job->limit = h->count > PAGE ? h->count : PAGE;
    h->reading = true;
    session_job_begin(h->session);
    store_submit(chat_of(h)->store, job);
}

struct history *
history_start(struct session *s, const struct history_wish *wish, bool *ready)
{
    struct history *h = xcalloc(1, sizeof(*h));

    h->session = s;
    h->terms = terms_hold(s->user->chat->terms);
    h->question = wish->question;
    h->wish = *wish;
    album_init(&h->album, h->terms->settings->upload);
    *ready = wish->question->seq == 1;
    if (*ready) {
        compose(h, NULL, 0);
    } else {
        *ready = recall(h);
    }
    if (!*ready) {
        read_page(h);
    } else {
        *ready = !read_pictures(h);
    }
    return h;
}

const struct provider_turn *
history_prompt(const struct history *h)
{
    return &h->prompt;
}

void
history_resume(const struct history *h, struct str model_id,
               struct provider_turn *prompt)
{
    struct history_log log = log_of(h);
    struct conversation c =
        conversation_find(&log, model_id, h->chosen, h->chosen_n);

    if (c.id != NULL) {
        prompt->conversation = str_from(c.id);
        prompt->messages += c.known;
        prompt->count -= c.known;
    }
}

uint64_t
history_tokens(const struct history *h)
{
    return h->tokens;
}

void
history_cancel(struct history *h)
{
    if (h == NULL) {
        return;
    }
    if (h->reading) {
        h->cancelled = true;
        return;
    }
    history_free(h);
}
