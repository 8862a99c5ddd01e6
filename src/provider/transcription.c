/* SPDX-License-Identifier: MIT */
/* The form of a transcription's request and of its answer. Neighbour:
 * chat/voice.c reads the recording and asks. */
#include "provider/transcription.h"

#include "provider/form.h"
#include "provider/scan.h"

#include <stdio.h>

#define PATH "/audio/transcriptions"

/* Sound alone has the ending of its container there. */
static struct str
ending_of(const struct transcription_file *file)
{
    return str_is(file->ending, "weba") ? STR("webm") : file->ending;
}

static void
put_file(struct form *f, const struct transcription_file *file)
{
    char name[64];

    snprintf(name, sizeof(name), "voice.%.*s", STR_ARG(ending_of(file)));
    form_file(f, name, file->mime);
    buf_put_str(&f->r->body, file->bytes);
}

enum err
transcription_build(const struct transcriber *t,
                    const struct transcription_file *file,
                    struct provider_request *r)
{
    struct form f;

    provider_request_put_url(r, str_from(t->endpoint), STR(PATH));
    form_begin(&f, r, t->api_key);
    if (t->model[0] != '\0') {
        form_field(&f, "model", str_from(t->model));
    }
    form_field(&f, "response_format", STR("json"));
    put_file(&f, file);
    form_end(&f);
    return provider_request_seal(r);
}

bool
transcription_text(struct str answer, struct buf *out)
{
    struct json_text text;

    if (!scan_member_of(answer, STR("text"), &text)) {
        return false;
    }
    json_unescape(&text, out);
    return true;
}
