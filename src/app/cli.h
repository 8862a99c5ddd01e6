/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_APP_CLI_H
#define CHATBOX_APP_CLI_H

/* Exit statuses of the program. */
enum cli_status {
    CLI_OK = 0,
    CLI_FAILED = 1,     /* start-up failed */
    CLI_USAGE = 2,      /* the command line */
    CLI_FORCED = 3,     /* stopped, but something had to be cut */
    CLI_BAD_CONFIG = 78 /* EX_CONFIG of sysexits.h */
};

/* The whole program: argv and environment as main gets them. Standard output
 * carries only what a command was asked for. */
int cli_run(char **argv, const char *const *environment);

#endif
