/* SPDX-License-Identifier: MIT */
/* provider/anthropic: what a server that speaks it answers; see digester.h. Its
 * corpus are recorded streams, which the end-to-end tests play as well. */
#include "digester.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    digester_fuzz("anthropic", data, size);
    return 0;
}
