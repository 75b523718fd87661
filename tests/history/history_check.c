#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "history_inside.h"
#include "ringmaster/client.h"

enum { FAULTS_SAID_MAX = 40 };

typedef struct {
    history_t *history;
    FILE *out;
    size_t faults;
} check_t;

__attribute__ ((format (printf, 2, 3))) static void fault (check_t *self, const char *format, ...)
{
    if (self->faults++ >= FAULTS_SAID_MAX)
        return;
    va_list arguments;
    va_start (arguments, format);
    fputs ("history: ", self->out);
    vfprintf (self->out, format, arguments);
    fputc ('\n', self->out);
    va_end (arguments);
}

/* qsort may not be given a list that was never filled. */
static void sort (void *list, size_t count, size_t size, int (*order) (const void *, const void *))
{
    if (count)
        qsort (list, count, size, order);
}

/* ---- jobs and their outcomes ------------------------------------------------------------------------------------ */

static int by_id (const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static int job_by_id (const void *a, const void *b)
{
    return by_id (&((const history_job_t *)a)->id, &((const history_job_t *)b)->id);
}

static int job_by_request (const void *a, const void *b)
{
    const history_job_t *x = a, *y = b;
    int order = strcmp (x->session, y->session);
    return order ? order : by_id (&x->seq, &y->seq);
}

static int outcome_by_id (const void *a, const void *b)
{
    return by_id (&((const history_outcome_t *)a)->id, &((const history_outcome_t *)b)->id);
}

static const history_job_t *find_job (const history_t *history, uint64_t id)
{
    const history_job_t wanted = {.id = id};
    if (!history->jobs.count)
        return NULL;
    return bsearch (&wanted, history->jobs.all, history->jobs.count, sizeof wanted, job_by_id);
}

/* Two notes of the same acceptance are one; afterwards the jobs are in order of their ids, one of each. */
static void check_requests (check_t *self)
{
    history_t *history = self->history;
    history_job_t *jobs = history->jobs.all;
    sort (jobs, history->jobs.count, sizeof *jobs, job_by_request);
    for (size_t i = 1; i < history->jobs.count; i++)
        if (!job_by_request (&jobs[i - 1], &jobs[i]) && jobs[i - 1].id != jobs[i].id)
            fault (self, "request %s:%" PRIu64 " is two jobs, %" PRIu64 " and %" PRIu64, jobs[i].session, jobs[i].seq,
                   jobs[i - 1].id, jobs[i].id);
    sort (jobs, history->jobs.count, sizeof *jobs, job_by_id);
    size_t kept = 0;
    for (size_t i = 0; i < history->jobs.count; i++) {
        if (kept && jobs[kept - 1].id == jobs[i].id) {
            if (job_by_request (&jobs[kept - 1], &jobs[i]))
                fault (self, "job %" PRIu64 " is two requests, %s:%" PRIu64 " and %s:%" PRIu64, jobs[i].id,
                       jobs[kept - 1].session, jobs[kept - 1].seq, jobs[i].session, jobs[i].seq);
            continue;
        }
        jobs[kept++] = jobs[i];
    }
    history->jobs.count = kept;
}

static int run_by_id (const void *a, const void *b)
{
    const run_t *x = a, *y = b;
    int order = by_id (&x->id, &y->id);
    return order ? order : by_id (&x->start_us, &y->start_us);
}

/* The runs are in order of their ids. A run of another attempt is one that was given up before: its end may not count. */
static bool ran_to_its_end (const history_t *history, uint64_t id, unsigned attempt)
{
    size_t low = 0, high = history->runs.count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (history->runs.all[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < history->runs.count && history->runs.all[low].id == id; low++)
        if (history->runs.all[low].end == RUN_OK && history->runs.all[low].attempt == attempt)
            return true;
    return false;
}

static unsigned died_of (const history_outcome_t *outcome)
{
    return !strcmp (outcome->reason, "lost")      ? HISTORY_OF_LOST
           : !strcmp (outcome->reason, "crashed") ? HISTORY_OF_CRASHES
                                                  : HISTORY_OF_ITSELF;
}

static void check_outcome (check_t *self, const history_job_t *job, const history_outcome_t *outcome)
{
    if (outcome->outcome < 1 || outcome->outcome > 4 || !(job->may_end >> outcome->outcome & 1))
        fault (self, "job %" PRIu64 " of %s is %s (%s), which it must not be", job->id, job->key,
               history_outcome_name (outcome->outcome), outcome->reason);
    else if (outcome->outcome == RM_DIED && job->may_die_of && !(job->may_die_of & died_of (outcome)))
        fault (self, "job %" PRIu64 " of %s is dead (%s), and had no reason to be", job->id, job->key, outcome->reason);
    if (outcome->outcome == RM_DONE && *job->bytes && strcmp (job->bytes, outcome->bytes))
        fault (self, "job %" PRIu64 " of %s brought '%s', not '%s'", job->id, job->key, outcome->bytes, job->bytes);
    if (outcome->outcome == RM_DONE && !ran_to_its_end (self->history, job->id, outcome->attempt))
        fault (self, "job %" PRIu64 " of %s is done in attempt %u, but no run of that came to its end", job->id,
               job->key, outcome->attempt);
}

static void check_outcomes (check_t *self)
{
    history_t *history = self->history;
    history_outcome_t *outcomes = history->outcomes.all;
    size_t at = 0, count = history->outcomes.count;
    sort (outcomes, count, sizeof *outcomes, outcome_by_id);
    for (size_t i = 0; i < history->jobs.count; i++) {
        const history_job_t *job = &history->jobs.all[i];
        for (; at < count && outcomes[at].id < job->id; at++)
            fault (self, "job %" PRIu64 " has an outcome, but was not accepted", outcomes[at].id);
        if (at == count || outcomes[at].id != job->id) {
            fault (self, "job %" PRIu64 " of %s was accepted and has no outcome", job->id, job->key);
            continue;
        }
        const history_outcome_t *first = &outcomes[at];
        check_outcome (self, job, first);
        for (at++; at < count && outcomes[at].id == job->id; at++)
            if (outcomes[at].outcome != first->outcome || outcomes[at].attempt != first->attempt ||
                strcmp (outcomes[at].bytes, first->bytes) || strcmp (outcomes[at].reason, first->reason))
                fault (self, "job %" PRIu64 " of %s has two outcomes", job->id, job->key);
    }
    for (; at < count; at++)
        fault (self, "job %" PRIu64 " has an outcome, but was not accepted", outcomes[at].id);
}

static void check_overtaken (check_t *self)
{
    for (size_t i = 0; i < self->history->overtaken.count; i++)
        fault (self, "job %" PRIu64 " had ended before job %" PRIu64 " of the same key",
               self->history->overtaken.all[i].younger, self->history->overtaken.all[i].older);
}

/* ---- runs ------------------------------------------------------------------------------------------------------- */

/* What ran when its process died ended then. */
static void close_runs (history_t *history)
{
    for (size_t i = 0; i < history->runs.count; i++) {
        run_t *run = &history->runs.all[i];
        for (size_t d = 0; run->end == RUN_OPEN && d < history->deaths.count; d++) {
            const moment_t *death = &history->deaths.all[d];
            if (death->pid == run->pid && death->from_us >= run->start_us && death->from_us < run->end_us)
                run->end_us = death->from_us;
        }
    }
}

/* Whether this process was stopped at that moment, or shortly before it. */
static bool among (const moment_t *stops, size_t count, pid_t pid, uint64_t us)
{
    for (size_t i = 0; i < count; i++)
        if (stops[i].pid == pid && us >= stops[i].from_us && us <= stops[i].to_us + HISTORY_WAKE_MS * 1000)
            return true;
    return false;
}

static bool stood (const history_t *history, pid_t pid, uint64_t us)
{
    return among (history->stops.all, history->stops.count, pid, us) ||
           among (history->sleeps.all, history->sleeps.count, pid, us);
}

/* A command is stopped by its worker, or by nobody while that is stopped itself. */
static bool excused (const history_t *history, const run_t *run, uint64_t us)
{
    return stood (history, run->pid, us) || (run->worker && stood (history, run->worker, us));
}

static int run_by_key (const void *a, const void *b)
{
    const run_t *x = a, *y = b;
    int order = strcmp (x->key, y->key);
    return order ? order : by_id (&x->start_us, &y->start_us);
}

static void check_overlap (check_t *self, const run_t *first, const run_t *second, const char *what)
{
    if (second->start_us >= first->end_us || excused (self->history, first, second->start_us) ||
        excused (self->history, second, second->start_us))
        return;
    fault (self,
           "%s ran twice at a time: job %" PRIu64 " in process %ld from %" PRIu64 " to %" PRIu64 ", job %" PRIu64
           " in process %ld from %" PRIu64,
           what, first->id, (long)first->pid, first->start_us, first->end_us, second->id, (long)second->pid,
           second->start_us);
}

static uint64_t place_of (const history_t *history, uint64_t id)
{
    const history_job_t *job = find_job (history, id);
    return job && job->place ? job->place : id;
}

/* Runs of one key, in the order they started; `newest` is the last one that is not excused. */
static void check_successor (check_t *self, const run_t *newest, const run_t *run)
{
    uint64_t place = place_of (self->history, run->id), before = place_of (self->history, newest->id);
    if (place < before || (place == before && run->id < newest->id))
        fault (self, "key %s: job %" PRIu64 " started after job %" PRIu64 " had", run->key, run->id, newest->id);
    if (run->token <= newest->token)
        fault (self, "key %s: job %" PRIu64 " has token %" PRIu64 ", after %" PRIu64, run->key, run->id, run->token,
               newest->token);
}

/* Runs that have not ended when the next one starts: few, so that a key with many runs takes no longer a run. */
typedef struct {
    const run_t **all;
    size_t count;
} open_runs_t;

/* `run` starts now. */
static void check_open (check_t *self, open_runs_t *open, const run_t *run)
{
    size_t kept = 0;
    for (size_t i = 0; i < open->count; i++) {
        if (open->all[i]->end_us <= run->start_us)
            continue;
        check_overlap (self, open->all[i], run, run->key);
        open->all[kept++] = open->all[i];
    }
    open->all[kept] = run;
    open->count = kept + 1;
}

static void check_keys (check_t *self)
{
    history_t *history = self->history;
    run_t *runs = history->runs.all;
    size_t count = history->runs.count;
    open_runs_t open = {.all = history_must (malloc ((count + 1) * sizeof *open.all))};
    sort (runs, count, sizeof *runs, run_by_key);
    for (size_t i = 0; i < count;) {
        const run_t *newest = NULL;
        size_t first = i;
        open.count = 0;
        for (; i < count && !strcmp (runs[i].key, runs[first].key); i++) {
            if (!strcmp (runs[i].key, "-"))
                continue;
            check_open (self, &open, &runs[i]);
            if (excused (history, &runs[i], runs[i].start_us)) {
                history->excused++;
                continue;
            }
            if (newest)
                check_successor (self, newest, &runs[i]);
            newest = &runs[i];
        }
    }
    free (open.all);
}

static void check_cut (check_t *self, const cut_t *cut)
{
    const history_t *history = self->history;
    uint64_t halt_us = cut->from_us + (HISTORY_LEASE_MS + HISTORY_HALT_MS) * 1000;
    for (size_t i = 0; i < history->runs.count && halt_us < cut->to_us; i++) {
        const run_t *run = &history->runs.all[i];
        uint64_t seen_us = run->start_us > halt_us ? run->start_us : halt_us;
        if (run->end_us > seen_us && seen_us < cut->to_us && !strcmp (run->who, cut->who) &&
            !excused (history, run, seen_us))
            fault (self,
                   "job %" PRIu64 " of %s ran in process %ld at %" PRIu64 ", although %s was cut off since %" PRIu64,
                   run->id, run->key, (long)run->pid, seen_us, cut->who, cut->from_us);
    }
}

/* Runs of one job, whether it has a key or not. Leaves the runs in order of their ids. */
static void check_jobs (check_t *self)
{
    history_t *history = self->history;
    run_t *runs = history->runs.all;
    sort (runs, history->runs.count, sizeof *runs, run_by_id);
    for (size_t i = 0, first = 0; i < history->runs.count; i++) {
        const history_job_t *job = find_job (history, runs[i].id);
        if (runs[i].id != runs[first].id)
            first = i;
        if (!job)
            fault (self, "job %" PRIu64 " of %s ran, but was not accepted", runs[i].id, runs[i].key);
        else if (strcmp (job->key, runs[i].key))
            fault (self, "job %" PRIu64 " of %s ran as one of %s", runs[i].id, job->key, runs[i].key);
        if (job && i != first && (job->at_most_once || history->no_restarts))
            fault (self, "job %" PRIu64 " %s, and was started again", runs[i].id,
                   job->at_most_once ? "is at-most-once" : "had no reason for it");
        if (!strcmp (runs[i].key, "-"))
            for (size_t before = first; before < i; before++)
                check_overlap (self, &runs[before], &runs[i], "a job without a key");
    }
}

size_t history_check (history_t *self, FILE *out)
{
    check_t check = {.history = self, .out = out};
    pthread_mutex_lock (&self->mutex);
    for (size_t i = 0; i < self->complaints.count; i++)
        fault (&check, "%s", self->complaints.all[i].text);
    close_runs (self);
    check_requests (&check);
    check_keys (&check);
    for (size_t i = 0; i < self->cuts.count; i++)
        check_cut (&check, &self->cuts.all[i]);
    check_jobs (&check);
    check_outcomes (&check);
    check_overtaken (&check);
    pthread_mutex_unlock (&self->mutex);
    if (check.faults > FAULTS_SAID_MAX)
        fprintf (out, "history: and %zu more\n", check.faults - FAULTS_SAID_MAX);
    return check.faults;
}

history_tally_t history_tally (const history_t *self)
{
    history_tally_t tally = {.jobs = self->jobs.count,
                             .starts = self->runs.count,
                             .excused = self->excused,
                             .deaths = self->deaths.count,
                             .stops = self->stops.count,
                             .sleeps = self->sleeps.count,
                             .cuts = self->cuts.count,
                             .gap_us = self->gap_us};
    for (size_t i = 0; i < self->outcomes.count; i++) {
        const history_outcome_t *outcome = &self->outcomes.all[i];
        if (i && outcome[-1].id == outcome->id)
            continue;
        tally.done += outcome->outcome == RM_DONE;
        tally.died_lost += outcome->outcome == RM_DIED && died_of (outcome) == HISTORY_OF_LOST;
        tally.died_crashed += outcome->outcome == RM_DIED && died_of (outcome) == HISTORY_OF_CRASHES;
        tally.died_itself += outcome->outcome == RM_DIED && died_of (outcome) == HISTORY_OF_ITSELF;
    }
    for (size_t i = 0; i < self->runs.count; i++)
        tally.ended += self->runs.all[i].end != RUN_OPEN;
    return tally;
}
