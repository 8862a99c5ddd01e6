/* SPDX-License-Identifier: MIT */
/* A container's probe without a shell or another program in it. It goes to
 * this machine alone, past any proxy, and tells the server nothing: so whose
 * the certificate is does not matter, which names the public host anyway. */
#include "app/cli_health.h"

#include "app/authority.h"
#include "app/cli.h"
#include "base/xalloc.h"

#include <curl/curl.h>
#include <stdio.h>

#define WAIT_MS 3000L
#define URL_BYTES 1024

/* Gives the address. */
static char *
make_url(const struct config *c)
{
    bool bare = str_is(c->server_path_prefix, "/");
    struct buf url;

    buf_init(&url, URL_BYTES);
    buf_puts(&url, c->server_tls_cert.n > 0 ? "https://" : "http://");
    authority_put(authority_local(c->server_host.p), (unsigned)c->server_port,
                  &url);
    buf_puts(&url, bare ? "" : c->server_path_prefix.p);
    buf_puts(&url, "/healthz");
    return buf_give(&url);
}

static size_t
drop(char *bytes, size_t size, size_t count, void *arg)
{
    (void)bytes;
    (void)arg;
    return size * count;
}

/* The status of the answer, or 0 with a static reason. */
static long
ask(CURL *easy, const char *url, const char **why)
{
    long status = 0;
    CURLcode result;

    (void)curl_easy_setopt(easy, CURLOPT_URL, url);
    (void)curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, WAIT_MS);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop);
    result = curl_easy_perform(easy);
    if (result != CURLE_OK) {
        *why = curl_easy_strerror(result);
        return 0;
    }
    (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

static int
judge(const char *url, long status, const char *why, struct buf *out)
{
    if (status == 200) {
        buf_printf(out, "healthy: %s\n", url);
        return CLI_OK;
    }
    if (status == 0) {
        fprintf(stderr, "chatbox: %s: %s\n", url, why);
    } else {
        fprintf(stderr, "chatbox: %s: status %ld\n", url, status);
    }
    return CLI_FAILED;
}

int
cli_health_run(const struct config *c, struct buf *out)
{
    const char *why = "libcurl cannot be started";
    char *url = make_url(c);
    CURL *easy = curl_easy_init();
    long status = easy != NULL ? ask(easy, url, &why) : 0;
    int result = judge(url, status, why, out);

    curl_easy_cleanup(easy);
    curl_global_cleanup();
    xfree(url);
    return result;
}
