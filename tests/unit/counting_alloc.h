/*  An allocator for tests: fails from the n-th request on, counts what is out, and refuses what no input can justify. */
#pragma once

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "proto/alloc.h"

static struct {
    long left;    /* requests that will be granted; below 0: all */
    long blocks;  /* out now */
    size_t bytes; /* out now */
    size_t most;  /* bytes out at one time */
} counted;

static inline void *counted_resize (void *memory, size_t size)
{
    if (counted.left == 0)
        return NULL;
    if (counted.left > 0)
        counted.left--;
    size_t before = memory ? malloc_usable_size (memory) : 0;
    void *block = realloc (memory, size);
    if (!block)
        return NULL;
    counted.blocks += memory == NULL;
    counted.bytes += malloc_usable_size (block) - before;
    if (counted.bytes > counted.most)
        counted.most = counted.bytes;
    return block;
}

static inline void counted_release (void *memory)
{
    if (!memory)
        return;
    counted.blocks--;
    counted.bytes -= malloc_usable_size (memory);
    free (memory);
}

/* Grants `left` more requests (-1: all) and counts anew. */
static inline void count_allocations (long left)
{
    static const rm_allocator_t counting = {counted_resize, counted_release};
    memset (&counted, 0, sizeof counted);
    counted.left = left;
    rm_alloc_set (&counting);
}

static inline void count_no_more (void)
{
    rm_alloc_set (NULL);
}
