/* SPDX-License-Identifier: MIT */
#include "notify/mail.h"

#include "codec/mime.h"
#include "net/fetch_mail.h"
#include "notify/words.h"

#include <string.h>

#define CONNECT_MS 20000 /* with greeting, TLS and login */
#define ANSWER_MS 30000
#define TOTAL_MS 60000

/* --- its two forms ------------------------------------------------------ */

static void
put_text_row(void *arg, const char *label, struct str value)
{
    struct buf *text = arg;

    buf_puts(text, label);
    buf_puts(text, ": ");
    buf_put_str(text, value);
    buf_putc(text, '\n');
}

static void
put_text(struct buf *text, const struct notice *n, struct str link)
{
    buf_puts(text, notice_sentence(n->kind));
    buf_puts(text, ".\n\n");
    words_each(n, put_text_row, text);
    if (link.n > 0) {
        buf_putc(text, '\n');
        buf_put_str(text, link);
        buf_putc(text, '\n');
    }
}

static void
put_html_row(void *arg, const char *label, struct str value)
{
    struct buf *html = arg;

    buf_puts(html, "<tr><th align=\"left\">");
    mime_put_html(html, str_from(label));
    buf_puts(html, "</th><td>");
    mime_put_html(html, value);
    buf_puts(html, "</td></tr>\n");
}

static void
put_html(struct buf *html, const struct notice *n, struct str link)
{
    buf_puts(html, "<!doctype html>\n<html><body>\n<p>");
    mime_put_html(html, str_from(notice_sentence(n->kind)));
    buf_puts(html, ".</p>\n<table>\n");
    words_each(n, put_html_row, html);
    buf_puts(html, "</table>\n");
    if (link.n > 0) {
        buf_puts(html, "<p><a href=\"");
        mime_put_html(html, link);
        buf_puts(html, "\">");
        mime_put_html(html, link);
        buf_puts(html, "</a></p>\n");
    }
    buf_puts(html, "</body></html>\n");
}

/* --- the message -------------------------------------------------------- */

static void
put_head(struct buf *out, const struct notify_settings *settings,
         const struct notice *n, size_t recipient)
{
    const char *from = settings->mail_from;
    struct buf subject;

    buf_init(&subject, SIZE_MAX / 2);
    buf_puts(&subject, "[chatbox] ");
    buf_puts(&subject, notice_sentence(n->kind));
    buf_printf(out, "From: %s\r\nTo: %s\r\n", from,
               settings->mail_to[recipient]);
    mime_put_header(out, "Subject", buf_str(&subject));
    mime_put_date(out, n->at_ms);
    buf_printf(out, "Message-ID: <%s.%zu%s>\r\n", n->id, recipient + 1,
               strchr(from, '@'));
    buf_puts(out, "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n");
    buf_fini(&subject);
}

/* The boundary cannot be in a part: "=" is not followed by "_" there. */
static void
put_part(struct buf *out, const struct notice *n, const char *type,
         const struct buf *content)
{
    buf_printf(out,
               "\r\n--=_%s\r\nContent-Type: %s; charset=utf-8\r\n"
               "Content-Transfer-Encoding: quoted-printable\r\n\r\n",
               n->id, type);
    mime_put_quoted(out, buf_str(content));
}

void
mail_build(struct buf *out, const struct notify_settings *settings,
           const struct notice *n, size_t recipient)
{
    struct buf link, text, html;

    buf_init(&link, SIZE_MAX / 2);
    buf_init(&text, SIZE_MAX / 2);
    buf_init(&html, SIZE_MAX / 2);
    words_put_link(&link, settings, n);
    put_text(&text, n, buf_str(&link));
    put_html(&html, n, buf_str(&link));
    put_head(out, settings, n, recipient);
    buf_printf(out,
               "Content-Type: multipart/alternative;\r\n boundary=\"=_%s\"\r\n",
               n->id);
    put_part(out, n, "text/plain", &text);
    put_part(out, n, "text/html", &html);
    buf_printf(out, "\r\n--=_%s--\r\n", n->id);
    buf_fini(&link);
    buf_fini(&text);
    buf_fini(&html);
}

/* --- the channel -------------------------------------------------------- */

static size_t
recipients(const struct notify_settings *settings)
{
    return settings->mail_to_count;
}

static struct fetch *
start(const struct channel_try *t, const struct fetch_events *events,
      void *cookie)
{
    const struct notify_settings *settings = t->settings;
    struct fetch_mail_request request = {
        .host = settings->smtp_host,
        .port = settings->smtp_port,
        .tls = settings->smtp_tls,
        .user = settings->smtp_user,
        .password = settings->smtp_pass,
        .from = settings->mail_from,
        .to = settings->mail_to[t->recipient],
        .connect_timeout_ms = CONNECT_MS,
        .answer_timeout_ms = ANSWER_MS,
        .total_timeout_ms = TOTAL_MS,
    };
    struct buf message;
    struct fetch *f;

    buf_init(&message, SIZE_MAX / 2);
    mail_build(&message, settings, t->notice, t->recipient);
    request.message = buf_str(&message);
    f = fetch_mail_start(t->shard, &request, events, cookie);
    buf_fini(&message);
    return f;
}

const struct channel mail_channel = {
    .word = "mail",
    .recipients = recipients,
    .start = start,
};
