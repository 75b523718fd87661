/*  How a snapshot is taken: libraft asks when we let it (by bytes of log, where it would count entries), the owner hands over
 *  references, another thread computes the checksum, and libraft's own writes the file.
 */
#include <limits.h>
#include <xxhash.h>

#include "master/raft_inside.h"
#include "proto/alloc.h"
#include "ringmaster/error.h"

/* libraft hands all pieces to one writev after the other, and the kernel cuts one off at 2 GiB. */
enum { PIECE_BYTES = 1 << 20 };

void rm_raft_snapshot_arm (rm_ledger_t *self)
{
    if (!self->caught_up || self->broken || self->taking.active || self->log_bytes < self->config.snapshot_bytes ||
        self->log_bytes < self->retry_bytes)
        return;
    raft_set_snapshot_threshold (&self->raft, 1);
}

/* How many of the newest batches stay in the log behind the snapshot, for a follower that is only a little behind: a quarter
   or half of what is logged between snapshots, in bytes. libraft takes 0 for something else. */
static unsigned tail_batches (const rm_ledger_t *self)
{
    uint64_t known = self->tail_count < RM_RAFT_TAIL_BATCHES ? self->tail_count : RM_RAFT_TAIL_BATCHES;
    uint64_t bytes = 0;
    unsigned batches = 0;
    /* A member of a group keeps more: whoever was away for a moment should not need a snapshot. */
    uint64_t wanted = self->config.snapshot_bytes / (self->identity.grouped ? 2 : 4);
    while (batches < known && bytes < wanted)
        bytes += self->tail[(self->applied.number - batches++) % RM_RAFT_TAIL_BATCHES];
    return batches ? batches : 1;
}

static size_t count_pieces (const rm_ledger_part_t *parts, size_t count)
{
    size_t pieces = 0;
    for (size_t i = 0; i < count; i++)
        pieces += (parts[i].size + PIECE_BYTES - 1) / PIECE_BYTES;
    return pieces;
}

/* libraft's array of buffers: our header, then the owner's bytes where they are. */
static int make_buffers (rm_raft_taking_t *taking)
{
    size_t pieces = count_pieces (taking->parts, taking->part_count);
    if (pieces >= UINT_MAX)
        return RM_ETOOBIG;
    taking->buffers = rm_malloc ((pieces + 1) * sizeof *taking->buffers);
    if (!taking->buffers)
        return RM_ENOMEM;
    struct raft_buffer *next = taking->buffers;
    *next++ = (struct raft_buffer){.base = taking->header, .len = RM_RAFT_SNAPSHOT_HEADER_BYTES};
    for (size_t i = 0; i < taking->part_count; i++) {
        const uint8_t *data = taking->parts[i].data;
        for (size_t left = taking->parts[i].size; left > 0;) {
            size_t piece = left < PIECE_BYTES ? left : PIECE_BYTES;
            *next++ = (struct raft_buffer){.base = (void *)(uintptr_t)data, .len = piece};
            data += piece;
            left -= piece;
            taking->head.size += piece;
        }
    }
    taking->buffer_count = next - taking->buffers;
    return 0;
}

int rm_raft_snapshot_take (struct raft_fsm *fsm, struct raft_buffer **buffers, unsigned *count)
{
    rm_ledger_t *self = fsm->data;
    rm_raft_taking_t *taking = &self->taking;
    raft_set_snapshot_threshold (&self->raft, UINT_MAX);
    /* It would be filed under the index that libraft takes for committed. */
    if (self->broken || raft_last_applied (&self->raft) != raft_commit_index (&self->raft))
        return RAFT_CANCELED;
    *taking = (rm_raft_taking_t){
        .head.link = self->applied, .index = raft_last_applied (&self->raft), .log_bytes = self->log_bytes};
    int rc = self->events.snapshot (self->events.arg, &taking->parts, &taking->part_count);
    if (rc == 0) {
        rc = make_buffers (taking);
        if (rc != 0)
            self->events.snapshot_done (self->events.arg, taking->parts, taking->part_count);
    }
    if (rc != 0) {
        self->retry_bytes = self->log_bytes + self->config.snapshot_bytes / 8;
        return RAFT_NOMEM;
    }
    taking->active = true;
    raft_set_snapshot_trailing (&self->raft, tail_batches (self));
    *buffers = taking->buffers;
    *count = taking->buffer_count;
    return 0;
}

/* Another thread: the owner promised that nobody changes the parts. */
static void seal (uv_work_t *work)
{
    rm_ledger_t *self = work->data;
    rm_raft_taking_t *taking = &self->taking;
    XXH3_state_t *state = XXH3_createState ();
    if (!state)
        return;
    XXH3_64bits_reset (state);
    for (unsigned i = 1; i < taking->buffer_count; i++)
        XXH3_64bits_update (state, taking->buffers[i].base, taking->buffers[i].len);
    taking->head.checksum = XXH3_64bits_digest (state);
    XXH3_freeState (state);
    rm_raft_snapshot_seal (taking->header, &taking->head);
}

static void sealed (uv_work_t *work, int status)
{
    rm_ledger_t *self = work->data;
    rm_raft_taking_t *taking = &self->taking;
    taking->sealing = false;
    int rc = status == 0 && taking->header[0] ? 0 : RAFT_NOMEM;
    if (self->closed) {
        rm_raft_ledger_shut (self);
        rc = RAFT_CANCELED;
    }
    if (rc == 0)
        rc = self->theirs.snapshot_put (&self->io, taking->trailing, taking->request, taking->snapshot, taking->done);
    if (rc != 0)
        taking->done (taking->request, rc);
}

/* libraft would wait for ever for one that could not be written. */
static void installed (struct raft_io_snapshot_put *request, int status)
{
    rm_ledger_t *self = (rm_ledger_t *)((char *)request - offsetof (rm_ledger_t, install.request));
    struct raft_io_snapshot_put *original = self->install.original;
    self->install.original = NULL;
    if (status != 0 && !self->closed)
        rm_raft_ledger_fail (self, "a leader's snapshot could not be written to %s: %s; check the disk and start again",
                             self->config.dir, *self->io.errmsg ? self->io.errmsg : raft_strerror (status));
    self->install.done (original, status);
}

int rm_raft_snapshot_put (struct raft_io *io, unsigned trailing, struct raft_io_snapshot_put *request,
                          const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb done)
{
    rm_ledger_t *self = (rm_ledger_t *)((char *)io - offsetof (rm_ledger_t, io));
    rm_raft_taking_t *taking = &self->taking;
    if (!taking->active || snapshot->bufs != taking->buffers) { /* one that another master sent */
        self->install.original = request;
        self->install.done = done;
        return self->theirs.snapshot_put (io, trailing, &self->install.request, snapshot, installed);
    }
    taking->trailing = trailing;
    taking->request = request;
    taking->snapshot = snapshot;
    taking->done = done;
    taking->work.data = self;
    if (uv_queue_work (self->loop, &taking->work, seal, sealed) != 0)
        return RAFT_IOERR;
    taking->sealing = true;
    return 0;
}

/* libraft does not say whether the file was written. */
static bool was_written (rm_ledger_t *self)
{
    rm_raft_files_t files;
    if (rm_raft_files_list (&files, &self->dir) != 0)
        return false;
    bool found = false;
    for (size_t i = 0; i < files.snapshot_count; i++)
        found = found || files.snapshots[i].index == self->taking.index;
    rm_raft_files_close (&files);
    return found;
}

int rm_raft_snapshot_done (struct raft_fsm *fsm, struct raft_buffer **buffers, unsigned *count)
{
    rm_ledger_t *self = fsm->data;
    rm_raft_taking_t *taking = &self->taking;
    (void)buffers;
    (void)count;
    self->events.snapshot_done (self->events.arg, taking->parts, taking->part_count);
    rm_free (taking->buffers);
    taking->buffers = NULL;
    taking->active = false;
    if (self->closed)
        return 0;
    if (!was_written (self)) {
        rm_raft_ledger_fail (self, "a snapshot could not be written to %s: %s; check the disk and start again",
                             self->config.dir, *self->io.errmsg ? self->io.errmsg : "the disk refused");
        return 0;
    }
    self->snapshots++;
    self->snapshot_bytes = taking->head.size + RM_RAFT_SNAPSHOT_HEADER_BYTES;
    self->log_bytes -= self->log_bytes < taking->log_bytes ? self->log_bytes : taking->log_bytes;
    self->retry_bytes = 0;
    return 0;
}
