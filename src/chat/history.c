/* SPDX-License-Identifier: MIT */
/* Building the prompt from the log. The log is in order of completion, so an
 * answer may stand behind a later question: pairs are found by reply_to.
 * Questions without an answer (waiting, or failed) are left out, so are
 * answers that were regenerated. */
#include "chat/history.h"

#include "base/xalloc.h"
#include "chat/session.h"
#include "provider/estimate.h"

#include <string.h>

#define PAGE 64

/* Records read at most for one prompt: bounds time and memory where a budget
 * of millions of tokens meets a log of tiny messages. */
#define RECORDS_MAX 8192

struct history {
    struct session *session;
    const struct message_record *question;
    void (*done)(void *cookie, enum err e);
    void *cookie;
    struct message_record *records; /* newest first */
    size_t count;
    struct provider_message *messages;
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

static bool
is_answer(const struct message_record *m)
{
    return m->sender == SENDER_AI && !m->superseded && m->content_n > 0 &&
           m->reply_to != NULL;
}

/* The newest answer to records[question], which stands before it in the
 * array; count when there is none. */
static size_t
answer_to(const struct message_record *records, size_t question)
{
    for (size_t i = 0; i < question; i++) {
        if (is_answer(&records[i]) &&
            strcmp(records[i].reply_to, records[question].id) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

static void
reverse_pairs(size_t *chosen, size_t n)
{
    for (size_t i = 0, j = n; i + 2 < j; i += 2) {
        size_t question = chosen[i], answer = chosen[i + 1];

        j -= 2;
        if (i >= j) {
            return;
        }
        chosen[i] = chosen[j];
        chosen[i + 1] = chosen[j + 1];
        chosen[j] = question;
        chosen[j + 1] = answer;
    }
}

size_t
history_choose(const struct message_record *records, size_t count,
               int64_t before_seq, uint64_t budget, size_t *chosen,
               bool *reached_out)
{
    size_t n = 0;

    *reached_out = false;
    for (size_t i = 0; i < count; i++) {
        uint64_t cost;
        size_t answer;

        if (records[i].sender != SENDER_USER || records[i].seq >= before_seq) {
            continue;
        }
        answer = answer_to(records, i);
        if (answer == SIZE_MAX) {
            continue;
        }
        cost = estimate_tokens(content_of(&records[i])) +
               estimate_tokens(content_of(&records[answer]));
        if (cost > budget) {
            *reached_out = true;
            break;
        }
        budget -= cost;
        chosen[n++] = i;
        chosen[n++] = answer;
    }
    reverse_pairs(chosen, n);
    return n;
}

/* --- reading ------------------------------------------------------------ */

static void
history_free(struct history *h)
{
    for (size_t i = 0; i < h->count; i++) {
        message_record_fini(&h->records[i]);
    }
    xfree(h->records);
    xfree(h->messages);
    xfree(h);
}

static uint64_t
fixed_tokens(const struct history *h)
{
    return estimate_tokens(str_from(chat_of(h)->settings->system_prompt)) +
           estimate_tokens(content_of(h->question));
}

static uint64_t
budget_of(const struct history *h)
{
    uint64_t all = chat_of(h)->settings->context_tokens;
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

static void
compose(struct history *h, const size_t *chosen, size_t n)
{
    h->messages = xcalloc(n + 1, sizeof(*h->messages));
    h->tokens = estimate_tokens(str_from(chat_of(h)->settings->system_prompt));
    for (size_t i = 0; i < n; i++) {
        put_message(h, i, &h->records[chosen[i]]);
    }
    put_message(h, n, h->question);
    h->prompt = (struct provider_turn){
        .system_prompt = str_from(chat_of(h)->settings->system_prompt),
        .messages = h->messages,
        .count = n + 1,
    };
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

static void read_page(struct history *h);

static void
finish(struct history *h, enum err e)
{
    h->done(h->cookie, e);
}

/* More is read until the budget is full, the log is at its end, or enough was
 * read. */
static void
take_page(struct history *h, struct store_job *job)
{
    size_t *chosen;
    size_t n;
    bool reached;

    keep_page(h, job);
    chosen = xcalloc(h->count + 1, 2 * sizeof(*chosen));
    n = history_choose(h->records, h->count, h->question->seq, budget_of(h),
                       chosen, &reached);
    if (!reached && job->more && h->count < RECORDS_MAX) {
        read_page(h);
    } else {
        compose(h, chosen, n);
        finish(h, ERR_OK);
    }
    xfree(chosen);
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

static void
read_page(struct history *h)
{
    struct store_job *job =
        store_job_new(STORE_MESSAGES, chat_of(h)->shard, on_page, h);

    job->user_id = str_dup(user_id(h->session->user));
    memcpy(job->session.sid, h->session->id, sizeof(job->session.sid));
    job->before_seq = h->count > 0 ? h->records[h->count - 1].seq : INT64_MAX;
    job->limit = PAGE;
    h->reading = true;
    session_job_begin(h->session);
    store_submit(chat_of(h)->store, job);
}

struct history *
history_start(struct session *s, const struct message_record *question,
              void (*done)(void *cookie, enum err e), void *cookie)
{
    struct history *h = xcalloc(1, sizeof(*h));

    h->session = s;
    h->question = question;
    h->done = done;
    h->cookie = cookie;
    read_page(h);
    return h;
}

const struct provider_turn *
history_prompt(const struct history *h)
{
    return &h->prompt;
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
