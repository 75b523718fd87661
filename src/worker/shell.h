/*  The handler of a queue of commands: each job's payload says what is to be run and where (proto/shell.h), and its
 *  result is all that came of it, whether the command succeeded or not.
 *
 *  What stdout and stderr have together beyond a result's limit goes into two files below the directory that the payload
 *  names for that; without one the job is dead. The files' names are of the job and its token, so that no two attempts
 *  share one.
 *  Whoever can submit jobs runs commands as the worker's user: such a worker talks to masters of this machine only,
 *  unless it is told to be insecure (worker.c, uplink.h).
 *
 *  Thread rule: any number of handler threads at a time.
 */
#pragma once

#include "ringmaster/worker.h"

/* An rm_handler_fn; `arg` is an rm_exec_t, of which only the guard counts. */
int rm_shell_run (rm_job_t *job, void *arg);
