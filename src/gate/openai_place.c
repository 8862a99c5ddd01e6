/* SPDX-License-Identifier: MIT */
/* See openai_place.h. */
#include "gate/openai_place.h"

#include "base/rand.h"
#include "gate/reply.h"

/* As long as a client's id for its message may be. */
#define KEY_BYTES 64

/* Into *out, empty when there is none; false: it stands twice or is too long,
 * and that has been answered. */
static bool
read_header(struct request *r, const char *name, size_t max, struct str *out)
{
    enum err e = http1_head_single(&r->head, name, out);

    if (e == ERR_BAD_REQUEST || out->n > max) {
        reply_error(r, ERR_BAD_REQUEST, name);
        return false;
    }
    return true;
}

/* Only what has a key is kept. */
static bool
read_after(struct request *r, struct openai_place *p)
{
    struct str text;

    if (!read_header(r, "Last-Event-ID", KEY_BYTES, &text)) {
        return false;
    }
    if (text.n > 0 && (p->key.n == 0 || p->session.n > 0 ||
                       !str_to_u64(text, UINT32_MAX, &p->after))) {
        reply_error(r, ERR_BAD_REQUEST, "Last-Event-ID");
        return false;
    }
    return true;
}

bool
openai_place_read(struct request *r, struct openai_place *p)
{
    *p = (struct openai_place){.after = 0};
    return read_header(r, "X-Session-Id", RAND_ID_CHARS, &p->session) &&
           read_header(r, "Idempotency-Key", KEY_BYTES, &p->key) &&
           read_after(r, p);
}

bool
openai_place_takes(struct request *r)
{
    struct str rest, type;
    enum err e = http1_head_single(&r->head, "Content-Type", &rest);

    if (e == ERR_OK &&
        (!str_split(&rest, ';', &type) ||
         !str_eq_nocase(str_trim(type), STR("application/json")))) {
        e = ERR_BAD_REQUEST;
    }
    if (e == ERR_BAD_REQUEST) {
        reply_error_text(r, ERR_UNSUPPORTED_MEDIA_TYPE, NULL,
                         "The Content-Type is application/json.");
    }
    return e != ERR_BAD_REQUEST;
}
