#include "sweep.h"

#include <stdio.h>
#include <stdlib.h>

#include "fuzz_alloc.h"
#include "proto/alloc.h"

/* What happens to the nth request and those after it. */
typedef enum {
    ALL_GRANTED,
    ONE_REFUSED,
    REFUSED_FROM_THERE_ON,
    LARGE_REFUSED_FROM_THERE_ON, /* that one and all of its size and above: small ones still find room */
    WAYS
} way_t;

static struct {
    way_t way;
    long nth;    /* the request that is refused, from 0 */
    long asked;  /* requests so far */
    long blocks; /* out now */
    size_t size; /* of the nth */
    bool counts, failed, returned;
} memory;

static bool refuses (size_t size)
{
    if (!memory.counts)
        return false;
    long number = memory.asked++;
    if (memory.way == ALL_GRANTED || memory.returned || number < memory.nth)
        return false;
    if (number == memory.nth)
        memory.size = size;
    if (memory.way == ONE_REFUSED && number > memory.nth)
        return false;
    if (memory.way == LARGE_REFUSED_FROM_THERE_ON && size < memory.size)
        return false;
    return memory.failed = true;
}

static void *resize (void *block, size_t size)
{
    if (refuses (size))
        return NULL;
    memory.blocks += block == NULL;
    return fuzz_alloc_resize (block, size); /* keeps pools for the next telling */
}

static void release (void *block)
{
    memory.blocks -= block != NULL;
    fuzz_alloc_release (block);
}

bool memory_failed (void)
{
    return memory.failed;
}

void memory_returns (void)
{
    memory.returned = true;
}

void memory_counts (bool counts)
{
    memory.counts = counts;
}

static long tell (void (*story) (void), way_t way, long nth)
{
    static const rm_allocator_t sweeping = {resize, release};
    memory.way = way;
    memory.nth = nth;
    memory.asked = memory.blocks = 0;
    memory.counts = memory.failed = memory.returned = false;
    rm_alloc_set (&sweeping);
    story ();
    rm_alloc_set (NULL);
    cr_assert_eq (memory.blocks, 0, "request %ld, way %d: %ld blocks are lost", nth, (int)way, memory.blocks);
    cr_assert_eq (memory.failed, way != ALL_GRANTED, "request %ld, way %d: %s", nth, (int)way,
                  memory.failed ? "refused, though all were to be granted" : "never asked for");
    return memory.asked;
}

void sweep (void (*story) (void), long least)
{
    long needed = tell (story, ALL_GRANTED, 0);
    cr_assert_geq (needed, least, "%ld requests: a story that asks for nothing proves nothing", needed);
    for (way_t way = ONE_REFUSED; way < WAYS; way++)
        for (long nth = 0; nth < needed; nth++)
            tell (story, way, nth);
    printf ("%ld requests for memory, each refused alone, with all after it, and with the larger ones after it\n",
            needed);
}
