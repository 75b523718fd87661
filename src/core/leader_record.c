/*  Where the leader believes each job to be, and what may be handed out next. */
#include <string.h>

#include "core/leader_inside.h"
#include "proto/alloc.h"

/* from → to that are allowed (the drawing is above rm_at_t). */
static const uint8_t moves[RM_AT_STATES] = {
    [RM_AT_PARKED] = 1 << RM_AT_READY | 1 << RM_AT_STARTING | 1 << RM_AT_SENT | 1 << RM_AT_STOPPING,
    [RM_AT_READY] = 1 << RM_AT_PARKED,
    [RM_AT_STARTING] = 1 << RM_AT_SENT | 1 << RM_AT_PARKED,
    [RM_AT_SENT] = 1 << RM_AT_REPORTED | 1 << RM_AT_UNSTARTING | 1 << RM_AT_PARKED,
    [RM_AT_REPORTED] = 1 << RM_AT_PARKED | 1 << RM_AT_SENT | 1 << RM_AT_FAILED,
    [RM_AT_FAILED] = 1 << RM_AT_PARKED,
    [RM_AT_UNSTARTING] = 1 << RM_AT_PARKED,
    [RM_AT_STOPPING] = 1 << RM_AT_PARKED,
};

/* What it has there begins with zeros, unless it stays in flight. */
static void begin_place (rm_record_t *record)
{
    _Static_assert(sizeof record->lead.over >= sizeof record->lead.fair, "it is what all of them lie in");
    memset (&record->lead.over, 0, sizeof record->lead.over);
}

void rm_leader_move_record (rm_record_t *record, rm_at_t to)
{
    rm_at_t from = record->lead.at;
    RM_ASSERT (moves[from] & 1 << to);
    RM_ASSERT (from != RM_AT_PARKED || !record->lead.delay.place);
    RM_ASSERT (from != RM_AT_READY || !rm_fair_contains (&record->lead.fair));
    record->lead.at = to;
    if (rm_at_flies (from) && rm_at_flies (to))
        return;
    begin_place (record);
    if (to == RM_AT_READY)
        rm_list_init (&record->lead.fair.link);
}

/* What a job costs its client's turn. */
static uint32_t cost_of (const rm_record_t *record)
{
    return rm_fair_cost (record->data_size);
}

/* True when it must not be handed out before its time; it is remembered then. */
static bool delayed (rm_leader_t *self, rm_record_t *record)
{
    if (record->not_before_ms <= self->now.wall_ms) {
        rm_heap_remove (&self->delays, &record->lead.delay);
        return false;
    }
    if (rm_heap_put (&self->delays, &record->lead.delay, record->not_before_ms))
        rm_leader_out_of_memory (self);
    return true;
}

static uint64_t client_of (const rm_record_t *record)
{
    return record->session->number;
}

void rm_leader_withdraw_record (rm_leader_t *self, rm_record_t *record)
{
    if (record->lead.at == RM_AT_PARKED) {
        rm_heap_remove (&self->delays, &record->lead.delay);
        return;
    }
    if (rm_record_flight (record))
        return;
    if (record->lead.at == RM_AT_READY && rm_fair_contains (&record->lead.fair))
        rm_fair_remove (&record->queue->pool->lead->unkeyed, &record->lead.fair);
    else if (record->lead.at == RM_AT_READY)
        rm_list_remove (&record->lead.fair.link);
    rm_leader_move_record (record, RM_AT_PARKED);
}

void rm_leader_withdraw_key (rm_leader_t *self, rm_key_t *key)
{
    if (key->lead.lane)
        rm_fair_remove (key->lead.lane, &key->lead.fair);
    key->lead.lane = NULL;
    rm_link_t *first = rm_list_first (&key->records);
    rm_record_t *record = first ? RM_OWNER (first, rm_record_t, line) : NULL;
    if (record && !key->lead.busy && record->lead.at != RM_AT_STOPPING)
        rm_leader_withdraw_record (self, record);
}

/* Offers the head of a key's line to the owner of its slot, if the slot is open; takes an older offer back first. */
void rm_leader_offer_key (rm_leader_t *self, rm_key_t *key, bool front)
{
    rm_leader_withdraw_key (self, key);
    rm_link_t *first = rm_list_first (&key->records);
    if (!rm_leader_acts (self) || !first || key->lead.busy || !key->queue->pool)
        return;
    rm_record_t *record = RM_OWNER (first, rm_record_t, line);
    if (rm_leader_stops (self, record) || key->queue->paused || rm_record_holder (record))
        return;
    rm_slot_t *slot = &key->queue->pool->lead->slots[key->slot];
    if (slot->state != RM_SLOT_OPEN || delayed (self, record))
        return;
    rm_peer_t *peer = self->state->members[slot->at]->peer;
    rm_leader_move_record (record, RM_AT_READY);
    if (record->crashes) {
        rm_list_append (&peer->solo, &record->lead.fair.link);
    } else {
        int rc = rm_fair_push (&peer->lane, key->queue->number, client_of (record), rm_record_priority (record),
                               &key->lead.fair, cost_of (record), front);
        if (rc) {
            rm_leader_move_record (record, RM_AT_PARKED);
            rm_leader_out_of_memory (self);
            return;
        }
        key->lead.lane = &peer->lane;
    }
}

/* Its line is longer or shorter. A head that is on offer keeps its place, so that what comes behind it does not hold it up. */
void rm_leader_offer_head (rm_leader_t *self, rm_key_t *key)
{
    const rm_link_t *first = rm_list_first (&key->records);
    if (first && RM_OWNER (first, rm_record_t, line)->lead.at != RM_AT_READY)
        rm_leader_offer_key (self, key, false);
}

static void offer_unkeyed (rm_leader_t *self, rm_record_t *record, bool front)
{
    rm_pool_t *pool = record->queue->pool;
    if (!rm_leader_acts (self) || !pool || record->lead.at != RM_AT_PARKED)
        return;
    struct rm_pool_lead *lead = pool->lead;
    if (record->id <= lead->barrier_id && lead->unreported)
        return;
    if (rm_leader_stops (self, record) || record->queue->paused || delayed (self, record))
        return;
    rm_leader_move_record (record, RM_AT_READY);
    if (record->crashes) {
        rm_list_append (&lead->solo, &record->lead.fair.link);
    } else if (rm_fair_push (&lead->unkeyed, record->queue->number, client_of (record), rm_record_priority (record),
                             &record->lead.fair, cost_of (record), front)) {
        rm_leader_move_record (record, RM_AT_PARKED);
        rm_leader_out_of_memory (self);
    }
}

void rm_leader_offer_record (rm_leader_t *self, rm_record_t *record, bool front)
{
    if (record->key)
        rm_leader_offer_key (self, record->key, front);
    else
        offer_unkeyed (self, record, front);
}

void rm_leader_offer_unkeyed (rm_leader_t *self, rm_pool_t *pool)
{
    for (rm_queue_t *queue = self->state->queues; queue; queue = queue->hh.next)
        if (queue->pool == pool)
            RM_LIST_EACH (&queue->unkeyed, link)
                offer_unkeyed (self, RM_OWNER (link, rm_record_t, line), false);
}

void rm_leader_offer_queue (rm_leader_t *self, rm_queue_t *queue)
{
    for (rm_key_t *key = queue->keys; key; key = key->hh.next)
        rm_leader_offer_key (self, key, false);
    RM_LIST_EACH (&queue->unkeyed, link)
        offer_unkeyed (self, RM_OWNER (link, rm_record_t, line), false);
}

/* A queue was paused, or is no longer: what is on offer is taken back, or all of it is offered. */
void rm_leader_review_queue (rm_leader_t *self, rm_queue_t *queue)
{
    if (!queue->pool)
        return;
    RM_LIST_EACH (&queue->unkeyed, link) {
        rm_record_t *record = RM_OWNER (link, rm_record_t, line);
        if (queue->paused && record->lead.at == RM_AT_READY)
            rm_leader_withdraw_record (self, record);
    }
    rm_leader_offer_queue (self, queue);
}

/* Flights come and go with every job: those that are over are kept for the next ones. */
static rm_flight_t *new_flight (rm_leader_t *self)
{
    rm_link_t *spare = rm_list_first (&self->spare_flights);
    if (!spare)
        return rm_malloc (sizeof (rm_flight_t));
    rm_list_remove (spare);
    self->spare_count--;
    return RM_OWNER (spare, rm_flight_t, link);
}

static void end_flight (rm_leader_t *self, rm_record_t *record)
{
    rm_flight_t *flight = record->lead.flight;
    rm_list_remove (&flight->link);
    rm_leader_move_record (record, RM_AT_PARKED);
    if (self->spare_count == RM_SPARE_FLIGHTS_MAX) {
        rm_free (flight);
        return;
    }
    rm_list_append (&self->spare_flights, &flight->link);
    self->spare_count++;
}

void rm_leader_drop_spare_flights (rm_leader_t *self)
{
    while (self->spare_count)
        rm_free (new_flight (self));
}

/* Puts a job in flight at `peer`: chosen (STARTING), dispatched or learnt from a report (SENT). False: there is no memory for
 * it, and it stays where it is. */
bool rm_leader_take_off (rm_leader_t *self, rm_record_t *record, rm_peer_t *peer, rm_at_t to)
{
    rm_flight_t *flight = new_flight (self);
    if (!flight) {
        rm_leader_out_of_memory (self);
        return false;
    }
    if (record->key)
        rm_leader_withdraw_key (self, record->key);
    else
        rm_leader_withdraw_record (self, record);
    *flight = (rm_flight_t){.record = record, .peer = peer};
    rm_leader_move_record (record, to);
    record->lead.flight = flight;
    rm_leader_note (self, record, RM_EVENT_BEGUN);
    rm_list_append (&peer->flight, &flight->link);
    peer->flight_count++;
    peer->alone = peer->alone || record->crashes;
    if (!record->key)
        return true;
    record->key->lead.busy = record;
    rm_slot_t *slot = &record->queue->pool->lead->slots[record->key->slot];
    RM_ASSERT (slot->state == RM_SLOT_UNKNOWN || slot->at == peer->member->number);
    if (!slot->in_flight)
        slot->at = peer->member->number;
    slot->in_flight++;
    return true;
}

/* Nobody leads here any more: the job is where one is that no leader has looked at. */
void rm_leader_park (rm_leader_t *self, rm_record_t *record)
{
    if (record->extra)
        rm_heap_remove (&self->deadlines, &record->extra->end);
    if (record->outcome != RM_OUTCOME_NONE)
        begin_place (record);
    else if (rm_record_flight (record))
        end_flight (self, record);
    else
        rm_leader_withdraw_record (self, record);
}

/* Takes it out of flight; it is PARKED, and its slot may have become free. */
void rm_leader_land (rm_leader_t *self, rm_record_t *record)
{
    rm_peer_t *peer = rm_record_peer (record);
    peer->flight_count--;
    if (record->lead.at == RM_AT_FAILED)
        peer->failed_count--;
    if (!rm_peer_load (peer))
        peer->alone = false;
    end_flight (self, record);
    if (!record->key)
        return;
    record->key->lead.busy = NULL;
    rm_slot_t *slot = &record->queue->pool->lead->slots[record->key->slot];
    if (--slot->in_flight == 0)
        rm_leader_refresh_slot (self, record->queue->pool, record->key->slot);
}

/* Its attempt is over, and another one will be: until the worker that holds it still has let go of it, it is nobody
 * else's. */
void rm_leader_await_release (rm_leader_t *self, rm_record_t *record)
{
    rm_peer_t *peer = rm_record_peer (record);
    rm_leader_move_record (record, RM_AT_FAILED);
    peer->failed_count++;
    if (!rm_peer_load (peer))
        peer->alone = false;
    rm_leader_commit_past (self, peer, record);
}

/* Its worker holds it no more, without having started it: it goes to the head of its line again. */
void rm_leader_hand_back (rm_leader_t *self, rm_record_t *record)
{
    if (record->started_inc) {
        rm_leader_move_record (record, RM_AT_UNSTARTING);
        rm_buf_t *entry = rm_leader_entry (self, RM_ENTRY_UNSTART, 32);
        if (entry)
            rm_entry_unstart (entry, &(rm_entry_start_t){record->id, record->started_inc});
        return;
    }
    if (rm_record_runs (record)) {
        rm_leader_note (self, record, RM_EVENT_RETURNED);
        rm_leader_remember_given (self, record);
        rm_leader_remember (self, &(rm_event_t){.id = record->id,
                                                .inc = rm_record_peer (record)->member->inc,
                                                .wall_ms = self->now.wall_ms,
                                                .attempt = rm_record_attempt (record),
                                                .kind = RM_EVENT_RETURNED});
    }
    rm_leader_land (self, record);
    rm_leader_offer_record (self, record, true);
}

/* Offers what was delayed and whose time has come. */
void rm_leader_due (rm_leader_t *self)
{
    for (rm_heap_node_t *top; (top = rm_heap_top (&self->delays)) && top->due <= self->now.wall_ms;) {
        rm_heap_remove (&self->delays, top);
        rm_leader_offer_record (self, RM_OWNER (top, rm_record_t, lead.delay), false);
    }
}
