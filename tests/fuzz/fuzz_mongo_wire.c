/* SPDX-License-Identifier: MIT */
/* store/mongo_wire: any message of a database. One that is passed on has a
 * header with its length. */
#include "store/mongo_wire.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (mongo_wire_whole(data, size)) {
        CHECK(size >= 16);
        CHECK(data[0] == (size & 0xff) && data[1] == (size >> 8 & 0xff));
    }
    return 0;
}
