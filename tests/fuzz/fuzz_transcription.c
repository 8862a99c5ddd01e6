/* SPDX-License-Identifier: MIT */
/* provider/transcription: an answer that says something is JSON, what it says
 * is UTF-8 and no longer than the answer. */
#include "provider/transcription.h"

#include "base/check.h"
#include "codec/json.h"
#include "codec/utf8.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size};
    struct buf out;

    buf_init(&out, size + 1);
    if (transcription_text(in, &out)) {
        CHECK(json_valid(in, JSON_DEPTH_MAX));
        CHECK(!out.failed && utf8_valid(buf_str(&out)));
    } else {
        CHECK(out.n == 0);
    }
    buf_fini(&out);
    return 0;
}
