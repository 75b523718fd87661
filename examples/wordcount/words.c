#include "words.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int words_add (words_t *self, const char *text, size_t size, uint64_t count)
{
    word_t *word;
    HASH_FIND (hh, self->first, text, size, word);
    if (!word) {
        word = calloc (1, sizeof *word + size + 1);
        if (!word)
            return -1;
        memcpy (word->text, text, size);
        HASH_ADD_KEYPTR (hh, self->first, word->text, size, word);
    }
    word->count += count;
    return 0;
}

static bool is_letter (int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Counts from where `file` stands, which is byte `at` of it. The rest of a word that began before is `skipped`. */
static int count_from (words_t *self, FILE *file, uint64_t at, uint64_t end, bool skipping)
{
    char *word = NULL;
    size_t size = 0, capacity = 0;
    int rc = 0;
    for (;; at++) {
        if (at >= end && size == 0)
            break; /* no word that begins from here on is ours */
        int c = getc_unlocked (file);
        if (!is_letter (c)) {
            skipping = false;
            if (size > 0 && (rc = words_add (self, word, size, 1)))
                break;
            size = 0;
            if (c == EOF)
                break;
            continue;
        }
        if (skipping)
            continue;
        if (size == capacity) {
            capacity = capacity ? capacity * 2 : 64;
            char *larger = realloc (word, capacity);
            if (!larger) {
                rc = -1;
                break;
            }
            word = larger;
        }
        word[size++] = (char)(c | 0x20);
    }
    free (word);
    return rc ? rc : (ferror (file) ? -1 : 0);
}

int words_count (words_t *self, const char *path, uint64_t start, uint64_t end)
{
    FILE *file = fopen (path, "rb");
    if (!file)
        return -1;
    int rc = 0;
    bool skipping = false;
    if (start > 0) {
        rc = fseeko (file, (off_t)start - 1, SEEK_SET);
        skipping = !rc && is_letter (getc_unlocked (file));
    }
    if (!rc)
        rc = count_from (self, file, start, end, skipping);
    int error = errno;
    fclose (file);
    errno = error;
    return rc;
}

int words_parse (words_t *self, const char *text)
{
    while (*text) {
        size_t size = strcspn (text, " ");
        char *after;
        uint64_t count = size && text[size] ? strtoull (text + size + 1, &after, 10) : 0;
        if (count == 0 || *after != '\n') {
            errno = EINVAL;
            return -1;
        }
        if (words_add (self, text, size, count))
            return -1;
        text = after + 1;
    }
    return 0;
}

char *words_text (const words_t *self, size_t *size)
{
    char *text = NULL;
    FILE *out = open_memstream (&text, size);
    if (!out)
        return NULL;
    for (const word_t *word = self->first; word; word = word->hh.next)
        fprintf (out, "%s %" PRIu64 "\n", word->text, word->count);
    bool bad = ferror (out);
    if (fclose (out) || bad) {
        free (text);
        return NULL;
    }
    return text;
}

unsigned words_bucket (const char *text, unsigned buckets)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * 16777619u;
    return hash % buckets;
}

uint64_t words_total (const words_t *self)
{
    uint64_t total = 0;
    for (const word_t *word = self->first; word; word = word->hh.next)
        total += word->count;
    return total;
}

void words_close (words_t *self)
{
    word_t *word, *next;
    HASH_ITER (hh, self->first, word, next) {
        HASH_DEL (self->first, word);
        free (word);
    }
}
