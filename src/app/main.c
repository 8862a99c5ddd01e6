/* SPDX-License-Identifier: MIT */
/* The program's beginning; everything testable is behind cli_run. */
#include "app/cli.h"

#include <unistd.h>

extern char **environ;

int
main(int argc, char **argv)
{
    (void)argc;
    return cli_run(argv, (const char *const *)environ);
}
