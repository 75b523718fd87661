/*  The resize, by what is said of it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_inside.h"

enum { SAID_MAX = PLAN_WORKERS_MAX * 8 };

/* What is known of this (term, epoch): begun anew when a newer one speaks. NULL: it is older. */
static check_sync_t *sync_of (check_t *self, uint64_t term, uint64_t epoch)
{
    check_sync_t *sync = self->sync;
    if (term == sync->term && epoch == sync->epoch)
        return sync;
    if (term < sync->term || (term == sync->term && epoch < sync->epoch))
        return NULL;
    *sync = (check_sync_t){.term = term, .epoch = epoch};
    return sync;
}

static bool is_member (const check_sync_t *sync, uint64_t inc)
{
    for (uint32_t i = 0; i < sync->member_count; i++)
        if (sync->members[i].inc == inc)
            return true;
    return false;
}

/* ---- phase 1 ----------------------------------------------------------------------------------------------------- */

static uint64_t *answer_of (check_sync_t *sync, uint64_t inc)
{
    for (uint32_t i = 0; i < sync->answer_count; i++)
        if (sync->answers[i].inc == inc)
            return &sync->answers[i].current_job;
    return NULL;
}

static void add_answer (check_sync_t *sync, const rm_msg_sync_t *said)
{
    if (sync->answer_count == SAID_MAX)
        return;
    sync->answers[sync->answer_count].inc = said->report.inc;
    sync->answers[sync->answer_count].heard = false;
    sync->answers[sync->answer_count++].current_job = said->current_job;
}

/* What it answered first it answers always. */
static void report (check_t *self, const rm_msg_sync_t *said)
{
    check_sync_t *sync = sync_of (self, said->term, said->epoch);
    if (!sync)
        return;
    const uint64_t *before = answer_of (sync, said->report.inc);
    if (!before)
        add_answer (sync, said);
    else if (*before != said->current_job)
        VIOLATION (self, "sync-to", "epoch %" PRIu64 ": %04" PRIx64 " answers job %" PRIu64 ", and then %" PRIu64,
                   sync->epoch, said->report.inc >> 48, *before, said->current_job);
}

/* The leader takes the answer of a member that is not on its way out. */
void check_sync_heard (check_t *self, const rm_msg_sync_t *said)
{
    check_sync_t *sync = said->phase == 1 ? sync_of (self, said->term, said->epoch) : NULL;
    for (uint32_t i = 0; sync && i < sync->answer_count; i++)
        if (sync->answers[i].inc == said->report.inc)
            sync->answers[i].heard = true;
    if (sync && sync->fixed && is_member (sync, said->report.inc) && said->current_job > sync->sync_to)
        VIOLATION (self, "sync-to",
                   "epoch %" PRIu64 ": sync_to is %" PRIu64 ", and %04" PRIx64 " has received job %" PRIu64,
                   sync->epoch, sync->sync_to, said->report.inc >> 48, said->current_job);
}

/* ---- phase 2 ----------------------------------------------------------------------------------------------------- */

static void fix (check_t *self, check_sync_t *sync, const rm_msg_sync_t *said)
{
    sync->fixed = true;
    sync->sync_to = said->sync_to;
    sync->member_count = said->member_count < SAID_MAX ? said->member_count : SAID_MAX;
    sync->moved_count = said->moved_count < RM_SLOTS ? said->moved_count : RM_SLOTS;
    if (sync->member_count)
        memcpy (sync->members, said->members, sync->member_count * sizeof *said->members);
    if (sync->moved_count)
        memcpy (sync->moved, said->moved, sync->moved_count * sizeof *said->moved);
    uint64_t highest = 0;
    for (uint32_t i = 0; i < sync->answer_count; i++)
        if (sync->answers[i].heard && is_member (sync, sync->answers[i].inc) && sync->answers[i].current_job > highest)
            highest = sync->answers[i].current_job;
    if (sync->sync_to != highest)
        VIOLATION (self, "sync-to", "epoch %" PRIu64 ": sync_to is %" PRIu64 ", the highest job answered is %" PRIu64,
                   sync->epoch, sync->sync_to, highest);
}

static void check_fixed (check_t *self, const check_sync_t *sync, const rm_msg_sync_t *said)
{
    bool same = said->sync_to == sync->sync_to && said->member_count == sync->member_count;
    for (uint32_t i = 0; same && i < said->member_count; i++)
        same = said->members[i].inc == sync->members[i].inc;
    if (!same)
        VIOLATION (self, "sync-to",
                   "epoch %" PRIu64 ": sync_to was %" PRIu64 " for %u members, and is %" PRIu64 " for %u", sync->epoch,
                   sync->sync_to, sync->member_count, said->sync_to, said->member_count);
}

static bool loses (const check_sync_t *sync, uint64_t inc, uint32_t slot)
{
    for (uint32_t i = 0; i < sync->moved_count; i++)
        if (sync->moved[i].from == inc && slot >= sync->moved[i].first && slot <= sync->moved[i].last)
            return true;
    return false;
}

static void check_ok (check_t *self, uint32_t who, const rm_msg_sync_t *said)
{
    const check_sync_t *sync = sync_of (self, said->term, said->epoch);
    uint32_t count;
    const sim_run_t *runs = sim_worker_runs (self->sim, who, &count);
    for (uint32_t i = 0; sync && sync->fixed && i < count; i++)
        if (runs[i].job && runs[i].inc == said->report.inc && runs[i].job->id <= sync->sync_to &&
            loses (sync, runs[i].inc, runs[i].slot))
            VIOLATION (self, "phase-2-ok",
                       "%s says ok to epoch %" PRIu64 ", and job %" PRIu64 " runs in its lost slot %u",
                       self->sim->processes[who].name, sync->epoch, runs[i].job->id, runs[i].slot);
}

void check_sync_sent (check_t *self, uint32_t from, const rm_msg_sync_t *said)
{
    if (!said->from_master) {
        if (said->phase == 1)
            report (self, said);
        else if (said->phase == 2 && said->ok)
            check_ok (self, from, said);
        return;
    }
    check_sync_t *sync = sync_of (self, said->term, said->epoch);
    if (!sync || said->phase != 2)
        return;
    if (sync->fixed)
        check_fixed (self, sync, said);
    else
        fix (self, sync, said);
}

/* ---- dispatches -------------------------------------------------------------------------------------------------- */

check_inc_t *check_inc (check_t *self, uint64_t inc)
{
    for (uint32_t i = 0; i < self->inc_count; i++)
        if (self->incs[i].inc == inc)
            return &self->incs[i];
    if (self->inc_count == CHECK_INCS_MAX)
        return NULL;
    self->incs[self->inc_count] = (check_inc_t){.inc = inc};
    return &self->incs[self->inc_count++];
}

static uint64_t owner_of (const check_t *self, rm_bytes_t queue, uint32_t slot)
{
    const rm_queue_t *known = rm_state_queue (&self->shadow, queue);
    uint16_t number = known && known->pool ? known->pool->target[slot] : RM_RING_NOBODY;
    return number == RM_RING_NOBODY ? 0 : self->shadow.members[number]->inc;
}

/* What is sent again was judged when it was sent first. */
void check_dispatch_sent (check_t *self, const rm_msg_dispatch_t *dispatch)
{
    check_inc_t *inc = check_inc (self, dispatch->inc);
    if (!inc)
        return;
    if (inc->term != dispatch->term)
        *inc = (check_inc_t){.inc = dispatch->inc, .term = dispatch->term, .removed = inc->removed};
    for (uint32_t i = 0; i < dispatch->job_count; i++) {
        const rm_dispatch_job_t *job = &dispatch->jobs[i];
        uint64_t seq = dispatch->seq + i;
        if (seq <= inc->last_seq)
            continue;
        inc->last_seq = seq;
        if (!job->key.data || dispatch->epoch != self->shadow.epoch)
            continue;
        uint64_t owner = owner_of (self, job->queue, job->slot);
        if (owner != dispatch->inc)
            VIOLATION (self, "one-owner",
                       "slot %u belongs to %04" PRIx64 " in epoch %" PRIu64 ", and %04" PRIx64 " is sent job %" PRIu64,
                       job->slot, owner >> 48, dispatch->epoch, dispatch->inc >> 48, job->id);
    }
}
