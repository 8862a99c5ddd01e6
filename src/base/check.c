/* SPDX-License-Identifier: MIT */
/* What happens when an invariant is broken: one line, then a core dump. It
 * must not use the logger, whose state may be what is broken. */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

void
check_failed(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, what);
    abort();
}
