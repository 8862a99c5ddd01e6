/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_GATE_OPENAI_ERROR_H
#define CHATBOX_GATE_OPENAI_ERROR_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>

/* Errors under /v1, in the form that clients of OpenAI's API read:
 * {"error":{"message","type","param","code"}}. `type` is OpenAI's word for the
 * status, `code` our own CODE, as everywhere. */
struct openai_error {
    enum err err;
    int status;          /* 0: the error's own */
    const char *param;   /* the member at fault, or NULL */
    const char *message; /* NULL: the error's own sentence */
};

/* What a client was wrong about, with room for the words. */
struct openai_fault {
    struct openai_error error; /* borrows what is below */
    char param[96];
    char message[256];
};

/* Fills f: BAD_REQUEST, about param (may be NULL). Always false. */
bool openai_error_fault(struct openai_fault *f, const char *param,
                        const char *format, ...)
    __attribute__((format(printf, 3, 4)));

int openai_error_status(const struct openai_error *e);

/* Appends the object. Borrows. */
void openai_error_put(struct buf *out, const struct openai_error *e);

#endif
