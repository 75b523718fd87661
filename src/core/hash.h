/*  uthash for the pure parts: its memory is rm_malloc's, and memory running out is an answer, not the end of the process.
 *  Every user of uthash in core and proto includes this header and never <uthash.h>.
 *
 *  HASH_ADD… may fail: look at RM_HASH_ADDED (element) right after it. The element is in no table then, and still the
 *  caller's. Walk a table with HASH_ITER: its order is that of insertion, so that it is the same on every machine.
 *  Thread rule: a table belongs to whoever owns its head.
 */
#pragma once

#include <stdint.h>
#include <xxhash.h>

#include "proto/alloc.h"

#define uthash_malloc(size)                  rm_malloc (size)
#define uthash_free(memory, size)            rm_free (memory)
#define HASH_NONFATAL_OOM                    1
#define HASH_FUNCTION(key, key_size, result) ((result) = (unsigned)XXH3_64bits ((key), (key_size)))

#include <uthash.h>

/* For tables by job id (HASH_FIND_BYHASHVALUE, HASH_ADD_BYHASHVALUE): ids are dense and grow, so that each is its own best
 * hash, jobs of one moment lie in neighbouring buckets, and a table that doubles is walked and not hopped about in. */
static inline unsigned rm_hash_id (uint64_t id)
{
    return (unsigned)id;
}

/* True if the last HASH_ADD… of this element (its handle is named `hh`) had the memory it needed. */
#define RM_HASH_ADDED(element) ((element)->hh.tbl != NULL)
