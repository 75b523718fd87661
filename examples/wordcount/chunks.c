#include "chunks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A chunk's result is at most twice its text and has to fit into a job's result (1 MiB). */
enum { CHUNK_BYTES_MIN = 4 << 10, CHUNK_BYTES_MAX = 256 << 10 };

static int complain (const char *what)
{
    fprintf (stderr, "wordcount: %s: %s\n", what, strerror (errno));
    return -1;
}

/* Calls `each` for every path of the list; stops at the first that does not answer 0. */
static int for_each_path (const char *list, int (*each) (void *arg, const char *path, uint64_t size), void *arg)
{
    FILE *file = fopen (list, "rb");
    if (!file)
        return complain (list);
    char *path = NULL;
    size_t capacity = 0;
    int rc = 0;
    while (!rc && getdelim (&path, &capacity, 0, file) > 0) {
        struct stat status;
        rc = stat (path, &status) ? complain (path) : each (arg, path, (uint64_t)status.st_size);
    }
    if (!rc && ferror (file))
        rc = complain (list);
    free (path);
    fclose (file);
    return rc;
}

typedef struct {
    chunks_t *chunks;
    uint64_t chunk_bytes; /* how large a chunk is to be */
    uint64_t filled;      /* bytes of text in the newest chunk */
} cutter_t;

static int measure (void *arg, const char *path, uint64_t size)
{
    (void)path;
    ((chunks_t *)arg)->bytes += size;
    return 0;
}

/* Adds a range to the newest chunk, or to a new one if that is full. */
static int put_range (cutter_t *self, const char *path, uint64_t start, uint64_t end)
{
    chunks_t *chunks = self->chunks;
    if (chunks->count == 0 || self->filled >= self->chunk_bytes) {
        chunk_t *larger = realloc (chunks->all, (chunks->count + 1) * sizeof *larger);
        if (!larger)
            return complain ("chunks");
        chunks->all = larger;
        chunks->all[chunks->count++] = (chunk_t){0};
        self->filled = 0;
    }
    chunk_t *chunk = &chunks->all[chunks->count - 1];
    size_t room = strlen (path) + 48;
    char *data = realloc (chunk->data, chunk->size + room);
    if (!data)
        return complain ("chunks");
    chunk->data = data;
    chunk->size += (size_t)snprintf (data + chunk->size, room, "%" PRIu64 " %" PRIu64 " %s", start, end, path) + 1;
    self->filled += end - start;
    return 0;
}

static int cut (void *arg, const char *path, uint64_t size)
{
    cutter_t *self = arg;
    for (uint64_t start = 0; start < size;) {
        uint64_t room = self->chunk_bytes - (self->filled < self->chunk_bytes ? self->filled : 0);
        uint64_t end = size - start < room ? size : start + room;
        if (put_range (self, path, start, end))
            return -1;
        start = end;
    }
    return 0;
}

int chunks_load (chunks_t *self, const char *list, unsigned wanted)
{
    *self = (chunks_t){0};
    if (for_each_path (list, measure, self))
        return -1;
    uint64_t bytes = self->bytes / wanted + 1;
    bytes = bytes < CHUNK_BYTES_MIN ? CHUNK_BYTES_MIN : bytes > CHUNK_BYTES_MAX ? CHUNK_BYTES_MAX : bytes;
    cutter_t cutter = {.chunks = self, .chunk_bytes = bytes};
    return for_each_path (list, cut, &cutter);
}

void chunks_close (chunks_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        free (self->all[i].data);
    free (self->all);
    *self = (chunks_t){0};
}

int chunk_count (const char *data, size_t size, words_t *words)
{
    for (const char *at = data; at < data + size; at += strlen (at) + 1) {
        uint64_t start, end;
        int path = 0;
        if (sscanf (at, "%" SCNu64 " %" SCNu64 " %n", &start, &end, &path) < 2 || path == 0) {
            errno = EINVAL;
            return -1;
        }
        if (words_count (words, at + path, start, end))
            return -1;
    }
    return 0;
}
