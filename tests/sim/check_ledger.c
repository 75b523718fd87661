/*  The log: it says all there is to know, and only live incarnations complete jobs in it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "check_inside.h"
#include "entry.h"

/* ---- a batch, read entry by entry ---------------------------------------------------------------------------------- */

/* Which incarnations are members at this place of the log. */
typedef struct {
    uint64_t incs[CHECK_INCS_MAX];
    uint32_t count;
} members_t;

static void add_member (members_t *self, uint64_t inc)
{
    if (self->count < CHECK_INCS_MAX)
        self->incs[self->count++] = inc;
}

static bool find_member (const members_t *self, uint64_t inc, uint32_t *at)
{
    for (*at = 0; *at < self->count; ++*at)
        if (self->incs[*at] == inc)
            return true;
    return false;
}

static void note_completion (check_t *self, const sim_entry_t *entry, const members_t *members)
{
    uint32_t at;
    if (self->completion_count < CHECK_COMPLETIONS_MAX)
        self->completions[self->completion_count++] = (check_completion_t){
            entry->id, entry->attempt, entry->verdict == RM_VERDICT_OK, find_member (members, entry->inc, &at)};
}

static void read_entry (check_t *self, rm_reader_t *reader, members_t *members)
{
    sim_entry_t entry;
    uint32_t at;
    if (!sim_entry_read (&entry, reader)) {
        VIOLATION (self, "rebuilt", "batch %" PRIu64 " has an entry of no kind", self->index);
        return;
    }
    if (entry.kind == RM_ENTRY_DONE || entry.kind == RM_ENTRY_FAIL)
        note_completion (self, &entry, members);
    else if (entry.kind == RM_ENTRY_MEMBER_ADD)
        add_member (members, entry.inc);
    else if (entry.kind == RM_ENTRY_MEMBER_REMOVE && find_member (members, entry.inc, &at))
        members->incs[at] = members->incs[--members->count];
    else if (entry.kind == RM_ENTRY_STOP && entry.outcome == RM_OUTCOME_CANCELLED)
        check_job (self, entry.id)->holds = false;
    else if (entry.kind == RM_ENTRY_LEAD)
        self->counts.terms++;
}

void check_read_batch (check_t *self, rm_part_t batch)
{
    members_t members = {.count = 0};
    for (const rm_member_t *member = self->shadow.by_inc; member; member = member->hh.next)
        add_member (&members, member->inc);
    self->completion_count = 0;
    rm_reader_t reader = {batch.data, (const uint8_t *)batch.data + batch.size, false};
    rm_read_u8 (&reader);
    uint64_t time_ms = rm_read_u64 (&reader);
    if (time_ms < self->last_time_ms)
        VIOLATION (self, "rebuilt", "the ledger's time goes back by %" PRIu64 " ms", self->last_time_ms - time_ms);
    self->last_time_ms = time_ms;
    while (reader.at < reader.end && !reader.bad)
        read_entry (self, &reader, &members);
}

bool check_completed (const check_t *self, uint64_t id, uint32_t attempt, bool ok)
{
    for (uint32_t i = 0; i < self->completion_count; i++) {
        const check_completion_t *completion = &self->completions[i];
        if (completion->id == id && completion->attempt == attempt && completion->ok == ok && completion->live)
            return true;
    }
    return false;
}

/* ---- the shadow -------------------------------------------------------------------------------------------------- */

static uint64_t hash_state (const rm_state_t *state)
{
    rm_snapshot_t *snapshot = rm_snapshot_take (state);
    if (!snapshot)
        abort ();
    size_t count;
    const rm_part_t *parts = rm_snapshot_parts (snapshot, &count);
    XXH3_state_t *hash = XXH3_createState ();
    XXH3_64bits_reset (hash);
    for (size_t i = 0; i < count; i++)
        XXH3_64bits_update (hash, parts[i].data, parts[i].size);
    uint64_t digest = XXH3_64bits_digest (hash);
    XXH3_freeState (hash);
    rm_snapshot_destroy (&snapshot);
    return digest;
}

void check_batch (check_t *self, uint32_t who, uint64_t index, const void *batch, size_t size, uint64_t written_us)
{
    uint64_t hash = XXH3_64bits (batch, size);
    if (index <= self->index) {
        if (self->log[index] != hash)
            VIOLATION (self, "one-log", "batch %" PRIu64 " of %s is not that of the others", index,
                       self->sim->processes[who].name);
        return;
    }
    if (index != self->index + 1)
        VIOLATION (self, "one-log", "batch %" PRIu64 " of %s comes after batch %" PRIu64, index,
                   self->sim->processes[who].name, self->index);
    if (index >= CHECK_BATCHES_MAX)
        VIOLATION (self, "everything-ends", "the log grows without end");
    check_read_batch (self, (rm_part_t){batch, size});
    self->index = index;
    self->log[index] = hash;
    self->written_us = written_us;
    if (rm_state_apply (&self->shadow, batch, size))
        VIOLATION (self, "rebuilt", "batch %" PRIu64 " cannot be applied", index);
    self->states[index] = hash_state (&self->shadow);
    check_shadow_books (self);
}

void check_applied (check_t *self, uint32_t who, const rm_state_t *state, uint64_t index)
{
    if (hash_state (state) != self->states[index])
        VIOLATION (self, "rebuilt", "after batch %" PRIu64 " the state of %s is not what the log says", index,
                   self->sim->processes[who].name);
}

void check_restored (check_t *self, uint32_t who, const rm_state_t *state, uint64_t index)
{
    if (index && hash_state (state) != self->states[index])
        VIOLATION (self, "rebuilt", "what %s rebuilt up to batch %" PRIu64 " is not what was there",
                   self->sim->processes[who].name, index);
}
