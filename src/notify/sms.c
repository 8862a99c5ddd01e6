/* SPDX-License-Identifier: MIT */
#include "notify/sms.h"

#include "base/xalloc.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "codec/utf8.h"
#include "notify/words.h"

#include <string.h>

#define TWILIO "https://api.twilio.com"

/* Of a name and a token, as the settings bound them. */
#define BASIC_BYTES 2048

/* --- the text ----------------------------------------------------------- */

static void
put_row(void *arg, const char *label, struct str value)
{
    struct buf *out = arg;

    buf_puts(out, " ");
    buf_puts(out, label);
    buf_puts(out, ": ");
    buf_put_str(out, utf8_cut(value, 64));
    buf_puts(out, ".");
}

void
sms_text(struct buf *out, const struct notify_settings *settings,
         const struct notice *n)
{
    struct buf text, link;

    buf_init(&text, SIZE_MAX / 2);
    buf_init(&link, SIZE_MAX / 2);
    buf_puts(&text, "chatbox: ");
    buf_puts(&text, notice_sentence(n->kind));
    buf_puts(&text, ".");
    words_each(n, put_row, &text);
    words_put_link(&link, settings, n);
    buf_put_str(out, buf_str(&text));
    if (link.n > 0 &&
        utf8_count(buf_str(&text)) + 1 + link.n <= SMS_CHARS_MAX) {
        buf_putc(out, ' ');
        buf_put_str(out, buf_str(&link));
    }
    buf_fini(&text);
    buf_fini(&link);
}

/* --- the requests ------------------------------------------------------- */

static void
put_field(struct buf *out, const char *name, struct str value)
{
    if (out->n > 0) {
        buf_putc(out, '&');
    }
    buf_puts(out, name);
    buf_putc(out, '=');
    words_put_encoded(out, value);
}

void
sms_body_twilio(struct buf *out, const char *to, const char *from,
                struct str text)
{
    put_field(out, "To", str_from(to));
    put_field(out, "From", str_from(from));
    put_field(out, "Body", text);
}

void
sms_body_generic(struct buf *out, const char *to, const char *from,
                 struct str text)
{
    buf_putc(out, '{');
    json_put_member(out, "to", str_from(to));
    json_put_member(out, "from", str_from(from));
    json_put_member(out, "text", text);
    buf_putc(out, '}');
}

/* RFC 7617. */
static void
put_basic(struct buf *out, const char *user, const char *password)
{
    char encoded[BASE64_SIZE(BASIC_BYTES)];
    struct buf pair;

    buf_init(&pair, BASIC_BYTES);
    buf_puts(&pair, user);
    buf_putc(&pair, ':');
    buf_puts(&pair, password);
    CHECK(!pair.failed);
    buf_puts(out, "Authorization: Basic ");
    buf_put(out, encoded, base64_encode(buf_str(&pair), encoded));
    xwipe(encoded, sizeof(encoded));
    xwipe(pair.p, pair.n);
    buf_fini(&pair);
}

struct provider {
    const char *type; /* the header */
    void (*put_url)(struct buf *out, const struct notify_settings *settings);
    void (*put_login)(struct buf *out, const struct notify_settings *settings);
    void (*put_body)(struct buf *out, const char *to, const char *from,
                     struct str text);
};

static void
put_twilio_url(struct buf *out, const struct notify_settings *settings)
{
    buf_puts(out,
             settings->sms_api_url != NULL ? settings->sms_api_url : TWILIO);
    if (str_ends(buf_str(out), STR("/"))) {
        out->n--;
    }
    buf_puts(out, "/2010-04-01/Accounts/");
    words_put_encoded(out, str_from(settings->sms_account));
    buf_puts(out, "/Messages.json");
}

static void
put_twilio_login(struct buf *out, const struct notify_settings *settings)
{
    put_basic(out, settings->sms_account, settings->sms_token);
}

static void
put_generic_url(struct buf *out, const struct notify_settings *settings)
{
    buf_puts(out, settings->sms_api_url);
}

static void
put_generic_login(struct buf *out, const struct notify_settings *settings)
{
    buf_puts(out, "Authorization: Bearer ");
    buf_puts(out, settings->sms_token);
}

/* In the order of enum notify_sms. */
static const struct provider providers[] = {
    {NULL, NULL, NULL, NULL},
    {"Content-Type: application/x-www-form-urlencoded", put_twilio_url,
     put_twilio_login, sms_body_twilio},
    {"Content-Type: application/json", put_generic_url, put_generic_login,
     sms_body_generic},
};

/* --- the channel -------------------------------------------------------- */

static size_t
recipients(const struct notify_settings *settings)
{
    return settings->sms_provider != NOTIFY_SMS_NONE ? settings->sms_to_count
                                                     : 0;
}

static struct fetch *
post(const struct channel_try *t, struct buf parts[static 3],
     const struct fetch_events *events, void *cookie)
{
    const struct provider *p = &providers[t->settings->sms_provider];
    const struct fetch_request request = {
        .method = "POST",
        .url = parts[0].p,
        .headers = (const char *const[]){p->type, parts[1].p, NULL},
        .body = buf_str(&parts[2]),
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
    const struct notify_settings *settings = t->settings;
    const struct provider *p = &providers[settings->sms_provider];
    struct buf parts[3], text; /* URL, login, body */
    struct fetch *f;

    buf_init(&text, SIZE_MAX / 2);
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        buf_init(&parts[i], SIZE_MAX / 2);
    }
    sms_text(&text, settings, t->notice);
    p->put_url(&parts[0], settings);
    buf_putc(&parts[0], '\0');
    p->put_login(&parts[1], settings);
    buf_putc(&parts[1], '\0');
    p->put_body(&parts[2], settings->sms_to[t->recipient], settings->sms_from,
                buf_str(&text));
    f = post(t, parts, events, cookie);
    xwipe(parts[1].p, parts[1].n);
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        buf_fini(&parts[i]);
    }
    buf_fini(&text);
    return f;
}

const struct channel sms_channel = {
    .word = "sms",
    .recipients = recipients,
    .start = start,
};
