/*  Slots: when one may be dispatched, and to whom (docs/architecture.md, the one rule). */
#include <string.h>

#include "core/leader_inside.h"
#include "proto/alloc.h"
#include "ringmaster/error.h"

/* from → to that are allowed. */
static const uint8_t moves[RM_SLOT_STATES] = {
    [RM_SLOT_UNKNOWN] = 1 << RM_SLOT_OPEN | 1 << RM_SLOT_CLOSED,
    [RM_SLOT_CLOSED] = 1 << RM_SLOT_OPEN | 1 << RM_SLOT_CLOSED,
    [RM_SLOT_OPEN] = 1 << RM_SLOT_OPEN | 1 << RM_SLOT_CLOSED,
};

int rm_leader_attach_pool (rm_leader_t *self, rm_pool_t *pool)
{
    struct rm_pool_lead *lead = rm_calloc (1, sizeof *lead);
    if (!lead) {
        rm_leader_out_of_memory (self);
        return RM_ENOMEM;
    }
    for (uint32_t slot = 0; slot < RM_SLOTS; slot++)
        lead->slots[slot].at = RM_RING_NOBODY;
    rm_fair_init (&lead->unkeyed);
    rm_list_init (&lead->solo);
    rm_list_init (&lead->first);
    lead->barrier_id = self->barrier_id;
    pool->lead = lead;
    return 0;
}

static bool every_holder_reported (const rm_leader_t *self, const rm_pool_t *pool, uint32_t slot)
{
    for (int i = 0; i < RM_HOLDERS_MAX; i++) {
        uint16_t number = pool->holders[slot].members[i];
        if (number != RM_RING_NOBODY && !self->state->members[number]->peer->reported)
            return false;
    }
    return true;
}

static void move_slot (rm_slot_t *slot, rm_slot_state_t to, uint16_t at)
{
    RM_ASSERT (moves[slot->state] & 1 << to);
    RM_ASSERT (slot->at == at || !slot->in_flight);
    slot->state = to;
    slot->at = at;
}

void rm_leader_refresh_slot (rm_leader_t *self, rm_pool_t *pool, uint32_t number)
{
    rm_slot_t *slot = &pool->lead->slots[number];
    uint16_t target = pool->target[number], at = slot->at;
    if (slot->state == RM_SLOT_UNKNOWN && !every_holder_reported (self, pool, number))
        return;
    if (!slot->in_flight)
        at = target;
    rm_slot_state_t state = at == target && target != RM_RING_NOBODY ? RM_SLOT_OPEN : RM_SLOT_CLOSED;
    if (state == slot->state && at == slot->at)
        return;
    move_slot (slot, state, at);
    RM_LIST_EACH (&pool->slot_keys[number], link)
        rm_leader_offer_key (self, RM_OWNER (link, rm_key_t, neighbours), false);
}

void rm_leader_refresh_pool (rm_leader_t *self, rm_pool_t *pool)
{
    for (uint32_t slot = 0; slot < RM_SLOTS; slot++)
        rm_leader_refresh_slot (self, pool, slot);
}

/* Nothing is left at an old owner. */
bool rm_leader_slots_settled (const rm_leader_t *self)
{
    for (const rm_pool_t *pool = self->state->pools; pool; pool = pool->next)
        for (uint32_t slot = 0; slot < RM_SLOTS; slot++)
            if (pool->lead->slots[slot].in_flight && pool->lead->slots[slot].at != pool->target[slot])
                return false;
    return true;
}

bool rm_leader_slots_known (const rm_leader_t *self)
{
    for (const rm_pool_t *pool = self->state->pools; pool; pool = pool->next)
        for (uint32_t slot = 0; slot < RM_SLOTS; slot++)
            if (pool->lead->slots[slot].state == RM_SLOT_UNKNOWN)
                return false;
    return true;
}
