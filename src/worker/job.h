/*  A job while it runs: what the public rm_job_… functions work on, and what stands beside it for handlers of our own
 *  (exec.c, builtin.c).
 *
 *  Thread rule: the handler's thread, but for rm_hand_cancel; a detached job: whoever has it.
 */
#pragma once

#include <pthread.h>
#include <sys/types.h>

#include "core/work.h"
#include "ringmaster/worker.h"

typedef struct rm_crew rm_crew_t;

/* A handler thread, as far as others may reach it to stop what it runs. */
typedef struct {
    rm_crew_t *crew;
    pthread_t thread;
    pthread_mutex_t mutex;    /* guards job and group */
    pthread_cond_t cancelled; /* the job was told to stop; waits on the monotonic clock */
    const rm_work_job_t *job; /* what it runs; NULL: nothing */
    pid_t group;              /* process group of the command it runs; 0: none */
    rm_job_t *desk;           /* what its handler is given; owned, and a new one once that was detached */
    bool detached;            /* its handler did so; this thread's only */
} rm_hand_t;

struct rm_job {
    rm_work_job_t *work;
    rm_hand_t *hand;   /* who runs it, or began to */
    const char *queue; /* its name */
    uint64_t begun_us; /* of rm_clock_us */
    bool ended;        /* a reply or a failure was said */
    bool detached;     /* it is over when rm_job_finish says so, not when its handler returns */

    /* With the crew's `said_mutex`: what it said of itself that the loop has not heard yet. */
    bool said;             /* there is something; it is among the crew's then */
    rm_job_t *prev, *next; /* … these */
    uint32_t permille;
    uint32_t note_size;
    uint64_t said_ms; /* when, of rm_clock_ms */
    char note[RM_NOTE_BYTES_MAX];
};

/* The job's verdict when its handler has returned `rc`. */
void rm_job_conclude (rm_job_t *self, int rc);

/* Waits until `until_ms` (of rm_clock_ms) or the job is cancelled; true if it is. */
bool rm_job_sleep (rm_job_t *self, uint64_t until_ms);

/* From now on a cancel kills that process group; 0: none any more. False: the job is cancelled already. */
bool rm_job_set_group (rm_job_t *self, pid_t group);

/* Thread rule: the loop's. Wakes the handler of a job whose `cancelled` is set, and kills its processes;
 * those of one that is only not wanted any more get SIGTERM, and SIGKILL later (child.h). */
void rm_hand_cancel (rm_hand_t *self, const rm_work_job_t *job);
