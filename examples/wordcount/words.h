/*  Words and how often each was seen. A word is a longest run of the letters A-Z and a-z, in small letters: exactly what
 *
 *      LC_ALL=C tr -cs 'A-Za-z' '\n' | tr 'A-Z' 'a-z'
 *
 *  prints, line by line, for one file.
 *
 *  Thread rule: a table belongs to one thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

typedef struct {
    UT_hash_handle hh; /* where it stands in the table */
    uint64_t count;    /* how often it was seen */
    char text[];       /* the word itself, ends in a NUL */
} word_t;

/* A table; {NULL} is empty and valid. */
typedef struct {
    word_t *first; /* in the order in which they were first seen */
} words_t;

/* Counts `count` more of the word of `size` bytes at `text`; 0, or -1 if memory has run out. */
int words_add (words_t *self, const char *text, size_t size, uint64_t count);

/* Counts the words of a file which begin at a byte in [start, end): a word across a border belongs to the part it begins
 * in, so that parts next to each other count each word once. 0, or -1 with errno. */
int words_count (words_t *self, const char *path, uint64_t start, uint64_t end);

/* Counts what words_text wrote; 0, or -1 with errno (EINVAL: not such a text). `text` ends in a NUL. */
int words_parse (words_t *self, const char *text);

/* The table as lines "word count", in memory for the caller to free; `size` is without the final NUL. NULL: no memory. */
char *words_text (const words_t *self, size_t *size);

/* Which of `buckets` a word belongs to. */
unsigned words_bucket (const char *text, unsigned buckets);

/* How many words, each counted as often as it was seen. */
uint64_t words_total (const words_t *self);

/* Frees all; the table is empty afterwards. */
void words_close (words_t *self);
