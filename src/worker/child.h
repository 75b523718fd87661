/*  A command while a job runs: sh -c in a process group of its own, fed and read until it ends, and nothing of it
 *  survives.
 *
 *  The group is killed when the command itself has ended, when the job is cancelled, when a sink has had enough, and when
 *  the worker dies (guard.h). What the command left running is not waited for.
 *  Thread rule: any number of handler threads at a time, each with its own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ringmaster/worker.h"
#include "worker/guard.h"

enum {
    RM_CHILD_TERM_MS = 200
}; /* at least, between SIGTERM and SIGKILL when its time is over, or it is wanted no longer */

/* Takes a piece of what it wrote. False: enough, kill it. */
typedef bool rm_child_sink_fn (void *sink, const char *piece, size_t size);

typedef struct {
    const char *command;
    const char *directory; /* NULL: the worker's */
    const char *const *environment;
    size_t environment_count; /* NAME=VALUE texts, beside the worker's and the job's own */
    const char *input;        /* its standard input */
    size_t input_size;
    rm_child_sink_fn *out, *err; /* of standard output and standard error */
    void *sink;
    uint64_t timeout_ms; /* SIGTERM then, SIGKILL a moment later; 0: never */
} rm_child_plan_t;

typedef struct {
    int error;      /* an errno: it could not be started, and nothing else here counts */
    int status;     /* as of wait(2) */
    bool lost;      /* nobody knows how it ended; `why` says what is wrong with this process */
    bool timed_out; /* it was stopped at its time */
    const char *why;
} rm_child_end_t;

/* Runs it to its end. What cannot be executed ends with exit status 127, as in a shell; a directory that is not there
 * too, with a sentence on its standard error. */
void rm_child_run (rm_job_t *job, const rm_guard_t *guard, const rm_child_plan_t *plan, rm_child_end_t *end);
