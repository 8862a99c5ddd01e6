/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_PROTO_MESSAGE_H
#define CHATBOX_PROTO_MESSAGE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The message table (message.def) and the envelope's members (field.def), and
 * what a client's frame becomes: a typed, validated, sanitised message. */

enum proto_field {
#define FIELD(ID, name, KIND, limit, ts, text) PROTO_##ID,
#include "proto/field.def"
#undef FIELD
    PROTO_FIELDS
};

enum message_type {
#define MESSAGE(ID, type, direction, required, members, text) MESSAGE_##ID,
#include "proto/message.def"
#undef MESSAGE
    MESSAGE_TYPES
};

enum message_direction { MESSAGE_CLIENT, MESSAGE_SERVER, MESSAGE_BOTH };

/* The word on the wire; static. */
const char *message_word(enum message_type type);

/* The member's name; static. */
const char *proto_field_name(enum proto_field field);

#define PROTO_DEPTH_MAX 8
#define PROTO_METADATA_KEYS 32
#define PROTO_METADATA_KEY_BYTES 64
#define PROTO_METADATA_VALUE_BYTES 1000
#define PROTO_FUTURE_MS 60000
#define PROTO_FIELD_NAME_MAX 300

/* An inbound message. It owns `text`, into which the
 * strs point, and metadata. Members that
 * were absent, null or, after trimming, empty are {NULL, 0}. */
struct proto_message {
    enum message_type type;
    struct str field[PROTO_FIELDS]; /* LINE, CONTENT, URL and SENDER kinds */
    char *metadata;                 /* a JSON object of strings, or NULL */
    struct buf text;
};

/* What the decoder needs to know of its surroundings. */
struct proto_rules {
    size_t max_content_chars;
    int64_t now_ms;
    bool may_be_admin;      /* this client may claim the sender "admin" */
    struct str file_prefix; /* a file_url that begins so is ours */
};

/* Why a frame was refused. field is "" when it was not JSON. */
struct proto_fault {
    enum err err; /* INVALID_FORMAT or MISSING_FIELD */
    char field[PROTO_FIELD_NAME_MAX];
    enum message_type type; /* MESSAGE_TYPES while unknown */
};

/* Decodes and validates one frame, then sanitises it. Borrows everything. On
 * success *out is the caller's to fini; on failure (the error is fault->err)
 * there is nothing to fini. Pure. */
enum err proto_decode(struct str frame, const struct proto_rules *rules,
                      struct proto_message *out,
                      struct proto_fault *fault) MUST_CHECK;

void proto_message_fini(struct proto_message *m);

#endif
