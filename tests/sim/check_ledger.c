/*  The log: it says all there is to know, and only live incarnations complete jobs in it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check_inside.h"

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

static void skip_ids (rm_reader_t *reader)
{
    for (uint32_t count = rm_read_count (reader, 8); count; count--)
        rm_read_u64 (reader);
}

static void read_submit (rm_reader_t *reader)
{
    rm_session_id_t session;
    rm_read_raw (reader, session.bytes, sizeof session.bytes);
    rm_read_u64 (reader);
    for (uint32_t count = rm_read_count (reader, 29); count; count--)
        rm_read_submit_job (reader);
}

static void read_done (check_t *self, rm_reader_t *reader, const members_t *members)
{
    rm_entry_done_t done = rm_read_done (reader);
    uint32_t at;
    if (self->completion_count < CHECK_COMPLETIONS_MAX)
        self->completions[self->completion_count++] = (check_completion_t){
            done.id, done.attempt, done.verdict == RM_VERDICT_OK, find_member (members, done.inc, &at)};
}

static void read_entry (check_t *self, rm_reader_t *reader, members_t *members)
{
    rm_bytes_t queues[RM_WORKER_QUEUES_MAX];
    rm_session_id_t session;
    uint32_t at;
    switch ((rm_entry_kind_t)rm_read_u8 (reader)) {
    case RM_ENTRY_SUBMIT:
        read_submit (reader);
        break;
    case RM_ENTRY_START:
    case RM_ENTRY_UNSTART:
        rm_read_u64 (reader);
        rm_read_u64 (reader);
        break;
    case RM_ENTRY_DONE:
    case RM_ENTRY_FAIL:
        read_done (self, reader, members);
        break;
    case RM_ENTRY_BURY:
        rm_read_u64 (reader);
        rm_read_bytes (reader);
        break;
    case RM_ENTRY_MEMBER_ADD:
        add_member (members, rm_read_member_add (reader, queues).inc);
        break;
    case RM_ENTRY_MEMBER_REMOVE:
        if (find_member (members, rm_read_u64 (reader), &at))
            members->incs[at] = members->incs[--members->count];
        skip_ids (reader);
        break;
    case RM_ENTRY_RESIZE_BEGIN:
        rm_read_u64 (reader);
        skip_ids (reader);
        skip_ids (reader);
        break;
    case RM_ENTRY_RESIZE_COMMIT:
        rm_read_u64 (reader);
        break;
    case RM_ENTRY_SESSION_EXPIRE:
        rm_read_raw (reader, session.bytes, sizeof session.bytes);
        break;
    case RM_ENTRY_RESULT_EXPIRE:
        rm_read_u32 (reader);
        rm_read_u32 (reader);
        break;
    case RM_ENTRY_LEAD:
        self->counts.terms++;
        break;
    default:
        VIOLATION (self, "rebuilt", "batch %" PRIu64 " has an entry of no kind", self->index);
    }
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

void check_synced (check_t *self, uint64_t index)
{
    if (index <= self->index)
        return;
    if (index != self->index + 1)
        VIOLATION (self, "rebuilt", "batch %" PRIu64 " comes after batch %" PRIu64, index, self->index);
    rm_part_t batch = sim_disk_batch (self->sim->disk, index);
    check_read_batch (self, batch);
    self->index = index;
    if (rm_state_apply (&self->shadow, batch.data, batch.size))
        VIOLATION (self, "rebuilt", "batch %" PRIu64 " cannot be applied", index);
    check_shadow_books (self);
}

/* Parts may be cut differently; what counts is the bytes. */
static bool same_bytes (const rm_part_t *a, size_t a_count, const rm_part_t *b, size_t b_count)
{
    size_t i = 0, j = 0, in_a = 0, in_b = 0;
    for (;;) {
        for (; i < a_count && in_a == a[i].size; i++)
            in_a = 0;
        for (; j < b_count && in_b == b[j].size; j++)
            in_b = 0;
        if (i == a_count || j == b_count)
            return i == a_count && j == b_count;
        size_t size = a[i].size - in_a < b[j].size - in_b ? a[i].size - in_a : b[j].size - in_b;
        if (memcmp ((const char *)a[i].data + in_a, (const char *)b[j].data + in_b, size))
            return false;
        in_a += size;
        in_b += size;
    }
}

static bool equal (const rm_state_t *a, const rm_state_t *b)
{
    rm_snapshot_t *one = rm_snapshot_take (a), *other = rm_snapshot_take (b);
    if (!one || !other)
        abort ();
    size_t count, other_count;
    const rm_part_t *parts = rm_snapshot_parts (one, &count), *other_parts = rm_snapshot_parts (other, &other_count);
    bool same = same_bytes (parts, count, other_parts, other_count);
    rm_snapshot_destroy (&one);
    rm_snapshot_destroy (&other);
    return same;
}

void check_applied (check_t *self, const rm_state_t *state, uint64_t index)
{
    if (!equal (&self->shadow, state))
        VIOLATION (self, "rebuilt", "after batch %" PRIu64 " the live state is not what the log says", index);
}

void check_restored (check_t *self, const rm_state_t *state, uint64_t index)
{
    if (index != self->index)
        VIOLATION (self, "rebuilt", "the master came back with batch %" PRIu64 " of %" PRIu64, index, self->index);
    if (!equal (&self->shadow, state))
        VIOLATION (self, "rebuilt", "what was rebuilt up to batch %" PRIu64 " is not what was there", index);
}
