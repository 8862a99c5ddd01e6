/* SPDX-License-Identifier: MIT */
/* The form of a transcription's request and of its answer. Neighbour:
 * chat/voice.c reads the recording and asks. */
#include "provider/transcription.h"

#include "codec/json.h"
#include "provider/form.h"

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
    struct json_text key, text = {.raw = {NULL, 0}};
    struct json_scan s;

    json_scan_init(&s, answer);
    (void)json_scan_enter(&s, '{');
    while (json_scan_member(&s, &key)) {
        if (json_text_is(&key, STR("text")) && json_scan_peek(&s) == '"') {
            json_scan_string(&s, &text);
        } else {
            json_scan_skip(&s);
        }
    }
    if (!json_scan_end(&s) || text.raw.p == NULL) {
        return false;
    }
    json_unescape(&text, out);
    return true;
}
