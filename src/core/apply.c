/*  The entries of the ledger, applied (docs/ledger.md). Deterministic: nothing here may look at `lead` members. */
#include <string.h>

#include "core/apply_inside.h"
#include "proto/alloc.h"
#include "proto/assert.h"
#include "ringmaster/error.h"

/* ---- submit ----------------------------------------------------------------------------------------------------- */

static int accept (rm_state_t *self, rm_ledger_session_t *session, const rm_submit_job_t *job)
{
    rm_queue_t *queue = rm_state_queue (self, job->queue);
    if (!queue && !(queue = rm_state_add_queue (self, job->queue)))
        return RM_ENOMEM;
    rm_record_t *known = job->options.uid.size ? rm_queue_record (queue, job->options.uid) : NULL;
    if (known)
        return rm_session_note (session, job->seq, known->id, rm_submit_hash (job));
    rm_blob_t *key = job->key.data ? rm_blob_new (job->key.data, job->key.size) : NULL;
    rm_blob_t *data = rm_blob_new (job->data.data, job->data.size);
    rm_record_t *record = NULL;
    if (data && (key || !job->key.data))
        record = rm_state_add_record (self, self->last_id + 1, queue, session, key, data);
    if (!record || rm_session_note (session, job->seq, record->id, rm_submit_hash (job))) {
        if (!record) {
            rm_blob_unref (&key);
            rm_blob_unref (&data);
        }
        return RM_ENOMEM;
    }
    self->last_id = record->id;
    record->tries = job->tries;
    record->timeout_ms = job->timeout_ms;
    record->flags = job->flags;
    record->accepted_ms = self->time_ms;
    if (rm_apply_options (self, record, &job->options))
        return RM_ENOMEM;
    TELL (self, accepted, record);
    return 0;
}

/* A request at or below the floor or seen before changes nothing, nor does one of a session that is not known and does
 * not begin with 1: whoever answers finds out by looking the request up. */
static int apply_submit (rm_state_t *self, rm_reader_t *reader, bool more)
{
    rm_session_id_t id;
    rm_read_raw (reader, id.bytes, sizeof id.bytes);
    uint64_t floor = rm_read_u64 (reader);
    uint32_t count = rm_read_count (reader, 29);
    rm_ledger_session_t *session = rm_state_session (self, &id);
    for (uint32_t i = 0; i < count && !reader->bad; i++) {
        rm_submit_job_t job = rm_read_submit_job (reader, more);
        if (reader->bad)
            break;
        if (!session && job.seq == 1 && !(session = rm_state_add_session (self, &id)))
            return RM_ENOMEM;
        if (!session)
            continue;
        session->heard_ms = self->time_ms;
        bool in_window = job.seq > session->floor && job.seq - session->floor <= RM_SESSION_WINDOW;
        if (!in_window || rm_session_request (session, job.seq))
            continue;
        int rc = accept (self, session, &job);
        if (rc)
            return rc;
    }
    if (session)
        rm_session_raise_floor (session, floor);
    return 0;
}

/* ---- outcomes --------------------------------------------------------------------------------------------------- */

static void unstart (rm_state_t *self, rm_record_t *record)
{
    if (record->started_inc)
        self->started_count--;
    record->started_inc = 0;
}

static int set_reason (rm_record_t *record, rm_bytes_t reason)
{
    rm_blob_t *blob = rm_blob_new (reason.data, reason.size);
    if (!blob)
        return RM_ENOMEM;
    rm_blob_unref (&record->reason);
    record->reason = blob;
    return 0;
}

void rm_apply_end (rm_state_t *self, rm_record_t *record, rm_outcome_t outcome)
{
    RM_ASSERT (record->outcome == RM_OUTCOME_NONE);
    unstart (self, record);
    rm_state_shelve (self, record, outcome, self->time_ms);
    TELL (self, ended, record);
    if (!rm_record_holds (record))
        rm_state_untie_key (self, record);
}

int rm_apply_end_for (rm_state_t *self, rm_record_t *record, rm_outcome_t outcome, rm_bytes_t reason)
{
    if (set_reason (record, reason))
        return RM_ENOMEM;
    rm_apply_end (self, record, outcome);
    return 0;
}

/* No attempt comes any more: it is dead, unless it was to end otherwise. */
static int bury (rm_state_t *self, rm_record_t *record, rm_bytes_t reason)
{
    if (rm_record_stops (record))
        return rm_apply_end_stopped (self, record);
    return rm_apply_end_for (self, record, RM_OUTCOME_DEAD, reason);
}

/* An attempt of it is over that was no success. */
static int note_attempt (rm_state_t *self, rm_record_t *record, const rm_member_t *worker, uint32_t how,
                         rm_bytes_t reason, uint64_t next_ms)
{
    if (self->format < 2)
        return 0;
    rm_extra_t *extra = rm_state_extra (record);
    rm_bytes_t kept = rm_attempt_reason (reason);
    rm_attempt_t attempt = {.ended_ms = self->time_ms,
                            .next_ms = next_ms,
                            .worker = rm_blob_new (worker->name, strlen (worker->name)),
                            .reason = kept.size ? rm_blob_new (kept.data, kept.size) : NULL,
                            .how = how};
    bool made = extra && attempt.worker && (attempt.reason || !kept.size);
    if (made && !rm_attempts_add (&extra->attempts, &attempt))
        return 0;
    rm_blob_unref (&attempt.worker);
    rm_blob_unref (&attempt.reason);
    return RM_ENOMEM;
}

/* Its worker died, or lost its lease, while it held the job: so it is known, or the worker says itself. */
static int crash (rm_state_t *self, rm_record_t *record, const rm_member_t *worker, uint32_t how, rm_bytes_t reason)
{
    if (note_attempt (self, record, worker, how, reason, 0))
        return RM_ENOMEM;
    record->crashes++;
    if (record->flags & RM_JOB_AT_MOST_ONCE)
        return bury (self, record, rm_bytes ("lost"));
    if (record->crashes >= RM_CRASHES_MAX || rm_record_stops (record))
        return bury (self, record, rm_bytes ("crashed"));
    record->not_before_ms = 0;
    TELL (self, waits_again, record);
    return 0;
}

static uint32_t tries_of (const rm_record_t *record)
{
    if (record->tries)
        return record->tries;
    return record->flags & RM_JOB_AT_MOST_ONCE ? 1 : record->queue->tries;
}

static int fail (rm_state_t *self, rm_record_t *record, const rm_entry_done_t *entry)
{
    const rm_member_t *worker = rm_state_member (self, entry->inc);
    if (entry->verdict == RM_VERDICT_INTERRUPTED)
        return crash (self, record, worker, entry->verdict, entry->reason);
    record->failures++;
    bool last = entry->verdict == RM_VERDICT_DEAD || record->failures >= tries_of (record) || rm_record_stops (record);
    if (note_attempt (self, record, worker, entry->verdict, entry->reason, last ? 0 : entry->not_before_ms))
        return RM_ENOMEM;
    if (last)
        return bury (self, record, entry->reason);
    if (set_reason (record, entry->reason))
        return RM_ENOMEM;
    unstart (self, record);
    record->not_before_ms = entry->not_before_ms;
    TELL (self, waits_again, record);
    return 0;
}

/* Fencing: a completion counts only from a live incarnation, for the attempt that runs; the first one wins. */
static bool completion_counts (const rm_state_t *self, const rm_record_t *record, const rm_entry_done_t *entry)
{
    if (!record || record->outcome != RM_OUTCOME_NONE || entry->attempt != rm_record_attempt (record))
        return false;
    if (!rm_state_member (self, entry->inc))
        return false;
    return !(record->flags & RM_JOB_AT_MOST_ONCE) || record->started_inc == entry->inc;
}

static int apply_done (rm_state_t *self, rm_entry_kind_t kind, rm_reader_t *reader)
{
    rm_entry_done_t entry = rm_read_done (reader);
    if ((kind == RM_ENTRY_DONE) != (entry.verdict == RM_VERDICT_OK))
        reader->bad = true;
    if (reader->bad)
        return 0;
    rm_record_t *record = rm_state_record (self, entry.id);
    if (!completion_counts (self, record, &entry)) {
        TELL (self, refused, entry.id, entry.inc, entry.attempt);
        return 0;
    }
    if (entry.verdict != RM_VERDICT_OK)
        return fail (self, record, &entry);
    record->result = rm_blob_new (entry.data.data, entry.data.size);
    if (!record->result)
        return RM_ENOMEM;
    rm_blob_unref (&record->reason);
    rm_apply_end (self, record, RM_OUTCOME_DONE);
    return 0;
}

static void apply_start (rm_state_t *self, rm_reader_t *reader)
{
    uint64_t id = rm_read_u64 (reader), inc = rm_read_u64 (reader);
    rm_record_t *record = rm_state_record (self, id);
    if (reader->bad || !record || record->outcome != RM_OUTCOME_NONE || record->started_inc)
        return;
    if (!(record->flags & RM_JOB_AT_MOST_ONCE) || !rm_state_member (self, inc))
        return;
    record->started_inc = inc;
    self->started_count++;
    TELL (self, started, record);
}

static void apply_unstart (rm_state_t *self, rm_reader_t *reader)
{
    uint64_t id = rm_read_u64 (reader), inc = rm_read_u64 (reader);
    rm_record_t *record = rm_state_record (self, id);
    if (reader->bad || !record || !record->started_inc || record->started_inc != inc)
        return;
    unstart (self, record);
    TELL (self, unstarted, record);
}

static int apply_bury (rm_state_t *self, rm_reader_t *reader)
{
    uint64_t id = rm_read_u64 (reader);
    rm_bytes_t reason = rm_read_bytes (reader);
    rm_record_t *record = rm_state_record (self, id);
    if (reader->bad || !record || record->outcome != RM_OUTCOME_NONE)
        return 0;
    const rm_member_t *worker = record->started_inc ? rm_state_member (self, record->started_inc) : NULL;
    if (worker && note_attempt (self, record, worker, RM_ATTEMPT_CRASHED, (rm_bytes_t){0}, 0))
        return RM_ENOMEM;
    record->crashes += worker != NULL;
    return bury (self, record, reason);
}

/* ---- members ---------------------------------------------------------------------------------------------------- */

static uint16_t free_number (const rm_state_t *self)
{
    uint16_t number = 0;
    while (number < RM_MEMBERS_MAX && self->members[number])
        number++;
    return number;
}

static int serve (rm_state_t *self, rm_pool_t *pool, rm_bytes_t name)
{
    rm_queue_t *queue = rm_state_queue (self, name);
    if (!queue && !(queue = rm_state_add_queue (self, name)))
        return RM_ENOMEM;
    if (!queue->pool)
        rm_state_pool_queue (self, queue, pool);
    return 0;
}

static int apply_member_add (rm_state_t *self, rm_reader_t *reader)
{
    rm_bytes_t queues[RM_WORKER_QUEUES_MAX];
    rm_msg_join_t join = rm_read_member_add (reader, queues);
    uint16_t number = free_number (self);
    if (reader->bad || number == RM_MEMBERS_MAX || rm_state_member (self, join.inc) ||
        rm_state_was_removed (self, join.inc))
        return 0;
    rm_pool_t *pool = rm_state_pool (self, join.pool);
    if (!pool && self->pool_count == RM_POOLS_MAX)
        return 0;
    if (!pool && !(pool = rm_state_add_pool (self, join.pool)))
        return RM_ENOMEM;
    for (uint32_t i = 0; i < join.queue_count; i++)
        if (serve (self, pool, queues[i]))
            return RM_ENOMEM;
    rm_member_t *member =
        rm_state_add_member (self, number, join.inc, join.name, pool, queues, join.queue_count, join.threads);
    if (!member)
        return RM_ENOMEM;
    TELL (self, member_added, member);
    return 0;
}

static void drop_holder (rm_pool_t *pool, uint16_t number)
{
    for (uint32_t slot = 0; slot < RM_SLOTS; slot++) {
        if (pool->owner[slot] == number)
            pool->owner[slot] = RM_RING_NOBODY;
        if (pool->target[slot] == number)
            pool->target[slot] = RM_RING_NOBODY;
        for (int i = 0; i < RM_HOLDERS_MAX; i++)
            if (pool->holders[slot].members[i] == number)
                pool->holders[slot].members[i] = RM_RING_NOBODY;
    }
}

static int crash_with (rm_state_t *self, rm_record_t *record, const rm_member_t *worker)
{
    return crash (self, record, worker, RM_ATTEMPT_CRASHED, (rm_bytes_t){0});
}

/* At-most-once jobs whose start was logged for the worker, whether the leader knew of them or not. */
static int lose_started (rm_state_t *self, const rm_member_t *worker)
{
    if (!self->started_count)
        return 0;
    RM_RECORD_EACH (self, record)
    {
        int rc = record->started_inc == worker->inc ? crash_with (self, record, worker) : 0;
        if (rc)
            return rc;
    }
    return 0;
}

/* The member is out of the books, for good, before its jobs wait again: that is what fences it. */
static int apply_member_remove (rm_state_t *self, rm_reader_t *reader)
{
    uint64_t inc = rm_read_u64 (reader);
    uint32_t count = rm_read_count (reader, 8);
    rm_member_t *member = reader->bad ? NULL : rm_state_member (self, inc);
    if (member) {
        drop_holder (member->pool, member->number);
        rm_state_unlist_member (self, member);
        rm_state_note_removed (self, inc);
        TELL (self, member_removed, member);
    }
    int rc = 0;
    for (uint32_t i = 0; i < count; i++) {
        rm_record_t *record = rm_state_record (self, rm_read_u64 (reader));
        if (member && !rc && record && record->outcome == RM_OUTCOME_NONE)
            rc = crash_with (self, record, member);
    }
    if (member && !rc)
        rc = lose_started (self, member);
    if (member)
        rm_state_free_member (member);
    return rc;
}

/* ---- the ring --------------------------------------------------------------------------------------------------- */

static bool add_holder (rm_holders_t *holders, uint16_t number)
{
    int room = -1;
    for (int i = RM_HOLDERS_MAX - 1; i >= 0; i--) {
        if (holders->members[i] == number)
            return true;
        if (holders->members[i] == RM_RING_NOBODY)
            room = i;
    }
    if (room < 0)
        return false;
    holders->members[room] = number;
    return true;
}

static void retarget (rm_state_t *self, rm_pool_t *pool)
{
    uint16_t members[RM_MEMBERS_MAX], next[RM_SLOTS];
    size_t count = 0;
    for (uint32_t i = 0; i < RM_MEMBERS_MAX; i++) {
        rm_member_t *member = self->members[i];
        if (member && member->in_ring && member->pool == pool)
            members[count++] = (uint16_t)i;
    }
    rm_ring_assign (pool->target, members, count, next);
    for (uint32_t slot = 0; slot < RM_SLOTS; slot++)
        if (next[slot] == RM_RING_NOBODY || add_holder (&pool->holders[slot], next[slot]))
            pool->target[slot] = next[slot];
}

static void apply_resize_begin (rm_state_t *self, rm_reader_t *reader)
{
    uint64_t epoch = rm_read_u64 (reader);
    bool valid = !reader->bad && epoch == self->epoch + 1;
    for (uint32_t i = 0; valid && i < RM_MEMBERS_MAX; i++)
        if (self->members[i])
            self->members[i]->in_ring = false;
    for (int leaving = 0; leaving < 2; leaving++) {
        uint32_t count = rm_read_count (reader, 8);
        for (uint32_t i = 0; i < count; i++) {
            rm_member_t *member = rm_state_member (self, rm_read_u64 (reader));
            if (!valid || !member)
                continue;
            member->in_ring = !leaving;
            member->leaving = leaving;
        }
    }
    if (!valid || reader->bad)
        return;
    self->epoch = epoch;
    for (rm_pool_t *pool = self->pools; pool; pool = pool->next)
        retarget (self, pool);
    TELL (self, resize_begun);
}

static void apply_resize_commit (rm_state_t *self, rm_reader_t *reader)
{
    uint64_t epoch = rm_read_u64 (reader);
    if (reader->bad || epoch != self->epoch || !rm_state_resizing (self))
        return;
    self->committed_epoch = epoch;
    for (rm_pool_t *pool = self->pools; pool; pool = pool->next)
        for (uint32_t slot = 0; slot < RM_SLOTS; slot++) {
            pool->owner[slot] = pool->target[slot];
            memset (&pool->holders[slot], 0xff, sizeof pool->holders[slot]);
            pool->holders[slot].members[0] = pool->target[slot];
        }
    TELL (self, resize_committed);
}

/* ---- forgetting ------------------------------------------------------------------------------------------------- */

/* A session whose jobs still wait stays. */
static void apply_session_expire (rm_state_t *self, rm_reader_t *reader)
{
    rm_session_id_t id;
    rm_read_raw (reader, id.bytes, sizeof id.bytes);
    rm_ledger_session_t *session = rm_state_session (self, &id);
    if (!reader->bad && session && !session->waiting_count)
        rm_state_drop_session (self, session);
}

static void apply_result_expire (rm_state_t *self, rm_reader_t *reader)
{
    uint32_t number = rm_read_u32 (reader), count = rm_read_u32 (reader);
    if (reader->bad)
        return;
    rm_queue_t *queue = self->queues;
    while (queue && queue->number != number)
        queue = queue->hh.next;
    for (; queue && count && !rm_list_empty (&queue->ended); count--)
        rm_state_forget (self, RM_OWNER (queue->ended.next, rm_record_t, line));
}

/* ---- a batch ---------------------------------------------------------------------------------------------------- */

static int apply_entry (rm_state_t *self, rm_reader_t *reader)
{
    rm_entry_kind_t kind = rm_read_u8 (reader);
    if (kind > RM_ENTRY_FORMAT && self->format < 2)
        return RM_ECORRUPT;
    switch (kind) {
    case RM_ENTRY_LEAD:
        self->term++;
        return 0;
    case RM_ENTRY_SUBMIT:
    case RM_ENTRY_SUBMIT_MORE:
        return apply_submit (self, reader, kind == RM_ENTRY_SUBMIT_MORE);
    case RM_ENTRY_START:
        apply_start (self, reader);
        return 0;
    case RM_ENTRY_UNSTART:
        apply_unstart (self, reader);
        return 0;
    case RM_ENTRY_DONE:
    case RM_ENTRY_FAIL:
        return apply_done (self, kind, reader);
    case RM_ENTRY_BURY:
        return apply_bury (self, reader);
    case RM_ENTRY_MEMBER_ADD:
        return apply_member_add (self, reader);
    case RM_ENTRY_MEMBER_REMOVE:
        return apply_member_remove (self, reader);
    case RM_ENTRY_RESIZE_BEGIN:
        apply_resize_begin (self, reader);
        return 0;
    case RM_ENTRY_RESIZE_COMMIT:
        apply_resize_commit (self, reader);
        return 0;
    case RM_ENTRY_SESSION_EXPIRE:
        apply_session_expire (self, reader);
        return 0;
    case RM_ENTRY_RESULT_EXPIRE:
        apply_result_expire (self, reader);
        return 0;
    case RM_ENTRY_FORMAT:
        return rm_apply_format (self, reader);
    case RM_ENTRY_STOP:
        return rm_apply_stop (self, reader);
    case RM_ENTRY_KICK:
        return rm_apply_kick (self, reader);
    case RM_ENTRY_QUEUE_SET:
        return rm_apply_queue_set (self, reader);
    default:
        return RM_ECORRUPT;
    }
}

int rm_state_apply (rm_state_t *self, const void *batch, size_t size)
{
    rm_reader_t reader = {batch, (const uint8_t *)batch + size, false};
    if (rm_read_u8 (&reader) != RM_BATCH_FORMAT)
        return RM_ECORRUPT;
    uint64_t time_ms = rm_read_u64 (&reader);
    if (time_ms > self->time_ms)
        self->time_ms = time_ms;
    while (reader.at < reader.end && !reader.bad) {
        int rc = apply_entry (self, &reader);
        if (rc)
            return rc;
    }
    return reader.bad ? RM_ECORRUPT : 0;
}
