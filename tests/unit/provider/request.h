/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_TESTS_UNIT_PROVIDER_REQUEST_H
#define CHATBOX_TESTS_UNIT_PROVIDER_REQUEST_H

/* Looking at what a provider would send. */
#include "provider/registry.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* What a model is told behind a partial answer. */
#define GO_ON                                                                  \
    "Your last message was cut off by a technical fault. Go on with it from "  \
    "exactly where it ends, in the middle of a word if need be. Say only "     \
    "what "                                                                    \
    "is missing: nothing of it again, no apology, no introduction."

/* Two pictures, of both forms, and a message that has them. */
static const struct picture request_pictures[] = {
    {.type = STR("image/png"), .base64 = STR("QUI=")},
    {.url = STR("https://h.example.com/a.png")},
};

static const struct provider_message request_seen = {
    .role = PROVIDER_USER,
    .content = STR("What is it?"),
    .pictures = request_pictures,
    .picture_count = 2};

static inline struct provider_config
request_config(const struct provider_ops *ops, const char *endpoint,
               const char *key)
{
    return (struct provider_config){.ops = ops,
                                    .id = "id",
                                    .name = "Name",
                                    .endpoint = endpoint,
                                    .api_key = key,
                                    .model = "m-\"4",
                                    .temperature = "",
                                    .extra_body = ""};
}

/* Once, and with this value. */
static inline bool
request_has(const struct provider_request *r, const char *line)
{
    size_t name = strcspn(line, ":") + 1, same = 0, equal = 0;

    for (const char *const *h = r->headers; *h != NULL; h++) {
        same += strncasecmp(*h, line, name) == 0;
        equal += strcmp(*h, line) == 0;
    }
    return same == 1 && equal == 1;
}

static inline size_t
request_headers(const struct provider_request *r)
{
    size_t n = 0;

    while (r->headers[n] != NULL) {
        n++;
    }
    return n;
}

/* Builds and compares the url. */
static inline void
request_url_is(const struct provider_config *config, const char *url)
{
    static const struct provider_message hi = {.role = PROVIDER_USER,
                                               .content = STR("hi")};
    struct provider_turn turn = {.messages = &hi, .count = 1};
    struct provider_request r;

    provider_request_init(&r, 10000);
    assert_int_equal(config->ops->build(config, &turn, &r), ERR_OK);
    assert_string_equal(r.url, url);
    provider_request_fini(&r);
}

/* Builds and compares the body with one that is written with ' for ". */
static inline void
request_body_is(const struct provider_config *config,
                const struct provider_turn *turn, const char *expected)
{
    struct provider_request r;
    char *quoted = strdup(expected);
    json_t *sent, *wanted;

    for (char *p = quoted; *p != '\0'; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    provider_request_init(&r, 100000);
    assert_int_equal(config->ops->build(config, turn, &r), ERR_OK);
    sent = json_loadb(r.body.p, r.body.n, JSON_REJECT_DUPLICATES, NULL);
    wanted = json_loads(quoted, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(wanted);
    if (!json_equal(sent, wanted)) {
        buf_putc(&r.body, '\0');
        fail_msg("%s\ninstead of\n%s", r.body.p, quoted);
    }
    json_decref(sent);
    json_decref(wanted);
    free(quoted);
    provider_request_fini(&r);
}

#endif
