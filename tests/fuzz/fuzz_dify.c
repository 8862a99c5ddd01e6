/* SPDX-License-Identifier: MIT */
/* provider/dify: what a Dify app answers; see digester.h. */
#include "digester.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    digester_fuzz("dify", data, size);
    return 0;
}
