/*  What the program of a worker is told of its slots (rm_worker_on_slots in ringmaster/worker.h): one telling at a time, in
 *  which slots were gained and lost since the one before. */
#include <utlist.h>

#include "core/work_parts.h"
#include "proto/alloc.h"
#include "proto/assert.h"

bool rm_work_slots_init (rm_work_t *self)
{
    self->slots = rm_calloc (1, sizeof *self->slots);
    return self->slots;
}

void rm_work_slots_gain (rm_work_t *self, uint32_t slot)
{
    if (!self->slots || self->slots->wanted[slot])
        return;
    self->slots->wanted[slot] = true;
    self->slots->pending = true;
}

void rm_work_slots_lose (rm_work_t *self, uint32_t slot)
{
    if (!self->slots || !self->slots->wanted[slot])
        return;
    self->slots->wanted[slot] = false;
    self->slots->stale[slot] = self->slots->known[slot];
    self->slots->pending = true;
}

void rm_work_slots_lose_all (rm_work_t *self)
{
    for (uint32_t slot = 0; slot < RM_SLOTS && self->slots; slot++)
        rm_work_slots_lose (self, slot);
}

bool rm_work_slots_allow (const rm_work_t *self, const rm_work_job_t *job)
{
    return !self->slots || job->slot >= RM_SLOTS || (self->slots->known[job->slot] && !self->slots->stale[job->slot]);
}

/* A slot that was lost while the program was told that it was gained is still to be taken back. */
bool rm_work_slots_owes_lost (const rm_work_t *self)
{
    const rm_work_slots_t *slots = self->slots;
    if (!slots || (!slots->pending && !slots->telling))
        return false;
    for (uint32_t slot = 0; slot < RM_SLOTS; slot++)
        if (slots->stale[slot])
            return true;
    for (size_t i = 0; slots->telling && i < slots->said.gained_count; i++)
        for (uint32_t slot = slots->said.gained[i].first; slot <= slots->said.gained[i].last; slot++)
            if (!slots->wanted[slot])
                return true;
    return false;
}

/* Something still runs in a slot that was lost. What a removed incarnation began may run in any. */
static bool is_running (const rm_work_t *self)
{
    const rm_work_job_t *job;
    if (self->state == RM_WORK_REJOIN)
        return rm_work_running_count (self);
    DL_FOREACH2 (self->held, job, next_held)
        if (job->state == RM_WORK_JOB_RUNNING && job->slot < RM_SLOTS && self->slots->stale[job->slot])
            return true;
    return false;
}

static void add (rm_slot_range_t *ranges, size_t *count, uint32_t slot)
{
    if (*count && ranges[*count - 1].last + 1 == slot)
        ranges[*count - 1].last = slot;
    else
        ranges[(*count)++] = (rm_slot_range_t){slot, slot};
}

const rm_slots_t *rm_work_slots_tell (rm_work_t *self)
{
    rm_work_slots_t *slots = self->slots;
    if (!slots || !slots->pending || slots->telling)
        return NULL;
    bool runs = is_running (self);
    slots->pending = runs;
    slots->said = (rm_slots_t){.gained = slots->gained, .lost = slots->lost};
    for (uint32_t slot = 0; slot < RM_SLOTS; slot++) {
        if (slots->stale[slot] && !runs)
            add (slots->lost, &slots->said.lost_count, slot);
        else if (slots->wanted[slot] && !slots->known[slot])
            add (slots->gained, &slots->said.gained_count, slot);
    }
    slots->telling = slots->said.lost_count || slots->said.gained_count;
    return slots->telling ? &slots->said : NULL;
}

void rm_work_slots_told (rm_work_t *self)
{
    rm_work_slots_t *slots = self->slots;
    RM_ASSERT (slots && slots->telling);
    slots->telling = false;
    slots->pending = true; /* there may be more by now */
    for (size_t i = 0; i < slots->said.lost_count; i++)
        for (uint32_t slot = slots->lost[i].first; slot <= slots->lost[i].last; slot++)
            slots->known[slot] = slots->stale[slot] = false;
    for (size_t i = 0; i < slots->said.gained_count; i++)
        for (uint32_t slot = slots->gained[i].first; slot <= slots->gained[i].last; slot++) {
            slots->known[slot] = true;
            slots->stale[slot] = !slots->wanted[slot];
        }
    rm_work_sync_drained (self);
}
