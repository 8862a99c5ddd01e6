/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_CODEC_SMTP_H
#define CHATBOX_CODEC_SMTP_H

#include "base/buf.h"

/* What is said to a mail server after the greeting, TLS and the login: one
 * message from one sender to one recipient (RFC 5321). One command after the
 * other, each when the one before it was answered. No I/O. */

/* The longest reply; RFC 5321 4.5.3.1.5 lets a line have 512 bytes. */
#define SMTP_REPLY_MAX 65536

enum smtp_step { SMTP_MAIL, SMTP_RCPT, SMTP_DATA, SMTP_MESSAGE };

struct smtp_mail {
    struct str from; /* addresses, without < > and without line ends */
    struct str to;
    struct str message; /* head and body, lines that end with CRLF */
};

struct smtp {
    const struct smtp_mail *mail;
    enum smtp_step step; /* what the next reply answers */
    size_t line_bytes;   /* of the unfinished line */
    size_t reply_bytes;  /* of the unfinished reply */
    int code;            /* of that line; valid from its third byte on */
    bool more;           /* the line is not the reply's last */
    int status;          /* the last whole reply's code */
};

/* Appends the first command. Borrows mail as long as s is used. */
void smtp_begin(struct smtp *s, const struct smtp_mail *mail, struct buf *out);

/* Takes what the server said, and appends what it is told next. ERR_AGAIN: it
 * has to say more. ERR_OK: it is over, and s->status says how: 2xx means that
 * the server has taken the message, anything else that it refused a step; what
 * was appended is a farewell. ERR_INVALID_FORMAT: it does not speak SMTP, or
 * without end. Nothing is to be fed after the two. */
enum err smtp_feed(struct smtp *s, struct str in, struct buf *out) MUST_CHECK;

#endif
