/*  Handing out: to whom, how many, and the dispatch message. */
#include "core/leader_inside.h"

/* ---- the message ------------------------------------------------------------------------------------------------ */

static rm_bytes_t blob_bytes (const rm_blob_t *blob)
{
    return blob ? (rm_bytes_t){blob->data, blob->size} : (rm_bytes_t){0};
}

static uint32_t timeout_of (const rm_record_t *record)
{
    return record->timeout_ms ? record->timeout_ms : record->queue->timeout_ms;
}

static rm_dispatch_job_t spell (const rm_record_t *record)
{
    return (rm_dispatch_job_t){
        .id = record->id,
        .token = record->lead.token,
        .slot = record->key ? record->key->slot : RM_SLOTS,
        .attempt = rm_record_attempt (record),
        .timeout_ms = timeout_of (record),
        .flags = record->flags,
        .queue = rm_bytes (record->queue->name),
        .key = blob_bytes (record->key_bytes),
        .data = blob_bytes (record->data),
    };
}

static void send_jobs (rm_leader_t *self, rm_peer_t *peer, rm_record_t **records, uint32_t count)
{
    if (!count)
        return;
    for (uint32_t i = 0; i < count; i++)
        self->dispatch[i] = spell (records[i]);
    rm_msg_t msg = {.type = RM_MSG_DISPATCH};
    msg.dispatch = (rm_msg_dispatch_t){.term = self->state->term,
                                       .epoch = self->state->epoch,
                                       .inc = peer->member->inc,
                                       .seq = records[0]->lead.seq,
                                       .jobs = self->dispatch,
                                       .job_count = count};
    rm_leader_to_worker (self, &peer->route, &msg);
}

static void send_out (rm_leader_t *self, rm_peer_t *peer)
{
    uint32_t count = peer->out_count;
    peer->out_count = 0;
    peer->out_bytes = 0;
    send_jobs (self, peer, peer->out, count);
}

/* Numbers a job that is in flight at `peer` and sends it with the next message. */
void rm_leader_dispatch (rm_leader_t *self, rm_peer_t *peer, rm_record_t *record)
{
    record->lead.token = self->state->term << 40 | ++self->dispatches;
    record->lead.seq = ++peer->last_seq;
    rm_list_remove (&record->lead.flight);
    rm_list_append (&peer->flight, &record->lead.flight);
    if (peer->out_count == RM_DISPATCH_JOBS || peer->out_bytes > RM_DISPATCH_BYTES)
        send_out (self, peer);
    peer->out[peer->out_count++] = record;
    peer->out_bytes += record->data_size + 64;
}

/* A connection swallowed what was dispatched after `upto`: the same jobs under the same numbers once more. None of them
 * can have left the flight list, since nothing a worker says counts for what it has not received. */
void rm_leader_resend (rm_leader_t *self, rm_peer_t *peer)
{
    rm_record_t *batch[RM_DISPATCH_JOBS];
    uint32_t count = 0;
    send_out (self, peer);
    RM_LIST_EACH (&peer->flight, link)
    {
        rm_record_t *record = RM_OWNER (link, rm_record_t, lead.flight);
        if (record->lead.seq <= peer->upto)
            continue;
        RM_ASSERT (!count || record->lead.seq == batch[count - 1]->lead.seq + 1);
        batch[count++] = record;
        if (count == RM_DISPATCH_JOBS) {
            send_jobs (self, peer, batch, count);
            count = 0;
        }
    }
    send_jobs (self, peer, batch, count);
    rm_leader_trace (self, "event=resent worker=%s after=%llu last=%llu", peer->member->name,
                     (unsigned long long)peer->upto, (unsigned long long)peer->last_seq);
}

/* ---- the choice ------------------------------------------------------------------------------------------------- */

static bool serves (uint32_t queue, void *arg)
{
    const rm_peer_t *peer = arg;
    return queue / 64 < peer->serves_words && peer->serves[queue / 64] >> queue % 64 & 1;
}

static bool may_work (const rm_peer_t *peer)
{
    return peer->reported && !peer->removing && !peer->leave_asked && !peer->member->leaving;
}

/* At-most-once jobs are logged as started before they leave, and never wait at a worker for a thread. */
static bool hand_out (rm_leader_t *self, rm_peer_t *peer, rm_record_t *record)
{
    if (!(record->flags & RM_JOB_AT_MOST_ONCE)) {
        rm_leader_take_off (self, record, peer, RM_AT_SENT);
        rm_leader_dispatch (self, peer, record);
        return true;
    }
    if (rm_peer_load (peer) >= peer->member->threads) {
        if (record->key)
            rm_leader_withdraw_key (self, record->key);
        else
            rm_leader_withdraw_record (self, record);
        rm_leader_offer_record (self, record, true);
        return false;
    }
    rm_leader_take_off (self, record, peer, RM_AT_STARTING);
    rm_buf_t *entry = rm_leader_entry (self, RM_ENTRY_START, 32);
    if (entry)
        rm_entry_start (entry, &(rm_entry_start_t){record->id, peer->member->inc});
    return true;
}

static rm_record_t *solo_for (rm_peer_t *peer, rm_link_t *list)
{
    RM_LIST_EACH (list, link)
    {
        rm_record_t *record = RM_OWNER (link, rm_record_t, lead.solo);
        if (serves (record->queue->number, peer))
            return record;
    }
    return NULL;
}

/* A job that took a worker along runs alone: the worker is let run dry, then it gets that job and nothing beside it.
 * True when the worker is set aside for that. */
static bool hand_out_solo (rm_leader_t *self, rm_peer_t *peer)
{
    rm_record_t *record = solo_for (peer, &peer->solo);
    if (!record)
        record = solo_for (peer, &peer->member->pool->lead->solo);
    if (record && !rm_peer_load (peer))
        hand_out (self, peer, record);
    return record || peer->alone;
}

static rm_record_t *next_keyed (rm_peer_t *peer)
{
    rm_fair_item_t *item = rm_fair_next (&peer->lane, serves, peer);
    if (!item)
        return NULL;
    rm_key_t *key = RM_OWNER (item, rm_key_t, lead.fair);
    key->lead.lane = NULL;
    return RM_OWNER (rm_list_first (&key->records), rm_record_t, line);
}

static rm_record_t *next_unkeyed (rm_peer_t *peer)
{
    rm_fair_item_t *item = rm_fair_next (&peer->member->pool->lead->unkeyed, serves, peer);
    return item ? RM_OWNER (item, rm_record_t, lead.fair) : NULL;
}

/* Up to `most` jobs while fewer than `credit` are in flight; keyed and unkeyed take turns. How many it got. */
static uint32_t feed (rm_leader_t *self, rm_peer_t *peer, uint32_t credit, uint32_t most)
{
    uint32_t fed = 0;
    bool keyed = self->peer_turn & 1;
    while (fed < most && rm_peer_load (peer) < credit) {
        keyed = !keyed;
        rm_record_t *record = keyed ? next_keyed (peer) : next_unkeyed (peer);
        if (!record)
            record = keyed ? next_unkeyed (peer) : next_keyed (peer);
        if (!record || !hand_out (self, peer, record))
            break;
        fed++;
    }
    return fed;
}

/* One round over all workers; false when nobody got anything. */
static bool feed_all (rm_leader_t *self, bool prefetch, uint32_t most)
{
    bool any = false;
    for (uint32_t i = 0; i < self->peer_count; i++) {
        rm_peer_t *peer = self->peers[(i + self->peer_turn) % self->peer_count];
        if (!may_work (peer) || hand_out_solo (self, peer))
            continue;
        uint32_t credit = prefetch ? peer->window : peer->member->threads;
        if (rm_peer_load (peer) < credit && feed (self, peer, credit, most))
            any = true;
    }
    self->peer_turn++;
    return any;
}

/* Idle threads first, one job at a time, so that the least loaded worker is served first; then prefetch. */
void rm_leader_pump (rm_leader_t *self)
{
    while (feed_all (self, false, 1))
        ;
    while (feed_all (self, true, 32))
        ;
    for (uint32_t i = 0; i < self->peer_count; i++)
        send_out (self, self->peers[i]);
}
