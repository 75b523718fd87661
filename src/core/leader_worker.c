/*  What workers say: join, heartbeat, done, leave, and the report every message carries (docs/protocol.md, the rules). */
#include <stdarg.h>
#include <stdio.h>

#include "core/leader_inside.h"
#include "proto/alloc.h"
#include "ringmaster/error.h"

/* ---- committed -------------------------------------------------------------------------------------------------- */

/* The worker may forget this attempt at the job, and all before; told at the end of the turn. */
void rm_leader_commit_later (rm_leader_t *self, rm_peer_t *peer, uint64_t id, uint32_t attempt)
{
    if (peer->committed_count == peer->committed_capacity) {
        uint32_t capacity = peer->committed_capacity ? peer->committed_capacity * 2 : 64;
        rm_committed_job_t *jobs = rm_realloc (peer->committed, capacity * sizeof *jobs);
        if (!jobs) {
            rm_leader_out_of_memory (self);
            return;
        }
        peer->committed = jobs;
        peer->committed_capacity = capacity;
    }
    peer->committed[peer->committed_count++] = (rm_committed_job_t){id, attempt};
}

/* The same of every attempt that is over by what is logged. */
void rm_leader_commit_past (rm_leader_t *self, rm_peer_t *peer, const rm_record_t *record)
{
    uint32_t past = record->outcome == RM_OUTCOME_NONE ? rm_record_attempt (record) - 1 : UINT32_MAX;
    if (past)
        rm_leader_commit_later (self, peer, record->id, past);
}

void rm_leader_tell_committed (rm_leader_t *self, rm_peer_t *peer)
{
    for (uint32_t told = 0; told < peer->committed_count;) {
        uint32_t count = peer->committed_count - told;
        if (count > RM_MESSAGE_JOBS_MAX)
            count = RM_MESSAGE_JOBS_MAX;
        rm_msg_t msg = {.type = RM_MSG_COMMITTED};
        msg.committed = (rm_msg_committed_t){self->state->term, peer->member->inc, peer->committed + told, count};
        rm_leader_to_worker (self, &peer->route, &msg);
        told += count;
    }
    peer->committed_count = 0;
}

/* ---- reports ---------------------------------------------------------------------------------------------------- */

/* Whether an earlier leader can have given the job to this worker, by what is logged. What it says beyond that it may be
 * left with: its completion will not count. */
static bool may_hold (const rm_peer_t *peer, const rm_record_t *record)
{
    const rm_pool_t *pool = peer->member->pool;
    if (record->queue->pool != pool)
        return false;
    if (record->flags & RM_JOB_AT_MOST_ONCE && record->started_inc != peer->member->inc)
        return false;
    if (!record->key)
        return true;
    const rm_slot_t *slot = &pool->lead->slots[record->key->slot];
    return rm_pool_holds (pool, record->key->slot, peer->member->number) && !record->key->lead.busy &&
           (!slot->in_flight || slot->at == peer->member->number);
}

/* What a worker that reports for the first time in this term says it holds was dispatched by an earlier leader: the
 * in-flight table that was not logged. */
static void adopt (rm_leader_t *self, rm_peer_t *peer, rm_record_t *record)
{
    if (!may_hold (peer, record))
        return;
    rm_leader_take_off (self, record, peer, RM_AT_SENT);
}

/* At-most-once jobs that were logged as started here and are not held: whether they ran cannot be known. */
static void bury_lost (rm_leader_t *self, rm_peer_t *peer)
{
    if (!self->state->started_count)
        return;
    RM_RECORD_EACH (self->state, record)
    {
        if (record->started_inc != peer->member->inc || rm_record_peer (record))
            continue;
        rm_buf_t *entry = rm_leader_entry (self, RM_ENTRY_BURY, 32);
        if (entry)
            rm_entry_bury (entry, &(rm_entry_bury_t){record->id, rm_bytes ("lost")});
    }
}

static void first_report (rm_leader_t *self, rm_peer_t *peer)
{
    rm_pool_t *pool = peer->member->pool;
    peer->reported = true;
    pool->lead->unreported--;
    bury_lost (self, peer);
    rm_leader_refresh_pool (self, pool);
    if (!pool->lead->unreported)
        rm_leader_offer_unkeyed (self, pool);
    rm_leader_trace (self, "event=reported worker=%s term=%llu held=%u", peer->member->name,
                     (unsigned long long)self->state->term, peer->flight_count);
}

static void mark_held (rm_leader_t *self, rm_peer_t *peer, const rm_report_t *report)
{
    self->mark++;
    for (uint32_t i = 0; i < report->held_count; i++) {
        rm_record_t *record = rm_state_record (self->state, report->held[i]);
        if (!record || record->outcome != RM_OUTCOME_NONE) {
            rm_leader_commit_later (self, peer, report->held[i], UINT32_MAX);
            continue;
        }
        if (!peer->reported && !rm_record_peer (record))
            adopt (self, peer, record);
        else if (rm_record_peer (record) == peer && record->lead.at == RM_AT_FAILED)
            rm_leader_commit_past (self, peer, record);
        if (rm_record_flight (record))
            record->lead.flight->mark = self->mark;
    }
}

/* The watermark: dispatched with seq <= upto, not held and not done means handed back. */
static void hand_back_unheld (rm_leader_t *self, rm_peer_t *peer)
{
    RM_LIST_EACH (&peer->flight, link) {
        rm_record_t *record = RM_OWNER (link, rm_flight_t, link)->record;
        if (record->lead.flight->seq > peer->upto)
            break;
        bool theirs = record->lead.at == RM_AT_SENT || record->lead.at == RM_AT_FAILED;
        if (theirs && record->lead.flight->mark != self->mark)
            rm_leader_hand_back (self, record);
    }
}

static void take_report (rm_leader_t *self, rm_peer_t *peer, const rm_report_t *report)
{
    if (report->upto < peer->upto || report->upto > peer->last_seq)
        return;
    peer->upto = report->upto;
    mark_held (self, peer, report);
    if (!peer->reported)
        first_report (self, peer);
    hand_back_unheld (self, peer);
}

/* ---- joining and leaving ---------------------------------------------------------------------------------------- */

typedef struct {
    rm_link_t link;
    uint64_t inc;
    uint32_t new_queues;
    rm_address_t from;
} joiner_t;

static void send_joined (rm_leader_t *self, rm_peer_t *peer)
{
    rm_msg_t msg = {.type = RM_MSG_JOINED};
    msg.joined = (rm_msg_joined_t){.term = self->state->term,
                                   .epoch = self->state->epoch,
                                   .inc = peer->member->inc,
                                   .lease_ms = self->config.lease_ms,
                                   .grace_ms = self->config.grace_ms,
                                   .heartbeat_ms = self->config.heartbeat_ms,
                                   .result_bytes_max = self->config.result_bytes_max};
    rm_leader_to_worker (self, &peer->route, &msg);
}

__attribute__ ((format (printf, 4, 5))) static void refuse_join (rm_leader_t *self, const rm_address_t *from, int code,
                                                                 const char *format, ...)
{
    char text[2 * RM_NAME_BYTES_MAX + 256];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    rm_msg_t msg = {.type = RM_MSG_ERROR};
    msg.error = (rm_msg_error_t){.code = code, .text = rm_bytes (text)};
    rm_leader_to_worker (self, from, &msg);
}

/* The first of its queues that is another pool's; NULL: there is none. */
static const rm_queue_t *foreign_queue (const rm_leader_t *self, const rm_msg_join_t *join)
{
    for (uint32_t i = 0; i < join->queue_count; i++) {
        const rm_queue_t *queue = rm_state_queue (self->state, join->queues[i]);
        if (queue && queue->pool && queue->pool != rm_state_pool (self->state, join->pool))
            return queue;
    }
    return NULL;
}

static uint32_t count_new_queues (const rm_leader_t *self, const rm_msg_join_t *join)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < join->queue_count; i++)
        count += !rm_state_queue (self->state, join->queues[i]);
    return count;
}

static void tell_rejoin (rm_leader_t *self, const rm_address_t *from, uint64_t inc)
{
    rm_msg_t msg = {.type = RM_MSG_REJOIN};
    msg.rejoin = (rm_msg_rejoin_t){self->state->term, inc};
    rm_leader_to_worker (self, from, &msg);
}

static joiner_t *find_joiner (const rm_leader_t *self, uint64_t inc)
{
    RM_LIST_EACH (&self->joins, link)
        if (RM_OWNER (link, joiner_t, link)->inc == inc)
            return RM_OWNER (link, joiner_t, link);
    return NULL;
}

/* A join that was sent again, or that comes late, does not bring back who was removed in the meantime: what was sent to it
 * as a member then would be heeded as if it were one now. */
static void take_join (rm_leader_t *self, const rm_address_t *from, const rm_msg_join_t *join)
{
    rm_peer_t *peer = rm_leader_peer (self, join->inc);
    joiner_t *joiner = find_joiner (self, join->inc);
    if (peer && peer->removing)
        return;
    if (peer) {
        peer->route = *from;
        send_joined (self, peer);
        return;
    }
    if (joiner) {
        joiner->from = *from;
        return;
    }
    if (rm_state_was_removed (self->state, join->inc)) {
        tell_rejoin (self, from, join->inc);
        return;
    }
    const rm_queue_t *foreign = foreign_queue (self, join);
    if (foreign) {
        refuse_join (self, from, RM_EDENIED, "the queue %s belongs to the pool %s: give the worker --pool %s",
                     foreign->name, foreign->pool->name, foreign->pool->name);
        return;
    }
    if (self->state->member_count + 64 > RM_MEMBERS_MAX) {
        refuse_join (self, from, RM_EBUSY, "the cluster has as many workers as it can have");
        return;
    }
    if (!rm_state_pool (self->state, join->pool) && self->state->pool_count + 64 > RM_POOLS_MAX) {
        refuse_join (self, from, RM_EBUSY, "the cluster has as many pools as it can have");
        return;
    }
    uint32_t new_queues = count_new_queues (self, join);
    if (new_queues && rm_leader_queues_ahead (self) + new_queues > RM_QUEUES_MAX) {
        refuse_join (self, from, RM_EBUSY,
                     "the cluster would have more queues than the %d it can have: name fewer that are new",
                     RM_QUEUES_MAX);
        return;
    }
    joiner = rm_calloc (1, sizeof *joiner);
    rm_buf_t *entry = rm_leader_entry (self, RM_ENTRY_MEMBER_ADD, 1024);
    if (!joiner || !entry) {
        rm_free (joiner);
        rm_leader_out_of_memory (self);
        return;
    }
    joiner->inc = join->inc;
    joiner->from = *from;
    joiner->new_queues = new_queues;
    self->joins_queues += new_queues;
    rm_list_append (&self->joins, &joiner->link);
    rm_entry_member_add (entry, join);
}

/* Its member_add is applied. NULL: forget everybody who waits. */
void rm_leader_answer_joins (rm_leader_t *self, rm_member_t *member)
{
    RM_LIST_EACH (&self->joins, link) {
        joiner_t *joiner = RM_OWNER (link, joiner_t, link);
        if (member && joiner->inc != member->inc)
            continue;
        rm_list_remove (link);
        self->joins_queues -= joiner->new_queues;
        if (member) {
            member->peer->route = joiner->from;
            send_joined (self, member->peer);
        }
        rm_free (joiner);
    }
}

/* Proposes the removal of a worker with what runs there. That is what fences it: until it is applied nothing of it is given
 * to anyone else, and from now on it is neither heard nor answered, since its lease must not be renewed. An outcome that
 * is logged before is applied before: that job is not blamed on the removal too. */
void rm_leader_remove_peer (rm_leader_t *self, rm_peer_t *peer, const char *why)
{
    uint64_t *ids = rm_malloc (peer->flight_count * sizeof *ids);
    rm_buf_t *entry = rm_leader_entry (self, RM_ENTRY_MEMBER_REMOVE, 16 + peer->flight_count * sizeof *ids);
    if (!ids || !entry) {
        rm_free (ids);
        rm_leader_out_of_memory (self);
        return;
    }
    uint32_t count = 0;
    RM_LIST_EACH (&peer->flight, link) {
        rm_record_t *record = RM_OWNER (link, rm_flight_t, link)->record;
        if (record->lead.at == RM_AT_SENT || record->lead.at == RM_AT_STARTING)
            ids[count++] = record->id;
    }
    peer->removing = true;
    peer->out_count = 0; /* what was chosen for it in this turn is not sent any more */
    peer->out_bytes = 0;
    rm_entry_member_remove (entry, &(rm_entry_remove_t){peer->member->inc, ids, count});
    rm_leader_trace (self, "event=removing worker=%s inc=%016llx why=%s in_flight=%u", peer->member->name,
                     (unsigned long long)peer->member->inc, why, count);
    rm_free (ids);
}

/* ---- done ------------------------------------------------------------------------------------------------------- */

static void learn_pace (rm_peer_t *peer, uint64_t ran_us)
{
    peer->ran_us = peer->done_count ? (peer->ran_us * 15 + ran_us) / 16 : ran_us;
    uint64_t threads = peer->member->threads;
    uint64_t ahead = threads * RM_PREFETCH_US / (peer->ran_us + 1);
    peer->window = (uint32_t)(threads + (ahead < RM_PREFETCH_MAX ? ahead : RM_PREFETCH_MAX));
    peer->done_count++;
}

static void propose_done (rm_leader_t *self, rm_peer_t *peer, rm_record_t *record, const rm_done_job_t *job)
{
    rm_entry_done_t done = {.id = job->id,
                            .inc = peer->member->inc,
                            .attempt = job->attempt,
                            .verdict = job->verdict,
                            .reason = job->reason,
                            .data = job->data};
    if (job->data.size > self->config.result_bytes_max) {
        done.verdict = RM_VERDICT_DEAD;
        done.reason = rm_bytes ("the result is over the limit");
    }
    if (done.verdict == RM_VERDICT_OK)
        done.reason = (rm_bytes_t){0};
    else
        done.data = (rm_bytes_t){0};
    if (done.verdict == RM_VERDICT_RETRY || done.verdict == RM_VERDICT_TIMEOUT)
        done.not_before_ms = self->now.wall_ms + rm_leader_retry_delay (self, record);
    rm_buf_t *entry = rm_leader_entry (self, done.verdict == RM_VERDICT_OK ? RM_ENTRY_DONE : RM_ENTRY_FAIL,
                                       64 + done.data.size + done.reason.size);
    if (!entry)
        return;
    rm_entry_done (entry, &done);
    rm_leader_move_record (record, RM_AT_REPORTED);
}

/* Every completion of a live incarnation is answered `committed`, also when it changes nothing: at once if it does not
 * count, else when its entry is applied. */
static void take_done (rm_leader_t *self, rm_peer_t *peer, const rm_done_job_t *job)
{
    rm_record_t *record = rm_state_record (self->state, job->id);
    bool here = record && record->outcome == RM_OUTCOME_NONE && rm_record_peer (record) == peer;
    if (here && record->lead.at == RM_AT_REPORTED)
        return;
    if (!here || record->lead.at != RM_AT_SENT || record->lead.flight->seq > peer->upto ||
        job->attempt != rm_record_attempt (record) ||
        (record->lead.flight->token && record->lead.flight->token != job->token)) {
        rm_leader_commit_later (self, peer, job->id, job->attempt);
        return;
    }
    learn_pace (peer, job->ran_us);
    propose_done (self, peer, record, job);
}

/* ---- any message ------------------------------------------------------------------------------------------------ */

static const rm_report_t *report_of (const rm_msg_t *msg)
{
    switch (msg->type) {
    case RM_MSG_HEARTBEAT:
        return &msg->heartbeat.report;
    case RM_MSG_DONE:
        return &msg->done.report;
    case RM_MSG_LEAVE:
        return &msg->leave.report;
    case RM_MSG_SYNC:
        return msg->sync.from_master ? NULL : &msg->sync.report;
    default:
        return NULL;
    }
}

static void take_heartbeat (rm_leader_t *self, rm_peer_t *peer, const rm_msg_heartbeat_t *beat)
{
    peer->heard_ms = self->now.mono_ms;
    if (beat->report.upto == peer->upto && peer->upto < beat->seen)
        rm_leader_resend (self, peer);
    rm_msg_t msg = {.type = RM_MSG_HEARTBEAT_OK};
    msg.heartbeat_ok = (rm_msg_heartbeat_ok_t){.term = self->state->term,
                                               .epoch = self->state->epoch,
                                               .inc = peer->member->inc,
                                               .n = beat->n,
                                               .last_seq = peer->last_seq};
    rm_leader_to_worker (self, &peer->route, &msg);
    rm_leader_tell_stops (self, peer);
    bool asked = (self->resize.state == RM_RESIZE_PHASE1 && !peer->synced) ||
                 (self->resize.state == RM_RESIZE_PHASE2 && !peer->settled);
    if (asked)
        rm_leader_send_sync (self, &peer->route);
}

/* A message of an older term was meant for an earlier leader: a heartbeat is shown the present sync, which the worker
 * adopts the new term from; it neither renews nor reports. */
static void take_stale (rm_leader_t *self, const rm_address_t *from, const rm_msg_t *msg)
{
    if (msg->type == RM_MSG_HEARTBEAT)
        rm_leader_send_sync (self, from);
}

/* A hint: it neither renews, nor moves, nor is missed. */
static void take_hint (rm_leader_t *self, const rm_msg_t *msg)
{
    bool partial = msg->type == RM_MSG_PARTIAL;
    rm_peer_t *peer = rm_leader_peer (self, partial ? msg->partial.inc : msg->progress.inc);
    if (!peer || peer->removing || (partial ? msg->partial.term : msg->progress.term) != self->state->term)
        return;
    if (partial)
        rm_leader_take_partials (self, peer, &msg->partial);
    else
        rm_leader_take_progress (self, peer, &msg->progress);
}

void rm_leader_from_worker (rm_leader_t *self, rm_now_t now, const rm_address_t *from, const rm_msg_t *msg)
{
    rm_leader_see (self, now);
    if (!rm_leader_speaks (self))
        return;
    if (msg->type == RM_MSG_JOIN) {
        take_join (self, from, &msg->join);
        return;
    }
    if (msg->type == RM_MSG_PROGRESS || msg->type == RM_MSG_PARTIAL) {
        take_hint (self, msg);
        return;
    }
    const rm_report_t *report = report_of (msg);
    if (!report)
        return;
    rm_peer_t *peer = rm_leader_peer (self, report->inc);
    if (!peer) {
        if (!find_joiner (self, report->inc))
            tell_rejoin (self, from, report->inc);
        return;
    }
    if (peer->removing)
        return;
    if (report->term != self->state->term) {
        if (report->term < self->state->term)
            take_stale (self, from, msg);
        return;
    }
    peer->route = *from;
    if (msg->type != RM_MSG_SYNC || msg->sync.phase < 3)
        take_report (self, peer, report);
    if (msg->type == RM_MSG_HEARTBEAT)
        take_heartbeat (self, peer, &msg->heartbeat);
    if (msg->type == RM_MSG_SYNC)
        rm_leader_sync_answer (self, peer, &msg->sync);
    for (uint32_t i = 0; msg->type == RM_MSG_DONE && i < msg->done.job_count; i++)
        take_done (self, peer, &msg->done.jobs[i]);
    if (msg->type == RM_MSG_LEAVE && !peer->leave_asked) {
        peer->leave_asked = true;
        rm_leader_want_resize (self, false);
    }
}
