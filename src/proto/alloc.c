#include "proto/alloc.h"

#include <stdlib.h>
#include <string.h>

static const rm_allocator_t system_allocator = {realloc, free};
static const rm_allocator_t *current = &system_allocator;

void rm_alloc_set (const rm_allocator_t *allocator)
{
    current = allocator ? allocator : &system_allocator;
}

void *rm_malloc (size_t size)
{
    return current->resize (NULL, size ? size : 1);
}

void *rm_calloc (size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow (count, size, &total))
        return NULL;
    void *memory = rm_malloc (total);
    if (memory)
        memset (memory, 0, total);
    return memory;
}

void *rm_realloc (void *memory, size_t size)
{
    return current->resize (memory, size ? size : 1);
}

void *rm_memdup (const void *data, size_t size)
{
    void *copy = rm_malloc (size);
    if (copy && size)
        memcpy (copy, data, size);
    return copy;
}

char *rm_strndup (const char *text, size_t size)
{
    char *copy = rm_malloc (size + 1);
    if (!copy)
        return NULL;
    if (size)
        memcpy (copy, text, size);
    copy[size] = 0;
    return copy;
}

void rm_free (void *memory)
{
    current->release (memory);
}
