/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_NET_FETCH_INTERNAL_H
#define CHATBOX_NET_FETCH_INTERNAL_H

#include "base/list.h"
#include "loop/shard.h"
#include "net/fetch.h"

#include <curl/curl.h>

/* What the files of fetch share. Nobody else includes it. */

enum fetch_state {
    FETCH_CONNECTING, /* until the request may be sent */
    FETCH_WAITING,    /* until the first header line */
    FETCH_STREAMING
};

struct fetch {
    struct list link; /* in pool->fetches until it has ended */
    struct deferred deferred;
    struct timer timer; /* never later than the next time limit */
    struct fetch_pool *pool;
    CURL *easy;
    struct curl_slist *headers;
    const struct fetch_events *events;
    void *cookie;
    uint64_t connect_timeout_ms;
    uint64_t first_byte_timeout_ms;
    uint64_t idle_timeout_ms;
    uint64_t total_timeout_ms;
    uint64_t start_ms;
    uint64_t last_ms; /* when the present state or the last bytes came */
    int64_t retry_after_ms;
    enum fetch_state state;
    bool added; /* the multi handle has it */
    bool head_done;
    bool paused; /* the user wants no data */
    bool held;   /* libcurl holds data back for that reason */
    bool again;  /* the request was sent a second time */
    bool cancelled;
};

struct fetch_pool {
    struct shard *shard;
    CURLM *multi;
    struct list fetches;
    size_t active;
    struct timer timer;   /* libcurl's */
    struct deferred kick; /* libcurl's, when it wants to be called at once */
};

/* fetch.c */

/* Takes f out of everything and frees it; tells nobody. Never inside libcurl.
 */
void fetch_free(struct fetch *f);

/* The transfer is over: frees it, then tells. */
void fetch_complete(struct fetch *f, CURLcode result);

/* Something came, or the state changed. */
void fetch_enter(struct fetch *f, enum fetch_state state);

/* fetch_easy.c: makes f->easy for the request, with callbacks that lead to
 * f->events. */
void fetch_easy_init(struct fetch *f, const struct fetch_request *request);
void fetch_easy_fini(struct fetch *f);

/* The request went out on a connection that an earlier one had opened. */
bool fetch_easy_reused(const struct fetch *f);

/* The next attempt opens a connection of its own. */
void fetch_easy_use_fresh(struct fetch *f);

/* What libcurl's result means at the point where f is. */
enum fetch_end fetch_easy_end(const struct fetch *f, CURLcode result);

#endif
