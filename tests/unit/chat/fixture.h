/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_TESTS_CHAT_FIXTURE_H
#define CHATBOX_TESTS_CHAT_FIXTURE_H

/* What the tests of chat share: a shard whose loop the test turns itself, a
 * real store in a temporary folder, a local provider whose words the test
 * gives out one by one, and outlets that write down what they are sent. */
#include "base/list.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "chat/chat.h"
#include "chat/state.h"
#include "chat/turn.h"
#include "loop/shard.h"
#include "net/conn.h"
#include "store/store.h"
#include "upload/upload.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* Nobody has a file. */
static const struct upload no_uploads = {.shelf = {.folder = "/nowhere"},
                                         .key = {"0123456789abcdef", 16},
                                         .prefix = "/chatbox/files/"};

/* --- the provider ------------------------------------------------------- */

/* Words are handed out while `given` is larger than what a turn has said.
 * After `words` of them the answer is finished. */
struct script {
    size_t given;
    size_t words;
    const char *word;
    size_t begun;    /* answers that were asked for */
    size_t failures; /* so many of them fail before their first word … */
    bool hopeless;   /* … and asking again does not help */
    size_t usage;    /* completion tokens that it tells; 0: it does not */
    enum provider_finish finish;
    char asked[64];    /* ids of the providers asked, each with a space */
    char prompt[4096]; /* the last one: role:content|role:content */
};

static struct script script;

struct saying {
    size_t said;
    bool fails;
    bool counted;
    bool finished;
};

static struct provider_fault script_fault;

static void *
script_begin(const struct provider_config *config,
             const struct provider_turn *turn)
{
    struct saying *s = xcalloc(1, sizeof(*s));
    size_t n = strlen(script.asked);

    snprintf(script.asked + n, sizeof(script.asked) - n, "%s ", config->id);
    n = 0;
    script.begun++;
    s->fails = script.failures > 0;
    script.failures -= s->fails;
    script.prompt[0] = '\0';
    for (size_t i = 0; i < turn->count; i++) {
        n += (size_t)snprintf(
            script.prompt + n, sizeof(script.prompt) - n, "%c:%.*s|",
            turn->messages[i].role == PROVIDER_USER ? 'u' : 'a',
            STR_ARG(turn->messages[i].content));
    }
    return s;
}

static void
script_next(void *state, struct provider_event *event, uint64_t *delay_ms)
{
    struct saying *s = state;

    *delay_ms = 1;
    *event = (struct provider_event){.kind = PROVIDER_DELTA};
    if (s->fails) {
        script_fault = (struct provider_fault){.err = ERR_LLM_UNAVAILABLE,
                                               .retryable = !script.hopeless,
                                               .code = "scripted"};
        event->kind = PROVIDER_ERROR;
        event->fault = &script_fault;
    } else if (s->said < script.words && s->said < script.given) {
        s->said++;
        event->text = str_from(script.word);
    } else if (s->said == script.words && script.usage > 0 && !s->counted) {
        s->counted = true;
        event->kind = PROVIDER_USAGE;
        event->usage = (struct provider_usage){7, (int64_t)script.usage,
                                               (int64_t)script.usage + 7, 2, 1};
    } else if (s->said == script.words && !s->finished) {
        s->finished = true;
        event->kind = PROVIDER_FINISH;
        event->finish = script.finish;
    } else if (s->finished) {
        event->kind = PROVIDER_DONE;
    }
}

static void
script_close(void *state)
{
    xfree(state);
}

static const struct provider_ops script_ops = {.type = "script",
                                               .begin = script_begin,
                                               .next = script_next,
                                               .close = script_close};

static const size_t m1_fallback[] = {1, 2};

/* Strings of a configuration are never NULL. */
#define MODEL(model_id, label)                                                 \
    {                                                                          \
        .ops = &script_ops, .id = model_id, .name = label, .model = model_id,  \
        .endpoint = "", .api_key = "", .temperature = "", .extra_body = "",    \
    }

static struct provider_config providers[] = {
    MODEL("m1", "Model One"),
    MODEL("m2", "Model Two"),
    MODEL("m3", "Model Three"),
};

/* --- the house ---------------------------------------------------------- */

/* The outlets that are attached, below. */
static struct list recorders;
static void recorders_deliver(void);

struct house {
    struct shard shard;
    struct store *store;
    struct chat_settings settings;
    struct chat_population population;
    char dir[64];
    char why[512];
};

static inline void
house_open_store(struct house *h)
{
    struct store_settings settings = {
        .data_dir = h->dir, .queue_max = 10000, .readers = 1};

    if (store_open(&settings, &h->store, h->why, sizeof(h->why)) != ERR_OK) {
        fail_msg("%s", h->why);
    }
}

static inline void
house_open(struct house *h)
{
    *h = (struct house){0};
    list_init(&recorders);
    script = (struct script){.given = SIZE_MAX, .words = 3, .word = "w "};
    log_set_level(LOG_ERROR);
    metrics_thread_init();
    snprintf(h->dir, sizeof(h->dir), "/tmp/chatbox-chat-XXXXXX");
    assert_non_null(mkdtemp(h->dir));
    h->settings = (struct chat_settings){
        .population = &h->population,
        .max_content_chars = 1000,
        .reconnect_timeout_ms = 60000,
        .session_ttl_ms = 60000,
        .cleanup_interval_ms = 100,
        .warn_count = 1000,
        .resume_max_events = 100,
        .message_limit = 1000,
        .message_window_ms = 1000,
        .limit_max_keys = 1000,
        .limit_cleanup_interval_ms = 1000,
        .upload = &no_uploads,
        .providers = providers,
        .provider_count = COUNT_OF(providers),
        .system_prompt = "",
        .context_tokens = 1000,
        .stream_timeout_ms = 10000,
        .retry_attempts = 1,
        .retry_delay_ms = 10,
        .retry_max_delay_ms = 10,
        .max_answer_bytes = 1 << 20,
    };
    house_open_store(h);
    assert_int_equal(shard_init(&h->shard, 0), ERR_OK);
    assert_int_equal(chat_init(&h->shard, &h->settings, h->store), ERR_OK);
}

static inline void
house_remove(const struct house *h)
{
    static const char *const names[] = {"/chatbox.db", "/chatbox.db-wal",
                                        "/chatbox.db-shm"};
    char path[128];

    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s%s", h->dir, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(h->dir);
}

static inline void
house_turn(struct house *h)
{
    (void)uv_run(&h->shard.loop, UV_RUN_ONCE);
    recorders_deliver();
}

static inline void
house_close(struct house *h)
{
    store_close(h->store);
    for (int i = 0; i < 20; i++) {
        (void)uv_run(&h->shard.loop, UV_RUN_NOWAIT);
    }
    chat_fini(&h->shard);
    shard_fini(&h->shard);
    house_remove(h);
    metrics_fini();
}

/* Turns the loop until what holds; a minute at the most. */
#define WAIT_FOR(h, what)                                                      \
    do {                                                                       \
        time_t give_up = time(NULL) + 60;                                      \
                                                                               \
        while (!(what)) {                                                      \
            house_turn(h);                                                     \
            if (time(NULL) > give_up) {                                        \
                fail_msg("never came true: %s", #what);                        \
            }                                                                  \
        }                                                                      \
    } while (0)

/* --- outlets ------------------------------------------------------------ */

#define FRAMES_MAX 4096
#define UNSENT_MAX 64

struct recorder {
    struct outlet outlet;
    struct list link;         /* recorders */
    char *unsent[UNSENT_MAX]; /* what it wants to say and may not yet */
    size_t unsent_count;
    json_t *frames[FRAMES_MAX];
    size_t count;
    size_t queued; /* what it says of its queue */
    int closed;    /* close code, 0: open */
    bool held;
    bool attached;
};

static void
recorder_send(struct outlet *o, struct str frame)
{
    struct recorder *r = CONTAINER_OF(o, struct recorder, outlet);

    assert_int_equal(r->closed, 0);
    assert_true(r->count < FRAMES_MAX);
    r->frames[r->count] =
        json_loadb(frame.p, frame.n, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(r->frames[r->count]);
    r->count++;
}

static size_t
recorder_queued(const struct outlet *o)
{
    return CONTAINER_OF(o, struct recorder, outlet)->queued;
}

static void
recorder_close(struct outlet *o, int code, const char *reason)
{
    (void)reason;
    CONTAINER_OF(o, struct recorder, outlet)->closed = code;
}

static enum err
recorder_auth(struct outlet *o, struct str token)
{
    (void)o;
    if (str_is(token, "later")) {
        return ERR_SERVICE_UNAVAILABLE; /* the keys cannot be had */
    }
    return str_is(token, "good") ? ERR_OK : ERR_INVALID_TOKEN;
}

static void
recorder_hold(struct outlet *o, bool stopped)
{
    CONTAINER_OF(o, struct recorder, outlet)->held = stopped;
}

static const struct outlet_ops recorder_ops = {recorder_send,  recorder_queued,
                                               recorder_close, recorder_auth,
                                               recorder_hold,  NULL};

static inline void
recorder_leave(struct recorder *r)
{
    for (size_t i = 0; i < r->unsent_count; i++) {
        xfree(r->unsent[i]);
    }
    r->unsent_count = 0;
    if (r->attached) {
        r->attached = false;
        list_remove(&r->link);
        chat_detach(&r->outlet);
    }
}

static inline void
recorder_fini(struct recorder *r)
{
    recorder_leave(r);
    for (size_t i = 0; i < r->count; i++) {
        json_decref(r->frames[i]);
    }
    r->count = 0;
}

static inline void
recorder_start(struct house *h, struct recorder *r,
               const struct attach_request *request)
{
    *r = (struct recorder){.outlet.ops = &recorder_ops, .held = true};
    r->attached = true;
    list_push_back(&recorders, &r->link);
    chat_attach(h->shard.chat, &r->outlet, request);
}

/* A plain connection of a user, waited for. */
static inline void
recorder_join(struct house *h, struct recorder *r, const char *user)
{
    struct attach_request request = {.user_id = str_from(user), .last_seq = -1};

    recorder_start(h, r, &request);
    WAIT_FOR(h, !r->held);
}

/* Says what it may say now. */
static inline void
recorder_deliver(struct recorder *r)
{
    size_t n = 0;

    while (n < r->unsent_count && !r->held && r->closed == 0) {
        chat_on_frame(&r->outlet, str_from(r->unsent[n]));
        xfree(r->unsent[n++]);
    }
    r->unsent_count -= n;
    memmove(r->unsent, r->unsent + n, r->unsent_count * sizeof(*r->unsent));
}

static void
recorders_deliver(void)
{
    LIST_FOREACH (it, &recorders) {
        recorder_deliver(CONTAINER_OF(it, struct recorder, link));
    }
}

/* At once, or as soon as it is not held any more. */
static inline void
recorder_say(struct recorder *r, const char *frame)
{
    assert_true(r->unsent_count < UNSENT_MAX);
    r->unsent[r->unsent_count++] = xstrdup(frame);
    recorder_deliver(r);
}

#define WAIT_SAID(h, r) WAIT_FOR(h, (r)->unsent_count == 0 && !(r)->held)

static inline const char *
text_at(const json_t *frame, const char *name)
{
    const char *text = json_string_value(json_object_get(frame, name));

    return text != NULL ? text : "";
}

static inline const char *
meta_at(const json_t *frame, const char *name)
{
    return text_at(json_object_get(frame, "metadata"), name);
}

/* The number of frames of a type, and the last of them. */
static inline size_t
count_type(const struct recorder *r, const char *type)
{
    size_t n = 0;

    for (size_t i = 0; i < r->count; i++) {
        n += strcmp(text_at(r->frames[i], "type"), type) == 0;
    }
    return n;
}

static inline const json_t *
last_type(const struct recorder *r, const char *type)
{
    for (size_t i = r->count; i-- > 0;) {
        if (strcmp(text_at(r->frames[i], "type"), type) == 0) {
            return r->frames[i];
        }
    }
    return NULL;
}

static inline size_t
count_done(const struct recorder *r)
{
    size_t n = 0;

    for (size_t i = 0; i < r->count; i++) {
        n += strcmp(meta_at(r->frames[i], "done"), "true") == 0;
    }
    return n;
}

static inline const json_t *
last_done(const struct recorder *r)
{
    for (size_t i = r->count; i-- > 0;) {
        if (strcmp(meta_at(r->frames[i], "done"), "true") == 0) {
            return r->frames[i];
        }
    }
    return NULL;
}

static inline const char *
error_code(const struct recorder *r)
{
    const json_t *frame = last_type(r, "error");

    return text_at(json_object_get(frame, "error"), "code");
}

/* Everything that ai_response frames from one frame on said. Gives. */
static inline char *
heard_since(const struct recorder *r, size_t from)
{
    struct buf b;

    buf_init(&b, 1 << 24);
    for (size_t i = from; i < r->count; i++) {
        if (strcmp(text_at(r->frames[i], "type"), "ai_response") == 0) {
            buf_puts(&b, text_at(r->frames[i], "content"));
        }
    }
    return buf_give(&b);
}

#define ASK(text) "{\"type\":\"user_message\",\"content\":\"" text "\"}"
#define ASK_ID(text, id)                                                       \
    "{\"type\":\"user_message\",\"content\":\"" text "\",\"client_id\":\"" id  \
    "\"}"

#endif
