/*  Processes that submit one job each, wait for it, and can be killed at any moment (submitter.c), in the history.
 *
 *  Thread rule: the test's main thread.
 */
#pragma once

#include "cluster.h"

/* Starts one in the cluster's seat of the moment. It goes on with the session that is in the file `session` of the scratch
 * directory, or puts its own there. The job is of the queue "rec". */
process_t *submitter_start (const cluster_t *cluster, const char *name, const char *session, const char *key,
                            const char *payload);
/* Waits until it has said under which request it submits. */
void submitter_began (process_t *submitter, const char *key, const char *payload, history_job_t *job);
/* Waits until that job is accepted, and notes it, with its id. False: it is not within `timeout_ms`. */
bool submitter_accepted (cluster_t *cluster, process_t *submitter, history_job_t *job, int timeout_ms);
/* Waits for the outcome of that job and for the end of the process, and notes the outcome. */
void submitter_ended (cluster_t *cluster, process_t *submitter, uint64_t id);
