/*  Bytes as base64 (RFC 4648, section 4: with padding, without line breaks), for what goes through JSON.
 *
 *  Thread rule: pure functions.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* How many characters `size` bytes take. */
static inline size_t rm_base64_size (size_t size)
{
    return (size + 2) / 3 * 4;
}

/* Writes rm_base64_size (size) characters, and no NUL. */
void rm_base64_write (char *text, const void *data, size_t size);

/* Reads `length` characters into `data`, which has room for length / 4 * 3 bytes; *size: how many they are. False: it is not
 * base64, as rm_base64_write would write it. */
bool rm_base64_read (void *data, size_t *size, const char *text, size_t length);
