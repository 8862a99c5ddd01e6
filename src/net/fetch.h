/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_NET_FETCH_H
#define CHATBOX_NET_FETCH_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* HTTP requests to the outside on the shard's loop: as libcurl transfers, or,
 * without TLS and proxy, in our own HTTP/1.1 on connections that libcurl opens
 * (docs/decisions/0016). Redirects are not followed, TLS is 1.2 at least and
 * verified; proxy variables of the environment and SSL_CERT_FILE are honoured.
 * One shard's thread only. */
struct fetch;
struct fetch_pool;
struct shard;

enum fetch_end {
    FETCH_DONE,              /* the whole answer arrived */
    FETCH_RESOLVE_FAILED,    /* no address */
    FETCH_RESOLVE_TIMEOUT,   /* no address within connect_timeout_ms */
    FETCH_CONNECT_FAILED,    /* refused, unreachable, reset before a head */
    FETCH_TLS_FAILED,        /* handshake: no version or cipher in common */
    FETCH_TLS_EXPIRED,       /* a certificate: before or after its time */
    FETCH_TLS_NAME,          /* the certificate names another host */
    FETCH_TLS_UNTRUSTED,     /* nobody we trust has signed it, or it is wrong
                                otherwise */
    FETCH_PROXY_UNRESOLVED,  /* the proxy's name has no address */
    FETCH_PROXY_UNREACHABLE, /* nobody listens where the proxy should be */
    FETCH_PROXY_REFUSED, /* the proxy does not want to (3xx, 4xx): whoever asks
                            is not allowed to, or has to say who it is */
    FETCH_PROXY_FAILED,  /* the proxy cannot (5xx) */
    FETCH_CONNECT_TIMEOUT,
    FETCH_FIRST_BYTE_TIMEOUT, /* nothing of the answer in time */
    FETCH_IDLE_TIMEOUT,       /* silence inside the answer */
    FETCH_TOTAL_TIMEOUT,
    FETCH_CUT,   /* FIN or RST inside the answer's body */
    FETCH_FAILED /* anything else */
};

struct fetch_request {
    const char *method; /* "POST", "GET" */
    const char *url;
    const char *const *headers; /* "Name: value", NULL at the end; or NULL */
    struct str body;
    uint64_t connect_timeout_ms;    /* with name and TLS; 0 in any of these: no
                                       limit */
    uint64_t first_byte_timeout_ms; /* from then to the first header line */
    uint64_t idle_timeout_ms;       /* not counted while paused */
    uint64_t total_timeout_ms;      /* from fetch_start */
    const char *ca_file;            /* NULL: SSL_CERT_FILE's, the system's */
};

struct fetch_head {
    int status;
    struct str content_type; /* borrowed during the call */
    int64_t retry_after_ms;  /* from Retry-After (seconds or date); -1: none */
};

/* on_head once, then on_data any number of times, then on_end exactly once
 * (also without a head), never inside fetch_start, fetch_pause, fetch_resume
 * or fetch_cancel. The handle is void once on_end is called. */
struct fetch_events {
    void (*on_head)(void *cookie, const struct fetch_head *head);
    void (*on_data)(void *cookie, struct str bytes);
    void (*on_end)(void *cookie, enum fetch_end why);
};

/* Once, before the first thread; ERR_IO. From here on the process ignores
 * SIGPIPE. fetch_pool_forget after the last one has ended. */
enum err fetch_pool_prepare(void) MUST_CHECK;
void fetch_pool_forget(void);

/* Hangs itself into shard->fetch. Upstream connections are kept open and used
 * again, at most FETCH_IDLE_MAX of each way; a request that is lost because the
 * server closed such a one in that moment is sent once more. On the shard's
 * thread, or before it runs. */
#define FETCH_IDLE_MAX 1024
void fetch_pool_init(struct shard *s);

/* Cancels what is left (no on_end). On the shard's thread, or after it has
 * ended; never inside a callback of this room. Fine without fetch_pool_init.
 */
void fetch_pool_fini(struct shard *s);

/* Transfers that have started and not ended. */
size_t fetch_pool_active(const struct shard *s);

/* Borrows the request during the call (copies), events for the transfer's
 * life. */
struct fetch *fetch_start(struct shard *s, const struct fetch_request *request,
                          const struct fetch_events *events, void *cookie);

/* Closes the upstream connection (HTTP/2: the stream) at the end of this turn
 * of the loop; no callback after it, the handle is void. May be called from
 * inside on_head and on_data, also for another transfer; of the one that ends
 * not from its on_end. */
void fetch_cancel(struct fetch *f);

/* No on_data until resumed: the peer's window fills. Idempotent. */
void fetch_pause(struct fetch *f);
void fetch_resume(struct fetch *f);

/* One of the limits of time was passed. */
bool fetch_end_is_late(enum fetch_end why);

/* Asking again may end otherwise, and soon: not after a certificate that is
 * wrong or a proxy that refuses, nor when as long a silence would follow. */
bool fetch_end_may_pass(enum fetch_end why);

/* A fixed word for the log and for errors: "connect_timeout". */
const char *fetch_end_word(enum fetch_end why);

#endif
