/*  The allocator of the targets whose code takes memory by the half megabyte for each pool and worker: counts what is out,
 *  and keeps large blocks for the next input, since half of the time would go by in asking the system for them. A block that
 *  is kept is poisoned, so that the address sanitizer sees its use all the same.
 *
 *  Thread rule: one thread.
 */
#pragma once

#include <stddef.h>

/* Proto and core get their memory here from now on. */
void fuzz_alloc_begin (void);

/* Claims that nothing is out any more, and goes back to the C library's allocator. */
void fuzz_alloc_end (void);

/* The same as functions, for an allocator that does more: rm_allocator_t's contract. */
void *fuzz_alloc_resize (void *memory, size_t size);
void fuzz_alloc_release (void *memory);
