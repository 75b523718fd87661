/*  What is forgotten: sessions nobody heard of, outcomes whose keep is over (docs/guarantees.md). */
#include "core/leader_inside.h"

enum { RM_SWEEP_MS = 1000, RM_SWEEP_SESSIONS = 1000 };

/* What lasts for a while lasts for as long as this leader has seen go by: the calendar of its start may be any. */
static bool is_over (const rm_leader_t *self, uint64_t since_ms, uint64_t lasts_ms)
{
    return (since_ms > self->led_ms ? since_ms : self->led_ms) + lasts_ms <= self->now.wall_ms;
}

static void sweep_sessions (rm_leader_t *self)
{
    uint32_t expired = 0;
    for (rm_ledger_session_t *session = self->state->sessions; session; session = session->hh.next) {
        uint64_t heard = session->heard_ms > session->lead.heard_ms ? session->heard_ms : session->lead.heard_ms;
        if (!is_over (self, heard, self->config.session_ttl_ms) || session->waiting_count ||
            session->lead.pending_count)
            continue;
        rm_buf_t *entry = rm_leader_entry (self, RM_ENTRY_SESSION_EXPIRE, 32);
        if (entry)
            rm_entry_session_expire (entry, &session->id);
        if (++expired == RM_SWEEP_SESSIONS)
            break;
    }
}

static uint32_t outlived (const rm_leader_t *self, const rm_queue_t *queue)
{
    uint32_t count = 0;
    uint64_t bytes = queue->ended_bytes;
    uint32_t keep_ms = queue->keep_ms < self->config.keep_ms ? queue->keep_ms : self->config.keep_ms;
    RM_LIST_EACH (&queue->ended, link) {
        const rm_record_t *record = RM_OWNER (link, rm_record_t, line);
        if (!is_over (self, record->ended_ms, keep_ms) && bytes <= queue->keep_bytes)
            break;
        bytes -= rm_record_kept_bytes (record);
        count++;
    }
    return count;
}

static void sweep_results (rm_leader_t *self)
{
    for (const rm_queue_t *queue = self->state->queues; queue; queue = queue->hh.next) {
        uint32_t count = outlived (self, queue);
        rm_buf_t *entry = count ? rm_leader_entry (self, RM_ENTRY_RESULT_EXPIRE, 16) : NULL;
        if (entry)
            rm_entry_result_expire (entry, &(rm_entry_expire_t){queue->number, count});
    }
}

/* Once a second, and not before the sweep before has been applied: what is counted is forgotten once. */
void rm_leader_sweep (rm_leader_t *self)
{
    if (self->now.mono_ms < self->swept_ms + RM_SWEEP_MS || self->sweep_batch > self->applied_number)
        return;
    self->swept_ms = self->now.mono_ms;
    uint64_t before = self->batch_number;
    sweep_sessions (self);
    sweep_results (self);
    if (self->batch_number != before || !rm_list_empty (&self->batches))
        self->sweep_batch = self->batch_number;
}
