/*  Where a test can kill, stop or slow down a worker (net/failpoint.h): around each message that matters, and around the
 *  start of a handler. `…before` is before the message is given to ZeroMQ, `…after` once it has had time to leave.
 *
 *  Thread rule: any thread.
 */
#pragma once

#include "net/failpoint.h"
#include "proto/msg.h"

#define RM_FAIL_START_BEFORE                                                                                           \
    "worker.start.before"                        /* a thread has taken a job, and not yet asked whether it may start */
#define RM_FAIL_START_AFTER "worker.start.after" /* the job counts as running; its handler is not yet called */

/* Declares the table, once in a process. 0, or RM_EINVAL with a sentence. */
int rm_worker_failpoints_declare (rm_fault_t *fault);

/* The places around a message of the worker; those of a message without any cost nothing. */
void rm_worker_failpoint_before (const rm_msg_t *msg);
void rm_worker_failpoint_after (const rm_msg_t *msg);
/* A message of the master was decoded, and nothing was done about it yet. */
void rm_worker_failpoint_received (const rm_msg_t *msg);
