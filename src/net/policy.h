/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_NET_POLICY_H
#define CHATBOX_NET_POLICY_H

#include <curl/curl.h>
#include <stdbool.h>

/* What holds for every request to the outside, whoever makes it: http and
 * https alone, no redirects, TLS 1.2 at least and verified, no signals.
 * ca_file NULL: SSL_CERT_FILE's authorities, or the system's. False: libcurl
 * has no memory (also for the handle, which may be NULL). Any thread. */
bool policy_set(CURL *easy, const char *ca_file);

/* After it: smtp and smtps alone. */
bool policy_set_mail(CURL *easy);

#endif
