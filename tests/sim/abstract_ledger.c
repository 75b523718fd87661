/*  The ledger in a trace for the model: each entry as it is applied, with what became of it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "abstract_inside.h"
#include "entry.h"
#include "ringmaster/error.h"

/* An entry between its two applications: how things were before. */
typedef struct {
    sim_entry_t is;
    uint32_t jobs, ring, leaving; /* sets */
    rm_outcome_t outcomes[ABSTRACT_JOBS];
    uint32_t attempts[ABSTRACT_JOBS];
} entry_t;

static uint32_t read_jobs (const abstract_t *self, rm_reader_t list)
{
    uint32_t set = 0;
    for (uint32_t count = rm_read_count (&list, 8); count; count--) {
        uint64_t id = rm_read_u64 (&list);
        set |= abstract_job_set (self, &id, 1);
    }
    return set;
}

static uint32_t read_incs (const abstract_t *self, rm_reader_t list)
{
    uint32_t set = 0;
    for (uint32_t count = rm_read_count (&list, 8); count; count--) {
        uint64_t inc = rm_read_u64 (&list);
        if (rm_state_member (&self->state, inc))
            set |= abstract_inc_set (self, &inc, 1);
    }
    return set;
}

/* Reads an entry, to its end. */
static void read_entry (const abstract_t *self, rm_reader_t *reader, entry_t *entry)
{
    *entry = (entry_t){0};
    sim_entry_read (&entry->is, reader);
    if (entry->is.kind == RM_ENTRY_MEMBER_REMOVE)
        entry->jobs = read_jobs (self, entry->is.lists[0]);
    if (entry->is.kind == RM_ENTRY_RESIZE_BEGIN) {
        entry->ring = read_incs (self, entry->is.lists[0]);
        entry->leaving = read_incs (self, entry->is.lists[1]);
    }
    for (int i = 0; i < self->job_count; i++) {
        const rm_record_t *record = rm_state_record (&self->state, self->jobs[i]);
        entry->outcomes[i] = record ? record->outcome : RM_OUTCOME_GONE;
        entry->attempts[i] = record ? rm_record_attempt (record) : 0;
    }
}

/* The jobs that have ended by this entry. */
static uint32_t ended_by (const abstract_t *self, const entry_t *entry)
{
    uint32_t set = 0;
    for (int i = 0; i < self->job_count; i++) {
        const rm_record_t *record = rm_state_record (&self->state, self->jobs[i]);
        if (entry->outcomes[i] == RM_OUTCOME_NONE && record && record->outcome != RM_OUTCOME_NONE)
            set |= 1u << i;
    }
    return set;
}

/* ---- what is told, the abstraction's own state having been changed ----------------------------------------------- */

/* Jobs have one key if they have one queue and one key; its number is that of its first job. */
static int key_of (const abstract_t *self, int job)
{
    const rm_record_t *record = rm_state_record (&self->state, self->jobs[job]);
    for (int i = 0; i < job; i++) {
        const rm_record_t *other = rm_state_record (&self->state, self->jobs[i]);
        if (other && other->queue == record->queue && other->key_bytes->size == record->key_bytes->size &&
            !memcmp (other->key_bytes->data, record->key_bytes->data, record->key_bytes->size))
            return i;
    }
    return job;
}

static void tell_accepted (abstract_t *self, uint64_t last_id)
{
    for (uint64_t id = last_id + 1; id <= self->state.last_id; id++) {
        const rm_record_t *record = rm_state_record (&self->state, id);
        const rm_blob_t *key = record ? record->key_bytes : NULL;
        int slot = key ? abstract_slot (self, rm_ring_slot (key->data, key->size)) : -1;
        if (slot < 0)
            continue;
        if (self->job_count == ABSTRACT_JOBS) {
            self->over = true;
            return;
        }
        int job = self->job_count++;
        self->jobs[job] = id;
        abstract_say (self, EV_ACCEPT, " %d %d %d", job, key_of (self, job), slot);
    }
}

static void tell_begin (abstract_t *self, const entry_t *entry)
{
    int targets[ABSTRACT_SLOTS] = {0};
    for (int i = 0; i < ABSTRACT_SLOTS && self->state.pools; i++) {
        uint16_t target = self->state.pools->target[self->slots[i]];
        targets[i] = target == RM_RING_NOBODY ? 0 : abstract_inc (self, self->state.members[target]->inc);
    }
    abstract_say (self, EV_BEGIN, " %" PRIu64 " %u %u %d %d %d", entry->is.epoch, entry->ring, entry->leaving,
                  targets[0], targets[1], targets[2]);
    if (self->leading)
        self->resize = RM_RESIZE_PHASE1;
}

/* What a verdict is to the model: whether the job ends with it, may have another attempt, or was interrupted. */
int abstract_verdict (uint32_t verdict)
{
    switch (verdict) {
    case RM_VERDICT_OK:
    case RM_VERDICT_DEAD:
        return WELL;
    case RM_VERDICT_INTERRUPTED:
        return INTERRUPTED;
    default:
        return RETRY;
    }
}

static void tell_completed (abstract_t *self, const entry_t *entry)
{
    int job = abstract_job (self, entry->is.id);
    if (job < 0)
        return;
    const rm_record_t *record = rm_state_record (&self->state, entry->is.id);
    int effect =
        ended_by (self, entry) >> job & 1 ? HAS_ENDED
        : record && rm_record_attempt (record) != entry->attempts[job] && entry->outcomes[job] == RM_OUTCOME_NONE
            ? WAITS_AGAIN
            : CHANGED_NOTHING;
    abstract_say (self, EV_ENDED, " %d %d %u %d %d", job, abstract_inc (self, entry->is.inc), entry->is.attempt - 1,
                  abstract_verdict (entry->is.verdict), effect);
}

static void tell (abstract_t *self, const entry_t *entry, uint64_t last_id)
{
    switch (entry->is.kind) {
    case RM_ENTRY_LEAD:
        abstract_say (self, EV_BARRIER, " %" PRIu64, self->state.term);
        break;
    case RM_ENTRY_SUBMIT:
        tell_accepted (self, last_id);
        break;
    case RM_ENTRY_DONE:
    case RM_ENTRY_FAIL:
        tell_completed (self, entry);
        break;
    case RM_ENTRY_MEMBER_ADD:
        abstract_say (self, EV_ADD, " %d", abstract_inc (self, entry->is.inc));
        break;
    case RM_ENTRY_MEMBER_REMOVE:
        abstract_say (self, EV_REMOVE, " %d %u %u", abstract_inc (self, entry->is.inc), entry->jobs,
                      ended_by (self, entry));
        break;
    case RM_ENTRY_RESIZE_BEGIN:
        tell_begin (self, entry);
        break;
    case RM_ENTRY_RESIZE_COMMIT:
        abstract_say (self, EV_COMMIT, " %" PRIu64, entry->is.epoch);
        if (self->resize == RM_RESIZE_COMMIT && entry->is.epoch == self->state.epoch)
            self->resize = RM_RESIZE_IDLE;
        break;
    default:
        break;
    }
}

/* ---- apply ------------------------------------------------------------------------------------------------------- */

/* A batch of one entry: the header of the whole one, and these bytes. */
static int apply_one (rm_state_t *state, rm_part_t batch, const uint8_t *from, const uint8_t *to)
{
    rm_buf_t one = {0};
    rm_buf_put (&one, batch.data, RM_BATCH_HEADER_BYTES);
    rm_buf_put (&one, from, (size_t)(to - from));
    int rc = one.failed ? RM_ENOMEM : rm_state_apply (state, one.data, one.size);
    rm_buf_close (&one);
    return rc;
}

int abstract_apply (abstract_t *self, rm_state_t *state, uint64_t index, rm_part_t batch)
{
    if (!self || index != self->index + 1)
        return rm_state_apply (state, batch.data, batch.size);
    self->index = index;
    rm_reader_t reader = {(const uint8_t *)batch.data + RM_BATCH_HEADER_BYTES, (const uint8_t *)batch.data + batch.size,
                          false};
    while (reader.at < reader.end) {
        entry_t entry;
        const uint8_t *from = reader.at;
        uint64_t last_id = self->state.last_id;
        read_entry (self, &reader, &entry);
        int rc = apply_one (&self->state, batch, from, reader.at);
        if (!rc)
            tell (self, &entry, last_id);
        if (!rc)
            rc = apply_one (state, batch, from, reader.at);
        if (rc)
            return rc;
        abstract_look (self);
    }
    return 0;
}
