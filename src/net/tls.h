/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_NET_TLS_H
#define CHATBOX_NET_TLS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* The server's certificate and key, ready for use by all shards; the OpenSSL
 * context inside can be exchanged while running (reload): connections that
 * exist keep the one they began with. TLS 1.2 and 1.3 only, modern ciphers,
 * no renegotiation, no compression, SSL_MODE_RELEASE_BUFFERS. */
struct tls;

/* Reads PEM files (certificate chain, key). ERR_IO with one sentence in why
 * (unreadable, does not parse, the pair does not match). Gives. */
enum err tls_new(const char *cert_file, const char *key_file,
                 struct tls **tls_out, char *why, size_t why_size) MUST_CHECK;

/* Replaces certificate and key for connections that begin from now on; on
 * error nothing changes. Any thread. */
enum err tls_reload(struct tls *t, const char *cert_file, const char *key_file,
                    char *why, size_t why_size) MUST_CHECK;

/* Whether the last tls_reload that went well has brought another certificate
 * than the one before. Any thread. */
bool tls_renewed(const struct tls *t);

void tls_free(struct tls *t);

#endif
