/*  The text, cut into parts of about one size: a chunk is a list of byte ranges of files, written as what a map job
 *  carries: "start end path" and a NUL, once for each range.
 *
 *  Thread rule: built by one thread; afterwards read by any.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "words.h"

typedef struct {
    char *data;  /* the payload of its map job, owned */
    size_t size; /* bytes of data */
} chunk_t;

typedef struct {
    chunk_t *all;   /* owned */
    size_t count;   /* how many */
    uint64_t bytes; /* of text in all of them */
} chunks_t;

/* Cuts the files named in the file `list` (absolute paths, a NUL after each; "find -print0") into about `wanted` chunks.
 * 0, or -1 after a message on stderr. Close it either way. */
int chunks_load (chunks_t *self, const char *list, unsigned wanted);
void chunks_close (chunks_t *self);

/* Counts the words of one chunk; 0, or -1 with errno (EINVAL: not a chunk). `data[size]` is a NUL. */
int chunk_count (const char *data, size_t size, words_t *words);
