/* SPDX-License-Identifier: MIT */
#include "notify/words.h"

#include "base/clock.h"
#include "codec/mime.h"

#include <string.h>

struct rows {
    void (*row)(void *arg, const char *label, struct str value);
    void *arg;
};

static void
tell(const struct rows *rows, const char *label, const char *value)
{
    struct buf line;

    if (value[0] == '\0') {
        return;
    }
    buf_init(&line, SIZE_MAX / 2);
    mime_put_line(&line, str_from(value));
    rows->row(rows->arg, label, buf_str(&line));
    buf_fini(&line);
}

/* "2026-11-22 15:49:51 UTC" */
static void
tell_time(const struct rows *rows, int64_t at_ms)
{
    char text[CLOCK_TEXT_SIZE + sizeof(" UTC")];
    char *point;

    clock_format(at_ms, text);
    text[strlen("2026-11-22")] = ' ';
    point = strchr(text, '.');
    memcpy(point, " UTC", sizeof(" UTC"));
    tell(rows, "Time", text);
}

void
words_each(const struct notice *n,
           void (*row)(void *arg, const char *label, struct str value),
           void *arg)
{
    struct rows rows = {row, arg};

    for (size_t i = 0; i < NOTIFY_DETAILS_MAX; i++) {
        if (n->details[i].name != NULL) {
            tell(&rows, n->details[i].name, n->details[i].value);
        }
    }
    tell(&rows, "User", n->user_id);
    tell(&rows, "Session", n->session_id);
    tell_time(&rows, n->at_ms);
}

void
words_put_encoded(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        if (letter || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
            c == '_' || c == '~') {
            buf_putc(out, c);
        } else {
            buf_printf(out, "%%%02X", (unsigned char)c);
        }
    }
}

void
words_put_link(struct buf *out, const struct notify_settings *settings,
               const struct notice *n)
{
    const char *page = settings->panel_url;

    if (page == NULL) {
        return;
    }
    buf_puts(out, page);
    if (n->session_id[0] != '\0') {
        buf_puts(out, strchr(page, '?') != NULL ? "&" : "?");
        buf_puts(out, "session_id=");
        words_put_encoded(out, str_from(n->session_id));
    }
}
