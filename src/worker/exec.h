/*  Handlers that are commands: `exec:COMMAND`, run by sh -c, and nothing of it survives the job.
 *
 *  The payload is the command's standard input, its standard output the result, the last lines of its standard error the
 *  reason of a failure. RM_JOB_ID, RM_KEY (unset without a key), RM_TOKEN, RM_ATTEMPT and RM_QUEUE are in its
 *  environment. It ends done with exit status 0, is tried again with 75 (EX_TEMPFAIL), and is dead with any other and
 *  when a signal killed it. Its process group is killed when the command itself has ended, when its job is cancelled,
 *  and when the worker dies (guard.h).
 *
 *  Thread rule: any number of handler threads at a time.
 */
#pragma once

#include "ringmaster/worker.h"
#include "worker/guard.h"

typedef struct {
    const char *command;     /* borrowed */
    const rm_guard_t *guard; /* borrowed */
} rm_exec_t;

/* An rm_handler_fn; `arg` is an rm_exec_t. */
int rm_exec_run (rm_job_t *job, void *arg);
