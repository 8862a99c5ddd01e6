/* SPDX-License-Identifier: MIT */
/* What all providers share: the request's text, and faults. */
#include "provider/provider.h"

#include "base/xalloc.h"

#include <string.h>

/* URL and headers; an API key can be a token of some kilobytes. */
#define TEXT_MAX 65536

void
provider_request_init(struct provider_request *r, size_t max_body_bytes)
{
    *r = (struct provider_request){0};
    buf_init(&r->body, max_body_bytes);
    buf_init(&r->text, TEXT_MAX);
}

void
provider_request_fini(struct provider_request *r)
{
    xwipe(r->text.p, r->text.cap);
    buf_fini(&r->text);
    buf_fini(&r->body);
    r->url = NULL;
    memset(r->headers, 0, sizeof(r->headers));
}

void
provider_request_put(struct provider_request *r, const char *name,
                     struct str value)
{
    if (name != NULL) {
        buf_puts(&r->text, name);
        buf_puts(&r->text, ": ");
    }
    buf_put_str(&r->text, value);
    buf_putc(&r->text, '\0');
}

void
provider_request_put_url(struct provider_request *r, struct str endpoint,
                         struct str path)
{
    struct str query = endpoint, base;
    struct buf url;

    buf_init(&url, endpoint.n + path.n + 1);
    (void)str_split(&query, '?', &base);
    while (base.n > 0 && base.p[base.n - 1] == '/') {
        base.n--;
    }
    buf_put_str(&url, base);
    if (!str_ends(base, path)) {
        buf_put_str(&url, path);
    }
    if (query.p != NULL) {
        buf_putc(&url, '?');
        buf_put_str(&url, query);
    }
    provider_request_put(r, NULL, buf_str(&url));
    buf_fini(&url);
}

void
provider_request_put_bearer(struct provider_request *r, struct str api_key)
{
    struct buf bearer;

    buf_init(&bearer, api_key.n + 8);
    buf_puts(&bearer, "Bearer ");
    buf_put_str(&bearer, api_key);
    provider_request_put(r, "Authorization", buf_str(&bearer));
    xwipe(bearer.p, bearer.cap);
    buf_fini(&bearer);
}

/* Besides the NULs that end the parts. A line end would begin a header. */
static bool
has_control(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '\0' &&
            ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7F)) {
            return true;
        }
    }
    return false;
}

enum err
provider_request_seal(struct provider_request *r)
{
    const char *part = r->text.p, *end = part + r->text.n;
    size_t count = 0;

    if (r->text.failed || r->body.failed) {
        return ERR_TOO_BIG;
    }
    if (has_control(buf_str(&r->text))) {
        return ERR_INVALID_FORMAT;
    }
    r->url = part;
    for (part += strlen(part) + 1; part < end; part += strlen(part) + 1) {
        CHECK(count < PROVIDER_HEADERS_MAX);
        r->headers[count++] = part;
    }
    r->headers[count] = NULL;
    return ERR_OK;
}

const char *
provider_finish_word(enum provider_finish f)
{
    static const char *const words[] = {
        [PROVIDER_STOP] = "stop",
        [PROVIDER_LENGTH] = "length",
        [PROVIDER_CONTENT_FILTER] = "content_filter",
        [PROVIDER_CALLS] = "tool_calls",
    };

    return words[f];
}

struct str
provider_go_on(void)
{
    return STR("Your last message was cut off by a technical fault. Go on with "
               "it from exactly where it ends, in the middle of a word if need "
               "be. Say only what is missing: nothing of it again, no apology, "
               "no introduction.");
}

void
provider_fault_of_status(int status, struct provider_fault *out)
{
    *out = (struct provider_fault){
        .err = ERR_LLM_UNAVAILABLE,
        .retryable =
            status == 408 || status == 429 || (status >= 500 && status <= 599),
    };
}

void
provider_fault_of_word(struct str word, struct provider_fault *out)
{
    static const struct str passing[] = {
        STR("server_error"),       STR("rate_limit_exceeded"),
        STR("slow_down"),          STR("overloaded_error"),
        STR("api_error"),          STR("rate_limit_error"),
        STR("timeout_error"),      STR("overloaded"),
        STR("service_unavailable")};

    *out = (struct provider_fault){.err = ERR_LLM_UNAVAILABLE};
    for (size_t i = 0; i < COUNT_OF(passing); i++) {
        out->retryable = out->retryable || str_eq(word, passing[i]);
    }
}

void
provider_fault_set_code(struct provider_fault *f, struct str code)
{
    size_t n = 0;

    for (size_t i = 0; i < code.n && n < PROVIDER_CODE_MAX; i++) {
        char c = code.p[i];

        if (c > ' ' && c < 0x7F && c != '"' && c != '\'' && c != '\\') {
            f->code[n++] = c;
        }
    }
    f->code[n] = '\0';
}

/* The beginning is enough: a code is cut to size. */
const char *
provider_fault_word(const struct provider_fault *f, struct str key)
{
    struct str beginning = {key.p, PROVIDER_KEY_SECRET};

    if (f->code[0] == '\0') {
        return "provider_error";
    }
    return key.n >= beginning.n &&
                   str_contains_nocase(str_from(f->code), beginning)
               ? "withheld"
               : f->code;
}
