/*  A session as people see it.
 *
 *  Thread rule: any thread.
 */
#pragma once

#include "proto/msg.h"

/* Writes 32 hex digits and a NUL. */
static inline void rm_session_hex (const rm_session_id_t *self, char text[2 * RM_SESSION_BYTES + 1])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < RM_SESSION_BYTES; i++) {
        text[2 * i] = digits[self->bytes[i] >> 4];
        text[2 * i + 1] = digits[self->bytes[i] & 15];
    }
    text[2 * RM_SESSION_BYTES] = 0;
}
