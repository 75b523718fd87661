/*  Reads everything in a data directory before libraft does, and judges it: may it be served, and if not, which file is to
 *  blame and what could be kept.
 *
 *  May be served: a log whose batches follow each other without a gap from the first one, or from the newest snapshot, and
 *  reach the mark with the mark's hash. The end of the last open segment may be torn: a crash does that, and what lies
 *  there was never acknowledged.
 *
 *  Thread rule: one thread at a time. Reading changes nothing.
 */
#pragma once

#include <stdbool.h>

#include "master/raft_batch.h"
#include "master/raft_files.h"

enum { RM_RAFT_SENTENCE_BYTES = 1536 };

#define RM_RAFT_NEWER_ADVICE "nothing is damaged by that, and nothing was changed; start a newer version"

/* What is to become of a file. */
typedef enum {
    RM_RAFT_KEEP,  /* it is whole and needed, or libraft will deal with it */
    RM_RAFT_CLOSE, /* an open segment, of which the good entries make a closed one */
    RM_RAFT_CUT,   /* a closed segment whose end cannot be read: as above */
    RM_RAFT_DROP   /* nothing in it can be used */
} rm_raft_fate_t;

/* A segment, judged. */
typedef struct {
    rm_raft_fate_t fate;
    uint64_t first;    /* index of its first entry, where there are good ones */
    uint64_t entries;  /* good ones, from its beginning */
    size_t good_bytes; /* where they end */
    bool harmed;       /* CLOSE, DROP: more was in it than is kept */
} rm_raft_segment_fate_t;

/* A judged data directory. */
typedef struct {
    rm_raft_files_t files;
    rm_raft_segment_fate_t *segments; /* one for each of files.segments */
    rm_raft_fate_t *snapshots;        /* one for each of files.snapshots */
    bool metadata_is_bad;             /* libraft's term and vote cannot be relied on */
    bool newer;                       /* something in it was written by a newer version: hands off */
    bool fresh;                       /* there is no ledger yet (of one that was being made, some files may be there) */
    uint64_t term;                    /* the highest one seen in any file */
    uint64_t last_index;              /* of the last readable entry or the snapshot */
    rm_raft_link_t snapshot;          /* the newest readable snapshot's place; {0, 0}: none */
    uint64_t snapshot_bytes;          /* its size */
    rm_raft_link_t end;               /* the newest readable batch, in log or snapshot */
    uint8_t *group;     /* the newest configuration of the group in log or snapshot, as libraft spells it; NULL: none */
    size_t group_bytes; /* its size */
    char problem[RM_RAFT_SENTENCE_BYTES]; /* why it may not be served; empty: it may */
} rm_raft_scan_t;

/* Reads and judges. `mark` is the newest acknowledged batch, NULL if that cannot be read. 0 also with a problem; RM_EIO or
   RM_ENOMEM with a sentence in `problem`. Close it in any case. */
int rm_raft_scan_read (rm_raft_scan_t *self, const rm_raft_dir_t *dir, const rm_raft_link_t *mark);

/* Makes closed segments of the open ones, and removes what holds no entry, for a directory without a problem. libraft would
   do so itself, but refuses where a crash cut a segment short. 0 or RM_EIO. */
int rm_raft_scan_finish (const rm_raft_scan_t *self, const rm_raft_dir_t *dir);

/* Frees what it found; `problem` stays. */
void rm_raft_scan_close (rm_raft_scan_t *self);
