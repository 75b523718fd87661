/*  What the leader learns from an apply: the listener of its state (rm_state_listener_t), which is called in the middle of
 *  it. */
#include <stdio.h>

#include "core/leader_inside.h"
#include "core/settings.h"
#include "proto/assert.h"

static void on_accepted (void *arg, rm_record_t *record)
{
    rm_leader_t *self = arg;
    if (!self->leading)
        return;
    if (record->extra && record->extra->kicked_from)
        rm_leader_kicked (self, record);
    rm_leader_note (self, record, RM_EVENT_ACCEPTED);
    rm_leader_watch_deadline (self, record);
    if (record->key)
        rm_leader_offer_head (self, record->key);
    else
        rm_leader_offer_record (self, record, false);
}

static void on_stopping (void *arg, rm_record_t *record)
{
    rm_leader_t *self = arg;
    if (!rm_leader_acts (self))
        return;
    rm_leader_remember (self, &(rm_event_t){.id = record->id,
                                            .wall_ms = self->now.wall_ms,
                                            .attempt = rm_record_attempt (record),
                                            .kind = RM_EVENT_STOPPING});
    rm_leader_stopping (self, record);
}

static void on_released (void *arg, rm_key_t *key)
{
    rm_leader_t *self = arg;
    if (self->leading)
        rm_leader_offer_key (self, key, false);
}

/* All other settings are looked up when they are needed: what is on offer keeps its place. */
static void on_queue_set (void *arg, rm_queue_t *queue, uint32_t setting)
{
    rm_leader_t *self = arg;
    if (rm_leader_acts (self) && setting == RM_SETTING_PAUSED)
        rm_leader_review_queue (self, queue);
}

/* Takes a record that is in a worker's hands, or on offer, out of the leader's books. */
static void withdraw (rm_leader_t *self, rm_record_t *record)
{
    rm_peer_t *peer = rm_record_peer (record);
    if (peer) {
        rm_leader_commit_past (self, peer, record);
        rm_leader_land (self, record);
        return;
    }
    rm_key_t *key = record->key;
    if (key && key->lead.lane && record->lead.at == RM_AT_READY) {
        rm_fair_remove (key->lead.lane, &key->lead.fair);
        key->lead.lane = NULL;
    }
    rm_leader_withdraw_record (self, record);
}

static void on_ended (void *arg, rm_record_t *record)
{
    rm_leader_t *self = arg;
    if (!self->leading)
        return;
    rm_leader_note (self, record, RM_EVENT_ENDED);
    if (record->extra)
        rm_heap_remove (&self->deadlines, &record->extra->end);
    const rm_flight_t *flight = rm_record_flight (record);
    rm_given_t given = flight ? flight->given : (rm_given_t){0};
    withdraw (self, record);
    record->lead.over.given = given;
    if (record->key)
        rm_leader_offer_head (self, record->key);
    rm_leader_note_waiters (self, record);
    rm_leader_end_progress (self, record);
}

static void on_waits_again (void *arg, rm_record_t *record)
{
    rm_leader_t *self = arg;
    if (!self->leading)
        return;
    rm_leader_note (self, record, RM_EVENT_FAILED);
    rm_leader_remember_given (self, record);
    if (record->lead.at == RM_AT_REPORTED) {
        rm_leader_await_release (self, record);
        return;
    }
    withdraw (self, record);
    rm_leader_offer_record (self, record, true);
}

/* A completion changed nothing; its worker is told to forget it all the same. */
static void on_refused (void *arg, uint64_t id, uint64_t inc, uint32_t attempt)
{
    rm_leader_t *self = arg;
    rm_peer_t *peer = self->leading ? rm_leader_peer (self, inc) : NULL;
    if (!peer)
        return;
    rm_record_t *record = rm_state_record (self->state, id);
    if (record && rm_record_peer (record) == peer && record->lead.at == RM_AT_REPORTED)
        rm_leader_move_record (record, RM_AT_SENT);
    rm_leader_commit_later (self, peer, id, attempt);
}

/* Its slot may have closed, or its worker asked to leave, while the start was on its way. */
static void on_started (void *arg, rm_record_t *record)
{
    rm_leader_t *self = arg;
    if (!rm_leader_acts (self) || record->lead.at != RM_AT_STARTING || rm_record_peer (record)->removing)
        return;
    rm_leader_move_record (record, RM_AT_SENT);
    if (rm_leader_may_send (record) && !rm_record_stops (record))
        rm_leader_dispatch (self, rm_record_peer (record), record);
    else
        rm_leader_hand_back (self, record);
}

static void on_unstarted (void *arg, rm_record_t *record)
{
    rm_leader_t *self = arg;
    if (rm_leader_acts (self) && record->lead.at == RM_AT_UNSTARTING)
        rm_leader_hand_back (self, record);
}

static void on_pooled (void *arg, rm_queue_t *queue)
{
    rm_leader_t *self = arg;
    if (!rm_leader_acts (self) || (!queue->pool->lead && rm_leader_attach_pool (self, queue->pool)))
        return;
    rm_leader_refresh_pool (self, queue->pool);
    rm_leader_offer_queue (self, queue);
}

/* A queue of `one` that `other` does not serve; NULL: there is none. */
static const char *not_served_by (const rm_member_t *one, const rm_member_t *other)
{
    for (uint32_t i = 0; i < one->queue_count; i++) {
        uint32_t j = 0;
        while (j < other->queue_count && other->queues[j] != one->queues[i])
            j++;
        if (j == other->queue_count)
            return one->queues[i]->name;
    }
    return NULL;
}

/* A slot's owner gets the keyed jobs of every queue of its pool, also of those it does not serve: there they wait. That
 * passes while new programs replace old ones, and is a trap otherwise. */
static void warn_of_mixture (rm_leader_t *self, const rm_member_t *member)
{
    for (uint32_t i = 0; i < self->peer_count; i++) {
        const rm_member_t *other = self->peers[i]->member;
        if (other->pool != member->pool)
            continue;
        const rm_member_t *lacks = other;
        const char *queue = not_served_by (member, other);
        if (!queue) {
            lacks = member;
            queue = not_served_by (other, member);
        }
        if (!queue)
            continue;
        char line[4 * RM_NAME_BYTES_MAX + 256];
        snprintf (line, sizeof line,
                  "event=mixed_pool pool=%s worker=%s queue=%s not_served_by=%s advice=\"its jobs whose keys belong to "
                  "that worker wait: let all workers of a pool serve the same queues, or give them another --pool\"",
                  member->pool->name, member->name, queue, lacks->name);
        if (self->out.warn)
            self->out.warn (self->out.arg, line);
        return;
    }
}

static void on_member_added (void *arg, rm_member_t *member)
{
    rm_leader_t *self = arg;
    if (!rm_leader_acts (self) || !rm_leader_add_peer (self, member, true))
        return;
    rm_leader_answer_joins (self, member);
    rm_leader_want_resize (self, false);
    rm_leader_trace (self, "event=joined worker=%s inc=%016llx pool=%s threads=%u term=%llu", member->name,
                     (unsigned long long)member->inc, member->pool->name, member->threads,
                     (unsigned long long)self->state->term);
    warn_of_mixture (self, member);
}

/* Its jobs wait again; those its removal names have one crash more in a moment. */
static void land_all (rm_leader_t *self, rm_peer_t *peer)
{
    for (rm_link_t *first; (first = rm_list_first (&peer->flight));) {
        rm_record_t *record = RM_OWNER (first, rm_flight_t, link)->record;
        rm_leader_remember_given (self, record);
        rm_leader_land (self, record);
        rm_leader_offer_record (self, record, true);
    }
}

static void on_member_removed (void *arg, rm_member_t *member)
{
    rm_leader_t *self = arg;
    rm_peer_t *peer = member->peer;
    rm_pool_t *pool = member->pool;
    if (!peer)
        return; /* nobody leads here, or there was no memory for it */
    bool in_good_order = member->leaving && !peer->flight_count;
    if (!peer->reported)
        pool->lead->unreported--;
    rm_leader_unlist_peer (self, peer);
    rm_leader_refresh_pool (self, pool); /* its slots are closed before its jobs land in them */
    land_all (self, peer);
    RM_ASSERT (rm_list_empty (&peer->solo) && rm_list_empty (&peer->first) && !rm_fair_count (&peer->lane));
    if (!pool->lead->unreported)
        rm_leader_offer_unkeyed (self, pool);
    if (in_good_order) {
        rm_leader_tell_committed (self, peer);
        rm_msg_t msg = {.type = RM_MSG_LEFT};
        msg.left = (rm_msg_left_t){self->state->term, member->inc};
        rm_leader_to_worker (self, &peer->route, &msg);
    }
    rm_leader_trace (self, "event=removed worker=%s inc=%016llx term=%llu epoch=%llu", member->name,
                     (unsigned long long)member->inc, (unsigned long long)self->state->term,
                     (unsigned long long)self->state->epoch);
    rm_leader_free_peer (peer);
    member->peer = NULL;
}

static void on_resize_begun (void *arg)
{
    rm_leader_t *self = arg;
    if (rm_leader_acts (self))
        rm_leader_resize_begun (self);
}

static void on_resize_committed (void *arg)
{
    rm_leader_t *self = arg;
    if (rm_leader_acts (self))
        rm_leader_resize_committed (self);
}

static void on_key_freed (void *arg, rm_key_t *key)
{
    (void)arg;
    RM_ASSERT (!key->lead.lane && !key->lead.busy);
}

static void on_record_freed (void *arg, rm_record_t *record)
{
    RM_ASSERT (!rm_record_peer (record) && rm_list_empty (&record->lead.waiters));
    rm_leader_drop_progress (arg, record);
}

void rm_leader_listen (rm_leader_t *self)
{
    self->state->listener = (rm_state_listener_t){
        .arg = self,
        .accepted = on_accepted,
        .ended = on_ended,
        .waits_again = on_waits_again,
        .refused = on_refused,
        .started = on_started,
        .unstarted = on_unstarted,
        .stopping = on_stopping,
        .released = on_released,
        .queue_set = on_queue_set,
        .pooled = on_pooled,
        .member_added = on_member_added,
        .member_removed = on_member_removed,
        .resize_begun = on_resize_begun,
        .resize_committed = on_resize_committed,
        .key_freed = on_key_freed,
        .record_freed = on_record_freed,
    };
}
