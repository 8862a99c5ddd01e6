/* SPDX-License-Identifier: MIT */
/* One libcurl transfer: its options, what it tells us while it runs, and what
 * its result means. */
#include "base/clock.h"
#include "codec/url.h"
#include "net/fetch_internal.h"
#include "net/policy.h"

#include <netinet/in.h>
#include <openssl/x509_vfy.h>
#include <sys/socket.h>

/* libcurl's own limits are far away: ours are in fetch.c. */
#define FAR_MS (24L * 3600 * 1000)

/* libcurl divides the time for connecting among the addresses of a name, so it
 * must know it. */
static long
connect_timeout_ms(const struct fetch *f)
{
    uint64_t limit_ms = f->limits.connect_timeout_ms;

    return limit_ms > 0 && limit_ms < FAR_MS ? (long)limit_ms : FAR_MS;
}

/* Seconds or an HTTP date (RFC 9110 10.2.3); -1 when it is neither. */
int64_t
fetch_easy_retry_after_ms(struct str value)
{
    char text[64];
    uint64_t seconds;
    int64_t at_ms;

    value = str_trim(value);
    if (str_to_u64(value, 1000000000, &seconds)) {
        return (int64_t)seconds * 1000;
    }
    if (value.n == 0 || value.n >= sizeof(text)) {
        return -1;
    }
    (void)snprintf(text, sizeof(text), "%.*s", STR_ARG(value));
    at_ms = (int64_t)curl_getdate(text, NULL) * 1000;
    if (at_ms < 0) {
        return -1;
    }
    at_ms -= clock_wall_ms();
    return at_ms > 0 ? at_ms : 0;
}

/* False for 101, which libcurl would take for the real answer. */
static bool
tell_head(struct fetch *f)
{
    struct fetch_head head = {.retry_after_ms = f->retry_after_ms};
    char *type = NULL;
    long status = 0;

    (void)curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200) {
        return status != 101; /* interim (RFC 9110 15.2): the real follows */
    }
    (void)curl_easy_getinfo(f->easy, CURLINFO_CONTENT_TYPE, &type);
    head.status = (int)status;
    head.content_type = str_from(type);
    f->head_done = true;
    f->events->on_head(f->cookie, &head);
    return true;
}

static bool
take_header(struct fetch *f, struct str line)
{
    struct str name;

    if (str_starts(line, STR("HTTP/"))) {
        f->retry_after_ms = -1; /* of an interim answer: forgotten */
    } else if (str_trim(line).n == 0) {
        return tell_head(f);
    } else if (str_split(&line, ':', &name) &&
               str_is_nocase(name, "retry-after")) {
        f->retry_after_ms = fetch_easy_retry_after_ms(line);
    }
    return true;
}

static size_t
on_header(char *bytes, size_t size, size_t count, void *arg)
{
    struct fetch *f = arg;
    size_t n = size * count;

    if (f->cancelled) {
        return 0;
    }
    fetch_enter(f, FETCH_STREAMING);
    if (!f->head_done && !take_header(f, (struct str){bytes, n})) {
        return 0; /* (when head_done: trailers) */
    }
    return f->cancelled ? 0 : n;
}

static size_t
on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct fetch *f = arg;
    size_t n = size * count;

    if (f->cancelled) {
        return CURL_WRITEFUNC_ERROR;
    }
    if (f->paused) {
        f->held = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    f->last_ms = shard_now_ms(f->pool->shard);
    if (n > 0) {
        f->events->on_data(f->cookie, (struct str){bytes, n});
    }
    return f->cancelled ? CURL_WRITEFUNC_ERROR : n;
}

static uint16_t
port_of(const struct sockaddr *at)
{
    return ntohs(
        at->sa_family == AF_INET6
            ? ((const struct sockaddr_in6 *)(const void *)at)->sin6_port
            : ((const struct sockaddr_in *)(const void *)at)->sin_port);
}

/* As libcurl would; it does not tell otherwise whether it is on its way to a
 * proxy. */
static curl_socket_t
open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct fetch *f = arg;

    (void)purpose;
    f->to_proxy = f->port != 0 && port_of(&to->addr) != f->port;
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/* The connection stands and the request may go out. */
static int
on_connected(void *arg, char *peer_ip, char *local_ip, int peer_port,
             int local_port)
{
    struct fetch *f = arg;

    (void)peer_ip;
    (void)local_ip;
    (void)peer_port;
    (void)local_port;
    fetch_enter(f, FETCH_WAITING);
    return f->cancelled ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static void
add_header(struct fetch *f, const char *line)
{
    struct curl_slist *longer = curl_slist_append(f->headers, line);

    f->lacking = f->lacking || longer == NULL;
    f->headers = longer != NULL ? longer : f->headers;
}

/* Failure is lack of memory, also for the handle itself. (An option that this
 * libcurl does not have would let no request pass.) */
#define SET(f, option, value)                                                  \
    ((f)->lacking = curl_easy_setopt((f)->easy, option, value) != CURLE_OK ||  \
                    (f)->lacking)

static void
set_request(struct fetch *f, const struct fetch_request *r)
{
    struct str method = str_from(r->method);

    SET(f, CURLOPT_URL, r->url);
    if (r->body.n > 0 || str_is(method, "POST")) {
        SET(f, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.n);
        SET(f, CURLOPT_COPYPOSTFIELDS, r->body.n > 0 ? r->body.p : "");
    }
    if (str_is(method, "HEAD")) {
        SET(f, CURLOPT_NOBODY, 1L);
    } else if (!str_is(method, r->body.n > 0 ? "POST" : "GET")) {
        SET(f, CURLOPT_CUSTOMREQUEST, r->method);
    }
    for (size_t i = 0; r->headers != NULL && r->headers[i] != NULL; i++) {
        add_header(f, r->headers[i]);
    }
    add_header(f, "Expect:"); /* no round trip before the body */
    SET(f, CURLOPT_HTTPHEADER, f->headers);
}

static void
set_policy(struct fetch *f, const char *ca_file)
{
    f->lacking = !policy_set(f->easy, ca_file) || f->lacking;
    SET(f, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    SET(f, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(f, CURLOPT_NOPROGRESS, 1L);
    SET(f, CURLOPT_BUFFERSIZE, 16384L);
    SET(f, CURLOPT_CONNECTTIMEOUT_MS, connect_timeout_ms(f));
}

void
fetch_easy_connect(struct fetch *f, const char *origin)
{
    f->easy = curl_easy_init();
    SET(f, CURLOPT_PRIVATE, f);
    set_policy(f, NULL);
    SET(f, CURLOPT_URL, origin);
    SET(f, CURLOPT_CONNECT_ONLY, 1L);
}

void
fetch_easy_mail(struct fetch *f, const char *url,
                const struct fetch_mail_request *r)
{
    fetch_easy_connect(f, url);
    f->lacking = !policy_set_mail(f->easy) || f->lacking;
    SET(f, CURLOPT_FRESH_CONNECT, 1L);
    SET(f, CURLOPT_USE_SSL,
        (long)(r->tls == FETCH_MAIL_NONE ? CURLUSESSL_NONE : CURLUSESSL_ALL));
    if (r->user != NULL) {
        SET(f, CURLOPT_USERNAME, r->user);
        SET(f, CURLOPT_PASSWORD, r->password);
    }
}

void
fetch_easy_init(struct fetch *f, const struct fetch_request *request)
{
    struct url url;

    f->port = url_parse(str_from(request->url), &url) ? url.port : 0;
    f->easy = curl_easy_init();
    SET(f, CURLOPT_PRIVATE, f);
    SET(f, CURLOPT_HEADERFUNCTION, on_header);
    SET(f, CURLOPT_HEADERDATA, f);
    SET(f, CURLOPT_WRITEFUNCTION, on_body);
    SET(f, CURLOPT_WRITEDATA, f);
    SET(f, CURLOPT_PREREQFUNCTION, on_connected);
    SET(f, CURLOPT_PREREQDATA, f);
    SET(f, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(f, CURLOPT_OPENSOCKETDATA, f);
    set_policy(f, request->ca_file);
    set_request(f, request);
}

void
fetch_easy_fini(struct fetch *f)
{
    curl_easy_cleanup(f->easy); /* NULL is fine for both */
    curl_slist_free_all(f->headers);
    f->easy = NULL;
    f->headers = NULL;
}

void
fetch_easy_nudge(struct fetch *f)
{
    (void)curl_easy_pause(f->easy, CURLPAUSE_RECV);
    (void)curl_easy_pause(f->easy, CURLPAUSE_CONT); /* wakes what was paused */
}

bool
fetch_easy_reused(const struct fetch *f)
{
    long opened = 0;

    return curl_easy_getinfo(f->easy, CURLINFO_NUM_CONNECTS, &opened) ==
               CURLE_OK &&
           opened == 0;
}

void
fetch_easy_use_fresh(struct fetch *f)
{
    SET(f, CURLOPT_FRESH_CONNECT, 1L);
}

static const struct {
    CURLcode result;
    enum fetch_end before_head;
    enum fetch_end after_head;
} meanings[] = {
    {CURLE_OK, FETCH_CONNECT_FAILED, FETCH_DONE}, /* hung up in the head */
    {CURLE_COULDNT_RESOLVE_PROXY, FETCH_PROXY_UNRESOLVED, FETCH_FAILED},
    {CURLE_COULDNT_RESOLVE_HOST, FETCH_RESOLVE_FAILED, FETCH_FAILED},
    {CURLE_COULDNT_CONNECT, FETCH_CONNECT_FAILED, FETCH_FAILED},
    {CURLE_OPERATION_TIMEDOUT, FETCH_CONNECT_TIMEOUT, FETCH_IDLE_TIMEOUT},
    {CURLE_SSL_CONNECT_ERROR, FETCH_TLS_FAILED, FETCH_CUT},
    {CURLE_PEER_FAILED_VERIFICATION, FETCH_TLS_UNTRUSTED, FETCH_FAILED},
    {CURLE_USE_SSL_FAILED, FETCH_TLS_FAILED, FETCH_FAILED},
    {CURLE_SSL_CACERT_BADFILE, FETCH_TLS_FAILED, FETCH_FAILED},
    {CURLE_SSL_CIPHER, FETCH_TLS_FAILED, FETCH_FAILED},
    {CURLE_SSL_ISSUER_ERROR, FETCH_TLS_FAILED, FETCH_FAILED},
    {CURLE_SEND_ERROR, FETCH_CONNECT_FAILED, FETCH_CUT},
    {CURLE_SEND_FAIL_REWIND, FETCH_CONNECT_FAILED, FETCH_CUT},
    {CURLE_RECV_ERROR, FETCH_CONNECT_FAILED, FETCH_CUT},
    {CURLE_GOT_NOTHING, FETCH_CONNECT_FAILED, FETCH_CUT},
    {CURLE_PARTIAL_FILE, FETCH_CONNECT_FAILED, FETCH_CUT},
    {CURLE_HTTP2, FETCH_CONNECT_FAILED, FETCH_CUT},
    {CURLE_HTTP2_STREAM, FETCH_CONNECT_FAILED, FETCH_CUT},
};

/* libcurl compares names itself, after a handshake in which OpenSSL has found
 * the chain in order; then the verdict is still the one it began with. */
static enum fetch_end
certificate_end(const struct fetch *f)
{
    long verdict = X509_V_ERR_UNSPECIFIED;

    (void)curl_easy_getinfo(f->easy, CURLINFO_SSL_VERIFYRESULT, &verdict);
    switch (verdict) {
    case X509_V_OK:
    case X509_V_ERR_UNSPECIFIED:
        return FETCH_TLS_NAME;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return FETCH_TLS_EXPIRED;
    default:
        return FETCH_TLS_UNTRUSTED;
    }
}

enum fetch_end
fetch_easy_late(const struct fetch *f)
{
    curl_off_t resolved_us = 0;

    (void)curl_easy_getinfo(f->easy, CURLINFO_NAMELOOKUP_TIME_T, &resolved_us);
    return resolved_us > 0 ? FETCH_CONNECT_TIMEOUT : FETCH_RESOLVE_TIMEOUT;
}

/* What stood in the way before the request was sent; FETCH_DONE: nothing that
 * the table does not say. */
static enum fetch_end
obstacle(const struct fetch *f, CURLcode result)
{
    long connect_status = 0;

    if (result == CURLE_OPERATION_TIMEDOUT) {
        return fetch_easy_late(f);
    }
    if (result == CURLE_PEER_FAILED_VERIFICATION) {
        return certificate_end(f);
    }
    if (result == CURLE_COULDNT_CONNECT && f->to_proxy) {
        return FETCH_PROXY_UNREACHABLE;
    }
    (void)curl_easy_getinfo(f->easy, CURLINFO_HTTP_CONNECTCODE,
                            &connect_status);
    if (connect_status >= 500) {
        return FETCH_PROXY_FAILED;
    }
    return connect_status >= 300 ? FETCH_PROXY_REFUSED : FETCH_DONE;
}

enum fetch_end
fetch_easy_end(const struct fetch *f, CURLcode result)
{
    enum fetch_end end = f->head_done ? FETCH_DONE : obstacle(f, result);

    if (end != FETCH_DONE) {
        return end;
    }
    for (size_t i = 0; i < COUNT_OF(meanings); i++) {
        if (meanings[i].result == result) {
            return f->head_done ? meanings[i].after_head
                                : meanings[i].before_head;
        }
    }
    return FETCH_FAILED;
}
