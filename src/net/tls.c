/* SPDX-License-Identifier: MIT */
/* The server's certificate and key for all shards. A reload puts a new
 * generation on top of a stack that only grows until tls_free: the shards read
 * its top without a lock, and nothing they may still be using goes away. A
 * generation costs some ten kilobytes and comes with an administrator's
 * reload, so the stack stays short. */
#include "net/tls.h"

#include "base/xalloc.h"
#include "net/conn_internal.h"
#include "net/sys.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdio.h>

/* TLS 1.2: forward secrecy and authenticated encryption only (RFC 9325 4.2).
 * TLS 1.3 has nothing else. */
#define CIPHERS_OF_1_2 "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!eNULL:!SHA1:!AESCCM"

/* The first byte is the length of the name. */
static const unsigned char alpn_http[] = "\010http/1.1";

struct generation {
    struct generation *older;
    SSL_CTX *ctx;
};

struct tls {
    _Atomic(struct generation *) newest;
    BIO_METHOD *transport;
};

/* Both answer as OpenSSL's own sockets do: 1, 0 at the end, -1 for errors and
 * "later". With 0 instead of -1 a close_notify that has to wait for the socket
 * a second time would count as sent. */
static int
transport_read(BIO *bio, char *into, size_t n, size_t *done)
{
    int fd = (int)(intptr_t)BIO_get_data(bio);
    ssize_t got = sys_recv(fd, into, n);

    BIO_clear_retry_flags(bio);
    *done = got > 0 ? (size_t)got : 0;
    if (got > 0) {
        return 1;
    }
    if (got == 0) {
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    } else if (errno == EAGAIN || errno == EINTR) {
        BIO_set_retry_read(bio);
    }
    return got == 0 ? 0 : -1;
}

static int
transport_write(BIO *bio, const char *from, size_t n, size_t *done)
{
    int fd = (int)(intptr_t)BIO_get_data(bio);
    ssize_t sent = sys_send(fd, from, n);

    BIO_clear_retry_flags(bio);
    *done = sent > 0 ? (size_t)sent : 0;
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
        BIO_set_retry_write(bio);
    }
    return sent > 0 ? 1 : -1;
}

static long
transport_control(BIO *bio, int what, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    switch (what) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_EOF:
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    default:
        return 0;
    }
}

static BIO_METHOD *
new_transport(void)
{
    int type = BIO_get_new_index() | BIO_TYPE_SOURCE_SINK;
    BIO_METHOD *m = BIO_meth_new(type, "conn");

    CHECK(m != NULL);
    CHECK(BIO_meth_set_read_ex(m, transport_read) == 1);
    CHECK(BIO_meth_set_write_ex(m, transport_write) == 1);
    CHECK(BIO_meth_set_ctrl(m, transport_control) == 1);
    return m;
}

/* http/1.1 for a client that offers it; one that offers only other names is
 * answered without (RFC 7301 would let us refuse; its first bytes will). */
static int
choose_alpn(SSL *ssl, const unsigned char **chosen, unsigned char *n,
            const unsigned char *offered, unsigned offered_n, void *arg)
{
    unsigned char *out = NULL;

    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&out, n, alpn_http, sizeof(alpn_http) - 1,
                              offered, offered_n) != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    *chosen = out;
    return SSL_TLSEXT_ERR_OK;
}

/* The sentence of OpenSSL's newest error, without its file names. */
static const char *
reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());

    return text != NULL ? text : "unknown error";
}

static bool
load_pair(SSL_CTX *ctx, const char *cert_file, const char *key_file, char *why,
          size_t why_size)
{
    if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1) {
        (void)snprintf(why, why_size, "%s: cannot use the certificate: %s",
                       cert_file, reason());
        return false;
    }
    if (SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(ctx) != 1) {
        (void)snprintf(why, why_size, "%s: cannot use the key: %s", key_file,
                       reason());
        return false;
    }
    return true;
}

static void
set_policy(SSL_CTX *ctx)
{
    static const unsigned char name[] = "chatbox";

    CHECK(SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1);
    CHECK(SSL_CTX_set_cipher_list(ctx, CIPHERS_OF_1_2) == 1);
    /* HTTP and WebSocket say themselves where they end, so a peer that leaves
     * without close_notify is only a peer that leaves. */
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS |
                              SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(ctx, 1); /* one recv for a record, not two */
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    CHECK(SSL_CTX_set_num_tickets(ctx, 1) == 1);
    CHECK(SSL_CTX_set_session_id_context(ctx, name, sizeof(name) - 1) == 1);
    SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, NULL);
}

static struct generation *
new_generation(const char *cert_file, const char *key_file, char *why,
               size_t why_size)
{
    struct generation *g;
    SSL_CTX *ctx;

    ERR_clear_error();
    ctx = SSL_CTX_new(TLS_server_method());
    CHECK(ctx != NULL);
    set_policy(ctx);
    if (!load_pair(ctx, cert_file, key_file, why, why_size)) {
        SSL_CTX_free(ctx);
        ERR_clear_error();
        return NULL;
    }
    g = xcalloc(1, sizeof(*g));
    g->ctx = ctx;
    return g;
}

enum err
tls_new(const char *cert_file, const char *key_file, struct tls **tls_out,
        char *why, size_t why_size)
{
    struct generation *g = new_generation(cert_file, key_file, why, why_size);
    struct tls *t;

    if (g == NULL) {
        return ERR_IO;
    }
    t = xcalloc(1, sizeof(*t));
    atomic_init(&t->newest, g);
    t->transport = new_transport();
    *tls_out = t;
    return ERR_OK;
}

enum err
tls_reload(struct tls *t, const char *cert_file, const char *key_file,
           char *why, size_t why_size)
{
    struct generation *g = new_generation(cert_file, key_file, why, why_size);

    if (g == NULL) {
        return ERR_IO;
    }
    g->older = atomic_load(&t->newest);
    while (!atomic_compare_exchange_weak(&t->newest, &g->older, g)) {
        /* another reload came in between; g->older is that one now */
    }
    return ERR_OK;
}

bool
tls_renewed(const struct tls *t)
{
    const struct generation *g = atomic_load(&t->newest);

    return g->older != NULL &&
           X509_cmp(SSL_CTX_get0_certificate(g->ctx),
                    SSL_CTX_get0_certificate(g->older->ctx)) != 0;
}

void
tls_free(struct tls *t)
{
    struct generation *g;

    if (t == NULL) {
        return;
    }
    g = atomic_load(&t->newest);
    while (g != NULL) {
        struct generation *older = g->older;

        SSL_CTX_free(g->ctx);
        xfree(g);
        g = older;
    }
    BIO_meth_free(t->transport);
    xfree(t);
}

SSL *
tls_session(struct tls *t, int fd)
{
    SSL *ssl = SSL_new(atomic_load(&t->newest)->ctx);
    BIO *bio;

    if (ssl == NULL) {
        return NULL;
    }
    bio = BIO_new(t->transport);
    if (bio == NULL) {
        SSL_free(ssl);
        return NULL;
    }
    BIO_set_data(bio, (void *)(intptr_t)fd);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_accept_state(ssl);
    return ssl;
}
