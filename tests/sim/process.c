/*  Processes: their clocks, turns and timers, and how they are killed, paused and started. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "raft.h"
#include "sim.h"
#include "story.h"

enum { TURN_US = 300 }; /* what comes within this is one turn of a loop */

/* ---- chance and time --------------------------------------------------------------------------------------------- */

uint64_t sim_draw (sim_t *self, uint64_t below)
{
    return rm_splitmix (&self->random) % below;
}

bool sim_once_in (sim_t *self, uint64_t n)
{
    return n && sim_draw (self, n) == 0;
}

static uint64_t clock_us (const sim_clock_t *clock, uint64_t now_us)
{
    int64_t gone_us = (int64_t)(now_us - clock->since_us);
    return clock->from_us + (uint64_t)(gone_us + gone_us * clock->rate_ppm / 1000000);
}

uint64_t sim_clock_ms (const sim_t *self, uint32_t who)
{
    return clock_us (&self->processes[who].clock, self->now_us) / 1000;
}

uint64_t sim_wall_ms (const sim_t *self, uint32_t who)
{
    return (uint64_t)((int64_t)clock_us (&self->processes[who].clock, self->now_us) + self->wall_us) / 1000;
}

uint64_t sim_when_us (const sim_t *self, uint32_t who, uint64_t ms)
{
    const sim_clock_t *clock = &self->processes[who].clock;
    uint64_t now_us = clock_us (clock, self->now_us);
    if (ms * 1000 <= now_us)
        return self->now_us;
    uint64_t at_us = self->now_us + (uint64_t)((int64_t)(ms * 1000 - now_us) * 1000000 / (1000000 + clock->rate_ppm));
    while (clock_us (clock, at_us) < ms * 1000)
        at_us++;
    return at_us;
}

void sim_set_rate (sim_t *self, uint32_t who, int64_t rate_ppm)
{
    sim_clock_t *clock = &self->processes[who].clock;
    clock->from_us = clock_us (clock, self->now_us);
    clock->since_us = self->now_us;
    clock->rate_ppm = rate_ppm;
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

void sim_after (sim_t *self, uint64_t delay_us, sim_event_kind_t kind, uint32_t who, void *what, uint64_t number)
{
    sim_events_add (&self->events, (sim_event_t){.at_us = self->now_us + delay_us,
                                                 .kind = kind,
                                                 .who = who,
                                                 .boot = self->processes[who].boot,
                                                 .number = number,
                                                 .what = what});
}

void sim_want_turn (sim_t *self, uint32_t who)
{
    sim_process_t *process = &self->processes[who];
    if (process->turn_at)
        return;
    uint64_t delay_us = sim_draw (self, TURN_US);
    process->turn_at = self->now_us + delay_us;
    sim_after (self, delay_us, SIM_TURN, who, NULL, 0);
}

void sim_want_wake (sim_t *self, uint32_t who, uint64_t ms)
{
    sim_process_t *process = &self->processes[who];
    uint64_t at_us = ms == UINT64_MAX ? UINT64_MAX : sim_when_us (self, who, ms);
    if (process->wake_at == at_us)
        return;
    process->wake_at = at_us;
    if (at_us != UINT64_MAX)
        sim_after (self, at_us - self->now_us, SIM_WAKE, who, NULL, 0);
}

/* ---- life and death ---------------------------------------------------------------------------------------------- */

void sim_boot (sim_t *self, uint32_t who)
{
    sim_process_t *process = &self->processes[who];
    process->up = true;
    process->dying = false;
    process->boot++;
    process->paused_us = process->tainted_us = 0;
    process->turn_at = 0;
    process->wake_at = UINT64_MAX;
    story (self, who, "starts");
    check_boots (self->check, who);
    if (sim_is_master (self, who))
        sim_master_boot (self, who);
    else if (sim_is_worker (self, who))
        sim_worker_boot (self, who);
    else
        sim_client_boot (self, who);
}

void sim_event_drop (const sim_event_t *event)
{
    if (event->kind == SIM_ARRIVES)
        sim_packet_free (event->what);
    else if (event->kind == SIM_LETTER)
        sim_raft_letter_free (event->what);
}

static void drop_backlog (sim_process_t *process)
{
    for (uint32_t i = 0; i < process->backlog_count; i++)
        sim_event_drop (&process->backlog[i]);
    process->backlog_count = 0;
}

/* It is gone; `down_us` later it is back. */
static void go_down (sim_t *self, uint32_t who, uint64_t down_us)
{
    sim_process_t *process = &self->processes[who];
    process->up = process->dying = false;
    process->paused_us = 0;
    process->kill_point = 0;
    process->down_us = self->now_us;
    process->back_us = self->now_us + down_us;
    check_dies (self->check, who);
    drop_backlog (process);
    if (sim_is_master (self, who))
        sim_master_down (self, who);
    else if (sim_is_worker (self, who))
        sim_worker_down (self, who);
    else
        sim_client_down (self, who);
    sim_events_add (&self->events, (sim_event_t){.at_us = process->back_us, .kind = SIM_BOOTS, .who = who});
}

void sim_kill (sim_t *self, uint32_t who, uint64_t down_us)
{
    if (!self->processes[who].up)
        return;
    story (self, who, "is killed");
    go_down (self, who, down_us);
}

void sim_exit (sim_t *self, uint32_t who, uint64_t down_us)
{
    story (self, who, "exits");
    go_down (self, who, down_us);
}

void sim_pause (sim_t *self, uint32_t who, uint64_t until_us)
{
    sim_process_t *process = &self->processes[who];
    if (!process->up || process->paused_us >= until_us)
        return;
    story (self, who, "is paused");
    process->paused_us = until_us;
    check_pauses (self->check, who);
    sim_after (self, until_us - self->now_us, SIM_GOES_ON, who, NULL, 0);
}

static void go_on (sim_t *self, uint32_t who)
{
    sim_process_t *process = &self->processes[who];
    if (!process->paused_us || self->now_us < process->paused_us)
        return;
    story (self, who, "goes on");
    process->paused_us = 0;
    process->tainted_us = self->now_us;
    check_goes_on (self->check, who);
    sim_event_t *backlog = process->backlog;
    uint32_t count = process->backlog_count;
    process->backlog = NULL;
    process->backlog_count = process->backlog_room = 0;
    for (uint32_t i = 0; i < count; i++) {
        backlog[i].at_us = self->now_us;
        sim_events_add (&self->events, backlog[i]);
    }
    free (backlog);
}

void sim_point (sim_t *self, uint32_t who, const char *name, const char *side)
{
    sim_process_t *process = &self->processes[who];
    if (process->dying)
        return;
    process->points++;
    if (!process->kill_point || process->points < process->kill_point)
        return;
    story (self, who, "is killed %s %s", side, name);
    process->dying = true;
}

static void put_off (sim_process_t *process, const sim_event_t *event)
{
    if (process->backlog_count == process->backlog_room) {
        process->backlog_room = process->backlog_room ? process->backlog_room * 2 : 16;
        process->backlog = realloc (process->backlog, process->backlog_room * sizeof *process->backlog);
        if (!process->backlog)
            abort ();
    }
    process->backlog[process->backlog_count++] = *event;
}

/* ---- one event --------------------------------------------------------------------------------------------------- */

static void turn (sim_t *self, uint32_t who)
{
    sim_process_t *process = &self->processes[who];
    process->turn_at = 0;
    if (sim_is_master (self, who))
        sim_master_turn (self, who);
    else if (sim_is_worker (self, who))
        sim_worker_turn (self, who);
}

static void wake (sim_t *self, const sim_event_t *event)
{
    uint32_t who = event->who;
    sim_process_t *process = &self->processes[who];
    if (process->wake_at > self->now_us)
        return;
    process->wake_at = UINT64_MAX;
    if (sim_is_master (self, who))
        sim_master_wake (self, who);
    else if (sim_is_worker (self, who))
        sim_worker_turn (self, who);
    else
        sim_client_wake (self, who);
}

static void arrive (sim_t *self, sim_packet_t *packet)
{
    if (!sim_packet_arrives (self, packet))
        return;
    if (sim_is_master (self, packet->to))
        sim_master_receive (self, packet);
    else if (sim_is_worker (self, packet->to))
        sim_worker_receive (self, packet);
    else
        sim_client_receive (self, packet);
}

static void of_process (sim_t *self, const sim_event_t *event)
{
    switch (event->kind) {
    case SIM_ARRIVES:
        arrive (self, event->what);
        sim_packet_free (event->what);
        break;
    case SIM_TURN:
        turn (self, event->who);
        break;
    case SIM_WAKE:
        wake (self, event);
        break;
    case SIM_WRITTEN:
        sim_raft_written (self, event->who, sim_master_raft (self, event->who), event->number);
        break;
    case SIM_RAFT:
        sim_raft_wake (self, event->who, sim_master_raft (self, event->who));
        break;
    case SIM_LETTER:
        sim_raft_receive (self, event->who, sim_master_raft (self, event->who), event->what);
        sim_raft_letter_free (event->what);
        break;
    case SIM_STANDS:
        sim_master_stand (self, event->who);
        break;
    case SIM_CONNECTED:
        sim_worker_connect (self, event->who);
        break;
    case SIM_START:
        sim_worker_start (self, event->who);
        break;
    case SIM_TELLS:
        sim_worker_tells (self, event->who, event->number, event->more);
        break;
    case SIM_TOLD:
        sim_worker_told (self, event->who);
        break;
    case SIM_END:
        sim_worker_end (self, event->who, event->number, event->more);
        break;
    default:
        break;
    }
}

void sim_happen (sim_t *self, const sim_event_t *event)
{
    sim_process_t *process = &self->processes[event->who];
    switch (event->kind) {
    case SIM_FAULT:
        sim_fault_begins (self, (uint32_t)event->number);
        return;
    case SIM_FAULT_OVER:
        sim_fault_ends (self, (uint32_t)event->number);
        return;
    case SIM_CALM:
        sim_calm (self);
        return;
    case SIM_BOOTS:
        if (!process->up && self->now_us >= process->back_us)
            sim_boot (self, event->who);
        return;
    case SIM_GOES_ON:
        if (process->up)
            go_on (self, event->who);
        return;
    default:
        break;
    }
    bool gone = !process->up || (event->boot && event->boot != process->boot);
    if (!gone && process->paused_us)
        put_off (process, event);
    else if (!gone)
        of_process (self, event);
    else
        sim_event_drop (event);
    check_happened (self->check);
    if (process->dying)
        sim_kill (self, event->who, process->kill_down_us);
}
