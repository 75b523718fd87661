/*  At the end of each turn of the master: its books, and what a resize leaves alone. */
#include <inttypes.h>

#include "check_inside.h"

static void check_books (check_t *self, const rm_leader_t *leader)
{
    const rm_state_t *state = leader->state;
    uint64_t queued = 0, running = 0, ended = 0, flights = 0;
    RM_RECORD_EACH (state, record)
    {
        bool over = record->outcome != RM_OUTCOME_NONE;
        ended += over;
        running += !over && rm_record_peer (record);
        queued += !over && !rm_record_peer (record);
    }
    for (uint32_t i = 0; i < leader->peer_count; i++)
        flights += leader->peers[i]->flight_count;
    if (flights != running || queued + running != state->waiting_count || ended != state->ended_count)
        VIOLATION (self, "books",
                   "%" PRIu64 " queued, %" PRIu64 " running (workers have %" PRIu64 "), %" PRIu64 " ended: %" PRIu64
                   " wait and %" PRIu64 " have ended",
                   queued, running, flights, ended, state->waiting_count, state->ended_count);
}

/* Its owner keeps it, and nobody else may hold it. */
static bool stays (const rm_pool_t *pool, uint32_t slot)
{
    uint16_t owner = pool->owner[slot];
    if (owner == RM_RING_NOBODY || pool->target[slot] != owner)
        return false;
    for (int i = 0; i < RM_HOLDERS_MAX; i++) {
        uint16_t holder = pool->holders[slot].members[i];
        if (holder != RM_RING_NOBODY && holder != owner)
            return false;
    }
    return true;
}

static bool is_free (const rm_leader_t *leader, const rm_peer_t *peer)
{
    return peer->reported && !peer->removing && !peer->leave_asked && !peer->member->leaving && !peer->alone &&
           peer->flight_count < peer->member->threads && rm_list_empty (&peer->solo) && rm_list_empty (&peer->first) &&
           rm_list_empty (&peer->member->pool->lead->solo) && rm_list_empty (&peer->member->pool->lead->first) &&
           leader->leading;
}

/* In a resize, a job on offer in a slot that stays is not left lying while its worker has a thread to spare. */
static void check_offers (check_t *self, const rm_leader_t *leader)
{
    RM_RECORD_EACH (leader->state, record)
    {
        if (record->lead.at != RM_AT_READY || !record->key || !record->queue->pool)
            continue;
        const rm_pool_t *pool = record->queue->pool;
        uint32_t slot = record->key->slot;
        if (stays (pool, slot) && is_free (leader, leader->state->members[pool->owner[slot]]->peer))
            VIOLATION (self, "unmoved-slot",
                       "job %" PRIu64 " of slot %u, which stays, is not handed out in epoch %" PRIu64, record->id, slot,
                       leader->state->epoch);
    }
}

static void check_unmoved (check_t *self, uint32_t who, const rm_leader_t *leader)
{
    const rm_state_t *state = leader->state;
    bool resizing = leader->resize.state != RM_RESIZE_IDLE, known = self->open_term[who] == state->term;
    for (const rm_pool_t *pool = state->pools; pool; pool = pool->next)
        for (uint32_t slot = 0; slot < RM_SLOTS; slot++) {
            bool open = pool->lead->slots[slot].state == RM_SLOT_OPEN;
            if (resizing && known && self->was_open[who][slot] && !open && stays (pool, slot))
                VIOLATION (self, "unmoved-slot", "slot %u stays, and is closed by epoch %" PRIu64, slot, state->epoch);
            self->was_open[who][slot] = open;
        }
    self->open_term[who] = state->pools ? state->term : 0;
    if (resizing)
        check_offers (self, leader);
}

void check_turn (check_t *self, uint32_t who, const rm_leader_t *leader)
{
    if (!check_listens (leader))
        return;
    check_books (self, leader);
    check_unmoved (self, who, leader);
}
