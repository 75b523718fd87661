/*  Entries are packed into batches: one Raft entry, one write to the disk (group commit). */
#include "core/leader_inside.h"
#include "proto/alloc.h"

static rm_batch_t *open_batch (rm_leader_t *self)
{
    rm_batch_t *batch = rm_calloc (1, sizeof *batch);
    if (!batch)
        return NULL;
    batch->number = ++self->batch_number;
    rm_entry_batch (&batch->bytes, 0);
    rm_list_append (&self->batches, &batch->link);
    return batch;
}

/* Where to write an entry of about `room` bytes. NULL: memory has run out, the node stops. */
rm_buf_t *rm_leader_entry (rm_leader_t *self, rm_entry_kind_t kind, size_t room)
{
    rm_link_t *last = self->batches.prev;
    rm_batch_t *batch = last == &self->batches ? NULL : RM_OWNER (last, rm_batch_t, link);
    bool full = batch && batch->bytes.size > RM_BATCH_HEADER_BYTES && batch->bytes.size + room > RM_BATCH_BYTES_MAX;
    if (!batch || full)
        batch = open_batch (self);
    if (!batch || rm_buf_reserve (&batch->bytes, room)) {
        rm_leader_out_of_memory (self);
        return NULL;
    }
    batch->kinds |= 1u << kind;
    return &batch->bytes;
}

/* The number of the batch the newest entry went into. */
uint64_t rm_leader_batch_number (const rm_leader_t *self)
{
    return self->batch_number;
}

rm_batch_t *rm_leader_take_batch (rm_leader_t *self, rm_now_t now)
{
    rm_link_t *first = rm_list_first (&self->batches);
    if (!first)
        return NULL;
    rm_batch_t *batch = RM_OWNER (first, rm_batch_t, link);
    rm_list_remove (first);
    if (batch->bytes.failed) {
        rm_leader_out_of_memory (self);
        rm_batch_destroy (&batch);
        return NULL;
    }
    rm_leader_see (self, now);
    rm_entry_stamp (&batch->bytes, self->now.wall_ms);
    return batch;
}

void rm_batch_destroy (rm_batch_t **self_p)
{
    if (*self_p) {
        rm_buf_close (&(*self_p)->bytes);
        rm_free (*self_p);
    }
    *self_p = NULL;
}
