/*  A worker as a library, on a thread of its own, and the small master it works for (worker_master.h).
 *
 *  Thread rule: the test's thread; one worker at a time.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "ringmaster/worker.h"
#include "worker_master.h"

static master_t master;
static rm_worker_t *worker;
static pthread_t thread;
static atomic_int run_rc;
static atomic_bool run_over;

static inline void *run_worker (void *arg)
{
    (void)arg;
    atomic_store (&run_rc, rm_worker_run (worker));
    atomic_store (&run_over, true);
    return NULL;
}

static inline void make_worker (const char *masters)
{
    worker = rm_worker_new (masters);
    cr_assert (worker);
    cr_assert_eq (rm_worker_set (worker, "name", "w1"), 0);
    cr_assert_eq (rm_worker_set (worker, "threads", "2"), 0);
    cr_assert_eq (rm_worker_set (worker, "quiet", "1"), 0);
}

static inline void begin (void)
{
    cr_assert_eq (pthread_create (&thread, NULL, run_worker, NULL), 0);
}

static inline void open_both (void)
{
    master_open (&master);
    make_worker (master_endpoint (&master));
}

/* Serves it until rm_worker_run has returned; what it answered. */
static inline int await_end (void)
{
    uint64_t end_ms = rm_clock_ms () + WAIT_MS;
    while (!atomic_load (&run_over)) {
        master_turn (&master, 10);
        cr_assert_lt (rm_clock_ms (), end_ms, "the worker does not end");
    }
    pthread_join (thread, NULL);
    return atomic_load (&run_rc);
}

static inline void close_both (void)
{
    rm_worker_destroy (&worker);
    master_close (&master);
}

static inline void stop_and_leave (void)
{
    rm_worker_stop (worker);
    cr_assert_eq (await_end (), 0, "%s", rm_worker_error (worker));
}
