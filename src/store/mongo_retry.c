/* SPDX-License-Identifier: MIT */
/* When an operation on MongoDB is tried again, and what may be said of it.
 * Two questions that are easily taken for one are kept apart: does the reason
 * pass (then another attempt is made), and can it have been stored (then
 * nobody is told that it was not). mongo_retry.def answers both for the
 * server's codes; the rest is what the driver's domains mean. Its neighbour is
 * the backend, which has the driver. */
#include "store/mongo_retry.h"

#include <stddef.h>

enum {
    CODE_INTERNAL = 1,
    CODE_UNKNOWN = 8,
    CODE_CONCERN_TIMEOUT = 64, /* WriteConcernFailed, later …Timeout */
    CODE_DUPLICATE_KEY = 11000
};

enum done { NOTHING, PERHAPS };
enum which { ANY, READS };

static const struct passing {
    uint32_t code;
    const char *name;
    enum done done;
    enum which which;
} passing[] = {
#define PASSING(number, Name, done, which, text) {number, #Name, done, which},
#include "store/mongo_retry.def"
#undef PASSING
};

static const struct passing *
find(uint32_t code)
{
    for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++) {
        if (passing[i].code == code) {
            return &passing[i];
        }
    }
    return NULL;
}

/* Whether the error is the server's answer and its code one of the server's,
 * and not the driver's own. */
static bool
is_answer(const struct mongo_attempt *a)
{
    switch (a->domain) {
    case MONGO_DOMAIN_CLIENT:
    case MONGO_DOMAIN_STREAM:
    case MONGO_DOMAIN_PROTOCOL:
    case MONGO_DOMAIN_SASL:
    case MONGO_DOMAIN_BSON:
    case MONGO_DOMAIN_SCRAM:
    case MONGO_DOMAIN_SERVER_SELECTION:
    case MONGO_DOMAIN_POOL:
    case MONGO_DOMAIN_NO_CLIENT:
        return false;
    default:
        return true;
    }
}

static bool
has(const struct mongo_attempt *a, unsigned labels)
{
    return (a->labels & labels) != 0;
}

static bool
is_duplicate(const struct mongo_attempt *a)
{
    return !a->ok && a->write && is_answer(a) &&
           a->domain != MONGO_DOMAIN_WRITE_CONCERN &&
           a->code == CODE_DUPLICATE_KEY;
}

/* The write concern's error of a document that is there; 0: none. */
static uint32_t
concern_of(const struct mongo_attempt *a)
{
    if (!a->write) {
        return 0;
    }
    if (!a->ok && a->domain == MONGO_DOMAIN_WRITE_CONCERN) {
        return a->concern_code != 0 ? a->concern_code : a->code;
    }
    return a->ok || (is_duplicate(a) && a->own_key) ? a->concern_code : 0;
}

/* Of a call that failed and was not answered. What came back as garbage may
 * come back whole. */
static bool
driver_passing(const struct mongo_attempt *a)
{
    switch (a->domain) {
    case MONGO_DOMAIN_STREAM:
    case MONGO_DOMAIN_NO_CLIENT:
        return true;
    case MONGO_DOMAIN_PROTOCOL:
        return a->code != MONGO_CODE_PROTOCOL_WIRE_VERSION;
    case MONGO_DOMAIN_SERVER_SELECTION:
        return a->code != MONGO_CODE_SELECTION_WIRE_VERSION;
    case MONGO_DOMAIN_BSON:
        return a->sent > 0;
    default:
        return false;
    }
}

bool
mongo_retry_passing(const struct mongo_attempt *a)
{
    uint32_t concern = concern_of(a);
    uint32_t code = concern != 0 ? concern : a->code;
    const struct passing *row = find(code);

    if ((a->ok || is_duplicate(a)) && concern == 0) {
        return false;
    }
    if (has(a, MONGO_LABEL_RETRYABLE_WRITE | MONGO_LABEL_TRANSIENT_TRANSACTION |
                   MONGO_LABEL_UNKNOWN_COMMIT)) {
        return true;
    }
    if (concern == 0 && !is_answer(a)) {
        return driver_passing(a);
    }
    return (concern != 0 && code == CODE_CONCERN_TIMEOUT) ||
           (row != NULL && (row->which == ANY || !a->write));
}

/* Whether a server that answers with this error has surely not done it. */
static bool
refused(const struct mongo_attempt *a)
{
    const struct passing *row = find(a->code);

    if (row != NULL) {
        return row->done == NOTHING && !a->shared;
    }
    return !has(a, MONGO_LABEL_RETRYABLE_WRITE) && a->code != 0 &&
           a->code != CODE_INTERNAL && a->code != CODE_UNKNOWN;
}

/* Whether a write that failed has surely not been done. */
static bool
untouched(const struct mongo_attempt *a)
{
    if (a->sent == 0) {
        return true;
    }
    if (a->sent > 1 || has(a, MONGO_LABEL_UNKNOWN_COMMIT)) {
        return false;
    }
    return has(a, MONGO_LABEL_NO_WRITES_PERFORMED |
                      MONGO_LABEL_TRANSIENT_TRANSACTION) ||
           (is_answer(a) && refused(a));
}

enum mongo_outcome
mongo_retry_outcome(const struct mongo_attempt *a)
{
    if (concern_of(a) != 0) {
        return MONGO_UNCONFIRMED;
    }
    if (a->ok) {
        return MONGO_STORED;
    }
    if (is_duplicate(a)) {
        return a->own_key ? MONGO_DELIVERED : MONGO_NOT_EVER;
    }
    if (a->write && !untouched(a)) {
        return MONGO_UNKNOWN;
    }
    return mongo_retry_passing(a) ? MONGO_NOT_NOW : MONGO_NOT_EVER;
}

uint64_t
mongo_retry_pause_ms(const struct mongo_retry_rules *rules, unsigned n,
                     uint64_t random)
{
    uint64_t pause = rules->delay_ms;

    for (unsigned i = 1; i < n && pause < rules->max_delay_ms; i++) {
        pause = pause <= UINT64_MAX / 2 ? pause * 2 : UINT64_MAX;
    }
    pause = pause < rules->max_delay_ms ? pause : rules->max_delay_ms;
    return pause - random % (pause / 2 + 1);
}

void
mongo_retry_begin(struct mongo_retry *r, const struct mongo_retry_rules *rules)
{
    *r = (struct mongo_retry){.rules = *rules, .so_far = MONGO_NOT_NOW};
}

void
mongo_retry_doubt(struct mongo_retry *r)
{
    r->perhaps = true;
    r->so_far = MONGO_UNKNOWN;
}

/* A key that holds something else leaves no room for what was sent before:
 * then the operation has failed for good, whatever became of its attempts. */
static enum mongo_outcome
so_far(struct mongo_retry *r, const struct mongo_attempt *a)
{
    enum mongo_outcome now = mongo_retry_outcome(a);

    if (now == MONGO_UNKNOWN || now == MONGO_UNCONFIRMED) {
        r->perhaps = true;
        r->so_far = now;
    } else if (now >= MONGO_NOT_NOW && r->perhaps && !is_duplicate(a)) {
        now = r->so_far;
    }
    return now;
}

struct mongo_step
mongo_retry_after(struct mongo_retry *r, const struct mongo_attempt *a,
                  uint64_t now_ms, uint64_t random)
{
    struct mongo_step step = {.outcome = so_far(r, a)};
    uint64_t wait_ms;

    r->attempts++;
    wait_ms = mongo_retry_pause_ms(&r->rules, r->attempts, random);
    step.again = mongo_retry_passing(a) && r->attempts < r->rules.attempts &&
                 now_ms < r->rules.deadline_ms &&
                 wait_ms < r->rules.deadline_ms - now_ms;
    step.wait_ms = step.again ? wait_ms : 0;
    return step;
}

const char *
mongo_retry_code_name(uint32_t code)
{
    const struct passing *row = find(code);

    return row != NULL ? row->name : NULL;
}

const char *
mongo_retry_outcome_name(enum mongo_outcome outcome)
{
    static const char *const names[] = {
        [MONGO_STORED] = "stored",           [MONGO_DELIVERED] = "delivered",
        [MONGO_UNCONFIRMED] = "unconfirmed", [MONGO_UNKNOWN] = "unknown",
        [MONGO_NOT_NOW] = "not_now",         [MONGO_NOT_EVER] = "not_ever",
    };

    return names[outcome];
}
