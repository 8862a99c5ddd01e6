/* SPDX-License-Identifier: MIT */
/* Files on their way to a provider. Neighbours: asking.c asks when they are
 * there, provider/dify_file.c says what is sent. */
#include "chat/handover.h"

#include "base/metrics.h"
#include "base/xalloc.h"
#include "loop/shard.h"
#include "net/fetch.h"

/* A file of the album's most bytes, and the form around it. */
#define BODY_BYTES ((size_t)16 << 20)

/* Of an answer; it is a document of a few members. */
#define ANSWER_BYTES 8192

struct item {
    struct handover *h;
    struct fetch *fetch; /* NULL: none, or it has ended */
    struct buf answer;
    int status;
    int64_t retry_after_ms;
    bool taken;
    char id[PROVIDER_ID_MAX + 1];
};

struct handover {
    struct terms *terms;
    const struct provider_config *config;
    const struct log_field *who; /* two */
    const struct handover_events *events;
    void *cookie;
    size_t count;
    size_t open;
    size_t taken;
    struct str names[HANDOVER_MAX]; /* of those that were taken */
    struct item items[HANDOVER_MAX];
};

/* --- ends --------------------------------------------------------------- */

static void
leave_out(const struct handover *h, const char *why)
{
    log_warn(EVENT_PICTURE_LEFT_OUT, "a model is not shown a picture",
             h->who[0], h->who[1], log_cstr("provider", h->config->id),
             log_cstr("why", why));
}

static void
fail(struct item *i, enum fetch_end end)
{
    struct handover *h = i->h;
    struct upstream_failure why = {
        .end = fetch_end_is_late(end) ? UPSTREAM_TIMEOUT : UPSTREAM_REFUSED,
        .retryable = end != FETCH_DONE || i->status == 429 || i->status >= 500,
        .retry_after_ms = i->retry_after_ms,
        .status = i->status,
        .word = end == FETCH_DONE ? "file_refused" : fetch_end_word(end)};

    h->events->on_failed(h->cookie, &why);
}

/* Of this file alone; not that we may not ask, nor that it is too much now. */
static bool
is_about_the_file(int status)
{
    return status >= 400 && status < 500 && status != 401 && status != 403 &&
           status != 404 && status != 408 && status != 429;
}

static void
name_all(struct handover *h)
{
    for (size_t n = 0; n < h->count; n++) {
        if (h->items[n].taken) {
            h->names[h->taken++] = str_from(h->items[n].id);
        }
    }
}

static void
settle(struct item *i)
{
    struct handover *h = i->h;

    if (i->status >= 200 && i->status < 300 && !i->answer.failed &&
        h->config->ops->file_id(buf_str(&i->answer), i->id)) {
        i->taken = true;
    } else {
        leave_out(h, "refused");
    }
    if (--h->open == 0) {
        name_all(h);
        h->events->on_done(h->cookie);
    }
}

/* --- its requests ------------------------------------------------------- */

static void
on_head(void *cookie, const struct fetch_head *head)
{
    struct item *i = cookie;

    i->status = head->status;
    i->retry_after_ms = head->retry_after_ms;
}

static void
on_data(void *cookie, struct str bytes)
{
    buf_put_str(&((struct item *)cookie)->answer, bytes);
}

static void
on_end(void *cookie, enum fetch_end end)
{
    struct item *i = cookie;
    bool ok = i->status >= 200 && i->status < 300;

    i->fetch = NULL;
    if (end == FETCH_DONE && (ok || is_about_the_file(i->status))) {
        settle(i);
    } else {
        fail(i, end);
    }
}

static const struct fetch_events events = {on_head, on_data, on_end};

static void
send_it(struct item *i, const struct provider_request *request)
{
    const struct chat_settings *set = i->h->terms->settings;
    struct fetch_request fetch = {
        .method = "POST",
        .url = request->url,
        .headers = request->headers,
        .body = buf_str(&request->body),
        .connect_timeout_ms = set->connect_timeout_ms,
        .first_byte_timeout_ms = set->first_byte_timeout_ms,
        .idle_timeout_ms = set->idle_timeout_ms,
        .total_timeout_ms = set->stream_timeout_ms,
    };

    i->fetch = fetch_start(i->h->terms->chat->shard, &fetch, &events, i);
    i->h->open++;
}

static void
put(struct handover *h, const struct picture *picture, struct str user)
{
    struct provider_request request;
    struct item *i = &h->items[h->count];

    provider_request_init(&request, BODY_BYTES);
    if (h->config->ops->put_file(h->config, picture, user, &request) ==
        ERR_OK) {
        h->count++;
        i->h = h;
        i->retry_after_ms = -1;
        buf_init(&i->answer, ANSWER_BYTES);
        send_it(i, &request);
    } else {
        leave_out(h, "too large");
    }
    provider_request_fini(&request);
}

/* --- the door ----------------------------------------------------------- */

void
handover_free(struct handover *h)
{
    for (size_t n = 0; h != NULL && n < h->count; n++) {
        if (h->items[n].fetch != NULL) {
            fetch_cancel(h->items[n].fetch);
        }
        buf_fini(&h->items[n].answer);
    }
    if (h != NULL) {
        terms_release(h->terms);
        xfree(h);
    }
}

static struct handover *
handover_new(const struct handover_ask *ask, const struct handover_events *what,
             void *cookie)
{
    struct handover *h = xcalloc(1, sizeof(*h));

    h->terms = terms_hold(ask->terms);
    h->config = &ask->terms->settings->providers[ask->provider];
    h->who = ask->who;
    h->events = what;
    h->cookie = cookie;
    return h;
}

struct handover *
handover_start(const struct handover_ask *ask,
               const struct handover_events *what, void *cookie)
{
    const struct provider_turn *prompt = ask->prompt;
    const struct provider_config *config =
        &ask->terms->settings->providers[ask->provider];
    const struct provider_message *question;
    struct handover *h;

    if (config->ops->put_file == NULL || prompt->count == 0 ||
        prompt->partial.n > 0) {
        return NULL;
    }
    h = handover_new(ask, what, cookie);
    question = &prompt->messages[prompt->count - 1];
    for (size_t k = 0; k < provider_pictures(config, question); k++) {
        if (question->pictures[k].base64.n > 0 && h->count < HANDOVER_MAX) {
            put(h, &question->pictures[k], prompt->user);
        }
    }
    if (h->open == 0) {
        handover_free(h);
        h = NULL;
    }
    return h;
}

void
handover_names(const struct handover *h, struct provider_turn *prompt)
{
    prompt->files = h->names;
    prompt->file_count = h->taken;
}
