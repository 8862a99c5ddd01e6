/* SPDX-License-Identifier: MIT */
#include "notify/webhook.h"

#include "base/clock.h"
#include "codec/json.h"

#include <openssl/evp.h>

#define BODY_MAX (SIZE_MAX / 2) /* its parts are bounded */
#define HEADER_MAX 256
#define DIGEST_BYTES 32

static void
put_unless_empty(struct buf *out, const char *name, const char *value)
{
    if (value[0] != '\0') {
        json_put_member(out, name, str_from(value));
    }
}

void
webhook_body(struct buf *out, const struct notice *n)
{
    char at[CLOCK_TEXT_SIZE];

    clock_format(n->at_ms, at);
    buf_putc(out, '{');
    json_put_member(out, "id", str_from(n->id));
    json_put_member(out, "event", str_from(notice_word(n->kind)));
    json_put_member(out, "at", str_from(at));
    put_unless_empty(out, "session_id", n->session_id);
    put_unless_empty(out, "user_id", n->user_id);
    json_put_key(out, "data");
    buf_putc(out, '{');
    for (size_t i = 0; i < NOTIFY_DETAILS_MAX; i++) {
        if (n->details[i].name != NULL) {
            json_put_member(out, n->details[i].name,
                            str_from(n->details[i].value));
        }
    }
    buf_puts(out, "}}");
}

void
webhook_signature(struct buf *out, struct str secret, int64_t seconds,
                  struct str body)
{
    unsigned char digest[DIGEST_BYTES];
    size_t n = 0;
    struct buf text;

    buf_init(&text, body.n + HEADER_MAX);
    buf_put_i64(&text, seconds);
    buf_putc(&text, '.');
    buf_put_str(&text, body);
    CHECK(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, secret.p, secret.n,
                    (const unsigned char *)text.p, text.n, digest,
                    sizeof(digest), &n) != NULL);
    CHECK(n == DIGEST_BYTES);
    buf_fini(&text);
    buf_puts(out, "t=");
    buf_put_i64(out, seconds);
    buf_puts(out, ",v1=");
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        buf_printf(out, "%02x", digest[i]);
    }
}

static size_t
recipients(const struct notify_settings *settings)
{
    return settings->webhook_url != NULL ? 1 : 0;
}

static struct fetch *
post(const struct channel_try *t, const char *const *headers, struct str body,
     const struct fetch_events *events, void *cookie)
{
    const struct fetch_request request = {
        .method = "POST",
        .url = t->settings->webhook_url,
        .headers = headers,
        .body = body,
        .connect_timeout_ms = CHANNEL_CONNECT_MS,
        .first_byte_timeout_ms = CHANNEL_ANSWER_MS,
        .idle_timeout_ms = CHANNEL_ANSWER_MS,
        .total_timeout_ms = CHANNEL_TOTAL_MS,
    };

    return fetch_start(t->shard, &request, events, cookie);
}

static struct fetch *
start(const struct channel_try *t, const struct fetch_events *events,
      void *cookie)
{
    struct buf body, delivery, signature;
    struct fetch *f;

    buf_init(&body, BODY_MAX);
    buf_init(&delivery, HEADER_MAX);
    buf_init(&signature, HEADER_MAX);
    webhook_body(&body, t->notice);
    buf_printf(&delivery, "X-Chatbox-Delivery: %s%c", t->notice->id, '\0');
    buf_puts(&signature, "X-Chatbox-Signature: ");
    webhook_signature(&signature, t->settings->webhook_secret,
                      clock_wall_ms() / 1000, buf_str(&body));
    buf_putc(&signature, '\0');
    CHECK(!body.failed && !delivery.failed && !signature.failed);
    f = post(t,
             (const char *const[]){"Content-Type: application/json", delivery.p,
                                   signature.p, NULL},
             buf_str(&body), events, cookie);
    buf_fini(&body);
    buf_fini(&delivery);
    buf_fini(&signature);
    return f;
}

const struct channel webhook_channel = {
    .word = "webhook",
    .recipients = recipients,
    .start = start,
};
