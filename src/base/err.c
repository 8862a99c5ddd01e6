/* SPDX-License-Identifier: MIT */
/* The error table, readable. */
#include "base/err.h"

#include <stddef.h>

static const struct err_info infos[ERR_COUNT] = {
    [ERR_OK] = {"OK", "ok", "", 200, 1000, false},
#define ERR(NAME, slug, http, close, retryable, sentence)                      \
    [ERR_##NAME] = {#NAME, #slug, sentence, http, close, retryable},
#include "base/err.def"
#undef ERR
};

const struct err_info *
err_info(enum err e)
{
    if (e < 0 || e >= ERR_COUNT || infos[e].code == NULL) {
        return &infos[ERR_INTERNAL_ERROR];
    }
    return &infos[e];
}

static const struct {
    int status;
    enum err e;
} by_status[] = {
    {400, ERR_BAD_REQUEST},
    {403, ERR_FORBIDDEN},
    {413, ERR_PAYLOAD_TOO_LARGE},
    {414, ERR_PAYLOAD_TOO_LARGE},
    {415, ERR_UNSUPPORTED_MEDIA_TYPE},
    {417, ERR_BAD_REQUEST},
    {426, ERR_BAD_REQUEST},
    {429, ERR_TOO_MANY_REQUESTS},
    {431, ERR_PAYLOAD_TOO_LARGE},
    {500, ERR_INTERNAL_ERROR},
    {503, ERR_SERVICE_UNAVAILABLE},
    {504, ERR_SERVICE_UNAVAILABLE},
};

const char *
err_http_code(enum err e)
{
    const struct err_info *info = err_info(e);

    for (unsigned i = 0; i < COUNT_OF(by_status); i++) {
        if (by_status[i].status == info->http) {
            return infos[by_status[i].e].code;
        }
    }
    return info->code;
}
