/* SPDX-License-Identifier: MIT */
/* From an address to a key set: one GET, limited in time and size, whose
 * answer counts only if it is whole, status 200 and a set with a key in it. */
#include "gate/keys_fetch.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "gate/gate.h"
#include "guard/jwks.h"
#include "net/fetch.h"

#define TOTAL_MS 5000

#define TOO_LARGE "the answer is too large"

struct keys_fetch {
    struct shard *shard;
    const struct gate_settings *settings;
    void (*done)(void *cookie, struct jwks *set);
    void *cookie;
    struct fetch *fetch; /* NULL: none is under way */
    struct buf body;
    int status; /* 0: no head yet */
};

static void
log_failure(const struct keys_fetch *f, const char *why)
{
    metric_count(METRIC_JWKS_ERRORS);
    log_warn(EVENT_JWKS_ERROR, "the key set could not be fetched",
             log_cstr("why", why), log_int("status", f->status));
}

/* NULL, and why it is none. */
static struct jwks *
read_set(const struct keys_fetch *f, enum fetch_end end, const char **why_out)
{
    struct jwks *set = NULL;

    if (end != FETCH_DONE) {
        *why_out = fetch_end_word(end);
    } else if (f->status != 200) {
        *why_out = "the status is not 200";
    } else if (f->body.failed) {
        *why_out = TOO_LARGE;
    } else if (jwks_parse(buf_str(&f->body), &set, why_out) == ERR_OK) {
        log_info(EVENT_JWKS, "the key set was fetched",
                 log_int("keys", (int64_t)jwks_count(set)));
    }
    return set;
}

static void
on_head(void *cookie, const struct fetch_head *head)
{
    struct keys_fetch *f = cookie;

    f->status = head->status;
}

static void
on_end(void *cookie, enum fetch_end end)
{
    struct keys_fetch *f = cookie;
    const char *why = NULL;
    struct jwks *set = read_set(f, end, &why);

    if (set == NULL) {
        log_failure(f, why);
    }
    f->fetch = NULL;
    buf_reset(&f->body, 0);
    f->done(f->cookie, set);
}

/* Nobody reads on when the answer does not fit. */
static void
on_data(void *cookie, struct str bytes)
{
    struct keys_fetch *f = cookie;

    buf_put_str(&f->body, bytes);
    if (f->body.failed) {
        fetch_cancel(f->fetch);
        on_end(f, FETCH_DONE);
    }
}

static const struct fetch_events events = {on_head, on_data, on_end};

void
keys_fetch_start(struct keys_fetch *f)
{
    static const char *const headers[] = {
        "Accept: application/jwk-set+json, application/json", NULL};
    const char *ca = f->settings->jwks_ca;
    struct fetch_request request = {
        .method = "GET",
        .url = f->settings->jwks_url,
        .headers = headers,
        .total_timeout_ms = TOTAL_MS,
        .ca_file = ca != NULL && ca[0] != '\0' ? ca : NULL,
    };

    if (f->fetch != NULL) {
        return;
    }
    f->status = 0;
    metric_count(METRIC_JWKS_FETCHES);
    f->fetch = fetch_start(f->shard, &request, &events, f);
}

bool
keys_fetch_busy(const struct keys_fetch *f)
{
    return f->fetch != NULL;
}

struct keys_fetch *
keys_fetch_new(struct shard *s, const struct gate_settings *settings,
               void (*done)(void *cookie, struct jwks *set), void *cookie)
{
    struct keys_fetch *f = xcalloc(1, sizeof(*f));

    f->shard = s;
    f->settings = settings;
    f->done = done;
    f->cookie = cookie;
    buf_init(&f->body, JWKS_BYTES_MAX);
    return f;
}

void
keys_fetch_free(struct keys_fetch *f)
{
    if (f == NULL) {
        return;
    }
    if (f->fetch != NULL) {
        fetch_cancel(f->fetch);
    }
    buf_fini(&f->body);
    xfree(f);
}
