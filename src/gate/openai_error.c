/* SPDX-License-Identifier: MIT */
/* The form of errors at the OpenAI door. */
#include "gate/openai_error.h"

#include "codec/json.h"

#include <stdarg.h>
#include <stdio.h>

int
openai_error_status(const struct openai_error *e)
{
    return e->status > 0 ? e->status : err_info(e->err)->http;
}

static struct str
type_of(int status)
{
    return status == 401   ? STR("authentication_error")
           : status == 403 ? STR("permission_error")
           : status == 429 ? STR("rate_limit_error")
           : status >= 500 ? STR("server_error")
                           : STR("invalid_request_error");
}

static void
put_or_null(struct buf *out, const char *name, const char *text)
{
    if (text != NULL) {
        json_put_member(out, name, str_from(text));
    } else {
        json_put_key(out, name);
        buf_puts(out, "null");
    }
}

void
openai_error_put(struct buf *out, const struct openai_error *e)
{
    const char *message =
        e->message != NULL ? e->message : err_info(e->err)->sentence;

    buf_puts(out, "{\"error\":{");
    json_put_member(out, "message", str_from(message));
    json_put_member(out, "type", type_of(openai_error_status(e)));
    put_or_null(out, "param", e->param);
    json_put_member(out, "code", str_from(err_info(e->err)->code));
    buf_puts(out, "}}");
}

bool
openai_error_fault(struct openai_fault *f, const char *param,
                   const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(f->message, sizeof(f->message), format, args);
    va_end(args);
    snprintf(f->param, sizeof(f->param), "%s", param != NULL ? param : "");
    f->error = (struct openai_error){.err = ERR_BAD_REQUEST,
                                     .param = param != NULL ? f->param : NULL,
                                     .message = f->message};
    return false;
}
