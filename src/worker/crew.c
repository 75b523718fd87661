#include "worker/crew.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "net/clock.h"
#include "proto/alloc.h"
#include "worker/failpoints.h"

enum { STACK_BYTES = 1 << 20 }; /* of a handler thread; touched only as far as it is used */

/* ---- the run queue: with its mutex ----------------------------------------------------------------------------- */

static void enqueue (rm_crew_t *self, rm_work_job_t *job)
{
    DL_APPEND2 (self->run, job, run_prev, run_next);
    job->run_queued = true;
}

static void dequeue (rm_crew_t *self, rm_work_job_t *job)
{
    DL_DELETE2 (self->run, job, run_prev, run_next);
    job->run_queued = false;
}

/* ---- what a job says of itself --------------------------------------------------------------------------------- */

/* With the mutex, which it gives back. The loop wakes up for heartbeats anyway: who talks fast is not listened to faster. */
static void leave_said (rm_crew_t *self, uint64_t now_ms)
{
    bool rings = now_ms >= self->said_rung_ms + RM_WORK_PROGRESS_MS;
    if (rings)
        self->said_rung_ms = now_ms;
    pthread_mutex_unlock (&self->said_mutex);
    if (rings)
        rm_wake_ring (self->wake);
}

int rm_job_progress (rm_job_t *self, unsigned permille, const char *format, ...)
{
    char note[RM_NOTE_BYTES_MAX + 1] = "";
    if (self->ended)
        return RM_ESTATE;
    if (permille > RM_PERMILLE_MAX)
        return RM_EINVAL;
    va_list arguments;
    va_start (arguments, format);
    if (format)
        vsnprintf (note, sizeof note, format, arguments);
    va_end (arguments);
    rm_crew_t *crew = self->hand->crew;
    uint64_t now_ms = rm_clock_ms ();
    pthread_mutex_lock (&crew->said_mutex);
    self->permille = permille;
    self->note_size = (uint32_t)strlen (note);
    memcpy (self->note, note, self->note_size);
    self->said_ms = now_ms;
    if (!self->said)
        DL_APPEND (crew->said, self);
    self->said = true;
    leave_said (crew, now_ms);
    return 0;
}

int rm_job_partial (rm_job_t *self, const void *data, size_t size)
{
    rm_crew_t *crew = self->hand->crew;
    rm_work_partial_t *partial;
    if (self->ended)
        return RM_ESTATE;
    int rc = rm_work_partial_new (crew->work, self->work, data, size, &partial);
    if (rc)
        return rc;
    pthread_mutex_lock (&crew->said_mutex);
    DL_APPEND (crew->partials, partial);
    leave_said (crew, rm_clock_ms ());
    return 0;
}

/* It has ended: nobody is interested any more. */
static void unsay (rm_job_t *self)
{
    rm_crew_t *crew = self->hand->crew;
    pthread_mutex_lock (&crew->said_mutex);
    if (self->said)
        DL_DELETE (crew->said, self);
    self->said = false;
    pthread_mutex_unlock (&crew->said_mutex);
}

/* With the lock of the half. */
static void collect_said (rm_crew_t *self)
{
    pthread_mutex_lock (&self->said_mutex);
    while (self->said) {
        rm_job_t *job = self->said;
        DL_DELETE (self->said, job);
        job->said = false;
        rm_work_progress (self->work, job->work, job->permille, (rm_bytes_t){job->note, job->note_size}, job->said_ms);
    }
    while (self->partials) {
        rm_work_partial_t *partial = self->partials;
        DL_DELETE (self->partials, partial);
        rm_work_partial (self->work, partial);
    }
    pthread_mutex_unlock (&self->said_mutex);
}

/* ---- a handler thread ------------------------------------------------------------------------------------------ */

/* The next job to try, `done` with the one before (not: there was none, or it is detached); NULL: the crew quits. */
static rm_work_job_t *take (rm_crew_t *self, bool done)
{
    pthread_mutex_lock (&self->run_mutex);
    self->taken -= done;
    self->idle++;
    while ((!self->run || self->taken >= self->taken_max) && !self->quits)
        pthread_cond_wait (&self->run_turn, &self->run_mutex);
    self->idle--;
    rm_work_job_t *job = self->quits ? NULL : self->run;
    if (job) {
        dequeue (self, job);
        self->taken++;
    }
    pthread_mutex_unlock (&self->run_mutex);
    return job;
}

/* With the mutex of the ended ones. True: it is the first of many, for which the loop has to be woken. */
static bool add_ended (rm_crew_t *self, rm_work_job_t *job)
{
    bool first = !self->ended;
    LL_PREPEND2 (self->ended, job, run_next);
    return first;
}

/* Hands a job to the loop. */
static void give_back (rm_crew_t *self, rm_work_job_t *job)
{
    pthread_mutex_lock (&self->ended_mutex);
    bool first = add_ended (self, job);
    pthread_mutex_unlock (&self->ended_mutex);
    if (first)
        rm_wake_ring (self->wake);
}

static void set_job (rm_hand_t *self, const rm_work_job_t *job)
{
    pthread_mutex_lock (&self->mutex);
    self->job = job;
    pthread_mutex_unlock (&self->mutex);
}

static bool try_start (rm_hand_t *self, rm_work_job_t *job)
{
    rm_crew_t *crew = self->crew;
    job->shell = self;
    set_job (self, job);
    rm_rwlock_read_lock (crew->lock);
    bool started = rm_work_try_start (crew->work, job, rm_clock_ms ());
    uint64_t timeout_at = job->timeout_at;
    rm_rwlock_unlock (crew->lock);
    if (started && timeout_at < atomic_load (&crew->sleeps_until))
        rm_wake_ring (crew->wake);
    return started;
}

static void conclude (rm_job_t *self, int rc)
{
    rm_job_conclude (self, rc);
    unsay (self);
    self->work->result.ran_us = rm_clock_us () - self->begun_us;
}

/* False: the handler has detached it, and it may be over and gone already. */
static bool run (rm_hand_t *self, rm_work_job_t *work)
{
    const rm_served_t *served = &self->crew->served[work->queue];
    rm_failpoint (RM_FAIL_START_AFTER);
    rm_job_t *job = self->desk;
    *job = (rm_job_t){.work = work, .hand = self, .queue = served->queue, .begun_us = rm_clock_us ()};
    self->detached = false;
    int rc = served->handler (job, served->arg);
    if (self->detached)
        return false;
    conclude (job, rc);
    return true;
}

static void *live (void *arg)
{
    rm_hand_t *self = arg;
    bool done = false;
    for (rm_work_job_t *job; (job = take (self->crew, done));) {
        rm_failpoint (RM_FAIL_START_BEFORE);
        done = !try_start (self, job) || run (self, job);
        if (!done)
            continue;
        set_job (self, NULL);
        give_back (self->crew, job);
    }
    return NULL;
}

/* ---- a job that outlives its handler --------------------------------------------------------------------------- */

int rm_job_detach (rm_job_t *self)
{
    rm_hand_t *hand = self->hand;
    if (self->detached)
        return RM_ESTATE;
    rm_job_t *desk = rm_malloc (sizeof *desk);
    if (!desk)
        return RM_ENOMEM;
    hand->desk = desk;
    hand->detached = self->detached = true;
    pthread_mutex_lock (&hand->crew->ended_mutex);
    hand->crew->detached++;
    pthread_mutex_unlock (&hand->crew->ended_mutex);
    set_job (hand, NULL);
    return 0;
}

int rm_job_finish (rm_job_t **self_p)
{
    if (!self_p || !*self_p)
        return 0;
    rm_job_t *self = *self_p;
    if (!self->detached)
        return RM_ESTATE;
    *self_p = NULL;
    rm_crew_t *crew = self->hand->crew;
    rm_work_job_t *work = self->work;
    conclude (self, 0);
    rm_free (self);
    pthread_mutex_lock (&crew->run_mutex);
    crew->taken--;
    pthread_cond_signal (&crew->run_turn);
    pthread_mutex_unlock (&crew->run_mutex);
    /* Nothing of the crew is touched once the mutex is left: with its last job it may be gone. */
    pthread_mutex_lock (&crew->ended_mutex);
    if (add_ended (crew, work))
        rm_wake_ring (crew->wake);
    if (!--crew->detached)
        pthread_cond_signal (&crew->none_left);
    pthread_mutex_unlock (&crew->ended_mutex);
    return 0;
}

static void await_detached (rm_crew_t *self)
{
    pthread_mutex_lock (&self->ended_mutex);
    while (self->detached)
        pthread_cond_wait (&self->none_left, &self->ended_mutex);
    pthread_mutex_unlock (&self->ended_mutex);
}

/* ---- life ------------------------------------------------------------------------------------------------------ */

static void close_hand (rm_hand_t *self)
{
    pthread_cond_destroy (&self->cancelled);
    pthread_mutex_destroy (&self->mutex);
    rm_free (self->desk);
}

static int start_hand (rm_crew_t *self, rm_hand_t *hand)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init (&monotonic);
    pthread_condattr_setclock (&monotonic, CLOCK_MONOTONIC);
    hand->crew = self;
    hand->desk = rm_malloc (sizeof *hand->desk);
    if (!hand->desk)
        return RM_ENOMEM;
    pthread_mutex_init (&hand->mutex, NULL);
    pthread_cond_init (&hand->cancelled, &monotonic);
    pthread_condattr_destroy (&monotonic);
    pthread_attr_t attributes;
    pthread_attr_init (&attributes);
    pthread_attr_setstacksize (&attributes, STACK_BYTES);
    int rc = pthread_create (&hand->thread, &attributes, live, hand);
    pthread_attr_destroy (&attributes);
    if (!rc)
        return 0;
    close_hand (hand);
    return RM_EIO;
}

int rm_crew_start (rm_crew_t *self, rm_work_t *work, const rm_served_t *served, unsigned threads, unsigned jobs,
                   const rm_wake_t *wake)
{
    *self = (rm_crew_t){.work = work, .served = served, .taken_max = jobs, .wake = wake};
    atomic_store (&self->sleeps_until, RM_WORK_NEVER);
    self->lock = rm_rwlock_new ();
    self->hands = rm_calloc (threads, sizeof *self->hands);
    pthread_mutex_init (&self->run_mutex, NULL);
    pthread_mutex_init (&self->ended_mutex, NULL);
    pthread_mutex_init (&self->said_mutex, NULL);
    pthread_cond_init (&self->none_left, NULL);
    pthread_cond_init (&self->run_turn, NULL);
    int rc = self->lock && self->hands ? 0 : RM_ENOMEM;
    for (; !rc && self->hand_count < threads; self->hand_count += !rc)
        rc = start_hand (self, &self->hands[self->hand_count]);
    if (rc)
        rm_crew_stop (self);
    return rc;
}

void rm_crew_stop (rm_crew_t *self)
{
    pthread_mutex_lock (&self->run_mutex);
    self->quits = true;
    pthread_cond_broadcast (&self->run_turn);
    pthread_mutex_unlock (&self->run_mutex);
    for (unsigned i = 0; i < self->hand_count; i++)
        pthread_join (self->hands[i].thread, NULL);
    await_detached (self);
    for (unsigned i = 0; i < self->hand_count; i++)
        close_hand (&self->hands[i]);
    if (self->hand_count) {
        rm_crew_lock (self);
        rm_crew_collect (self);
        rm_crew_unlock (self);
    }
    pthread_cond_destroy (&self->run_turn);
    pthread_cond_destroy (&self->none_left);
    pthread_mutex_destroy (&self->ended_mutex);
    pthread_mutex_destroy (&self->said_mutex);
    pthread_mutex_destroy (&self->run_mutex);
    rm_free (self->hands);
    rm_rwlock_destroy (&self->lock);
    self->hands = NULL;
    self->hand_count = 0;
}

/* ---- the loop's side ------------------------------------------------------------------------------------------- */

void rm_crew_lock (rm_crew_t *self)
{
    rm_rwlock_write_lock (self->lock);
}

void rm_crew_unlock (rm_crew_t *self)
{
    rm_rwlock_unlock (self->lock);
}

void rm_crew_collect (rm_crew_t *self)
{
    pthread_mutex_lock (&self->ended_mutex);
    rm_work_job_t *backwards = self->ended, *ended = NULL, *next;
    self->ended = NULL;
    pthread_mutex_unlock (&self->ended_mutex);
    collect_said (self); /* only now: all that those which have ended said is in there */
    while (backwards) {
        next = backwards->run_next;
        LL_PREPEND2 (ended, backwards, run_next);
        backwards = next;
    }
    while (ended) {
        next = ended->run_next;
        if (ended->state == RM_WORK_JOB_RUNNING)
            rm_work_finished (self->work, ended);
        else
            rm_work_declined (self->work, ended);
        ended = next;
    }
}

/* Takes what shall not be run any more out of the run queue. A job that a thread has taken out already fails to start
 * there. */
static void withdraw (rm_crew_t *self, rm_work_job_t *withdrawn)
{
    for (rm_work_job_t *job = withdrawn, *next; job; job = next) {
        next = job->next_effect;
        if (!job->run_queued)
            continue;
        dequeue (self, job);
        give_back (self, job);
    }
}

void rm_crew_apply (rm_crew_t *self, const rm_work_effects_t *effects)
{
    for (const rm_work_job_t *job = effects->cancels; job; job = job->next_effect)
        rm_hand_cancel (job->shell, job);
    if (!effects->withdrawn && !effects->starts)
        return;
    pthread_mutex_lock (&self->run_mutex);
    withdraw (self, effects->withdrawn);
    unsigned started = 0;
    for (rm_work_job_t *job = effects->starts, *next; job; job = next, started++) {
        next = job->next_effect;
        enqueue (self, job);
    }
    if (started >= self->idle)
        pthread_cond_broadcast (&self->run_turn);
    else
        while (started--)
            pthread_cond_signal (&self->run_turn);
    pthread_mutex_unlock (&self->run_mutex);
}

uint64_t rm_crew_sleep_until (rm_crew_t *self, uint64_t deadline_ms)
{
    /* First said, then looked: a thread that starts a job looks at one after it has said the other. */
    atomic_store (&self->sleeps_until, deadline_ms);
    uint64_t timeout_at = rm_work_timeout_at (self->work);
    return timeout_at < deadline_ms ? timeout_at : deadline_ms;
}
