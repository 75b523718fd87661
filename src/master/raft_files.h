/*  libraft's files in a data directory, by name, and the entries in a segment, read without libraft.
 *
 *  libraft cuts and deletes what it cannot read, and has asserts where a damaged file would need an answer. So everything
 *  is read here first, and changed only once it is known to be good. The format is the one that raft/uv.h describes.
 *
 *  Thread rule: one thread at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "master/raft_dir.h"

enum { RM_RAFT_NAME_BYTES = 128 };

/* A segment: a piece of the log. A closed one is named after its first and last entry; an open one is where entries go,
   or a file of zeros waiting for its turn. */
typedef struct {
    char name[RM_RAFT_NAME_BYTES];
    bool open;
    uint64_t first;   /* closed: index of the first entry in it */
    uint64_t last;    /* closed: index of the last one */
    uint64_t counter; /* open: they were made in this order */
} rm_raft_segment_t;

/* A snapshot: the data is in `name`, what libraft wants to know about it in `name`.meta. */
typedef struct {
    char name[RM_RAFT_NAME_BYTES];
    uint64_t term, index, time;
} rm_raft_snapshot_t;

/* Which files of libraft are there. */
typedef struct {
    rm_raft_segment_t *segments; /* closed ones by their first entry and their last, then open ones by their counter */
    size_t segment_count;
    rm_raft_snapshot_t *snapshots; /* oldest first; those with both of their files */
    size_t snapshot_count;
    bool metadata[2]; /* metadata1, metadata2 */
} rm_raft_files_t;

/* Lists them. 0, RM_EIO or RM_ENOMEM; then there is nothing to close. */
int rm_raft_files_list (rm_raft_files_t *self, const rm_raft_dir_t *dir);

/* Frees the list. */
void rm_raft_files_close (rm_raft_files_t *self);

/* The name of the closed segment that holds the entries first..last. */
void rm_raft_files_segment_name (char name[RM_RAFT_NAME_BYTES], uint64_t first, uint64_t last);

enum { RM_RAFT_ENTRY_COMMAND = 1, RM_RAFT_ENTRY_BARRIER = 2, RM_RAFT_ENTRY_CHANGE = 3 };

/* An entry as it lies in a segment. */
typedef struct {
    uint64_t term;
    int kind; /* RM_RAFT_ENTRY_… */
    const uint8_t *data;
    size_t size;
} rm_raft_entry_t;

/* What rm_raft_segment_read found. */
typedef struct {
    uint64_t entries;   /* read and accepted, in whole groups */
    size_t good_bytes;  /* where the last accepted group ends; 0: not even the file's header is good */
    size_t bytes;       /* of the file */
    const char *damage; /* why it stopped before the end, in a few words; NULL: all of it is good, or zeros follow */
} rm_raft_segment_read_t;

/* Tells about each entry in turn, and with a NULL entry that the group of entries is whole: files are cut between groups
   only. Answers NULL, or in a few words why the entry is not accepted, which ends the reading. */
typedef const char *rm_raft_entry_fn (void *arg, const rm_raft_entry_t *entry);

/* Reads a segment from its first entry. 0 if the file could be read, be it damaged; RM_EIO or RM_ENOMEM. */
int rm_raft_segment_read (const rm_raft_dir_t *dir, const char *name, rm_raft_entry_fn *accept, void *arg,
                          rm_raft_segment_read_t *result);

/* Makes a closed segment of the first `entries` entries, from index `first`, which end at `bytes`. 0 or RM_EIO. */
int rm_raft_segment_cut (const rm_raft_dir_t *dir, const char *name, uint64_t first, uint64_t entries, size_t bytes);
