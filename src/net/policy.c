/* SPDX-License-Identifier: MIT */
/* One place for what no request may do. */
#include "net/policy.h"

#include <stdlib.h>

/* False once an option was not taken: no memory. (One that this libcurl does
 * not have would let no request pass.) */
#define SET(ok, easy, option, value)                                           \
    ((ok) = curl_easy_setopt(easy, option, value) == CURLE_OK && (ok))

/* Options that older versions have under another name, or not at all. */
static bool
set_by_version(CURL *easy)
{
    bool ok = true;

#if LIBCURL_VERSION_NUM >= 0x075500
    SET(ok, easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    SET(ok, easy, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
    /* Cancelling must not wait for a resolver thread that hangs. */
    SET(ok, easy, CURLOPT_QUICK_EXIT, 1L);
#endif
    return ok;
}

bool
policy_set_mail(CURL *easy)
{
    bool ok = true;

#if LIBCURL_VERSION_NUM >= 0x075500
    SET(ok, easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
#else
    SET(ok, easy, CURLOPT_PROTOCOLS, CURLPROTO_SMTP | CURLPROTO_SMTPS);
#endif
    return ok;
}

/* libcurl itself would take TLS 1.0 (RFC 8996 says what is wrong with that),
 * and does not look where OpenSSL's own programs find another list of
 * authorities. */
static bool
set_tls(CURL *easy, const char *ca_file)
{
    const char *authorities =
        ca_file != NULL ? ca_file : getenv("SSL_CERT_FILE");
    bool ok = true;

    SET(ok, easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(ok, easy, CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (authorities != NULL && authorities[0] != '\0') {
        SET(ok, easy, CURLOPT_CAINFO, authorities);
    }
    return ok;
}

bool
policy_set(CURL *easy, const char *ca_file)
{
    bool ok = set_by_version(easy);

    SET(ok, easy, CURLOPT_FOLLOWLOCATION, 0L);
    SET(ok, easy, CURLOPT_NOSIGNAL, 1L);
    SET(ok, easy, CURLOPT_TCP_NODELAY, 1L);
    return set_tls(easy, ca_file) && ok;
}
