/*  Memory for the pure parts (proto, core): one allocator that a test can swap, so that it can fail the n-th request.
 *
 *  Thread rule: `rm_alloc_set` before any thread is started; the rest from any thread.
 */
#pragma once

#include <stddef.h>

/* What allocates. `resize` has realloc's contract, with (NULL, n) = malloc; `release` takes NULL. */
typedef struct {
    void *(*resize) (void *memory, size_t size);
    void (*release) (void *memory);
} rm_allocator_t;

/* Uses `allocator` from now on; NULL goes back to the C library's. */
void rm_alloc_set (const rm_allocator_t *allocator);

/* Each answers NULL when memory has run out; the caller turns that into RM_ENOMEM. */
void *rm_malloc (size_t size);
void *rm_calloc (size_t count, size_t size);
void *rm_realloc (void *memory, size_t size);
void *rm_memdup (const void *data, size_t size);
char *rm_strndup (const char *text, size_t size);
void rm_free (void *memory);
