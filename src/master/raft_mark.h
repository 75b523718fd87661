/*  The high-water mark: the newest batch that was acknowledged, kept in the file `acked` beside the log.
 *
 *  libraft takes a damaged end of its log for a write that a crash cut short, and drops it without a word. The mark is how
 *  the ledger knows better: a log that does not reach it, or has another hash there, has lost something promised.
 *
 *  The mark is written before anyone hears of the batch, so that it is never below what was acknowledged. It is not synced:
 *  what a killed process has written stays in the kernel. A power cut may leave an older mark; that only makes the check
 *  weaker, since the log itself is synced. Two slots take turns, so that a torn write leaves the one before.
 *
 *  Thread rule: one thread at a time.
 */
#pragma once

#include "master/raft_batch.h"
#include "master/raft_dir.h"

#define RM_RAFT_MARK_NAME "acked"

/* An open mark. */
typedef struct {
    int file;            /* -1: closed */
    uint64_t generation; /* of the newest slot; even ones are in the first */
    rm_raft_link_t link; /* the newest acknowledged batch; {0, 0}: none yet */
} rm_raft_mark_t;

/* Opens and reads it. 0, RM_EUNKNOWN (there is none), RM_ECORRUPT (neither slot can be read) or RM_EIO. */
int rm_raft_mark_open (rm_raft_mark_t *self, const rm_raft_dir_t *dir);

/* Writes a new file durably in place of whatever is there; 0 or RM_EIO. */
int rm_raft_mark_create (const rm_raft_dir_t *dir, const rm_raft_link_t *link);

/* Moves the mark; 0 or RM_EIO. */
int rm_raft_mark_move (rm_raft_mark_t *self, const rm_raft_link_t *link);

/* Closes the file; does nothing if it is closed. */
void rm_raft_mark_close (rm_raft_mark_t *self);
