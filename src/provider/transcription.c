/* SPDX-License-Identifier: MIT */
/* The form of a transcription's request and of its answer. Neighbour:
 * chat/voice.c reads the recording and asks. */
#include "provider/transcription.h"

#include "base/rand.h"
#include "codec/json.h"

#define PATH "/audio/transcriptions"

static void
put_headers(struct provider_request *r, const char *api_key,
            const char *boundary)
{
    struct buf type;

    buf_init(&type, 128);
    buf_printf(&type, "multipart/form-data; boundary=%s", boundary);
    provider_request_put(r, "Content-Type", buf_str(&type));
    buf_fini(&type);
    provider_request_put(r, "Accept", STR("application/json"));
    if (api_key[0] != '\0') {
        provider_request_put_bearer(r, str_from(api_key));
    }
}

static void
put_field(struct buf *b, const char *boundary, const char *name,
          struct str value)
{
    buf_printf(b,
               "--%s\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n"
               "%.*s\r\n",
               boundary, name, STR_ARG(value));
}

/* Sound alone has the ending of its container there. */
static struct str
ending_of(const struct transcription_file *file)
{
    return str_is(file->ending, "weba") ? STR("webm") : file->ending;
}

static void
put_file(struct buf *b, const char *boundary,
         const struct transcription_file *file)
{
    struct str ending = ending_of(file);

    buf_printf(b,
               "--%s\r\nContent-Disposition: form-data; name=\"file\"; "
               "filename=\"voice.%.*s\"\r\nContent-Type: %.*s\r\n\r\n",
               boundary, STR_ARG(ending), STR_ARG(file->mime));
    buf_put_str(b, file->bytes);
    buf_printf(b, "\r\n--%s--\r\n", boundary);
}

enum err
transcription_build(const struct transcriber *t,
                    const struct transcription_file *file,
                    struct provider_request *r)
{
    char boundary[RAND_ID_CHARS + 1]; /* nobody can put it into a file */

    rand_id(boundary);
    provider_request_put_url(r, str_from(t->endpoint), STR(PATH));
    put_headers(r, t->api_key, boundary);
    if (t->model[0] != '\0') {
        put_field(&r->body, boundary, "model", str_from(t->model));
    }
    put_field(&r->body, boundary, "response_format", STR("json"));
    put_file(&r->body, boundary, file);
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
