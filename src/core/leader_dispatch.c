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
        .token = record->lead.flight->token,
        .slot = record->key ? record->key->slot : RM_SLOTS,
        .attempt = rm_record_attempt (record),
        .timeout_ms = timeout_of (record),
        .flags = record->flags,
        .queue = rm_bytes (record->queue->name),
        .key = blob_bytes (record->key_bytes),
        .data = blob_bytes (record->data),
    };
}

static void send_jobs (rm_leader_t *self, rm_peer_t *peer, uint64_t epoch, rm_record_t **records, uint32_t count)
{
    if (!count)
        return;
    for (uint32_t i = 0; i < count; i++)
        self->dispatch[i] = spell (records[i]);
    rm_msg_t msg = {.type = RM_MSG_DISPATCH};
    msg.dispatch = (rm_msg_dispatch_t){.term = self->state->term,
                                       .epoch = epoch,
                                       .inc = peer->member->inc,
                                       .seq = records[0]->lead.flight->seq,
                                       .jobs = self->dispatch,
                                       .job_count = count};
    rm_leader_to_worker (self, &peer->route, &msg);
}

static void send_chosen (rm_leader_t *self, rm_peer_t *peer, uint64_t epoch)
{
    uint32_t count = peer->out_count;
    peer->out_count = 0;
    peer->out_bytes = 0;
    send_jobs (self, peer, epoch, peer->out, count);
}

static void send_out (rm_leader_t *self, rm_peer_t *peer)
{
    send_chosen (self, peer, self->state->epoch);
}

/* An epoch has begun: what was chosen in the one before goes out as of that one, since its slots may have moved. */
void rm_leader_send_of_epoch (rm_leader_t *self, uint64_t epoch)
{
    for (uint32_t i = 0; i < self->peer_count; i++)
        send_chosen (self, self->peers[i], epoch);
}

/* Numbers a job that is in flight at `peer` and sends it with the next message. */
void rm_leader_dispatch (rm_leader_t *self, rm_peer_t *peer, rm_record_t *record)
{
    rm_flight_t *flight = record->lead.flight;
    flight->token = self->state->term << 40 | ++self->dispatches;
    flight->seq = ++peer->last_seq;
    flight->given = (rm_given_t){self->now.wall_ms, peer->member->inc, rm_record_attempt (record)};
    rm_list_remove (&flight->link);
    rm_list_append (&peer->flight, &flight->link);
    if (peer->out_count == RM_DISPATCH_JOBS || peer->out_bytes > RM_DISPATCH_BYTES)
        send_out (self, peer);
    peer->out[peer->out_count++] = record;
    peer->out_bytes += record->data_size + RM_MESSAGE_ROW_BYTES;
}

/* A connection swallowed what was dispatched after `upto`: the same jobs under the same numbers once more. None of them
 * can have left the flight list, since nothing a worker says counts for what it has not received. */
void rm_leader_resend (rm_leader_t *self, rm_peer_t *peer)
{
    rm_record_t *batch[RM_DISPATCH_JOBS];
    uint32_t count = 0;
    send_out (self, peer);
    RM_LIST_EACH (&peer->flight, link) {
        rm_record_t *record = RM_OWNER (link, rm_flight_t, link)->record;
        if (record->lead.flight->seq <= peer->upto)
            continue;
        RM_ASSERT (!count || record->lead.flight->seq == batch[count - 1]->lead.flight->seq + 1);
        batch[count++] = record;
        if (count == RM_DISPATCH_JOBS) {
            send_jobs (self, peer, self->state->epoch, batch, count);
            count = 0;
        }
    }
    send_jobs (self, peer, self->state->epoch, batch, count);
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

/* Whether a job that is in flight at a worker, but not sent yet, may still go there. */
bool rm_leader_may_send (const rm_record_t *record)
{
    const rm_key_t *key = record->key;
    return may_work (rm_record_peer (record)) &&
           (!key || key->queue->pool->lead->slots[key->slot].state == RM_SLOT_OPEN);
}

/* At-most-once jobs are logged as started before they leave, and never wait at a worker for a thread: one whose turn comes
 * when there is none is the first to get one, and nothing is prefetched meanwhile. */
static bool hand_out (rm_leader_t *self, rm_peer_t *peer, rm_record_t *record)
{
    if (!(record->flags & RM_JOB_AT_MOST_ONCE)) {
        if (!rm_leader_take_off (self, record, peer, RM_AT_SENT))
            return false;
        rm_leader_dispatch (self, peer, record);
        return true;
    }
    if (rm_peer_load (peer) >= peer->member->threads) {
        if (!rm_list_linked (&record->lead.fair.link))
            rm_list_append (record->key ? &peer->first : &peer->member->pool->lead->first, &record->lead.fair.link);
        return false;
    }
    if (!rm_leader_take_off (self, record, peer, RM_AT_STARTING))
        return false;
    rm_buf_t *entry = rm_leader_entry (self, RM_ENTRY_START, 32);
    if (entry)
        rm_entry_start (entry, &(rm_entry_start_t){record->id, peer->member->inc});
    return true;
}

/* The first job of a list whose queue the worker serves. */
static rm_record_t *aside_for (rm_peer_t *peer, rm_link_t *list)
{
    RM_LIST_EACH (list, link) {
        rm_record_t *record = RM_OWNER (link, rm_record_t, lead.fair.link);
        if (serves (record->queue->number, peer))
            return record;
    }
    return NULL;
}

/* Whether no other worker would run dry sooner for a job of that queue. */
static bool is_emptiest (const rm_leader_t *self, const rm_peer_t *peer, uint32_t queue)
{
    for (uint32_t i = 0; i < self->peer_count; i++) {
        rm_peer_t *other = self->peers[i];
        bool sooner = rm_peer_load (other) < rm_peer_load (peer) ||
                      (rm_peer_load (other) == rm_peer_load (peer) && other->member->number < peer->member->number);
        if (sooner && may_work (other) && other->member->pool == peer->member->pool && serves (queue, other))
            return false;
    }
    return true;
}

/* A job that took a worker along runs alone: one worker is let run dry, then it gets that job and nothing beside it.
 * True when this one is set aside for that. */
static bool hand_out_solo (rm_leader_t *self, rm_peer_t *peer)
{
    rm_record_t *record = aside_for (peer, &peer->solo);
    if (!record) {
        record = aside_for (peer, &peer->member->pool->lead->solo);
        if (record && !is_emptiest (self, peer, record->queue->number))
            record = NULL;
    }
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

/* What has waited for a thread comes first; keyed and unkeyed take turns. */
static rm_record_t *next_record (rm_peer_t *peer, bool keyed)
{
    rm_record_t *record = aside_for (peer, &peer->first);
    if (!record)
        record = aside_for (peer, &peer->member->pool->lead->first);
    if (!record)
        record = keyed ? next_keyed (peer) : next_unkeyed (peer);
    if (!record)
        record = keyed ? next_unkeyed (peer) : next_keyed (peer);
    return record;
}

/* Up to `most` jobs while fewer than `credit` are in flight. How many it got. */
static uint32_t feed (rm_leader_t *self, rm_peer_t *peer, uint32_t credit, uint32_t most)
{
    uint32_t fed = 0;
    bool keyed = self->peer_turn & 1;
    while (fed < most && rm_peer_load (peer) < credit) {
        keyed = !keyed;
        rm_record_t *record = next_record (peer, keyed);
        if (!record || !hand_out (self, peer, record))
            break;
        fed++;
    }
    return fed;
}

/* One round over all workers: as many jobs as they have threads, but no more than `level`; or (level 0) as their window
 * allows. False when nobody got anything. */
static bool feed_all (rm_leader_t *self, uint32_t level)
{
    bool any = false;
    for (uint32_t i = 0; i < self->peer_count; i++) {
        rm_peer_t *peer = self->peers[(i + self->peer_turn) % self->peer_count];
        if (!may_work (peer) || hand_out_solo (self, peer))
            continue;
        uint32_t credit = !level ? peer->window : level < peer->member->threads ? level : peer->member->threads;
        if (feed (self, peer, credit, level ? 1 : 32))
            any = true;
    }
    self->peer_turn++;
    return any;
}

/* The load, not below `from`, of the least loaded worker that has a free thread and something to choose from; UINT32_MAX:
 * there is none. */
static uint32_t least_load (const rm_leader_t *self, uint32_t from)
{
    uint32_t least = UINT32_MAX;
    for (uint32_t i = 0; i < self->peer_count; i++) {
        const rm_peer_t *peer = self->peers[i];
        const struct rm_pool_lead *pool = peer->member->pool->lead;
        uint32_t load = rm_peer_load (peer) < from ? from : rm_peer_load (peer);
        bool offers = rm_fair_count (&peer->lane) || rm_fair_count (&pool->unkeyed) || !rm_list_empty (&peer->solo) ||
                      !rm_list_empty (&pool->solo) || !rm_list_empty (&peer->first) || !rm_list_empty (&pool->first);
        if (offers && may_work (peer) && load < peer->member->threads && load < least)
            least = load;
    }
    return least;
}

/* Idle threads first, those of the least loaded workers before all; then prefetch. */
void rm_leader_pump (rm_leader_t *self)
{
    for (uint32_t load = 0; (load = least_load (self, load)) != UINT32_MAX; load++)
        while (feed_all (self, load + 1))
            ;
    while (feed_all (self, 0))
        ;
    for (uint32_t i = 0; i < self->peer_count; i++)
        send_out (self, self->peers[i]);
}
