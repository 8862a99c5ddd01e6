/* SPDX-License-Identifier: MIT */
#ifndef CHATBOX_BASE_CHECK_H
#define CHATBOX_BASE_CHECK_H

#include <stddef.h>
#include <stdint.h>

/* CHECK(x): x cannot be false whatever a peer sends. Active in release
 * builds too: it prints the place and aborts. Never for input. */
#define CHECK(x)                                                               \
    do {                                                                       \
        if (__builtin_expect(!(x), 0)) {                                       \
            check_failed(#x, __FILE__, __LINE__);                              \
        }                                                                      \
    } while (0)

#define MUST_CHECK __attribute__((warn_unused_result))

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

/* The object of type that has member at address ptr. */
#define CONTAINER_OF(ptr, type, member)                                        \
    ((type *)((uintptr_t)(ptr)-offsetof(type, member)))

__attribute__((noreturn, cold)) void check_failed(const char *what,
                                                  const char *file, int line);

#endif
