/* SPDX-License-Identifier: MIT */
/* A connection's side of TLS. OpenSSL's answers become the three that the
 * plain calls give too; a read that must wait for writing, or the reverse, is
 * remembered so that the right event continues it. */
#include "base/log.h"
#include "base/metrics.h"
#include "net/conn_internal.h"

#include <openssl/err.h>

enum err
conn_tls_start(struct conn *c, struct tls *tls)
{
    c->ssl = tls_session(tls, c->fd);
    if (c->ssl == NULL) {
        return ERR_IO;
    }
    c->handshaking = true;
    timer_start(&c->shard->timers, &c->timer, CONN_TLS_LIMIT_MS);
    return ERR_OK;
}

static void
handshake_done(struct conn *c)
{
    c->handshaking = false;
    if (!c->finishing) {
        timer_cancel(&c->shard->timers, &c->timer);
    }
    c->read_due = true; /* the first request may have come along */
    conn_due(c);
}

static void
handshake_failed(struct conn *c)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());

    metric_count(METRIC_TLS_HANDSHAKE_ERRORS);
    log_debug(EVENT_TLS_ERROR, "the handshake failed",
              log_int("conn", (int64_t)c->id),
              log_cstr("reason", reason != NULL ? reason : "peer went away"));
    conn_end(c, CONN_END_ERROR);
}

void
conn_tls_handshake(struct conn *c)
{
    int answer;

    ERR_clear_error();
    answer = SSL_accept(c->ssl);
    if (answer == 1) {
        c->blocked = false;
        handshake_done(c);
        return;
    }
    switch (SSL_get_error(c->ssl, answer)) {
    case SSL_ERROR_WANT_READ:
        c->blocked = false;
        break;
    case SSL_ERROR_WANT_WRITE:
        c->blocked = true;
        break;
    default:
        handshake_failed(c);
    }
}

ssize_t
conn_tls_read(struct conn *c, void *into, size_t n)
{
    size_t done;
    int answer;

    ERR_clear_error();
    answer = SSL_read_ex(c->ssl, into, n, &done);
    if (answer == 1) {
        return (ssize_t)done;
    }
    switch (SSL_get_error(c->ssl, answer)) {
    case SSL_ERROR_WANT_WRITE:
        c->read_wants_write = true;
        return CONN_LATER;
    case SSL_ERROR_WANT_READ:
        return CONN_LATER;
    case SSL_ERROR_ZERO_RETURN:
        return CONN_EOF;
    default:
        return CONN_FAILED;
    }
}

ssize_t
conn_tls_write(struct conn *c, const void *from, size_t n)
{
    size_t done;
    int answer;

    ERR_clear_error();
    answer = SSL_write_ex(c->ssl, from, n, &done);
    if (answer == 1) {
        return (ssize_t)done;
    }
    switch (SSL_get_error(c->ssl, answer)) {
    case SSL_ERROR_WANT_READ:
        c->write_wants_read = true;
        return CONN_LATER;
    case SSL_ERROR_WANT_WRITE:
        return CONN_LATER;
    default:
        return CONN_FAILED;
    }
}

bool
conn_tls_holds_bytes(const struct conn *c)
{
    return c->ssl != NULL && SSL_has_pending(c->ssl) == 1;
}

bool
conn_tls_shutdown(struct conn *c)
{
    int answer;

    if (c->handshaking) {
        return true;
    }
    ERR_clear_error();
    answer = SSL_shutdown(c->ssl);
    if (answer >= 0) {
        return true;
    }
    /* Anything but a full socket: the connection closes without it. */
    return SSL_get_error(c->ssl, answer) != SSL_ERROR_WANT_WRITE;
}
