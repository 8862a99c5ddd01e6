/* SPDX-License-Identifier: MIT */
/* A mail on a connection that libcurl has opened and logged in. It stays
 * libcurl's, for the TLS on it: bytes pass by curl_easy_recv and _send. */
#include "net/fetch_mail.h"

#include "base/xalloc.h"
#include "codec/smtp.h"
#include "net/fetch_internal.h"

#include <stdio.h>
#include <string.h>

#define URL_BYTES 512

struct fetch_mail {
    struct fetch_wire *wire; /* NULL: connecting */
    struct smtp smtp;
    struct smtp_mail mail;
    char *from;
    char *to;
    char *message;
    struct buf out;
    size_t sent;
    bool broken; /* nothing more can be sent */
};

/* --- life --------------------------------------------------------------- */

static struct fetch_mail *
new_mail(const struct fetch_mail_request *r)
{
    struct fetch_mail *m = xcalloc(1, sizeof(*m));

    m->from = xstrdup(r->from);
    m->to = xstrdup(r->to);
    m->message = str_dup(r->message);
    m->mail = (struct smtp_mail){
        str_from(m->from), str_from(m->to), {m->message, r->message.n}};
    buf_init(&m->out, SIZE_MAX / 2);
    return m;
}

void
fetch_mail_free(struct fetch_mail *m)
{
    if (m->wire != NULL) {
        fetch_wire_close(m->wire);
    }
    buf_fini(&m->out);
    xfree(m->from);
    xfree(m->to);
    xfree(m->message);
    xfree(m);
}

static void
put_url(char url[static URL_BYTES], const struct fetch_mail_request *r)
{
    bool six = strchr(r->host, ':') != NULL;

    (void)snprintf(url, URL_BYTES, "%s://%s%s%s:%u",
                   r->tls == FETCH_MAIL_TLS ? "smtps" : "smtp", six ? "[" : "",
                   r->host, six ? "]" : "", r->port);
}

struct fetch *
fetch_mail_start(struct shard *s, const struct fetch_mail_request *r,
                 const struct fetch_events *events, void *cookie)
{
    const struct fetch_limits limits = {
        .connect_timeout_ms = r->connect_timeout_ms,
        .first_byte_timeout_ms = r->answer_timeout_ms,
        .total_timeout_ms = r->total_timeout_ms,
    };
    struct fetch *f = fetch_new(s, &limits, events, cookie);
    char url[URL_BYTES];

    put_url(url, r);
    f->mail = new_mail(r);
    fetch_easy_mail(f, url, r);
    fetch_begin(f);
    return f;
}

/* --- ends --------------------------------------------------------------- */

/* f may be gone afterwards. */
static void
tell(struct fetch *f, int status)
{
    struct fetch_head head = {.status = status, .retry_after_ms = -1};

    f->head_done = true;
    f->events->on_head(f->cookie, &head);
    if (!f->cancelled) {
        fetch_end(f, FETCH_DONE);
    }
}

void
fetch_mail_refused(struct fetch *f, CURLcode result)
{
    long status = 0;

    (void)curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 400 &&
        (result == CURLE_LOGIN_DENIED || result == CURLE_WEIRD_SERVER_REPLY ||
         result == CURLE_REMOTE_ACCESS_DENIED)) {
        tell(f, (int)status);
    } else {
        fetch_end(f, fetch_easy_end(f, result));
    }
}

/* --- the talk ----------------------------------------------------------- */

/* A server that no longer listens may have said why: what went wrong is told
 * by reading. */
static void
send_more(struct fetch *f)
{
    struct fetch_mail *m = f->mail;

    while (m->sent < m->out.n && !m->broken) {
        size_t n = 0;
        CURLcode result =
            curl_easy_send(f->easy, m->out.p + m->sent, m->out.n - m->sent, &n);

        m->sent += n;
        if (result == CURLE_AGAIN) {
            return;
        }
        m->broken = result != CURLE_OK;
    }
    if (m->sent == m->out.n) {
        buf_reset(&m->out, 0);
        m->sent = 0;
    }
}

static void
watch(struct fetch *f)
{
    struct fetch_mail *m = f->mail;
    bool sends = m->sent < m->out.n && !m->broken;

    fetch_wire_watch(m->wire, UV_READABLE | (sends ? UV_WRITABLE : 0));
}

/* False: f may be gone. */
static bool
digest(struct fetch *f, struct str in)
{
    enum err e = smtp_feed(&f->mail->smtp, in, &f->mail->out);

    send_more(f);
    if (e == ERR_OK) {
        tell(f, f->mail->smtp.status);
    } else if (e != ERR_AGAIN) {
        fetch_end(f, FETCH_FAILED);
    }
    return e == ERR_AGAIN;
}

/* Until nothing is there: what TLS has read already makes no descriptor
 * ready. */
static void
read_all(struct fetch *f)
{
    char *scratch = f->pool->scratch;
    CURLcode result;
    size_t n;

    do {
        n = 0;
        result = curl_easy_recv(f->easy, scratch, FETCH_SCRATCH_BYTES, &n);
        if (result == CURLE_AGAIN) {
            watch(f);
            return;
        }
        if (result != CURLE_OK || n == 0) {
            fetch_end(f, FETCH_CUT);
            return;
        }
        f->last_ms = shard_now_ms(f->pool->shard);
    } while (digest(f, (struct str){scratch, n}));
}

void
fetch_mail_ready(struct fetch *f, int events)
{
    struct fetch_mail *m = f->mail;

    if (f->cancelled) {
        fetch_wire_watch(m->wire, 0);
        return;
    }
    m->broken = m->broken || events == 0;
    send_more(f);
    read_all(f);
}

void
fetch_mail_connected(struct fetch *f)
{
    struct fetch_mail *m = f->mail;

    m->wire = fetch_wire_take_over(f, f->easy, "");
    if (m->wire == NULL) {
        fetch_end(f, FETCH_CONNECT_FAILED);
        return;
    }
    fetch_enter(f, FETCH_WAITING);
    smtp_begin(&m->smtp, &m->mail, &m->out);
    send_more(f);
    watch(f);
}
