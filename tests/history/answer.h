/*  What the recorder answers to a payload: 16 hex digits of its FNV-1a hash, so that a job's bytes prove which job they
 *  belong to.
 *
 *  Thread rule: any thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { ANSWER_BYTES = 17 };

static inline void answer_for (const void *payload, size_t size, char answer[ANSWER_BYTES])
{
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ ((const unsigned char *)payload)[i]) * 0x100000001b3;
    snprintf (answer, ANSWER_BYTES, "%016llx", (unsigned long long)hash);
}
