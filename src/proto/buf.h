/*  A growing buffer of bytes. In-place struct: `rm_buf_t buf = {0};` is empty and valid.
 *
 *  A failed allocation is remembered in `failed`, and later writes do nothing: write all, then check once.
 *  Thread rule: belongs to one thread at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    uint8_t *data;   /* owned; NULL while empty */
    size_t size;     /* bytes written */
    size_t capacity; /* bytes allocated */
    bool failed;     /* memory ran out on the way: the content is not to be used */
} rm_buf_t;

/* Makes room for `size` more bytes; 0 or RM_ENOMEM. */
int rm_buf_reserve (rm_buf_t *self, size_t size);

/* Appends a copy of `data`. */
static inline void rm_buf_put (rm_buf_t *self, const void *data, size_t size)
{
    if (!size || (self->capacity - self->size < size && rm_buf_reserve (self, size)))
        return;
    memcpy (self->data + self->size, data, size);
    self->size += size;
}

/* Empties it, keeps its memory, forgets a failure. */
void rm_buf_clear (rm_buf_t *self);

/* Frees its memory; it is empty and valid afterwards. */
void rm_buf_close (rm_buf_t *self);
