/*  One life, from its plan to its end. */
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "raft.h"
#include "sim.h"
#include "story.h"

enum { LOOK_S = 2 };
#define NEVER UINT64_MAX

static sim_t *living; /* whose assertion it is that fails */
static sim_result_t *lived;
static uint64_t looked_at; /* how far the life was when it was looked at last */

_Noreturn void sim_violation (sim_t *self, const char *checker, const char *format, ...)
{
    va_list arguments;
    va_start (arguments, format);
    lived->violated = true;
    snprintf (lived->checker, sizeof lived->checker, "%s", checker);
    vsnprintf (lived->text, sizeof lived->text, format, arguments);
    va_end (arguments);
    story (self, SIM_PROCESSES_MAX, "VIOLATION of %s: %s", lived->checker, lived->text);
    longjmp (self->end, 1);
}

/* An assertion of the code under test is a checker, too: the claim has gone to stderr. */
static void on_abort (int signum)
{
    if (living)
        sim_violation (living, "assert",
                       signum == SIGABRT ? "an assertion has failed" : "memory that is not there was touched");
}

/* Some seconds of processor time later: an event takes microseconds. */
static void on_look (int signum)
{
    (void)signum;
    if (living && living->steps == looked_at)
        sim_violation (living, "everything-ends", "what happens at this moment does not end");
    looked_at = living ? living->steps : NEVER;
}

static void catch_aborts (void)
{
    const struct sigaction action = {.sa_handler = on_abort, .sa_flags = SA_NODEFER};
    sigaction (SIGABRT, &action, NULL);
    sigaction (SIGSEGV, &action, NULL);
}

/* SIM_EVENTS_MAX ends a life whose events go round in circles; this one that goes round within an event. */
static void watch (void)
{
    const struct sigaction action = {.sa_handler = on_look, .sa_flags = SA_NODEFER | SA_RESTART};
    const struct itimerval often = {.it_interval.tv_sec = LOOK_S, .it_value.tv_sec = LOOK_S};
    looked_at = NEVER;
    sigaction (SIGVTALRM, &action, NULL);
    setitimer (ITIMER_VIRTUAL, &often, NULL);
}

/* ---- birth ------------------------------------------------------------------------------------------------------- */

static void add_process (sim_t *self, uint32_t who, uint64_t boot_us)
{
    sim_process_t *process = &self->processes[who];
    process->who = who;
    process->wake_at = UINT64_MAX;
    process->clock.from_us = 3600ull * 1000000 + sim_draw (self, 3600ull * 1000000);
    process->back_us = boot_us;
    plan_process_name (self->plan, who, process->name);
    sim_events_add (&self->events, (sim_event_t){.at_us = boot_us, .kind = SIM_BOOTS, .who = who});
}

static void begin (sim_t *self, const plan_t *plan)
{
    *self = (sim_t){.plan = plan, .random = plan->seed ^ 0x5851f42d4c957f2du};
    self->wall_us = 1000000000ll * 1000000;
    self->process_count = plan->master_count + plan->worker_count + plan->client_count;
    for (uint32_t master = 0; master < plan->master_count; master++)
        sim_disk_format (self, master);
    self->check = check_new (self);
    for (uint32_t who = 0; who < self->process_count; who++)
        add_process (self, who, sim_is_worker (self, who) ? plan->worker_boot_us[sim_worker_place (self, who)] : 0);
    for (uint32_t i = 0; i < plan->fault_count; i++) {
        const plan_fault_t *fault = &plan->faults[i];
        sim_events_add (&self->events, (sim_event_t){.at_us = fault->at_us, .kind = SIM_FAULT, .number = i});
        if (fault->for_us)
            sim_events_add (&self->events,
                            (sim_event_t){.at_us = fault->at_us + fault->for_us, .kind = SIM_FAULT_OVER, .number = i});
    }
    sim_events_add (&self->events, (sim_event_t){.at_us = plan->calm_us, .kind = SIM_CALM});
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static void go_on (sim_t *self)
{
    sim_event_t event;
    while (sim_events_next (&self->events, &event)) {
        self->now_us = event.at_us;
        sim_happen (self, &event);
        if (++self->steps > SIM_EVENTS_MAX)
            sim_violation (self, "everything-ends", "the life goes round in circles");
        if (!self->calm)
            continue;
        if (check_all_ended (self->check, NULL, 0))
            return;
        if (self->now_us > self->plan->calm_us + SIM_PATIENCE_US) {
            char why[300];
            check_all_ended (self->check, why, sizeof why);
            sim_violation (self, "everything-ends", "%s", why);
        }
    }
}

/* ---- death ------------------------------------------------------------------------------------------------------- */

static void bury (sim_t *self)
{
    sim_event_t event;
    while (sim_events_next (&self->events, &event))
        sim_event_drop (&event);
    for (uint32_t who = 0; who < self->process_count; who++) {
        sim_process_t *process = &self->processes[who];
        for (uint32_t i = 0; i < process->backlog_count; i++)
            sim_event_drop (&process->backlog[i]);
        free (process->backlog);
        if (sim_is_master (self, who)) {
            sim_master_down (self, who);
            sim_disk_destroy (self, who);
        } else if (sim_is_worker (self, who))
            sim_worker_down (self, who);
        else
            sim_client_destroy (self, who);
    }
    check_destroy (&self->check);
    sim_events_close (&self->events);
}

/* After a violation the core may be anything: it is left where it is, and its memory with it. */
void sim_live (const plan_t *plan, sim_result_t *result)
{
    static sim_t self;
    *result = (sim_result_t){0};
    lived = result;
    begin (&self, plan);
    catch_aborts ();
    watch ();
    living = &self;
    if (!setjmp (self.end)) {
        go_on (&self);
        check_end (self.check);
    }
    living = NULL;
    check_counts_t counts = check_counts (self.check);
    result->ended_us = self.now_us;
    result->steps = self.steps;
    result->jobs = counts.jobs;
    result->starts = counts.starts;
    result->resizes = counts.resizes;
    result->terms = counts.terms;
    result->deaths = counts.deaths;
    for (uint32_t who = 0; who < self.process_count; who++)
        result->points[who] = self.processes[who].points;
    if (!result->violated)
        bury (&self);
}
