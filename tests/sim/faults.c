/*  What goes wrong, done to the world. */
#include <string.h>

#include "raft.h"
#include "sim.h"
#include "story.h"

enum { SET_US = 20000 }; /* how long a master is down whose calendar is set */

static void each_way (sim_t *self, const plan_fault_t *fault, void (*set) (sim_way_t *, const plan_fault_t *))
{
    if (fault->ways & PLAN_TO_PEER)
        set (&self->ways[fault->other][fault->who], fault);
    if (fault->ways & PLAN_TO_MASTER)
        set (&self->ways[fault->who][fault->other], fault);
}

static void make_lossy (sim_way_t *way, const plan_fault_t *fault)
{
    way->loss_permille = way->double_permille = (uint32_t)fault->number;
}

static void make_slow (sim_way_t *way, const plan_fault_t *fault)
{
    way->delay_us = (uint32_t)fault->amount;
    way->reorders = fault->number;
}

static void make_cut (sim_way_t *way, const plan_fault_t *fault)
{
    (void)fault;
    way->cut = true;
}

static void make_stalled (sim_way_t *way, const plan_fault_t *fault)
{
    way->held_us = fault->at_us + fault->for_us;
}

/* What else may be wrong with it is mended with it. */
static void mend (sim_way_t *way, const plan_fault_t *fault)
{
    (void)fault;
    *way = (sim_way_t){.last_us = way->last_us, .broken_us = way->broken_us};
}

static void kill_at (sim_t *self, const plan_fault_t *fault)
{
    sim_process_t *process = &self->processes[fault->who];
    process->kill_point = process->points + fault->number;
    process->kill_down_us = (uint64_t)fault->amount;
}

static void isolate (sim_t *self, const plan_fault_t *fault, void (*set) (sim_way_t *, const plan_fault_t *))
{
    for (uint32_t other = 0; other < self->plan->master_count; other++) {
        set (&self->ways[fault->who][other], fault);
        set (&self->ways[other][fault->who], fault);
    }
}

/* Who leads hands over, if it may be that one. */
static void depose (sim_t *self, const plan_fault_t *fault, bool may_be_any)
{
    uint32_t who;
    if (sim_leading (self, &who) && !self->processes[who].paused_us && (may_be_any || who == fault->who))
        sim_master_depose (self, who, (uint64_t)fault->amount);
}

static bool acts (const sim_t *self, uint32_t who)
{
    return self->processes[who].up && !self->processes[who].paused_us;
}

void sim_fault_begins (sim_t *self, uint32_t number)
{
    const plan_fault_t *fault = &self->plan->faults[number];
    char text[160];
    plan_fault_text (self->plan, fault, text, sizeof text);
    story (self, SIM_PROCESSES_MAX, "fault %u: %s", fault->index, text);
    switch (fault->kind) {
    case FAULT_KILL:
        sim_kill (self, fault->who, (uint64_t)fault->amount);
        break;
    case FAULT_KILL_AT:
        kill_at (self, fault);
        break;
    case FAULT_PAUSE:
        sim_pause (self, fault->who, self->now_us + fault->for_us);
        break;
    case FAULT_LOSSY:
        each_way (self, fault, make_lossy);
        break;
    case FAULT_SLOW:
        each_way (self, fault, make_slow);
        break;
    case FAULT_CUT:
        each_way (self, fault, make_cut);
        break;
    case FAULT_STALL:
        each_way (self, fault, make_stalled);
        break;
    case FAULT_ISOLATE:
        if (fault->number)
            depose (self, fault, false);
        isolate (self, fault, make_cut);
        break;
    case FAULT_BREAK:
        sim_break (self, fault->who, fault->other);
        break;
    case FAULT_RATE:
        sim_set_rate (self, fault->who, fault->amount);
        break;
    case FAULT_WALL:
        self->wall_us += fault->amount;
        if (fault->number)
            sim_kill (self, fault->who, SET_US);
        break;
    case FAULT_DISK_SLOW:
        sim_disk_slow (self, fault->who, (uint64_t)fault->amount);
        break;
    case FAULT_DISK_FULL:
        sim_disk_fill (self, fault->who, true);
        break;
    case FAULT_SNAPSHOT:
        if (acts (self, fault->who))
            sim_master_snapshot (self, fault->who);
        break;
    case FAULT_DEPOSE:
        depose (self, fault, true);
        break;
    case FAULT_LEAVE:
        if (acts (self, fault->who))
            sim_worker_leave (self, fault->who);
        break;
    case FAULT_DRAIN:
        sim_master_drain (self, fault->who);
        break;
    case FAULT_ORDER:
        sim_order (self, (plan_order_t)fault->number, (uint64_t)fault->amount);
        break;
    default:
        break;
    }
}

void sim_fault_ends (sim_t *self, uint32_t number)
{
    const plan_fault_t *fault = &self->plan->faults[number];
    story (self, SIM_PROCESSES_MAX, "fault %u is over", fault->index);
    switch (fault->kind) {
    case FAULT_LOSSY:
    case FAULT_SLOW:
    case FAULT_CUT:
    case FAULT_STALL:
        each_way (self, fault, mend);
        break;
    case FAULT_ISOLATE:
        isolate (self, fault, mend);
        break;
    case FAULT_RATE:
        sim_set_rate (self, fault->who, 0);
        break;
    case FAULT_DISK_SLOW:
        sim_disk_slow (self, fault->who, 0);
        break;
    case FAULT_DISK_FULL:
        sim_disk_fill (self, fault->who, false);
        break;
    case FAULT_ORDER:
        sim_order_resume (self);
        break;
    default:
        break;
    }
}

void sim_calm (sim_t *self)
{
    story (self, SIM_PROCESSES_MAX, "from here on nothing goes wrong");
    self->calm = true;
    for (uint32_t master = 0; master < self->plan->master_count; master++) {
        sim_disk_slow (self, master, 0);
        sim_disk_fill (self, master, false);
    }
    for (uint32_t who = 0; who < self->process_count; who++) {
        sim_process_t *process = &self->processes[who];
        for (uint32_t other = 0; other < self->process_count; other++)
            mend (&self->ways[who][other], NULL);
        if (process->boot)
            sim_set_rate (self, who, 0);
        process->kill_point = 0;
        if (process->up && process->paused_us) {
            process->paused_us = self->now_us;
            sim_after (self, 0, SIM_GOES_ON, who, NULL, 0);
        }
        if (!process->up) {
            process->back_us = self->now_us;
            sim_events_add (&self->events, (sim_event_t){.at_us = self->now_us, .kind = SIM_BOOTS, .who = who});
        }
    }
}
