/*  What a worker (ringmaster/worker.h) consists of.
 *
 *  Thread rule: as the public header; while it runs, everything but `stops` and `wake` is the loop's.
 */
#pragma once

#include <stdatomic.h>

#include "core/work.h"
#include "net/endpoint.h"
#include "net/fault.h"
#include "net/log.h"
#include "net/wake.h"
#include "ringmaster/worker.h"
#include "worker/crew.h"
#include "worker/exec.h"
#include "worker/guard.h"
#include "worker/seeker.h"
#include "worker/teller.h"
#include "worker/uplink.h"

enum { RM_PROJECT_BYTES_MAX = 255, RM_CATALOGS_BYTES_MAX = 4095 };

struct rm_worker {
    rm_endpoint_t masters[RM_ENDPOINTS_MAX];
    unsigned master_count;
    char name[RM_WORKER_NAME_BYTES_MAX + 1];
    char pool[RM_POOL_NAME_BYTES_MAX + 1];
    unsigned threads;
    unsigned jobs; /* at a time, detached ones included; 0: as many as threads */
    bool quiet;
    bool insecure;                            /* whoever reaches the masters may have commands run */
    char project[RM_PROJECT_BYTES_MAX + 1];   /* where masters are looked for when none answers; "": nowhere else … */
    char catalogs[RM_CATALOGS_BYTES_MAX + 1]; /* … at these; "": the environment's */
    bool runs_any;                            /* a queue is served with the shell */

    rm_served_t served[RM_WORKER_QUEUES_MAX];  /* the queues' names are owned */
    rm_exec_t *commands[RM_WORKER_QUEUES_MAX]; /* owned, with the command behind it; NULL: another kind of handler */
    uint32_t served_count;

    void (*ready) (const char *name, void *arg);
    void *ready_arg;
    rm_told_fn *on_slots; /* NULL: nobody wants to know */
    void *on_slots_arg;

    rm_wake_t wake;   /* rung for a stop, and by the crew */
    atomic_int stops; /* how often it was told to stop */
    bool runs;        /* settings are closed */
    rm_fault_t fault; /* the last error */

    /* While it runs. */
    rm_work_t *work;
    rm_crew_t crew;
    rm_teller_t teller;
    rm_uplink_t link;
    rm_guard_t guard;
    rm_seeker_t seeker;
    rm_work_state_t state; /* as last logged */
    uint64_t inc;          /* likewise */
    const char *trouble;   /* likewise: of the link */
    int32_t refusal;       /* likewise: the code the master refused the join with */
    bool stop_told;        /* the half knows */
};

/* Logs a line unless the worker is quiet. */
#define rm_worker_log(self, level, ...)                                                                                \
    do {                                                                                                               \
        if (!(self)->quiet)                                                                                            \
            rm_log (level, __VA_ARGS__);                                                                               \
    } while (0)

/* loop.c: works until it is over; as rm_worker_run. May end the process (docs/protocol.md, rule 16). */
int rm_worker_loop (rm_worker_t *self);
