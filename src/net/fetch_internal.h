/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_NET_FETCH_INTERNAL_H
#define CHATBOX_NET_FETCH_INTERNAL_H

#include "base/list.h"
#include "loop/shard.h"
#include "net/fetch.h"
#include "net/fetch_mail.h"

#include <curl/curl.h>

/* What the files of fetch share. Nobody else includes it. */

enum fetch_state {
    FETCH_CONNECTING, /* until the request may be sent */
    FETCH_WAITING,    /* until the first header line */
    FETCH_STREAMING
};

/* The time limits of a request, as fetch.h has them. */
struct fetch_limits {
    uint64_t connect_timeout_ms;
    uint64_t first_byte_timeout_ms;
    uint64_t idle_timeout_ms;
    uint64_t total_timeout_ms;
};

struct fetch {
    struct list link; /* in pool->fetches until it has ended */
    struct deferred deferred;
    struct timer timer; /* never later than the next time limit */
    struct fetch_pool *pool;
    CURL *easy;                /* NULL when libcurl has no part in it */
    struct fetch_plain *plain; /* NULL: all of it is libcurl's, or mail's */
    struct fetch_mail *mail;   /* NULL: it is HTTP */
    struct curl_slist *headers;
    const struct fetch_events *events;
    void *cookie;
    struct fetch_limits limits;
    uint64_t start_ms;
    uint64_t last_ms; /* when the present state or the last bytes came */
    int64_t retry_after_ms;
    enum fetch_state state;
    uint16_t port; /* the URL's; 0: not known */
    bool to_proxy; /* what was connected to last is not the URL's port */
    bool started;
    bool added; /* the multi handle has it */
    bool head_done;
    bool paused; /* the user wants no data */
    bool held;   /* data is held back for that reason */
    bool again;  /* the request was sent a second time */
    bool cancelled;
    bool lacking; /* libcurl had no memory for the request */
};

/* A connection of ours: of one request, or idle. */
struct fetch_wire {
    struct list link;   /* in pool->idle */
    struct timer timer; /* how long it stays there */
    struct fetch_pool *pool;
    struct fetch *user; /* NULL: idle */
    char *origin;       /* "http://host:port/", what it leads to */
    uv_poll_t poll;
    int events; /* watched for */
    int fd;
};

#define FETCH_SCRATCH_BYTES 65536

struct fetch_pool {
    struct shard *shard;
    struct list idle; /* wires, the oldest first */
    size_t idle_count;
    CURLM *multi;
    struct list fetches;
    size_t active;
    struct timer timer;   /* libcurl's */
    struct deferred kick; /* libcurl's, when it wants to be called at once */
    char scratch[FETCH_SCRATCH_BYTES]; /* what a wire reads into */
};

/* fetch.c. What every request begins with, and, once f->easy or f->plain is
 * there, its beginning at the end of this turn. */
struct fetch *fetch_new(struct shard *s, const struct fetch_limits *limits,
                        const struct fetch_events *events, void *cookie);
void fetch_begin(struct fetch *f);

/* Takes f out of everything and frees it; tells nobody. Never inside libcurl.
 */
void fetch_free(struct fetch *f);

/* libcurl is done with f->easy. */
void fetch_complete(struct fetch *f, CURLcode result);

/* Frees it, then tells. Never inside libcurl, nor inside on_head, on_data. */
void fetch_end(struct fetch *f, enum fetch_end why);

/* Hands f->easy to libcurl's multi handle and takes it back. */
void fetch_add(struct fetch *f);
void fetch_remove(struct fetch *f);

/* Something came, or the state changed. */
void fetch_enter(struct fetch *f, enum fetch_state state);

/* fetch_easy.c: makes f->easy for the request, with callbacks that lead to
 * f->events. */
void fetch_easy_init(struct fetch *f, const struct fetch_request *request);
void fetch_easy_fini(struct fetch *f);

/* Makes f->easy for nothing but a connection to origin. */
void fetch_easy_connect(struct fetch *f, const char *origin);

/* Makes f->easy for a connection to a mail server, with the login. */
void fetch_easy_mail(struct fetch *f, const char *url,
                     const struct fetch_mail_request *request);

/* f->easy looks again at what it is waiting for. When an address of a name has
 * had its time, libcurl 7.88 goes to the next one only when it is woken, which
 * it asks for too late. */
void fetch_easy_nudge(struct fetch *f);

/* The value of Retry-After; -1 when there is none, or no valid one. */
int64_t fetch_easy_retry_after_ms(struct str value);

/* The request went out on a connection that an earlier one had opened. */
bool fetch_easy_reused(const struct fetch *f);

/* The next attempt opens a connection of its own. */
void fetch_easy_use_fresh(struct fetch *f);

/* What has not been done when the time for connecting is over. */
enum fetch_end fetch_easy_late(const struct fetch *f);

/* What libcurl's result means at the point where f is. */
enum fetch_end fetch_easy_end(const struct fetch *f, CURLcode result);

/* fetch_plain.c. Gives what it takes to speak HTTP/1.1 ourselves; NULL for a
 * request that is libcurl's business: TLS, a proxy, a URL that codec/url.h
 * does not take. */
struct fetch_plain *fetch_plain_new(const struct fetch_request *request);
void fetch_plain_free(struct fetch_plain *p); /* closes its connection */
void fetch_plain_start(struct fetch *f);
void fetch_plain_resume(struct fetch *f);

/* f->easy has connected. */
void fetch_plain_connected(struct fetch *f);

/* f's connection is readable, writable (UV_ bits); 0: it has broken, what came
 * before can still be read. */
void fetch_plain_ready(struct fetch *f, int events);

/* fetch_mail.c */
void fetch_mail_free(struct fetch_mail *m); /* before f->easy */

/* f->easy has connected and logged in; or it has not. f may be gone. */
void fetch_mail_connected(struct fetch *f);
void fetch_mail_refused(struct fetch *f, CURLcode result);

/* As fetch_plain_ready. */
void fetch_mail_ready(struct fetch *f, int events);

/* fetch_wire.c. Makes a connection of f out of libcurl's; NULL when it cannot
 * be watched. Gives. */
struct fetch_wire *fetch_wire_take_over(struct fetch *f, CURL *easy,
                                        const char *origin);

/* Whoever had it has it no more. */
void fetch_wire_close(struct fetch_wire *w);

/* UV_READABLE | UV_WRITABLE, or 0: nothing. */
void fetch_wire_watch(struct fetch_wire *w, int events);

/* Takes it among the idle ones, and gives the newest of them that leads to
 * origin and on which nothing has come meanwhile, or NULL. */
void fetch_wire_keep(struct fetch_wire *w);
struct fetch_wire *fetch_wire_kept(struct fetch *f, const char *origin);

#endif
