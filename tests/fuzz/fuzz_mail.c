/* SPDX-License-Identifier: MIT */
/* A mail about somebody who chose their own name: user, session and a detail,
 * one a line (0x01 is a line end inside of them). Whatever they are, the mail
 * is ASCII in lines that are not too long, with the headers and parts that it
 * always has. */
#include "notify/mail.h"

#include "base/check.h"
#include "base/xalloc.h"
#include "codec/mime.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ID "00112233445566778899aabbccddeeff"

static char *
next(struct str *rest)
{
    struct str part = {"", 0};
    char *text;

    (void)str_split(rest, '\n', &part);
    text = str_dup(part);
    for (char *c = text; *c != '\0'; c++) {
        if (*c == 1) {
            *c = '\n';
        }
    }
    return text;
}

/* How many lines begin so. */
static size_t
lines(struct str mail, const char *beginning)
{
    size_t count = 0;
    struct str line;

    while (str_split(&mail, '\n', &line)) {
        count += str_starts(line, str_from(beginning));
    }
    return count;
}

static void
check_lines(struct str mail)
{
    struct str line;

    CHECK(str_ends(mail, STR("\r\n")));
    mail.n -= 1;
    while (str_split(&mail, '\n', &line)) {
        CHECK(str_ends(line, STR("\r")));
        CHECK(line.n <= MIME_LINE_MAX + 1);
        for (size_t i = 0; i + 1 < line.n; i++) {
            CHECK(line.p[i] >= ' ' && line.p[i] <= '~');
        }
    }
}

/* The same headers, in the same order, however the notice reads. */
static void
check_head(struct str mail)
{
    static const char *const names[] = {
        "From: ",         "To: ",           "Subject:",
        "Date: ",         "Message-ID: ",   "Auto-Submitted: ",
        "MIME-Version: ", "Content-Type: ", " boundary="};
    struct str line;

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        CHECK(str_split(&mail, '\n', &line));
        CHECK(str_starts(line, str_from(names[i])));
    }
    CHECK(str_split(&mail, '\n', &line) && str_is(line, "\r"));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const to[] = {"ann@ops.example"};
    static const struct notify_settings settings = {
        .mail_to = to,
        .mail_to_count = 1,
        .mail_from = "chatbox@chat.example",
        .panel_url = "https://desk.example/"};
    struct str rest = {(const char *)data, size};
    struct notice n = {.kind = NOTIFY_HELP_REQUEST,
                       .at_ms = 1795362591123,
                       .id = ID,
                       .user_id = next(&rest),
                       .session_id = next(&rest)};
    struct buf mail;

    n.details[0].name = "Provider";
    n.details[0].value = next(&rest);
    buf_init(&mail, 1 << 24);
    mail_build(&mail, &settings, &n, 0);
    check_lines(buf_str(&mail));
    check_head(buf_str(&mail));
    CHECK(lines(buf_str(&mail), "--=_" ID) == 3);
    buf_fini(&mail);
    xfree(n.user_id);
    xfree(n.session_id);
    xfree(n.details[0].value);
    return 0;
}
