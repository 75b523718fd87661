#include "fuzz_alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "proto/alloc.h"

#if defined __SANITIZE_ADDRESS__
#define POISONS 1
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define POISONS 1
#endif
#endif
#ifdef POISONS
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(memory, size)   ((void)(memory), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(memory, size) ((void)(memory), (void)(size))
#endif

enum { LARGE_BYTES = 100 << 10, PAGE_BYTES = 4096, LARGE_MAX = 64 };

typedef struct {
    void *memory; /* page-aligned, as no small block needs to be taken for one; NULL: a free place */
    size_t room, size;
    bool out;
} large_t;

static large_t larges[LARGE_MAX];
static long blocks; /* out now */

static large_t *find_large (const void *memory)
{
    if ((uintptr_t)memory % PAGE_BYTES)
        return NULL;
    for (int i = 0; i < LARGE_MAX; i++)
        if (larges[i].memory == memory)
            return &larges[i];
    return NULL;
}

/* NULL: there is no place to keep another one, or no memory. */
static void *take_large (size_t size)
{
    size_t room = (size + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    large_t *free_place = NULL, *found = NULL;
    for (int i = 0; i < LARGE_MAX && !found; i++) {
        if (!larges[i].memory)
            free_place = &larges[i];
        else if (!larges[i].out && larges[i].room == room)
            found = &larges[i];
    }
    if (!found && free_place) {
        found = free_place;
        *found = (large_t){.memory = aligned_alloc (PAGE_BYTES, room), .room = room};
    }
    if (!found || !found->memory)
        return NULL;
    found->out = true;
    found->size = size;
    ASAN_UNPOISON_MEMORY_REGION (found->memory, size);
    ASAN_POISON_MEMORY_REGION ((char *)found->memory + size, room - size);
    return found->memory;
}

void fuzz_alloc_release (void *memory)
{
    large_t *large = memory ? find_large (memory) : NULL;
    blocks -= memory != NULL;
    if (!large) {
        free (memory);
        return;
    }
    CLAIM (large->out, "a block is freed twice");
    large->out = false;
    ASAN_POISON_MEMORY_REGION (memory, large->room);
}

void *fuzz_alloc_resize (void *memory, size_t size)
{
    const large_t *large = memory ? find_large (memory) : NULL;
    if (!large && (memory || size < LARGE_BYTES)) {
        blocks += memory == NULL;
        return realloc (memory, size);
    }
    void *moved = size < LARGE_BYTES ? NULL : take_large (size);
    if (!moved)
        moved = malloc (size);
    CLAIM (moved, "the fuzzer itself has no memory");
    if (large)
        memcpy (moved, memory, size < large->size ? size : large->size);
    blocks++;
    fuzz_alloc_release (memory);
    return moved;
}

void fuzz_alloc_begin (void)
{
    static const rm_allocator_t keeping = {fuzz_alloc_resize, fuzz_alloc_release};
    blocks = 0;
    rm_alloc_set (&keeping);
}

void fuzz_alloc_end (void)
{
    CLAIM (!blocks, "%ld blocks are lost", blocks);
    rm_alloc_set (NULL);
}
