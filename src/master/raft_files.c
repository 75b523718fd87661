#include "master/raft_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/alloc.h"
#include "ringmaster/error.h"

/* Whether all of `name` was taken by the pattern, as libraft asks it: a name with something behind it is another's. */
static bool whole (const char *name, int matched, int wanted, const int *consumed)
{
    return matched == wanted && *consumed == (int)strlen (name);
}

static bool parse_segment (const char *name, rm_raft_segment_t *segment)
{
    unsigned long long a, b;
    int consumed = 0;
    *segment = (rm_raft_segment_t){0};
    if (whole (name, sscanf (name, "%16llu-%16llu%n", &a, &b, &consumed), 2, &consumed)) {
        segment->first = a;
        segment->last = b;
    } else if (whole (name, sscanf (name, "open-%llu%n", &a, &consumed), 1, &consumed)) {
        segment->open = true;
        segment->counter = a;
    } else
        return false;
    snprintf (segment->name, sizeof segment->name, "%s", name);
    return true;
}

static bool exists (const rm_raft_dir_t *dir, const char *name)
{
    struct stat info;
    return fstatat (dir->fd, name, &info, 0) == 0;
}

static bool parse_snapshot (const rm_raft_dir_t *dir, const char *name, rm_raft_snapshot_t *snapshot)
{
    unsigned long long term, index, time;
    int consumed = 0;
    if (!whole (name, sscanf (name, "snapshot-%llu-%llu-%llu.meta%n", &term, &index, &time, &consumed), 3, &consumed))
        return false;
    *snapshot = (rm_raft_snapshot_t){.term = term, .index = index, .time = time};
    snprintf (snapshot->name, sizeof snapshot->name, "%.*s", consumed - (int)strlen (".meta"), name);
    return exists (dir, snapshot->name);
}

static int compare_numbers (uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int compare_segments (const void *one, const void *two)
{
    const rm_raft_segment_t *a = one, *b = two;
    if (a->open != b->open)
        return a->open ? 1 : -1;
    if (a->open)
        return compare_numbers (a->counter, b->counter);
    int order = compare_numbers (a->first, b->first);
    return order != 0 ? order : compare_numbers (a->last, b->last);
}

static int compare_snapshots (const void *one, const void *two)
{
    const rm_raft_snapshot_t *a = one, *b = two;
    int order = compare_numbers (a->term, b->term);
    if (order == 0)
        order = compare_numbers (a->index, b->index);
    return order != 0 ? order : compare_numbers (a->time, b->time);
}

/* Appends to an array of `count` members, which doubles whenever the count is a power of two. */
static int append (void **array, size_t *count, const void *member, size_t size)
{
    if ((*count & (*count - 1)) == 0) {
        void *grown = rm_realloc (*array, (*count ? *count * 2 : 1) * size);
        if (!grown)
            return RM_ENOMEM;
        *array = grown;
    }
    memcpy ((char *)*array + *count * size, member, size);
    (*count)++;
    return 0;
}

static int take (rm_raft_files_t *self, const rm_raft_dir_t *dir, const char *name)
{
    rm_raft_segment_t segment;
    rm_raft_snapshot_t snapshot;
    if (strlen (name) >= RM_RAFT_NAME_BYTES)
        return 0;
    if (strcmp (name, "metadata1") == 0 || strcmp (name, "metadata2") == 0)
        self->metadata[name[8] - '1'] = true;
    else if (parse_snapshot (dir, name, &snapshot))
        return append ((void **)&self->snapshots, &self->snapshot_count, &snapshot, sizeof snapshot);
    else if (parse_segment (name, &segment))
        return append ((void **)&self->segments, &self->segment_count, &segment, sizeof segment);
    return 0;
}

int rm_raft_files_list (rm_raft_files_t *self, const rm_raft_dir_t *dir)
{
    *self = (rm_raft_files_t){0};
    int fd = openat (dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = fd >= 0 ? fdopendir (fd) : NULL;
    if (!listing) {
        if (fd >= 0)
            close (fd);
        return RM_EIO;
    }
    int rc = 0;
    for (struct dirent *entry; rc == 0 && (entry = readdir (listing));)
        rc = take (self, dir, entry->d_name);
    closedir (listing);
    if (rc != 0) {
        rm_raft_files_close (self);
        return rc;
    }
    if (self->segment_count)
        qsort (self->segments, self->segment_count, sizeof *self->segments, compare_segments);
    if (self->snapshot_count)
        qsort (self->snapshots, self->snapshot_count, sizeof *self->snapshots, compare_snapshots);
    return 0;
}

void rm_raft_files_close (rm_raft_files_t *self)
{
    rm_free (self->segments);
    rm_free (self->snapshots);
    *self = (rm_raft_files_t){0};
}

void rm_raft_files_segment_name (char name[RM_RAFT_NAME_BYTES], uint64_t first, uint64_t last)
{
    snprintf (name, RM_RAFT_NAME_BYTES, "%016llu-%016llu", (unsigned long long)first, (unsigned long long)last);
}
