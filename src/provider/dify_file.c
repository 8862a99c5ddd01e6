/* SPDX-License-Identifier: MIT */
/* POST /files/upload: a form (RFC 7578) with the user and the file, answered
 * with a document that has its id. Neighbours: dify.c names the file in the
 * question, chat/handover sends this before. */
#include "provider/dify_file.h"

#include "base/xalloc.h"
#include "codec/base64.h"
#include "provider/dify_event.h"
#include "provider/form.h"
#include "provider/scan.h"

#include <stdio.h>
#include <string.h>

#define PATH "/files/upload"
#define CHAT_PATH "/chat-messages"

/* The endpoint may name the question's path. */
static void
put_url(struct provider_request *r, struct str endpoint)
{
    struct str query = endpoint, base;
    struct buf root;

    (void)str_split(&query, '?', &base);
    while (base.n > 0 && base.p[base.n - 1] == '/') {
        base.n--;
    }
    if (str_ends(base, STR(CHAT_PATH))) {
        base.n -= sizeof(CHAT_PATH) - 1;
    }
    buf_init(&root, endpoint.n + 1);
    buf_put_str(&root, base);
    if (query.p != NULL) {
        buf_putc(&root, '?');
        buf_put_str(&root, query);
    }
    provider_request_put_url(r, buf_str(&root), STR(PATH));
    buf_fini(&root);
}

/* "image/png" is a picture.png: the app goes by the name. */
static void
put_head(struct form *f, struct str type)
{
    struct str ending = str_from_at(type, sizeof("image/") - 1);
    char name[64];

    snprintf(name, sizeof(name), "picture.%.*s", STR_ARG(ending));
    form_file(f, name, type);
}

static enum err
put_bytes(struct buf *b, struct str base64)
{
    size_t room = BASE64_BYTES(base64.n), n = 0;
    char *bytes = xmalloc(room);
    enum err e = base64_decode(base64, bytes, room, &n);

    if (e == ERR_OK) {
        buf_put(b, bytes, n);
    }
    xfree(bytes);
    return e;
}

enum err
dify_file_put(const struct provider_config *config,
              const struct picture *picture, struct str user,
              struct provider_request *r)
{
    struct form f;
    enum err e;

    put_url(r, str_from(config->endpoint));
    form_begin(&f, r, config->api_key);
    form_field(&f, "user", user);
    put_head(&f, picture->type);
    e = put_bytes(&r->body, picture->base64);
    form_end(&f);
    return e == ERR_OK ? provider_request_seal(r) : e;
}

bool
dify_file_id(struct str answer, char out[static PROVIDER_ID_MAX + 1])
{
    struct json_text id;

    if (!scan_member_of(answer, STR("id"), &id) || !dify_event_is_id(id.raw)) {
        return false;
    }
    memcpy(out, id.raw.p, id.raw.n);
    out[id.raw.n] = '\0';
    return true;
}
