#include "core/leader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/leader_inside.h"
#include "core/splitmix.h"
#include "proto/alloc.h"
#include "ringmaster/error.h"

/* ---- small services --------------------------------------------------------------------------------------------- */

void rm_leader_trace (rm_leader_t *self, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start (args, format);
    vsnprintf (line, sizeof line, format, args);
    va_end (args);
    if (self->out.trace)
        self->out.trace (self->out.arg, line);
}

void rm_leader_out_of_memory (rm_leader_t *self)
{
    self->out_of_memory = true;
}

rm_peer_t *rm_leader_peer (const rm_leader_t *self, uint64_t inc)
{
    rm_member_t *member = rm_state_member (self->state, inc);
    return member ? member->peer : NULL;
}

void rm_leader_to_client (rm_leader_t *self, const rm_address_t *to, const rm_msg_t *msg)
{
    rm_buf_t frame = {0};
    if (rm_msg_encode (msg, &frame))
        rm_leader_out_of_memory (self);
    else
        self->out.to_client (self->out.arg, to, msg->type, &frame);
    rm_buf_close (&frame);
}

void rm_leader_to_worker (rm_leader_t *self, const rm_address_t *to, const rm_msg_t *msg)
{
    rm_buf_t frame = {0};
    if (rm_msg_encode (msg, &frame))
        rm_leader_out_of_memory (self);
    else
        self->out.to_worker (self->out.arg, to, msg->type, msg->type == RM_MSG_SYNC ? msg->sync.phase : 0, &frame);
    rm_buf_close (&frame);
}

bool rm_retry_policy (const rm_spacing_t *retry, rm_backoff_t *policy)
{
    if (!retry->delay_ms)
        return false;
    uint32_t cap_ms = retry->delay_ms > RM_RETRY_CAP_MS ? retry->delay_ms : RM_RETRY_CAP_MS;
    *policy = (rm_backoff_t){.delay_ms = retry->delay_ms,
                             .factor_permille = retry->permille ? retry->permille : RM_RETRY_PERMILLE,
                             .cap_ms = retry->cap_ms ? retry->cap_ms : cap_ms,
                             .jitter = retry->jitter ? (rm_jitter_t)(retry->jitter - 1) : RM_JITTER_FULL};
    return true;
}

bool rm_leader_queue_policy (const rm_leader_t *self, rm_spacing_t retry, rm_backoff_t *policy)
{
    if (!retry.delay_ms && (retry.permille || retry.cap_ms || retry.jitter))
        retry.delay_ms = (uint32_t)self->config.retry.delay_ms;
    return rm_retry_policy (&retry, policy);
}

/* The job's own policy, else its queue's, else the master's. One that cannot be (of two orders at once, or since the master
 * has another delay of its own now) is not. */
uint64_t rm_leader_retry_delay (rm_leader_t *self, const rm_record_t *record)
{
    rm_backoff_t policy;
    if (!(record->extra && rm_retry_policy (&record->extra->retry, &policy)) &&
        !rm_leader_queue_policy (self, record->queue->retry, &policy))
        policy = self->config.retry;
    if (rm_backoff_check (&policy, NULL))
        policy = self->config.retry;
    return rm_backoff_next (&policy, record->failures + 1, 0, rm_splitmix (&self->random));
}

/* The ledger's time is the calendar's once, and then goes on by the monotonic clock: setting the machine's clock neither
 * holds up what waits for its time nor makes what is kept for a while old at once. It never goes back. */
void rm_leader_see (rm_leader_t *self, rm_now_t now)
{
    if (self->now.mono_ms)
        now.wall_ms = self->now.wall_ms + (now.mono_ms - self->now.mono_ms);
    if (now.wall_ms < self->state->time_ms)
        now.wall_ms = self->state->time_ms;
    self->now = now;
}

/* ---- peers ------------------------------------------------------------------------------------------------------ */

void rm_leader_free_peer (rm_peer_t *peer)
{
    rm_fair_close (&peer->lane);
    rm_free (peer->serves);
    rm_free (peer->out);
    rm_free (peer->committed);
    rm_free (peer);
}

static bool note_queues (const rm_leader_t *self, rm_peer_t *peer)
{
    const rm_member_t *member = peer->member;
    peer->serves_words = self->state->queue_count / 64 + 1;
    peer->serves = rm_calloc (peer->serves_words, sizeof *peer->serves);
    peer->out = rm_calloc (RM_DISPATCH_JOBS, sizeof *peer->out);
    if (!peer->serves || !peer->out)
        return false;
    for (uint32_t i = 0; i < member->queue_count; i++)
        peer->serves[member->queues[i]->number / 64] |= 1ull << member->queues[i]->number % 64;
    return true;
}

static bool enlist (rm_leader_t *self, rm_peer_t *peer)
{
    if (self->peer_count == self->peer_capacity) {
        uint32_t capacity = self->peer_capacity ? self->peer_capacity * 2 : 16;
        rm_peer_t **peers = rm_realloc (self->peers, capacity * sizeof *peers);
        if (!peers)
            return false;
        self->peers = peers;
        self->peer_capacity = capacity;
    }
    self->peers[self->peer_count++] = peer;
    return true;
}

/* `reported`: it is new and holds nothing. NULL: memory has run out. */
rm_peer_t *rm_leader_add_peer (rm_leader_t *self, rm_member_t *member, bool reported)
{
    rm_peer_t *peer = rm_calloc (1, sizeof *peer);
    if (!peer || (!member->pool->lead && rm_leader_attach_pool (self, member->pool))) {
        rm_free (peer);
        rm_leader_out_of_memory (self);
        return NULL;
    }
    peer->member = member;
    rm_list_init (&peer->flight);
    rm_list_init (&peer->solo);
    rm_list_init (&peer->first);
    rm_fair_init (&peer->lane);
    peer->heard_ms = self->now.mono_ms;
    peer->window = member->threads;
    peer->reported = reported;
    if (!note_queues (self, peer) || !enlist (self, peer)) {
        rm_leader_free_peer (peer);
        rm_leader_out_of_memory (self);
        return NULL;
    }
    if (!reported)
        member->pool->lead->unreported++;
    member->peer = peer;
    return peer;
}

void rm_leader_unlist_peer (rm_leader_t *self, const rm_peer_t *peer)
{
    for (uint32_t i = 0; i < self->peer_count; i++)
        if (self->peers[i] == peer) {
            self->peers[i] = self->peers[--self->peer_count];
            return;
        }
}

/* ---- life ------------------------------------------------------------------------------------------------------- */

rm_leader_config_t rm_leader_defaults (void)
{
    return (rm_leader_config_t){
        .lease_ms = RM_LEASE_MS,
        .grace_ms = RM_GRACE_MS,
        .margin_ms = RM_MARGIN_MS,
        .heartbeat_ms = RM_HEARTBEAT_MS,
        .resize_window_ms = RM_RESIZE_WINDOW_MS,
        .resize_patience_ms = RM_RESIZE_PATIENCE_MS,
        .resync_ms = 100,
        .session_ttl_ms = RM_SESSION_TTL_MS,
        .keep_ms = RM_KEEP_MS,
        .payload_bytes_max = RM_PAYLOAD_BYTES_MAX,
        .result_bytes_max = RM_RESULT_BYTES_MAX,
        .jobs_max = 1000000,
        .bytes_max = 1ull << 30,
        .queue_jobs_max = 1000000,
        .queue_bytes_max = 1ull << 30,
        .client_jobs_max = 500000,
        .client_bytes_max = 512ull << 20,
        .waiters_max = 65536,
        .orders_max = 4096,
        .list_looks_max = 100000,
        .busy_ms = 250,
        .retry = {.tries = RM_TRIES,
                  .delay_ms = RM_RETRY_DELAY_MS,
                  .factor_permille = RM_RETRY_PERMILLE,
                  .cap_ms = RM_RETRY_CAP_MS,
                  .jitter = RM_JITTER_FULL},
    };
}

void rm_leader_init (rm_leader_t *self, rm_state_t *state, const rm_leader_config_t *config, const rm_leader_out_t *out,
                     uint64_t random)
{
    memset (self, 0, sizeof *self);
    self->state = state;
    self->config = *config;
    self->out = *out;
    self->random = random;
    rm_list_init (&self->batches);
    rm_list_init (&self->submits);
    rm_list_init (&self->told);
    rm_list_init (&self->joins);
    rm_list_init (&self->orders);
    rm_list_init (&self->lingering);
    rm_list_init (&self->spare_flights);
    self->format = 1;
    rm_leader_listen (self);
}

void rm_leader_stand (rm_leader_t *self, rm_now_t now)
{
    rm_leader_see (self, now);
    if (self->standing)
        return;
    rm_buf_t *entry = rm_leader_entry (self, RM_ENTRY_LEAD, 16);
    if (!entry)
        return;
    rm_entry_lead (entry);
    self->standing = true;
    self->barrier_batch = rm_leader_batch_number (self);
}

/* All masters read it, as the shell says: what comes with it may be written from now on. */
static void raise_format (rm_leader_t *self)
{
    if (self->raising || self->format <= self->state->format)
        return;
    rm_buf_t *entry = rm_leader_entry (self, RM_ENTRY_FORMAT, 2);
    if (!entry)
        return;
    rm_entry_format (entry, (uint8_t)self->format);
    self->raising = true;
}

/* The barrier is applied: every job that was accepted before it is known, every worker has a fresh lease. */
static void begin_to_lead (rm_leader_t *self)
{
    self->leading = true;
    rm_journal_begin (&self->journal, self->state->term);
    self->stamp = self->state->term << RM_STAMP_TERM_SHIFT;
    rm_journal_begin (&self->past, self->state->term);
    self->barrier_id = self->state->last_id;
    self->led_ms = self->now.wall_ms;
    self->dispatches = 0;
    self->ticked_ms = self->now.mono_ms;
    self->alone_ms = self->now.mono_ms + self->config.takeover_ms;
    for (rm_pool_t *pool = self->state->pools; pool; pool = pool->next)
        if (rm_leader_attach_pool (self, pool))
            return;
    for (uint32_t i = 0; i < RM_MEMBERS_MAX; i++)
        if (self->state->members[i] && !rm_leader_add_peer (self, self->state->members[i], false))
            return;
    for (rm_pool_t *pool = self->state->pools; pool; pool = pool->next) {
        rm_leader_refresh_pool (self, pool);
        if (!pool->lead->unreported)
            rm_leader_offer_unkeyed (self, pool);
    }
    RM_RECORD_EACH (self->state, record)
    if (record->outcome == RM_OUTCOME_NONE)
        rm_leader_watch_deadline (self, record);
    rm_leader_trace (self, "event=leading term=%llu epoch=%llu jobs=%llu workers=%u",
                     (unsigned long long)self->state->term, (unsigned long long)self->state->epoch,
                     (unsigned long long)self->state->waiting_count, self->peer_count);
    raise_format (self);
    rm_leader_resume_resize (self);
}

static void park_all (rm_leader_t *self)
{
    RM_RECORD_EACH (self->state, record)
    {
        rm_leader_park (self, record);
        rm_leader_drop_progress (self, record);
    }
    for (rm_queue_t *queue = self->state->queues; queue; queue = queue->hh.next)
        for (rm_key_t *key = queue->keys; key; key = key->hh.next) {
            if (key->lead.lane)
                rm_fair_remove (key->lead.lane, &key->lead.fair);
            key->lead.lane = NULL;
            key->lead.busy = NULL;
        }
}

void rm_leader_step_down (rm_leader_t *self)
{
    park_all (self);
    rm_leader_drop_spare_flights (self);
    rm_leader_drop_clients (self);
    rm_leader_answer_joins (self, NULL);
    for (uint32_t i = 0; i < self->peer_count; i++) {
        self->peers[i]->member->peer = NULL;
        rm_leader_free_peer (self->peers[i]);
    }
    self->peer_count = 0;
    for (rm_pool_t *pool = self->state->pools; pool; pool = pool->next) {
        if (pool->lead)
            rm_fair_close (&pool->lead->unkeyed);
        rm_free (pool->lead);
        pool->lead = NULL;
    }
    for (rm_batch_t *batch; (batch = rm_leader_take_batch (self, self->now));)
        rm_batch_destroy (&batch);
    self->resize.state = RM_RESIZE_IDLE;
    self->resize.wanted = false;
    self->leading = self->standing = self->cut_off = self->raising = false;
}

void rm_leader_close (rm_leader_t *self)
{
    rm_leader_step_down (self);
    self->state->listener = (rm_state_listener_t){0};
    rm_buf_close (&self->resize.phase2);
    rm_heap_close (&self->delays);
    rm_heap_close (&self->deadlines);
    rm_heap_close (&self->polls);
    rm_free (self->peers);
}

/* ---- events ----------------------------------------------------------------------------------------------------- */

void rm_leader_applied (rm_leader_t *self, rm_now_t now, uint64_t number)
{
    rm_leader_see (self, now);
    if (self->out_of_memory)
        return;
    self->applied_number = number;
    if (self->standing && !self->leading && number >= self->barrier_batch)
        begin_to_lead (self);
    rm_leader_answer_submits (self, number);
    rm_leader_answer_orders (self, number);
    rm_leader_answer_waiters (self);
}

static void forgive (const rm_leader_t *self, rm_peer_t *peer, uint64_t slept_ms)
{
    peer->heard_ms += slept_ms;
    if (peer->heard_ms > self->now.mono_ms)
        peer->heard_ms = self->now.mono_ms;
}

/* When this leader, or a former one, may have renewed its lease last. */
static uint64_t renewed_ms (const rm_leader_t *self, const rm_peer_t *peer)
{
    return peer->heard_ms > self->alone_ms ? peer->heard_ms : self->alone_ms;
}

/* A worker is gone lease, grace and margin after its newest heartbeat: later than it stopped itself. When this process
 * slept (was stopped, or cut off), nobody could be heard: that time does not count. */
static void check_leases (rm_leader_t *self)
{
    const rm_leader_config_t *config = &self->config;
    uint64_t slept = self->now.mono_ms - self->ticked_ms;
    bool removed = false;
    for (uint32_t i = 0; i < self->peer_count; i++) {
        rm_peer_t *peer = self->peers[i];
        if (slept > config->heartbeat_ms)
            forgive (self, peer, slept);
        if (peer->removing ||
            self->now.mono_ms < renewed_ms (self, peer) + config->lease_ms + config->grace_ms + config->margin_ms)
            continue;
        rm_leader_remove_peer (self, peer, "silent");
        removed = true;
    }
    if (removed)
        rm_leader_propose_begin (self);
}

void rm_leader_tick (rm_leader_t *self, rm_now_t now)
{
    rm_leader_see (self, now);
    if (!rm_leader_speaks (self))
        return;
    check_leases (self);
    self->ticked_ms = now.mono_ms;
    rm_leader_due (self);
    rm_leader_end_overdue (self);
    rm_leader_end_polls (self);
    rm_leader_end_lingering (self);
    rm_leader_sweep (self);
}

void rm_leader_flush (rm_leader_t *self, rm_now_t now)
{
    rm_leader_see (self, now);
    if (!rm_leader_speaks (self))
        return;
    raise_format (self);
    rm_leader_resize_step (self);
    for (uint32_t i = 0; i < self->peer_count; i++)
        rm_leader_tell_committed (self, self->peers[i]);
    rm_leader_pump (self);
}

uint32_t rm_leader_drain (rm_leader_t *self, rm_now_t now, rm_bytes_t worker)
{
    uint32_t found = 0;
    rm_leader_see (self, now);
    for (uint32_t i = 0; i < self->peer_count; i++) {
        rm_peer_t *peer = self->peers[i];
        if (!rm_bytes_equal (rm_bytes (peer->member->name), worker))
            continue;
        peer->leave_asked = true;
        found++;
    }
    if (found)
        rm_leader_want_resize (self, false);
    return found;
}
