#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "history_inside.h"

/* Makes room for one more and counts it. */
#define MORE(many)                                                                                                     \
    ((many).count < (many).room                                                                                        \
         ? &(many).all[(many).count++]                                                                                 \
         : ((many).room = (many).room ? (many).room * 2 : 64,                                                          \
            (many).all = must (realloc ((many).all, (many).room * sizeof *(many).all)), &(many).all[(many).count++]))

static void *must (void *memory)
{
    if (!memory)
        abort ();
    return memory;
}

history_t *history_new (void)
{
    history_t *self = must (calloc (1, sizeof *self));
    pthread_mutex_init (&self->mutex, NULL);
    return self;
}

void history_destroy (history_t **self_p)
{
    history_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    pthread_mutex_destroy (&self->mutex);
    free (self->jobs.all);
    free (self->outcomes.all);
    free (self->overtaken.all);
    free (self->deaths.all);
    free (self->stops.all);
    free (self->runs.all);
    free (self);
}

/* ---- what clients saw ------------------------------------------------------------------------------------------- */

void history_accepted (history_t *self, const history_job_t *job)
{
    pthread_mutex_lock (&self->mutex);
    *MORE (self->jobs) = *job;
    pthread_mutex_unlock (&self->mutex);
}

void history_ended (history_t *self, const history_outcome_t *outcome)
{
    pthread_mutex_lock (&self->mutex);
    *MORE (self->outcomes) = *outcome;
    pthread_mutex_unlock (&self->mutex);
}

void history_overtaken (history_t *self, uint64_t older, uint64_t younger)
{
    pthread_mutex_lock (&self->mutex);
    *MORE (self->overtaken) = (overtaken_t){older, younger};
    pthread_mutex_unlock (&self->mutex);
}

void history_forbid_restarts (history_t *self)
{
    pthread_mutex_lock (&self->mutex);
    self->no_restarts = true;
    pthread_mutex_unlock (&self->mutex);
}

size_t history_size (history_t *self)
{
    pthread_mutex_lock (&self->mutex);
    size_t count = self->jobs.count;
    pthread_mutex_unlock (&self->mutex);
    return count;
}

/* ---- what the test did ------------------------------------------------------------------------------------------ */

void history_died (history_t *self, pid_t pid, uint64_t us)
{
    pthread_mutex_lock (&self->mutex);
    *MORE (self->deaths) = (moment_t){pid, us, us};
    pthread_mutex_unlock (&self->mutex);
}

void history_stopped (history_t *self, pid_t pid, uint64_t from_us, uint64_t to_us)
{
    pthread_mutex_lock (&self->mutex);
    *MORE (self->stops) = (moment_t){pid, from_us, to_us};
    pthread_mutex_unlock (&self->mutex);
}

/* ---- what the recorders wrote ----------------------------------------------------------------------------------- */

static run_t *find_open (history_t *self, const run_t *end)
{
    for (size_t i = self->runs.count; i-- > 0;) {
        run_t *run = &self->runs.all[i];
        if (run->pid == end->pid && run->id == end->id && run->token == end->token && run->end == RUN_OPEN)
            return run;
    }
    return NULL;
}

static run_end_t end_of (const char *how)
{
    if (!strcmp (how, "ok"))
        return RUN_OK;
    if (!strcmp (how, "failed"))
        return RUN_FAILED;
    return strcmp (how, "cancelled") ? RUN_OPEN : RUN_CANCELLED;
}

bool history_line (history_t *self, const char *line)
{
    char what[8], worker[64], how[16] = "";
    run_t run = {.end_us = UINT64_MAX};
    uint64_t us;
    long pid;
    int fields = sscanf (line, "%7s %" SCNu64 " %ld %63s %" SCNu64 " %63s %" SCNu64 " %u %15s", what, &us, &pid, worker,
                         &run.id, run.key, &run.token, &run.attempt, how);
    run.pid = (pid_t)pid;
    if (fields == 8 && !strcmp (what, "start")) {
        run.start_us = us;
        *MORE (self->runs) = run;
        return true;
    }
    run_t *open = fields == 9 && !strcmp (what, "end") ? find_open (self, &run) : NULL;
    if (!open || end_of (how) == RUN_OPEN)
        return false;
    open->end_us = us;
    open->end = end_of (how);
    return true;
}

long history_read (history_t *self, const char *path)
{
    FILE *file = fopen (path, "r");
    char *line = NULL;
    size_t room = 0;
    long count = 0;
    if (!file)
        return errno == ENOENT ? 0 : -1;
    for (; count >= 0 && getline (&line, &room, file) > 0; count++)
        if (!history_line (self, line)) {
            fprintf (stderr, "%s:%ld: not a line of a history: %s", path, count + 1, line);
            count = -2;
        }
    free (line);
    fclose (file);
    return count;
}
