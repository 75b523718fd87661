/*  The handler threads of a worker, and the half of the protocol that tells them what to run (core/work.h).
 *
 *                 apply: starts                                          collect
 *      the loop ───────────────▶ run queue ──▶ a thread: try_start, handler ──▶ ended ──▶ the loop (woken by a ring)
 *                                                                   │ detach     ▲
 *                                                                   └── finish ──┘ from any thread
 *
 *  The RWLock guards the half: threads hold its read side while they try to start a job, the loop holds the write side
 *  around every call on the half. So nothing starts while the half closes a slot, loses its lease or forgets.
 *
 *  Thread rule: the loop's thread calls everything; rm_job_detach, rm_job_finish, rm_job_progress and
 *  rm_job_partial (ringmaster/worker.h) are here too.
 */
#pragma once

#include <stdatomic.h>

#include "net/wake.h"
#include "ringmaster/rwlock.h"
#include "worker/job.h"

/* What a queue's jobs are given to. */
typedef struct {
    const char *queue;
    rm_handler_fn *handler;
    void *arg;
} rm_served_t;

/* In-place struct. */
struct rm_crew {
    rm_work_t *work;           /* borrowed */
    rm_rwlock_t *lock;         /* guards it */
    const rm_served_t *served; /* by the half's queue index; borrowed */
    const rm_wake_t *wake;     /* rung when a job has ended; borrowed */

    rm_hand_t *hands;
    unsigned hand_count; /* threads that were started */

    pthread_mutex_t run_mutex; /* guards the run queue */
    pthread_cond_t run_turn;   /* there is something in it and room for it, or `quits` */
    rm_work_job_t *run;        /* offered jobs that no thread has taken yet (utlist: run_prev, run_next) */
    unsigned idle;             /* threads that wait for a turn */
    unsigned taken, taken_max; /* jobs that threads have taken, detached ones among them */
    bool quits;

    pthread_mutex_t ended_mutex; /* guards the ended ones */
    pthread_cond_t none_left;    /* no job is detached */
    rm_work_job_t *ended;        /* finished and declined jobs (run_next), the last one first */
    unsigned detached;           /* jobs whose rm_job_finish is still to come */

    pthread_mutex_t said_mutex;  /* guards … */
    rm_job_t *said;              /* … the jobs that said something of themselves (utlist) */
    rm_work_partial_t *partials; /* … their partial results (utlist); owned */
    uint64_t said_rung_ms;       /* … and when the loop was woken for that */

    atomic_uint_least64_t sleeps_until; /* the loop does, unless woken: a job with an earlier timeout rings */
};

/* Starts `threads` handler threads, for up to `jobs` jobs at a time, detached ones included. 0, RM_ENOMEM, or RM_EIO if
 * the system has no more threads to give. */
int rm_crew_start (rm_crew_t *self, rm_work_t *work, const rm_served_t *served, unsigned threads, unsigned jobs,
                   const rm_wake_t *wake);
/* Lets the threads end, waits for handlers that run and for detached jobs, and gives the half what they left. */
void rm_crew_stop (rm_crew_t *self);

/* The write side of the half: to be held around every call on it. */
void rm_crew_lock (rm_crew_t *self);
void rm_crew_unlock (rm_crew_t *self);

/* With the lock: gives the half what jobs said of themselves, and those that have ended. */
void rm_crew_collect (rm_crew_t *self);

/* Without the lock: cancels, withdraws and starts what the effects say. */
void rm_crew_apply (rm_crew_t *self, const rm_work_effects_t *effects);

/* The loop is about to sleep until then. When it has to wake up: earlier if a job was started in the meantime whose time
 * is over sooner. */
uint64_t rm_crew_sleep_until (rm_crew_t *self, uint64_t deadline_ms);
