/*  Jobs that are to end before they are done: cancelled, buried, past their deadline (docs/guarantees.md).
 *
 *  A job that no worker has ends at once. One that a worker has, or may have, is marked in the ledger and its worker is told
 *  to stop it, again and again; when the worker has let go of it, it ends: only then may the next one of its key begin. If its
 *  handler succeeds first, it is done.
 */
#include "core/leader_inside.h"

/* Whether it is certain that no worker has it. */
static bool at_nobody (const rm_record_t *record)
{
    const rm_pool_t *pool = record->queue->pool;
    if (rm_record_peer (record) || record->started_inc)
        return false;
    if (!pool)
        return true;
    if (record->key)
        return pool->lead->slots[record->key->slot].state != RM_SLOT_UNKNOWN;
    return record->id > pool->lead->barrier_id || !pool->lead->unreported;
}

static void propose (rm_leader_t *self, const rm_record_t *record, rm_outcome_t outcome, bool at_once,
                     rm_bytes_t reason)
{
    rm_buf_t *entry = rm_leader_entry (self, RM_ENTRY_STOP, 32 + reason.size);
    if (entry)
        rm_entry_stop (entry, &(rm_entry_stop_t){record->id, outcome, at_once, reason});
}

/* Ends a job that is PARKED or on offer, and that no worker has. */
static void end_at_once (rm_leader_t *self, rm_record_t *record, rm_outcome_t outcome, rm_bytes_t reason)
{
    if (record->key && record->lead.at == RM_AT_READY)
        rm_leader_withdraw_key (self, record->key);
    else
        rm_leader_withdraw_record (self, record);
    rm_leader_move_record (record, RM_AT_STOPPING);
    propose (self, record, outcome, true, reason);
}

bool rm_leader_stop (rm_leader_t *self, rm_record_t *record, rm_outcome_t outcome, rm_bytes_t reason)
{
    if (!rm_leader_has_format_2 (self) || record->outcome != RM_OUTCOME_NONE)
        return false;
    if (record->lead.at == RM_AT_STOPPING || rm_record_stops (record))
        return true;
    if (at_nobody (record))
        end_at_once (self, record, outcome, reason);
    else
        propose (self, record, outcome, false, reason);
    return true;
}

void rm_leader_let_go (rm_leader_t *self, const rm_record_t *record)
{
    propose (self, record, RM_OUTCOME_CANCELLED, true, (rm_bytes_t){0});
}

/* A job with a mark that waits again. True: it is not to be offered. */
bool rm_leader_stops (rm_leader_t *self, rm_record_t *record)
{
    if (record->lead.at == RM_AT_STOPPING)
        return true;
    if (!rm_record_stops (record))
        return false;
    const rm_blob_t *reason = record->extra->stop_reason;
    if (at_nobody (record))
        end_at_once (self, record, record->extra->stop, (rm_bytes_t){reason->data, reason->size});
    return true;
}

/* ---- at the worker ---------------------------------------------------------------------------------------------- */

static bool is_to_stop (const rm_record_t *record)
{
    return record->lead.at == RM_AT_SENT && rm_record_stops (record);
}

static void tell (rm_leader_t *self, const rm_peer_t *peer, rm_stop_job_t *jobs, uint32_t count)
{
    rm_msg_t msg = {.type = RM_MSG_STOP};
    msg.stop = (rm_msg_stop_t){self->state->term, peer->member->inc, jobs, count};
    if (count)
        rm_leader_to_worker (self, &peer->route, &msg);
}

/* What of its jobs is to stop, said once more: so many at a time, and the next ones the next time. */
void rm_leader_tell_stops (rm_leader_t *self, rm_peer_t *peer)
{
    uint32_t passed = 0, count = 0;
    rm_stop_job_t jobs[RM_DISPATCH_JOBS];
    if (!self->state->stopping_count)
        return;
    RM_LIST_EACH (&peer->flight, link) {
        const rm_record_t *record = RM_OWNER (link, rm_flight_t, link)->record;
        if (!is_to_stop (record) || passed++ < peer->stops_told)
            continue;
        jobs[count++] = (rm_stop_job_t){record->id, rm_record_attempt (record)};
        if (count == RM_DISPATCH_JOBS)
            break;
    }
    peer->stops_told = count == RM_DISPATCH_JOBS ? passed : 0;
    tell (self, peer, jobs, count);
}

/* The mark is in the ledger. */
void rm_leader_stopping (rm_leader_t *self, rm_record_t *record)
{
    if (is_to_stop (record))
        tell (self, rm_record_peer (record), &(rm_stop_job_t){record->id, rm_record_attempt (record)}, 1);
    else if (record->lead.at == RM_AT_PARKED || record->lead.at == RM_AT_READY)
        rm_leader_stops (self, record);
}

/* ---- deadlines -------------------------------------------------------------------------------------------------- */

void rm_leader_watch_deadline (rm_leader_t *self, rm_record_t *record)
{
    uint64_t deadline_ms = record->extra ? record->extra->deadline_ms : 0;
    if (deadline_ms && rm_heap_put (&self->deadlines, &record->extra->end, deadline_ms))
        rm_leader_out_of_memory (self);
}

void rm_leader_end_overdue (rm_leader_t *self)
{
    for (rm_heap_node_t *top; (top = rm_heap_top (&self->deadlines)) && top->due <= self->now.wall_ms;) {
        rm_heap_remove (&self->deadlines, top);
        rm_leader_stop (self, RM_OWNER (top, rm_extra_t, end)->record, RM_OUTCOME_EXPIRED,
                        rm_bytes ("past its deadline"));
    }
}
