#include <utlist.h>

#include "core/work_parts.h"
#include "proto/alloc.h"

/* < 0, 0 or > 0, as the message is older than, of, or newer than the resize that is known. */
static int compare (const rm_msg_sync_t *sync, const rm_work_resize_t *resize)
{
    if (sync->term != resize->term)
        return sync->term < resize->term ? -1 : 1;
    if (sync->epoch != resize->epoch)
        return sync->epoch < resize->epoch ? -1 : 1;
    return 0;
}

static void supersede (rm_work_resize_t *self, const rm_msg_sync_t *sync)
{
    *self = (rm_work_resize_t){
        .term = sync->term,
        .epoch = sync->epoch,
        .returned = self->returned,
        .returned_capacity = self->returned_capacity,
    };
}

static bool is_named (const rm_msg_sync_t *sync, uint64_t inc)
{
    for (uint32_t i = 0; i < sync->member_count; i++)
        if (sync->members[i].inc == inc)
            return true;
    return false;
}

static bool in_lost_slot (const rm_work_t *self, const rm_work_job_t *job)
{
    return job->slot < RM_SLOTS && self->closed[job->slot] && self->closed[job->slot] == self->resize.epoch;
}

/* True while something that began in a slot lost by this resize is neither over nor committed. */
static bool is_draining (const rm_work_t *self)
{
    const rm_work_job_t *job;
    DL_FOREACH2 (self->held, job, next_held)
        if (in_lost_slot (self, job))
            return true;
    return false;
}

/* Takes the slots that move here, closes those that move away, and hands back what has not started in them. */
static void close_slots (rm_work_t *self, const rm_msg_sync_t *sync)
{
    rm_work_resize_t *resize = &self->resize;
    for (uint32_t i = 0; i < sync->moved_count; i++) {
        const rm_sync_move_t *range = &sync->moved[i];
        for (uint32_t slot = range->first; slot <= range->last && slot < RM_SLOTS; slot++) {
            if (range->to == self->inc)
                rm_work_slots_gain (self, slot);
            if (range->from != self->inc)
                continue;
            self->closed[slot] = resize->epoch;
            rm_work_slots_lose (self, slot);
        }
    }
    rm_work_job_t *job, *next;
    DL_FOREACH_SAFE2 (self->held, job, next, next_held) {
        if (job->state != RM_WORK_JOB_QUEUED || !in_lost_slot (self, job))
            continue;
        /* Without memory for its id it is not named here; that it is not held says the same. */
        if (rm_work_grow ((void **)&resize->returned, &resize->returned_capacity, resize->returned_count + 1,
                          sizeof *resize->returned))
            resize->returned[resize->returned_count++] = job->id;
        rm_work_jobs_return (self, job);
    }
}

static void receive_phase_2 (rm_work_t *self, const rm_msg_sync_t *sync, uint64_t now_ms)
{
    rm_work_resize_t *resize = &self->resize;
    if (!resize->reported)
        return;
    if (!is_named (sync, self->inc)) {
        /* A resize that was running when it joined need not know it yet; any later one does. */
        if (sync->term != self->joined_term || sync->epoch != self->joined_epoch)
            rm_work_forget (self, now_ms);
        return;
    }
    if (!resize->closed)
        close_slots (self, sync);
    resize->closed = true;
    resize->ok = !is_draining (self) && !rm_work_slots_owes_lost (self);
    resize->say_2 = true;
}

void rm_work_sync_receive (rm_work_t *self, const rm_msg_sync_t *sync, uint64_t now_ms)
{
    rm_work_resize_t *resize = &self->resize;
    if (!sync->from_master || !rm_work_is_member (self) || sync->term < self->term)
        return;
    if (sync->term > self->term)
        rm_work_adopt (self, sync->term);
    int order = compare (sync, resize);
    if (order < 0)
        return;
    if (order > 0)
        supersede (resize, sync);
    if (sync->phase == 3) {
        resize->over = true;
        resize->say_1 = resize->say_2 = false;
        resize->say_3 = true;
    } else if (resize->over) {
        return; /* a late repeat */
    } else if (sync->phase == 1) {
        if (!resize->reported)
            resize->current_job = self->job_id_max;
        resize->reported = true;
        resize->say_1 = true;
    } else if (sync->phase == 2)
        receive_phase_2 (self, sync, now_ms);
}

void rm_work_sync_drained (rm_work_t *self)
{
    rm_work_resize_t *resize = &self->resize;
    if (resize->term != self->term)
        return; /* a newer leader asks anew, and to an older one the new watermark would say something else */
    if (!resize->closed || resize->ok || resize->over || is_draining (self) || rm_work_slots_owes_lost (self))
        return;
    resize->ok = true;
    resize->say_2 = true;
}
