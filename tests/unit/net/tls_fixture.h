/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_TESTS_TLS_FIXTURE_H
#define CHATBOX_TESTS_TLS_FIXTURE_H

/* Certificates made on the spot, and a TLS client on a non-blocking socket
 * that turns the test's loop while it waits. */

#include "net_fixture.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

struct pair_files {
    char dir[64];
    char cert[96];
    char key[96];
};

static inline X509 *
self_signed(EVP_PKEY *key, const char *name)
{
    X509 *x = X509_new();

    assert_non_null(x);
    assert_int_equal(X509_set_version(x, 2), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x), 1), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(x), -3600));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(x), 3600));
    assert_int_equal(X509_set_pubkey(x, key), 1);
    assert_int_equal(
        X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                                   (const unsigned char *)name, -1, -1, 0),
        1);
    assert_int_equal(X509_set_issuer_name(x, X509_get_subject_name(x)), 1);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    return x;
}

/* A fresh key with a certificate of that name, as two files. */
static inline void
pair_make(struct pair_files *p, const char *name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = self_signed(key, name);
    FILE *file;

    (void)snprintf(p->dir, sizeof(p->dir), "/tmp/tls-test-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    (void)snprintf(p->cert, sizeof(p->cert), "%s/cert.pem", p->dir);
    (void)snprintf(p->key, sizeof(p->key), "%s/key.pem", p->dir);
    file = fopen(p->cert, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, x), 1);
    (void)fclose(file);
    file = fopen(p->key, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL),
                     1);
    (void)fclose(file);
    X509_free(x);
    EVP_PKEY_free(key);
}

static inline void
pair_remove(struct pair_files *p)
{
    (void)unlink(p->cert);
    (void)unlink(p->key);
    (void)rmdir(p->dir);
}

struct client {
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;
};

static inline void
client_init(struct client *c, int fd, int version)
{
    c->fd = fd;
    c->ctx = SSL_CTX_new(TLS_client_method());
    assert_non_null(c->ctx);
    assert_int_equal(SSL_CTX_set_min_proto_version(c->ctx, version), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(c->ctx, version), 1);
    SSL_CTX_set_mode(c->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    c->ssl = SSL_new(c->ctx);
    assert_non_null(c->ssl);
    assert_int_equal(SSL_set_fd(c->ssl, fd), 1);
    SSL_set_connect_state(c->ssl);
}

static inline void
client_fini(struct client *c)
{
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    if (c->fd >= 0) {
        (void)close(c->fd);
    }
}

/* True when the call is to be repeated after the loop has turned. */
static inline bool
client_waits(struct fixture *f, struct client *c, int answer)
{
    int e = SSL_get_error(c->ssl, answer);

    if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE) {
        return false;
    }
    (void)uv_run(&f->shard.loop, UV_RUN_NOWAIT);
    return true;
}

/* 1, or OpenSSL's failing answer. */
static inline int
client_connect(struct fixture *f, struct client *c)
{
    int answer;

    do {
        ERR_clear_error();
        answer = SSL_connect(c->ssl);
    } while (answer != 1 && client_waits(f, c, answer));
    return answer;
}

static inline void
client_send(struct fixture *f, struct client *c, const char *bytes, size_t n)
{
    while (n > 0) {
        int sent;

        ERR_clear_error();
        sent = SSL_write(c->ssl, bytes, (int)n);
        if (sent <= 0) {
            assert_true(client_waits(f, c, sent));
            continue;
        }
        bytes += sent;
        n -= (size_t)sent;
    }
}

/* Up to n bytes; fewer when the server closed. */
static inline size_t
client_recv(struct fixture *f, struct client *c, char *into, size_t n)
{
    size_t got = 0;

    while (got < n) {
        int r;

        ERR_clear_error();
        r = SSL_read(c->ssl, into + got, (int)(n - got));
        if (r <= 0 && !client_waits(f, c, r)) {
            break;
        }
        got += r > 0 ? (size_t)r : 0;
    }
    return got;
}

#endif
