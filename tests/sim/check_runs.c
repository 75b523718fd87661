/*  Runs: where and when handlers start. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check_inside.h"

enum { LATE_MS = 5 /* a worker looks at its clock so late, at most */ };

/* What was paused while it ran, or still is, cannot know that it should stop. */
static bool excused (const check_t *self, uint32_t who, const sim_run_t *run)
{
    const sim_process_t *process = &self->sim->processes[who];
    return process->paused_us || run->started_us <= process->tainted_us;
}

static bool same_key (const rm_work_job_t *a, const rm_work_job_t *b)
{
    return a->key.data && b->key.data && a->queue == b->queue && rm_bytes_equal (a->key, b->key);
}

static void check_overlap (check_t *self, uint32_t who, const sim_run_t *run)
{
    for (uint32_t worker = 0; worker < self->sim->plan->worker_count; worker++) {
        uint32_t count, other = sim_worker_who (self->sim, worker);
        const sim_run_t *runs = sim_worker_runs (self->sim, other, &count);
        for (uint32_t i = 0; i < count; i++) {
            if (!runs[i].job || &runs[i] == run || excused (self, other, &runs[i]))
                continue;
            if (same_key (runs[i].job, run->job) || runs[i].job->id == run->job->id)
                VIOLATION (self, "one-run-a-key", "job %" PRIu64 " starts at %s while job %" PRIu64 " runs at %s",
                           run->job->id, self->sim->processes[who].name, runs[i].job->id,
                           self->sim->processes[other].name);
        }
    }
}

/* A member that was not removed must have let go of the slot: nothing in it runs there, or still may. */
static void check_released (check_t *self, uint32_t who, const sim_run_t *run)
{
    if (run->slot >= RM_SLOTS)
        return;
    for (uint32_t worker = 0; worker < self->sim->plan->worker_count; worker++) {
        uint32_t other = sim_worker_who (self->sim, worker);
        const rm_work_t *half = sim_work (self->sim, other);
        if (other == who || !half || !rm_state_member (&self->shadow, rm_work_incarnation (half)))
            continue;
        for (const rm_work_job_t *job = half->held; job; job = job->next_held)
            if (job->slot == run->slot && (job->state == RM_WORK_JOB_QUEUED || job->state == RM_WORK_JOB_RUNNING))
                VIOLATION (self, "slot-released", "slot %u starts job %" PRIu64 " at %s, while %s holds job %" PRIu64,
                           run->slot, run->job->id, self->sim->processes[who].name, self->sim->processes[other].name,
                           job->id);
    }
}

static void check_token (check_t *self, const rm_work_job_t *job, const check_job_t *known)
{
    if (known->key < 0)
        return;
    uint64_t *newest = &self->newest_token[known->queue][known->key];
    if (job->token <= *newest)
        VIOLATION (self, "tokens-grow", "job %" PRIu64 " of q%u/k%d starts with token %" PRIx64 ", after %" PRIx64,
                   job->id, known->queue, known->key, job->token, *newest);
    *newest = job->token;
}

/* A job of a key waits for those before it, whatever becomes of them: so they end in their order, too. And what is dead, in a
 * queue that holds, is waited for until it is kicked or let go of. */
static void check_turn_of_key (check_t *self, uint64_t id, const check_job_t *known)
{
    for (uint64_t other = 1; known->key >= 0 && other <= self->shadow.last_id; other++) {
        const check_job_t *before = &self->jobs[other];
        if (before->key != known->key || before->queue != known->queue || before->place >= known->place)
            continue;
        if (before->holds)
            VIOLATION (self, "key-held", "job %" PRIu64 " starts, and job %" PRIu64 ", which is dead, holds its key",
                       id, other);
        if (!before->ended)
            VIOLATION (self, "key-order", "job %" PRIu64 " starts, and job %" PRIu64 " of the same key has not ended",
                       id, other);
    }
}

static void note (check_t *self, const char *what, uint32_t who, const sim_run_t *run, const check_job_t *known,
                  const char *how)
{
    char line[160], key[16] = "-";
    if (known->key >= 0)
        snprintf (key, sizeof key, "%s/k%d", known->queue ? "r" : "q", known->key);
    snprintf (line, sizeof line, "%s %" PRIu64 " %ld %s %" PRIu64 " %s %" PRIu64 " %u%s", what, self->sim->now_us,
              (long)check_pid (self, who), self->sim->processes[who].name, run->job->id, key, run->job->token,
              run->job->attempt, how);
    history_line (self->history, line);
}

void check_starts (check_t *self, uint32_t who, const sim_run_t *run)
{
    check_job_t *known = check_job (self, run->job->id);
    abstract_starts (self->abstract, who, run);
    if (run->job->id > self->shadow.last_id)
        VIOLATION (self, "submitted", "job %" PRIu64 " starts, and is not in the log", run->job->id);
    if (known->ended)
        VIOLATION (self, "one-outcome", "job %" PRIu64 " starts, and has ended", run->job->id);
    if (known->at_most_once && known->starts > known->failures) /* a failure is a known end: it may be tried again */
        VIOLATION (self, "one-outcome", "job %" PRIu64 " is at-most-once, and starts again", run->job->id);
    check_overlap (self, who, run);
    check_released (self, who, run);
    check_turn_of_key (self, run->job->id, known);
    check_token (self, run->job, known);
    known->starts++;
    self->counts.starts++;
    note (self, "start", who, run, known, "");
}

void check_stops (check_t *self, uint32_t who, const sim_run_t *run)
{
    uint64_t quiet_ms = sim_clock_ms (self->sim, who) - run->told_ms;
    if (run->job->stop == RM_WORK_STOP_TIMEOUT && quiet_ms < run->job->timeout_ms)
        VIOLATION (self, "timeouts",
                   "job %" PRIu64 " is told to stop for its timeout of %u ms, and was quiet for %" PRIu64, run->job->id,
                   run->job->timeout_ms, quiet_ms);
}

static void check_in_time (check_t *self, uint32_t who, const sim_run_t *run)
{
    uint64_t quiet_ms = sim_clock_ms (self->sim, who) - run->told_ms;
    if (run->job->timeout_ms && run->job->stop == RM_WORK_GO_ON && quiet_ms > run->job->timeout_ms + LATE_MS &&
        !excused (self, who, run))
        VIOLATION (self, "timeouts",
                   "job %" PRIu64 " was quiet for %" PRIu64 " ms, and was not told to stop after its %u", run->job->id,
                   quiet_ms, run->job->timeout_ms);
}

void check_ends (check_t *self, uint32_t who, const sim_run_t *run)
{
    const check_job_t *known = check_job (self, run->job->id);
    abstract_ends (self->abstract, who, run);
    check_in_time (self, who, run);
    bool ok = run->job->result.verdict == RM_VERDICT_OK;
    note (self, "end", who, run, known, run->job->cancelled ? " cancelled" : ok ? " ok" : " failed");
}
