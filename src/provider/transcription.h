/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_PROVIDER_TRANSCRIPTION_H
#define CHATBOX_PROVIDER_TRANSCRIPTION_H

#include "base/buf.h"
#include "base/err.h"
#include "provider/provider_request.h"

#include <stdbool.h>
#include <stddef.h>

/* Speech to text as the OpenAI API has it: POST /audio/transcriptions, a form
 * (RFC 7578) with the recording and the model, answered with {"text": …}. Pure;
 * any thread. */

/* Of the settings; strings are never NULL. */
struct transcriber {
    const char *endpoint; /* base URL; "": nothing is transcribed */
    const char *api_key;  /* "" for none */
    const char *model;    /* "" for none: the service has only one */
};

/* Services take no more of a recording (the OpenAI API's limit). */
#define TRANSCRIPTION_FILE_BYTES ((size_t)25 << 20)

/* Of a request's body: a recording and the form around it. */
#define TRANSCRIPTION_BODY_BYTES (TRANSCRIPTION_FILE_BYTES + 4096)

struct transcription_file {
    struct str mime;   /* "audio/webm" */
    struct str ending; /* "weba": services go by the name, so that some types
                          are called otherwise there */
    struct str bytes;
};

/* Fills r (initialised by the caller) and seals it. ERR_TOO_BIG: beyond the
 * body's maximum. */
enum err transcription_build(const struct transcriber *t,
                             const struct transcription_file *file,
                             struct provider_request *r);

/* Appends the text of an answer to out, as it is; it may be empty. False: it is
 * no answer of this form. */
bool transcription_text(struct str answer, struct buf *out);

#endif
