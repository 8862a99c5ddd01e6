/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_NOTIFY_NOTIFY_H
#define CHATBOX_NOTIFY_NOTIFY_H

#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

/* Telling operators outside of the program: by webhook, mail and SMS, each
 * that is configured (docs/decisions/0055). One per shard; a notification is
 * sent by the shard on which its cause is seen. Every function here runs on
 * that shard's thread. Nothing waits for it: what is told is copied, queued
 * and tried by timers, and how it ended is in the log and the metrics. */
struct shard;

enum notify_kind {
#define NOTIFY_EVENT(ID, word, sentence, meaning) NOTIFY_##ID,
#include "notify/event.def"
#undef NOTIFY_EVENT
    NOTIFY_KINDS
};

/* In the order of the setting's words. */
enum notify_sms { NOTIFY_SMS_NONE, NOTIFY_SMS_TWILIO, NOTIFY_SMS_GENERIC };

/* Immutable; outlives every shard's part. */
struct notify_settings {
    const char *webhook_url; /* NULL: no webhook */
    struct str webhook_secret;
    const char *const *mail_to; /* addresses, as of the settings' checks */
    size_t mail_to_count;       /* 0: no mail */
    const char *mail_from;
    const char *smtp_host;
    uint16_t smtp_port;
    unsigned smtp_tls;     /* enum fetch_mail_tls */
    const char *smtp_user; /* NULL: no login */
    const char *smtp_pass;
    const char *const *sms_to; /* E.164 numbers */
    size_t sms_to_count;
    enum notify_sms sms_provider;
    const char *sms_account; /* twilio: not empty */
    const char *sms_token;
    const char *sms_from;
    const char *sms_api_url; /* twilio: NULL for its own */
    const char *panel_url;   /* the operators' page; NULL: no link */
};

/* A member of `data`. Never content. */
struct notify_detail {
    const char *name; /* a word of ours; NULL: there is none */
    struct str value;
};

#define NOTIFY_DETAILS_MAX 2

struct notify_event {
    enum notify_kind kind;
    struct str session_id; /* empty: none */
    struct str user_id;    /* empty: none */
    struct notify_detail details[NOTIFY_DETAILS_MAX];
};

/* Hangs itself into shard->notify; needs shard->fetch. Borrows settings. */
void notify_init(struct shard *s, const struct notify_settings *settings);

/* Forgets what is left; before fetch_pool_fini. Fine without notify_init. */
void notify_fini(struct shard *s);

/* Tells every channel that is configured, each on its own: a 2xx is delivered,
 * anything else is tried again, NOTIFY_TRIES times in all, after 1 s, 2 s, 4 s
 * and 8 s. More than QUOTA_COUNT of one kind about one session (without one:
 * the first detail) within QUOTA_WINDOW_MS are not told (quota.h); neither is
 * what finds NOTIFY_QUEUE_MAX waiting for its channel. Borrows. Nothing when
 * the shard has no part of this room. */
#define NOTIFY_TRIES 5
#define NOTIFY_QUEUE_MAX 1000
void notify_send(struct shard *s, const struct notify_event *event);

/* Deliveries that have begun and not ended. */
size_t notify_pending(const struct shard *s);

/* Shutdown: once nothing is pending on_idle runs, once; at once when nothing
 * is. */
void notify_drain(struct shard *s, void (*on_idle)(void *cookie), void *cookie);

/* Gives up what is pending, with one line in the log, and on_idle runs. */
void notify_cut(struct shard *s);

#endif
