/* SPDX-License-Identifier: MIT */
/* Forms for providers that are given files. */
#include "provider/form.h"

void
form_begin(struct form *f, struct provider_request *r, const char *api_key)
{
    struct buf type;

    f->r = r;
    rand_id(f->boundary);
    buf_init(&type, 128);
    buf_printf(&type, "multipart/form-data; boundary=%s", f->boundary);
    provider_request_put(r, "Content-Type", buf_str(&type));
    buf_fini(&type);
    provider_request_put(r, "Accept", STR("application/json"));
    if (api_key[0] != '\0') {
        provider_request_put_bearer(r, str_from(api_key));
    }
}

void
form_field(struct form *f, const char *name, struct str value)
{
    buf_printf(&f->r->body,
               "--%s\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n"
               "%.*s\r\n",
               f->boundary, name, STR_ARG(value));
}

void
form_file(struct form *f, const char *filename, struct str mime)
{
    buf_printf(&f->r->body,
               "--%s\r\nContent-Disposition: form-data; name=\"file\"; "
               "filename=\"%s\"\r\nContent-Type: %.*s\r\n\r\n",
               f->boundary, filename, STR_ARG(mime));
}

void
form_end(struct form *f)
{
    buf_printf(&f->r->body, "\r\n--%s--\r\n", f->boundary);
}
