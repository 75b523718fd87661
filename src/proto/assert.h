/*  RM_ASSERT: on in release too. For bugs of ours, never for the wire, the disk or memory running out.
 *
 *  Thread rule: any thread.
 */
#pragma once

#include <stdnoreturn.h>

/* Prints the broken claim with its place and aborts. */
noreturn void rm_assert_failed (const char *claim, const char *file, int line);

#define RM_ASSERT(claim)                                                                                               \
    do {                                                                                                               \
        if (__builtin_expect (!(claim), 0))                                                                            \
            rm_assert_failed (#claim, __FILE__, __LINE__);                                                             \
    } while (0)
