/*  The ledger: an ordered, durable log of batches of bytes, agreed on by a Raft group (of one, for now), and the snapshots
 *  that keep it short. It knows nothing of what is in a batch.
 *
 *  What it promises: a batch that was settled with 0 was synced to the disk and applied, and comes again, in the same place,
 *  after any crash. Batches are applied in one order, each exactly once in the life of a state. A directory in which an
 *  acknowledged batch cannot be read is not served (docs/architecture.md, "The disk").
 *
 *  Thread rule: everything is called, and calls back, on the loop's thread. Only rm_ledger_close and rm_ledger_propose may
 *  be called from inside `settled`, `role` and `failed`; nothing from inside the others.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uv_loop_s;

typedef struct rm_ledger rm_ledger_t;

enum {
    RM_LEDGER_BATCH_BYTES_MAX = 64 << 20,    /* of one batch; a frame's worth of jobs with room to spare */
    RM_LEDGER_INFLIGHT_BYTES_MAX = 16 << 20, /* proposed and not settled, unless it is a single batch */
    RM_LEDGER_SNAPSHOT_BYTES = 64 << 20,     /* of log between snapshots, unless configured */
    RM_LEDGER_SEGMENT_BYTES = 8 << 20,       /* of a file of the log, unless configured; three are set aside at start */
    RM_LEDGER_STUCK_MS = 2000                /* a write may take this long, unless configured */
};

/* A piece of a snapshot. */
typedef struct {
    const void *data;
    size_t size;
} rm_ledger_part_t;

/* What the ledger tells its owner. All are needed. */
typedef struct {
    void *arg; /* the first argument of each */

    /* A committed batch, in order. The bytes are aligned to 8 and live until it returns. Anything but 0: the batch cannot be
       applied, the ledger stops with failed (), or rm_ledger_start fails. */
    int (*apply) (void *arg, const void *batch, size_t size);

    /* Replaces the whole state by a snapshot's, before the batches after it are applied. As for apply. */
    int (*restore) (void *arg, const void *snapshot, size_t size);

    /* Takes a snapshot of the state as it is now: `count` pieces that nobody changes until snapshot_done. They are read by
       another thread and not copied, so this should only collect references. Anything but 0: not now; asked again later. */
    int (*snapshot) (void *arg, rm_ledger_part_t **parts, size_t *count);

    /* The pieces are no longer read, whether they were written or not. */
    void (*snapshot_done) (void *arg, rm_ledger_part_t *parts, size_t count);

    /* What became of a proposal, once for each ticket: 0, it is durable and was applied; RM_ETIMEDOUT, its fate is unknown
       (leadership was lost, or the ledger stops), it may yet be applied. */
    void (*settled) (void *arg, uint64_t ticket, int status);

    /* Proposals are accepted from now on, or no longer. A new leader has applied all that was committed before. */
    void (*role) (void *arg, bool leader);

    /* The ledger has stopped, for the reason given in a sentence; nothing is settled with 0 any more. The owner tells the
       sentence and ends the process with _exit (1): libraft cannot always be closed after a failed write, and exit () waits
       for a thread that may be stuck in one. Nothing acknowledged is lost by that. */
    void (*failed) (void *arg, const char *sentence);
} rm_ledger_events_t;

/* Strings are copied. A zero takes the default. */
typedef struct {
    const char *dir;         /* the data directory; created if absent */
    uint64_t id;             /* of this master in its group, from 1; the same for as long as the directory lives */
    const char *address;     /* host:port by which other masters will know it; a group of one does not listen */
    uint64_t snapshot_bytes; /* of log after which a snapshot is taken */
    uint64_t segment_bytes;  /* of a file of the log */
    uint64_t spare_bytes;    /* kept free on the disk on top of what the ledger needs for itself */
    unsigned stuck_ms;       /* a write that takes longer stops the ledger */
} rm_ledger_config_t;

/* For the status page. */
typedef struct {
    bool leader;
    uint64_t applied;        /* number of the newest batch in the state */
    uint64_t inflight;       /* proposals not settled */
    uint64_t inflight_bytes; /* in them */
    uint64_t log_bytes;      /* of log since the newest snapshot */
    uint64_t snapshots;      /* written since the start */
    uint64_t snapshot_bytes; /* of the newest one */
    uint64_t free_bytes;     /* on the disk, at the last look (each second) */
} rm_ledger_status_t;

/* A ledger that is not started. NULL when memory has run out. The loop must outlive it. */
rm_ledger_t *rm_ledger_new (struct uv_loop_s *loop, const rm_ledger_config_t *config, const rm_ledger_events_t *events);

/* Locks the directory, verifies all that is in it, and replays it: restore and apply run inside. 0, or RM_E… with the
   sentence in rm_ledger_error: RM_EBUSY (in use), RM_EINVAL, RM_EDENIED, RM_ECORRUPT (something acknowledged is lost or
   damaged; nothing was changed), RM_EIO, RM_ENOMEM. It is to be closed in any case. */
int rm_ledger_start (rm_ledger_t *self);

/* Why it could not start, or has failed; empty if neither. Lives as long as the ledger. */
const char *rm_ledger_error (const rm_ledger_t *self);

/* Proposes a batch; it is copied, and settled later under `ticket`. Tickets count from 1 without a gap, and are settled in
   that order. 0, RM_ESTATE (not the leader), RM_EBUSY (too much is in flight), RM_ETOOBIG, RM_ENOMEM, RM_EIO (stopping). */
int rm_ledger_propose (rm_ledger_t *self, const void *batch, size_t size, uint64_t *ticket);

/* Whether new work should be answered busy: the disk has no room for the segments and snapshots to come, or a snapshot is
   overdue by far. Proposals that free or finish something are better still made. */
bool rm_ledger_full (const rm_ledger_t *self);

/* Fills in how it is now. */
void rm_ledger_status (const rm_ledger_t *self, rm_ledger_status_t *status);

/* Stops and frees it, and nulls the pointer. What is in flight is settled as unknown before `closed` is called, once, from
   the loop (or before this returns, if the ledger never started). The loop must go on running until then. */
void rm_ledger_close (rm_ledger_t **self_p, void (*closed) (void *arg), void *arg);

/* Takes what can be read in a data directory for the truth: moves what cannot to DIR/damaged-N/, keeps the batches before
   the damage, and sets the mark to the last of them. Says what it did and what was lost, a sentence at a time. No loop is
   needed, and no master may run there. 0, or RM_E… as rm_ledger_start after a sentence with the reason. */
int rm_ledger_repair (const char *dir, void (*say) (void *arg, const char *sentence), void *arg);
