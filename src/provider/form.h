/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_PROVIDER_FORM_H
#define CHATBOX_PROVIDER_FORM_H

#include "base/rand.h"
#include "provider/provider_request.h"

/* A request whose body is a form with fields and, at its end, one file
 * (multipart/form-data, RFC 7578). Pure but for the random boundary.
 *
 *     provider_request_put_url(r, …);
 *     form_begin(&f, r, api_key);
 *     form_field(&f, "model", model);
 *     form_file(&f, "voice.ogg", STR("audio/ogg"));
 *     buf_put_str(&r->body, bytes);
 *     form_end(&f);
 */
struct form {
    struct provider_request *r;       /* borrowed */
    char boundary[RAND_ID_CHARS + 1]; /* nobody can put it into a file */
};

/* Behind the url: Content-Type, Accept (an answer in JSON), and the key as a
 * bearer's unless it is "". */
void form_begin(struct form *f, struct provider_request *r,
                const char *api_key);

/* Names, values and types are put as they are: they have no quotes and no line
 * ends. */
void form_field(struct form *f, const char *name, struct str value);

/* The head of the field "file"; its bytes go behind it. */
void form_file(struct form *f, const char *filename, struct str mime);

void form_end(struct form *f);

#endif
