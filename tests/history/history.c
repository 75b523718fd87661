#include <stdlib.h>

#include "history_inside.h"

void *history_must (void *memory)
{
    if (!memory)
        abort ();
    return memory;
}

history_t *history_new (void)
{
    history_t *self = history_must (calloc (1, sizeof *self));
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
    free (self->sleeps.all);
    free (self->cuts.all);
    free (self->complaints.all);
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
